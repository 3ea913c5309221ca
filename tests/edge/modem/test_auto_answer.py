"""A modem stored with ATS0=1 picks a caller up by itself, for nobody: the service takes that away."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from siaga_edge.modem import bringup
from siaga_edge.modem.port import NoAnswer, Port
from siaga_edge.simulate.modem.control import Control
from support.modem_service import SENDER, Service
from support.simulated_modem import simulated_modem
from support.waiting import until


def careless(_port: Port) -> None:
    """The mutant: leaves S0 as it is stored."""


@pytest.fixture
def modem(tmp_path: Path) -> Iterator[tuple[Path, Control]]:
    """A modem whose stored profile answers at the first ring."""
    with simulated_modem(tmp_path) as found:
        found.control.fault(stored_s0=1)
        found.control.reset()
        until(lambda: _hears(found.link), 10, because="it has started")
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


def _hears(link: Path) -> bool:
    with contextlib.closing(Port(str(link), 115200, 0.2)) as port:
        try:
            return port.command("AT") == []
        except NoAnswer:
            return False


def answered(control: Control) -> int:
    """How many calls the modem has picked up since it was started."""
    return int(control.state()["counters"].get("calls_answered", 0))


def called(leave_alone: Callable[[Port], None], modem: tuple[Path, Control]) -> int:
    """How many of three callers are picked up on a port that was set up so."""
    port = Port(str(modem[0]), 115200, 2)
    try:
        leave_alone(port)
        for _ in range(3):
            modem[1].call(SENDER, rings=2, every_s=0.05)
            until(lambda: not modem[1].state()["calls"] or answered(modem[1]), 5)
            modem[1].hang_up()
    finally:
        port.close()
    return answered(modem[1])


def test_a_caller_is_not_picked_up(modem: tuple[Path, Control]) -> None:
    assert called(bringup.leave_calls_alone, modem) == 0


def test_a_port_that_leaves_the_register_lets_callers_be_picked_up(modem: tuple[Path, Control]) -> None:
    assert called(careless, modem) > 0


def test_neither_when_the_modem_restarts_under_the_service(
    service: Service, modem: tuple[Path, Control]
) -> None:
    assert modem[1].state()["auto_answer_rings"] == 0
    boots = modem[1].state()["counters"]["boots"]
    modem[1].reset()
    until(lambda: modem[1].state()["counters"]["boots"] > boots)
    until(lambda: modem[1].state()["auto_answer_rings"] == 0, 5)
    until(lambda: modem[1].call(SENDER, rings=1, every_s=0.2)["call"] is not None, 5)
    until(lambda: [report.call.state for report in service.reports() if report.call] == ["missed"], 20)
    assert answered(modem[1]) == 0


def test_a_second_caller_is_noted_while_the_first_rings(
    service: Service, modem: tuple[Path, Control]
) -> None:
    until(lambda: modem[1].state()["call_waiting"], 10)
    modem[1].call(SENDER, rings=3, every_s=0.5)
    modem[1].call("+628129999999", rings=3, every_s=0.5)
    until(lambda: len([report for report in service.reports() if report.call]) == 2, 10)
    numbers = {report.reporter_e164 for report in service.reports()}
    assert numbers == {SENDER, "+628129999999"}


def test_a_modem_that_refuses_both_settings_serves_all_the_same(
    service: Service, modem: tuple[Path, Control]
) -> None:
    modem[1].fault(fail="+CCWA", fail_count=9)
    modem[1].unplug(0.3)
    modem[1].sms(SENDER, "tetap diterima")
    until(lambda: "tetap diterima" in service.texts(), 15)
    assert not modem[1].state()["call_waiting"]
