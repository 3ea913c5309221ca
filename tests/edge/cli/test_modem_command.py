"""`siaga-node modem`: what a technician sees and does, on a service that runs against the simulated modem."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from siaga_core.wire.outbound import AT_NODE
from siaga_edge.cli.__main__ import main
from siaga_edge.cli.modem import page
from siaga_edge.modem.intake import Intake
from siaga_edge.modem.replay import replay
from siaga_edge.modem.status import ModemStatus
from siaga_edge.simulate.modem.control import Control
from support.modem_service import SENDER, Service
from support.simulated_modem import modem_in_thread
from support.waiting import until

PROGRAM = str(Path(sys.executable).parent / "siaga-node")
LONG = "Banjir setinggi pinggang di Bengkong, lansia terjebak di lantai dua rumahnya. " * 3


@pytest.fixture
def node(tmp_path: Path) -> Iterator[tuple[Service, Control]]:
    with modem_in_thread(tmp_path) as (link, control):
        service = Service(tmp_path, link)
        service.start()
        until(lambda: "modem ready" in (tmp_path / "log").read_text(), 15)
        yield service, control
        service.kill()


def answer(capfd: pytest.CaptureFixture[str], service: Service, *words: str) -> tuple[int, Any]:
    capfd.readouterr()
    status = main(["modem", *words, "--config", str(service.config), "--json"])
    return status, json.loads(capfd.readouterr().out)


def test_status_send_inbox_and_replay_of_a_node_that_serves(
    node: tuple[Service, Control], capfd: pytest.CaptureFixture[str]
) -> None:
    service, control = node
    control.sms(SENDER, "Kebakaran di Nagoya")
    control.sms(SENDER, LONG, order=[2, 1])
    control.pdu("0011223344544F4C4F4E47")
    until(lambda: len(service.reports()) == 3 and LONG in service.texts(), 15)
    status, told = answer(capfd, service, "status")
    assert (status, told["running"], told["status"]["ready"]) == (0, True, True)
    assert told["in_roster"] is False, "said, and no trouble of the modem's"
    assert told["status"]["model"] == "SIMCOM_SIM7600E-H"
    status, told = answer(capfd, service, "send", "--to", SENDER, "--text", "uji coba", "--wait", "10")
    assert (status, told["state"]) == (0, "sent")
    assert [sent["text"] for sent in control.sent() if sent["text"] == "uji coba"] == ["uji coba"]
    until(lambda: len(answer(capfd, service, "inbox")[1]) == 5, 15)  # the network's word on the text as well
    status, rows = answer(capfd, service, "inbox")
    assert status == 0
    assert {"Kebakaran di Nagoya"} < {row["text"] for row in rows}
    assert not any(SENDER in row["from"] for row in rows), "numbers are masked"
    kinds = {row["kind"]: row for row in rows}
    assert kinds["delivery report"]["text"] == "DELIVERED"
    assert "11 oktet / octets" in kinds["unreadable"]["text"]
    hidden = json.dumps(rows)
    assert "0011223344544F4C4F4E47" not in hidden, "raw messages hold numbers"
    _, rows = answer(capfd, service, "inbox", "--raw")
    shown = {row["kind"]: row for row in rows}
    assert "0011223344544F4C4F4E47" in shown["unreadable"]["text"]
    assert shown["message"]["from"] == SENDER
    assert len(shown["message"]["pdu"]) > 40
    control.sms(SENDER, "api \u202edi\x1b[2J sini")
    until(lambda: len(service.reports()) == 4, 15)
    assert main(["modem", "inbox", "--last", "1", "--config", str(service.config)]) == 0
    assert "api ⟦U+202E⟧di⟦U+001B⟧[2J sini" in capfd.readouterr().out, "a text does not steer a terminal"
    for number in ("0", "-1"):
        assert main(["modem", "inbox", "--last", number, "--config", str(service.config)]) != 0
        assert "--last: 1 atau lebih" in capfd.readouterr().err
    status, told = answer(capfd, service, "replay")
    assert (status, told["same"], told["is_same"]) == (0, 4, True)
    assert told["messages"] == 5


def test_before_the_service_has_run_each_deed_says_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    service = Service(tmp_path, tmp_path / "modem")
    (tmp_path / "data").mkdir()
    assert main(["modem", "inbox", "--config", str(service.config)]) == 1
    assert main(["modem", "replay", "--config", str(service.config)]) == 1
    said = capfd.readouterr()
    assert "belum pernah berjalan" in said.out
    assert "belum pernah berjalan" in said.err
    status, told = answer(capfd, service, "send", "--to", SENDER, "--text", "uji", "--wait", "0.1")
    assert (status, told["state"], told["service_awake"]) == (1, "waiting", False)


def test_calls_are_run_again_with_the_messages(
    node: tuple[Service, Control], capfd: pytest.CaptureFixture[str]
) -> None:
    service, control = node
    control.call(SENDER, rings=2, every_s=0.2)
    control.sms(SENDER, "Kebakaran", flash=True)
    until(lambda: any(one.call and one.call.state == "missed" for one in service.reports()), 20)
    until(lambda: service.texts() == ["Kebakaran"], 15)
    status, told = answer(capfd, service, "replay")
    assert (status, told["is_same"], told["same"]) == (0, True, 2)
    assert told["calls"] >= 3
    capfd.readouterr()
    with sqlite3.connect(service.folder / "data/journal-modem.db") as journal:
        journal.execute("UPDATE call_log SET said = replace(said, '6281', '6282')")
    journal.close()
    assert main(["modem", "replay", "--config", str(service.config)]) == 1
    assert "reporter was '+6281234567890', is '+6282234567890'" in capfd.readouterr().out


def test_a_replay_is_the_same_whatever_the_modem_is_called(tmp_path: Path) -> None:
    with modem_in_thread(tmp_path) as (link, control):
        service = Service(tmp_path, link)
        words = service.config.read_text()
        service.config.write_text(words.replace("[modem]", '[modem]\nname = "satu"'))
        service.start()
        try:
            until(lambda: (tmp_path / "run/modem.json").exists(), 15)
            control.sms(SENDER, "Banjir")
            until(lambda: service.texts() == ["Banjir"], 15)
            found = replay(tmp_path / "data/journal-modem.db")
        finally:
            service.kill()
        assert service.reports()[0].modem == "satu"
        assert (found.same, found.is_same) == (1, True)


class Forgetful(Intake):
    """The mutant: drops the texts of every second part."""

    def commit(self, memory: str, found: list[Any]) -> None:
        if len(found[0].pdu) % 4:
            super().commit(memory, found)


def test_a_replay_with_other_parts_is_not_the_same(node: tuple[Service, Control]) -> None:
    service, control = node
    for number in range(6):
        control.sms(SENDER, "Kebakaran" + "!" * number)
    until(lambda: len(service.reports()) == 6, 15)
    journal = service.folder / "data" / "journal-modem.db"
    assert replay(journal).is_same
    found = replay(journal, Forgetful)
    assert not found.is_same
    assert found.missing


def test_a_status_says_in_two_languages_what_is_wrong() -> None:
    assert "belum berjalan" in page("modem", None, running=False)
    silent = ModemStatus(at_wall_ns=1, ready=False, trouble="modem.silent", rung="power")
    text = page("modem", silent, running=True)
    assert "TIDAK siap / NOT ready: modem.silent" in text
    assert "power" in text


def test_a_service_that_does_not_run_is_status_one_and_a_text_waits_for_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    service = Service(tmp_path, tmp_path / "modem")
    unknown = "the uplink has not run since the machine started"
    assert answer(capfd, service, "status") == (
        1,
        {
            "service": "modem",
            "running": False,
            "status": None,
            "verdicts": {},
            "hub": {"state": "unknown", "since_wall_ns": None, "waiting": 0, "why": unknown},
            "codes": [],
            "in_roster": False,
        },
    )
    status, told = answer(capfd, service, "send", "--to", SENDER, "--text", "nanti")
    assert (status, told["service_awake"]) == (1, False)
    assert len(list((tmp_path / "data" / "relay-modem").iterdir())) == 1
    with pytest.raises(SystemExit):
        main(["modem", "status", "--second", "--config", str(service.config)])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--to", SENDER, "--text", ""), "pesan kosong"),
        (("--to", SENDER, "--text", " \n "), "pesan kosong"),
        (("--to", "+628", "--text", "uji"), "bukan nomor HP"),
        (("--to", "112", "--text", "uji"), "bukan nomor HP"),
        (("--to", SENDER, "--text", "a" * 4500), "30 SMS berbayar"),
        (("--to", SENDER, "--text", "uji", "--wait", "-3"), "0 atau lebih"),
        (("--to", SENDER, "--text", "uji", "--wait", "nan"), "0 atau lebih"),
    ],
)
def test_a_text_that_cannot_be_meant_is_refused_and_not_left(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    service = Service(tmp_path, tmp_path / "modem")
    assert main(["modem", "send", "--config", str(service.config), *words]) == 1
    told = capfd.readouterr().err
    assert said in told
    assert "Traceback" not in told
    assert not (tmp_path / "data" / "relay-modem").exists()


def test_a_long_text_goes_when_it_is_meant_and_every_text_is_known_as_this_nodes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    service = Service(tmp_path, tmp_path / "modem")
    for words in (("0812-3456-7890", "a" * 612), (SENDER, "a" * 4500, "--yes")):
        to, text, *more = words
        _, told = answer(capfd, service, "send", "--to", to, "--text", text, *more)
        left = msgspec.json.decode((tmp_path / f"data/relay-modem/{told['id']}.json").read_bytes())
        assert (left["recipient"], left["text"]) == (SENDER, text)
        assert told["id"].startswith(AT_NODE)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=30, check=False)


def test_what_is_no_journal_and_no_folder_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# no journal\n" * 100)
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE other (x)").connection.close()
    for journal in (tmp_path / "README.md", tmp_path, tmp_path / "other.db"):
        told = run("modem", "replay", "--journal", str(journal))
        assert (told.returncode, told.stderr.count("\n")) == (1, 1), told.stderr
        assert "bukan jurnal modem" in told.stderr
    for link, control in (("gone/modem", "control"), ("modem", "README.md/control")):
        paths = ("--link", str(tmp_path / link), "--control", str(tmp_path / control))
        told = run("modem", "simulate", *paths)
        assert (told.returncode, told.stderr.count("\n")) == (1, 1), told.stderr
        assert "check its folder" in told.stderr
    assert not (tmp_path / "control").exists()


def test_a_reader_who_goes_away_is_no_traceback(tmp_path: Path) -> None:
    service = Service(tmp_path, tmp_path / "modem")
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as gone:
        command = [PROGRAM, "modem", "inbox", "--config", str(service.config)]
        told = subprocess.run(
            command, stdout=gone, stderr=subprocess.PIPE, text=True, timeout=30, check=False
        )
    assert (told.returncode, told.stderr) == (141, "")


def test_what_was_handed_over_is_sent_by_the_other_modem_once(tmp_path: Path) -> None:
    """The last rung: texts of a modem that does not come back go out by the second one."""
    with modem_in_thread(tmp_path) as (link, control):
        service = Service(tmp_path, tmp_path / "gone")
        words = service.config.read_text()
        service.config.write_text(words + f'[modemb]\nport = "{link}"\nsweep_every_s = 1\n')
        service.order("01KA6P3ZQ4N8S5T6V7W8X9Y0Z1", "Petugas menuju lokasi", at_least_once=True)
        other = Service.__new__(Service)
        other.__dict__.update(service.__dict__)
        service.start()
        other.start_second()
        try:
            until(lambda: control.sent(), 30)
            with closing(sqlite3.connect(tmp_path / "data" / "journal-modem.db")) as journal:
                query = "SELECT state FROM outgoing"
                until(lambda: journal.execute(query).fetchall() == [("handed over",)], 10)
        finally:
            service.kill()
            other.kill()
        assert [sent["text"] for sent in control.sent()] == ["Petugas menuju lokasi"]
