"""The service against the simulated modem: whatever the modem does, no report is lost or doubled."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from siaga_edge.simulate.modem.control import Control
from support.modem_service import SENDER, Service
from support.simulated_modem import simulated_modem
from support.waiting import until


@pytest.fixture
def modem(tmp_path: Path) -> Iterator[tuple[Path, Control]]:
    with simulated_modem(tmp_path) as found:
        yield found.link, found.control


@pytest.fixture
def service(tmp_path: Path, modem: tuple[Path, Control]) -> Iterator[Service]:
    made = Service(tmp_path, modem[0])
    made.start()
    until(lambda: "modem ready" in (tmp_path / "log").read_text(), 15)
    yield made
    if made.process is not None:
        made.process.kill()
        made.process.wait()


@pytest.mark.sop("R31")
def test_an_sms_becomes_a_report_and_leaves_the_modem(service: Service, modem: tuple[Path, Control]) -> None:
    modem[1].sms(SENDER, "Kebakaran di Bengkong")
    [report] = until(service.reports, 15)
    assert report.sms is not None
    assert (report.sms.text, report.reporter_e164) == ("Kebakaran di Bengkong", SENDER)
    until(lambda: not modem[1].state()["stores"]["SM"], because="the modem is empty again")


def test_parts_out_of_order_are_one_report_that_speaks_at_once(
    service: Service, modem: tuple[Path, Control]
) -> None:
    text = "AWAL " + "korban di jalan raya " * 10 + "AKHIR"
    modem[1].sms(SENDER, text, order=[2, 1], delay_s=1.5)
    until(lambda: any("belum tiba" in text for text in service.texts()), 15, because="the first part alone")
    until(lambda: service.texts() == [text], 15)


def test_a_call_that_rings_once_is_noted_and_ends_missed(
    service: Service, modem: tuple[Path, Control]
) -> None:
    modem[1].call(SENDER, rings=1)
    until(lambda: [report.call.state for report in service.reports() if report.call] == ["missed"], 20)
    [report] = service.reports()
    assert report.reporter_e164 == SENDER
    first = service.bodies("report")[0]
    assert first["call"]["state"] == "ringing"  # type: ignore[index]


def test_octets_that_are_no_sms_are_shown_and_not_dropped(
    service: Service, modem: tuple[Path, Control]
) -> None:
    modem[1].pdu("0011223344TOLONG".replace("TOLONG", "544F4C4F4E47"))
    [report] = until(service.reports, 15)
    assert report.sms is not None
    assert report.sms.undecodable
    assert report.sms.parts[0].pdu.endswith("544F4C4F4E47")
    modem[1].sms(SENDER, "setelahnya")
    until(lambda: "setelahnya" in service.texts(), 15)


def test_an_answer_is_sent_once_and_its_delivery_followed(
    service: Service, modem: tuple[Path, Control]
) -> None:
    service.order("01KA6P3ZQ4N8S5T6V7W8X9Y0Z1", "Petugas menuju lokasi")
    until(lambda: service.states("01KA6P3ZQ4N8S5T6V7W8X9Y0Z1")[-1:] == ["SENT"], 15)
    [sent] = modem[1].sent()
    modem[1].report(sent["reference"])
    until(lambda: service.states("01KA6P3ZQ4N8S5T6V7W8X9Y0Z1")[-1:] == ["DELIVERED"], 15)
    assert service.states("01KA6P3ZQ4N8S5T6V7W8X9Y0Z1") == ["QUEUED", "SENT", "DELIVERED"]


def test_a_recording_that_is_too_old_goes_also_when_callers_are_not_answered_any_more(
    tmp_path: Path, modem: tuple[Path, Control], request: pytest.FixtureRequest
) -> None:
    old = tmp_path / "data/recordings-modem/lama.wav"
    old.parent.mkdir(parents=True)
    old.write_bytes(bytes(1000))
    os.utime(old, (1000.0, 1000.0))
    request.getfixturevalue("service")
    until(lambda: not old.exists(), 15)


@pytest.mark.parametrize("trouble", ["unplug", "hang", "reset"])
def test_the_modem_comes_back_and_nothing_is_lost(
    service: Service, modem: tuple[Path, Control], trouble: str
) -> None:
    modem[1].sms(SENDER, "sebelum")
    until(lambda: "sebelum" in service.texts(), 15)
    if trouble == "unplug":
        modem[1].unplug(1)
    elif trouble == "hang":
        modem[1].hang(3, reset=True)
    else:
        modem[1].reset()
    modem[1].sms(SENDER, "sesudah")
    until(lambda: "sesudah" in service.texts(), 30)
    assert sorted(service.texts()) == ["sebelum", "sesudah"]


def test_a_burst_on_a_modem_that_announces_badly(service: Service, modem: tuple[Path, Control]) -> None:
    modem[1].fault(delay_ms=20, drop_cmti=0.3)
    wanted = {f"laporan {number}" for number in range(60)}
    for text in sorted(wanted):
        modem[1].sms(SENDER, text)
    until(lambda: set(service.texts()) == wanted, 60)
    assert len(service.texts()) == len(wanted)


def test_kill_nine_at_random_moments_loses_and_doubles_nothing(
    service: Service, modem: tuple[Path, Control]
) -> None:
    rng = random.Random(7)
    wanted = []
    for turn in range(8):
        for number in range(10):
            wanted.append(f"laporan {turn}-{number}")
            modem[1].sms(SENDER, wanted[-1])
        # Somewhere in the middle of this turn's ten: between commit and deletion, or in a transaction.
        _until_at_least(service, turn * 10 + rng.randrange(10))
        service.kill()
        service.start()
    until(lambda: set(service.texts()) == set(wanted), 60)
    assert sorted(service.texts()) == sorted(wanted)


def _until_at_least(service: Service, count: int) -> None:
    until(lambda: len(service.texts()) >= count, 30)
