"""Programs that know nothing of us talk to the simulated modem: gammu, and python-gsmmodem's own GsmModem."""

import re
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.simulated_modem import SimulatedModem, simulated_modem
from support.waiting import until

pytestmark = pytest.mark.skipif(shutil.which("gammu") is None, reason="gammu is not installed")
LONG = "Tabrakan beruntun di Jembatan Barelang, tiga mobil dan satu truk. " * 4
EMOJI = "Kebakaran 🔥 di pasar, ada korban 😢 " * 5


@pytest.fixture
def modem(tmp_path: Path) -> Iterator[SimulatedModem]:
    with simulated_modem(tmp_path) as started:
        yield started


def gammu(modem: SimulatedModem, *arguments: str, text: str = "") -> str:
    """What gammu prints; a failure shows its output."""
    config = modem.link.parent / "gammurc"
    config.write_text(f"[gammu]\ndevice = {modem.link}\nconnection = at115200\nsynchronizetime = no\n")
    done = subprocess.run(
        ["gammu", "-c", str(config), *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        env={"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("profile", "manufacturer"),
    [
        ("sim7600", "SIMCOM"),
        pytest.param("sim800", "SIMCOM", marks=pytest.mark.slow),
        pytest.param("ec25", "Quectel", marks=pytest.mark.slow),
        ("e173", "Huawei"),
    ],
)
def test_gammu_identifies_every_profile(tmp_path: Path, profile: str, manufacturer: str) -> None:
    with simulated_modem(tmp_path, "--profile", profile) as modem:
        said = gammu(modem, "identify")
    assert manufacturer.lower() in said.lower()
    assert "866758042345678" in said


@pytest.mark.parametrize(
    "line", ["clean", *(pytest.param(name, marks=pytest.mark.slow) for name in ("slow", "one-byte"))]
)
def test_gammu_reads_and_joins_what_the_network_brought(tmp_path: Path, line: str) -> None:
    with simulated_modem(tmp_path, "--line", line) as modem:
        modem.control.sms("+6281234567890", LONG, order=[2, 1])
        modem.control.sms("+6281234567891", EMOJI, wide=True)
        modem.control.sms("INFO112", "§ €{}[]~^|\\ àèìòù")
        said = gammu(modem, "geteachsms")
    assert LONG.strip() in said
    assert EMOJI.strip() in said
    assert "§ €{}[]~^|\\ àèìòù" in said
    assert re.search(r'Remote number\s+: "INFO112"', said)
    expected_parts = 2 + 3 + 1
    assert f"{expected_parts} SMS parts in 3 SMS sequences" in said


def test_gammu_sends_short_long_and_unicode_texts_and_gets_its_report(modem: SimulatedModem) -> None:
    gammu(modem, "sendsms", "TEXT", "+6281122223333", "-report", text="Tolong kirim ambulans")
    gammu(modem, "sendsms", "TEXT", "+6281122223333", "-autolen", "300", text=LONG.strip())
    gammu(modem, "sendsms", "TEXT", "+6281122223333", "-unicode", "-autolen", "400", text=EMOJI.strip())
    sent = modem.control.sent()
    assert sent[0]["text"] == "Tolong kirim ambulans"
    assert sent[0]["wants_report"] is True
    assert "".join(part["text"] for part in sent[1:3]) == LONG.strip()
    assert "".join(part["text"] for part in sent[3:]) == EMOJI.strip()
    assert {part["to"] for part in sent} == {"+6281122223333"}
    assert [part["part"][1:] for part in sent[1:3]] == [[2, 1], [2, 2]]


def test_gammu_deletes_so_that_the_service_centre_can_hand_over_more(modem: SimulatedModem) -> None:
    modem.control.sms("+6281234567890", "Banjir", repeat=23)
    assert modem.control.state()["held_by_smsc"] == 3
    gammu(modem, "deletesms", "1", "1", "3")
    until(lambda: modem.control.state()["held_by_smsc"] == 0)


@pytest.mark.parametrize("profile", ["sim7600", "sim800", "ec25", "e173"])
def test_the_stock_gsmmodem_connects_and_hears_a_message(tmp_path: Path, profile: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in the library's own source
        from gsmmodem.modem import GsmModem, ReceivedSms

    heard: list[ReceivedSms] = []
    with simulated_modem(tmp_path, "--profile", profile) as modem:
        client = GsmModem(str(modem.link), 115200, smsReceivedCallbackFunc=heard.append)
        client.connect()
        try:
            assert client.imei == "866758042345678"
            assert client.networkName == "INDOSAT OOREDOO"
            modem.control.sms("+6281234567890", "Kebakaran di Nagoya")
            until(lambda: heard)
            client.sendSms("+6281122223333", "Diterima", waitForDeliveryReport=False)
        finally:
            client.close()
        assert [(sms.number, sms.text) for sms in heard] == [("+6281234567890", "Kebakaran di Nagoya")]
        assert [sent["text"] for sent in modem.control.sent()] == ["Diterima"]
