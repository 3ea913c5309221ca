"""The device itself: lines, plugs and orders, seen by a plain client with a retry and nothing else."""

import errno
import json
import os
import select
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from siaga_edge.simulate.modem.cli import add_call_arguments, add_sent_arguments, add_sms_arguments
from siaga_edge.simulate.modem.control import Control, OrderRefused, SimulatorMissing
from support.simulated_modem import SimulatedModem, simulated_modem
from support.waiting import until


@pytest.fixture
def modem(tmp_path: Path) -> Iterator[SimulatedModem]:
    with simulated_modem(tmp_path) as started:
        yield started


class Client:
    """Writes a command, reads until a final result; tries again when the line ate something."""

    def __init__(self, link: Path) -> None:
        self.port = serial.Serial(str(link), 115200, timeout=0, exclusive=True)
        self.heard = b""

    def read(self, limit_s: float) -> bytes:
        if not select.select([self.port.fileno()], [], [], limit_s)[0]:
            return b""
        octets = bytes(os.read(self.port.fileno(), 4096))
        self.heard += octets
        return octets

    def ask(self, line: str, limit_s: float = 2.0) -> str:
        """The answer with everything that came before its OK; empty when none came."""
        self.port.write(line.encode() + b"\r")
        answer, deadline = b"", time.monotonic() + limit_s
        while b"OK\r\n" not in answer and b"ERROR" not in answer and time.monotonic() < deadline:
            answer += self.read(0.05)
        return answer.decode("latin-1")

    def insist(self, line: str, wanted: str) -> str:
        """Ask until `wanted` is in the answer."""
        for _ in range(20):
            if wanted in (answer := self.ask(line, limit_s=1.5)):
                return answer
        raise AssertionError(f"{line} never gave {wanted!r}; heard {self.heard[-300:]!r}")

    def wait_for(self, wanted: bytes, limit_s: float = 5) -> None:
        until(lambda: self.read(0.02) is not None and wanted in self.heard, limit_s, because=repr(wanted))

    def close(self) -> None:
        self.port.close()


@pytest.mark.parametrize("line", ["clean", "slow", "lossy", "one-byte", "garbage"])
def test_a_message_goes_in_is_found_and_deleted_over_every_line(tmp_path: Path, line: str) -> None:
    with simulated_modem(tmp_path, "--line", line, "--seed", "5") as modem:
        client = Client(modem.link)
        client.insist("ATE0", "OK")
        client.insist("AT+CMGF=0;+CNMI=2,1,0,1,0", "OK")
        (part,) = modem.control.sms("+6281234567890", "Kebakaran di Nagoya")
        assert part["announcement"] == "sent"
        client.insist("AT+CMGR=1", part["pdu"])
        client.insist("AT+CMGD=1", "OK")
        until(lambda: modem.control.state()["stores"]["SM"] == [])
        client.close()


def test_every_injected_message_says_when_it_was_announced(modem: SimulatedModem) -> None:
    client = Client(modem.link)
    client.ask("ATE0;+CNMI=2,1,0,1,0")
    before = time.monotonic()
    (part,) = modem.control.sms("+6281234567890", "Banjir")
    client.wait_for(b"+CMTI")
    assert before <= part["stored_mono_s"] <= part["announced_mono_s"] <= time.monotonic()
    assert abs(part["announced_wall_s"] - time.time()) < 5
    parts = modem.control.sms("+6281234567890", "x" * 400, delay_s=0.05)
    assert [entry["announced_mono_s"] for entry in parts[1:]] == [None, None], "they are still on their way"
    later = until(lambda: [d for d in modem.control.deliveries() if d["announced_mono_s"]][3:])
    assert later[0]["announced_mono_s"] - parts[0]["announced_mono_s"] >= 0.1
    client.close()


def has_ended(descriptor: int) -> bool:
    """Whether the device behind an open descriptor is gone: end of file, or EIO."""
    try:
        return os.read(descriptor, 1) == b""
    except BlockingIOError:
        return False
    except OSError as error:
        return error.errno == errno.EIO


def test_a_pulled_plug_ends_the_open_device_and_takes_its_name_away_until_it_is_back(
    modem: SimulatedModem,
) -> None:
    client = Client(modem.link)
    client.ask("ATE0;+CNMI=2,1,0,1,0")
    modem.control.unplug(0.4)
    assert not modem.link.is_symlink()
    assert has_ended(client.port.fileno())
    client.close()
    assert modem.control.sms("+6281234567890", "saat dicabut")[0]["state"] == "queued"
    until(modem.link.is_symlink)
    client = Client(modem.link)
    client.wait_for(b"SMS DONE")
    assert "AT+CNMI?" in client.ask("AT+CNMI?"), "echo is on again"
    assert "+CNMI: 1,0,0,0,0" in client.ask("AT+CNMI?")
    assert "+CMGL: 1,0" in client.ask("AT+CMGF=0;+CMGL=4")
    client.close()


def test_a_hang_is_silence_and_may_end_in_a_restart(modem: SimulatedModem) -> None:
    client = Client(modem.link)
    client.ask("ATE0;+CNMI=2,1,0,1,0")
    modem.control.hang(0.5, reset=True)
    assert client.ask("AT", limit_s=0.3) == ""
    client.wait_for(b"SMS DONE")
    client.insist("AT+CNMI?", "+CNMI: 1,0,0,0,0")
    client.close()


def test_a_client_that_died_with_exclusive_use_does_not_lock_out_the_next(modem: SimulatedModem) -> None:
    hog = (
        "import fcntl, os, sys, termios, time; d = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY);"
        "fcntl.ioctl(d, termios.TIOCEXCL); print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", hog, str(modem.link)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()

    def free() -> bool:
        descriptor = os.open(modem.link, os.O_RDWR | os.O_NOCTTY)
        try:
            import array
            import fcntl

            held = array.array("i", [0])
            fcntl.ioctl(descriptor, 0x80045440, held)  # TIOCGEXCL, ioctl_tty(2)
            return held[0] == 0
        finally:
            os.close(descriptor)

    until(free)
    client = Client(modem.link)
    assert "OK" in client.ask("AT")
    client.close()


def test_the_device_is_raw(modem: SimulatedModem) -> None:
    descriptor = os.open(modem.link, os.O_RDWR | os.O_NOCTTY)
    try:
        local_modes = termios.tcgetattr(descriptor)[3]
        assert not local_modes & (termios.ECHO | termios.ICANON | termios.ISIG)
    finally:
        os.close(descriptor)


def test_faults_are_set_by_name_and_a_misspelled_one_is_refused(modem: SimulatedModem) -> None:
    assert modem.control.fault(drop_cmti=0.3)["faults"]["drop_cmti"] == 0.3
    assert modem.control.fault(delay_ms=5)["faults"]["drop_cmti"] == 0.3, "only the named ones change"
    with pytest.raises(OrderRefused, match="dorp_cmti"):
        modem.control.fault(dorp_cmti=0.3)
    with pytest.raises(OrderRefused, match="drop_cmti"):
        modem.control.fault(drop_cmti=3.0)
    assert modem.control.clear_faults()["faults"]["drop_cmti"] == 0


def test_nonsense_on_the_control_socket_is_answered_and_harms_nothing(modem: SimulatedModem) -> None:
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(modem.control_file))
        raw.sendall(b"{]\n" + b'{"do":"dance"}\n' + b'{"do":"pdu","hex":"xx"}\n' + b"\xff\n")
        answers = raw.makefile("rb")
        assert [json.loads(answers.readline())["ok"] for _ in range(4)] == [False] * 4
        answers.close()
    assert modem.control.pdu("00FF")["state"] == "stored", "octets that are no SMS pass: networks bring such"


def test_a_simulator_that_is_not_there_is_named_with_the_way_to_start_it(tmp_path: Path) -> None:
    with pytest.raises(SimulatorMissing, match="start one with"):
        Control(tmp_path / "nobody.sock")


def test_it_takes_its_names_away_when_told_to_stop_and_refuses_those_of_others(tmp_path: Path) -> None:
    with simulated_modem(tmp_path) as modem:
        modem.process.terminate()
        assert modem.process.wait(10) == 0
        assert not modem.link.is_symlink()
        assert not modem.control_file.exists()
    (tmp_path / "modem").write_text("somebody's file")
    done = subprocess.run(
        [sys.executable, "-m", "siaga_edge.simulate.modem", "--link", str(tmp_path / "modem")],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 1
    assert "choose another --link" in done.stderr
    assert (tmp_path / "modem").read_text() == "somebody's file"


def test_the_commands_of_a_technician_say_what_happened(
    modem: SimulatedModem, capsys: pytest.CaptureFixture[str]
) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    add_sms_arguments(commands.add_parser("sms"))
    add_call_arguments(commands.add_parser("call"))
    add_sent_arguments(commands.add_parser("sent"))
    control = ["--control", str(modem.control_file)]
    sms = parser.parse_args(["sms", "--from", "+62811", "--text", "Tolong", "--json", *control])
    assert sms.run(sms) == 0
    assert json.loads(capsys.readouterr().out)["parts"][0]["state"] == "stored"
    sent = parser.parse_args(["sent", "--to", "+62811", *control])
    assert sent.run(sent) == 0
    assert capsys.readouterr().out == "belum ada SMS keluar\n"
    call = parser.parse_args(["call", "--from", "+62811", "--rings", "1", *control])
    assert call.run(call) == 0
    assert "berdering" in capsys.readouterr().out
    assert call.run(call) == 1, "busy: the first caller is still on the line"


@pytest.mark.parametrize("same", ["link", "control"])
def test_a_second_simulator_does_not_take_over_what_a_running_one_plays(
    modem: SimulatedModem, tmp_path: Path, same: str
) -> None:
    link = modem.link if same == "link" else tmp_path / "other"
    control = modem.control_file if same == "control" else tmp_path / "other.sock"
    command = [
        sys.executable,
        "-m",
        "siaga_edge.simulate.modem",
        "--link",
        str(link),
        "--control",
        str(control),
    ]
    second = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert second.returncode != 0
    assert "simulator lain sedang berjalan" in second.stderr
    assert "choose another --link" in second.stderr
    assert "Traceback" not in second.stderr
    assert "OK" in Client(modem.link).ask("AT"), "the first one plays on"
    assert modem.control.state()
    assert not (tmp_path / "other.sock").exists()


def test_after_a_kill_the_same_names_are_free_again(tmp_path: Path) -> None:
    with simulated_modem(tmp_path) as first:
        first.process.kill()
        first.process.wait(10)
        with simulated_modem(tmp_path) as again:
            assert "OK" in Client(again.link).ask("AT")
