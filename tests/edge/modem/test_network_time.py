"""The network's time is read as the standard says, and believed only where it has once been right."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from siaga_core.service.clock import Boot, SystemClock
from siaga_core.wire.envelope import ClockState
from siaga_edge.modem import network_time
from siaga_edge.modem.port import Port, Refused
from siaga_edge.modem.timekeeping import EVERY_S, FIRST_AFTER_S, NetworkTime
from support.clock import FakeClock
from support.simulated_modem import simulated_modem

_NOON_NS = int(datetime(2026, 11, 23, 12, 0, tzinfo=UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("line", "said_ns"),
    [
        ('+CCLK: "26/11/23,19:00:00+28"', _NOON_NS),  # Batam, UTC+7
        ('+CCLK:"26/11/23,17:45:00+23"', _NOON_NS),  # Nepal: quarters count
        ('+CCLK: "26/11/23,08:30:00-14"', _NOON_NS),
        ('+CCLK: "26/11/23,12:00:00+00"', _NOON_NS),
        ('+CCLK: "26/11/24,02:00:00+56"', _NOON_NS),
        ('+CCLK: "26/11/23,12:00:00"', None),  # no zone: nobody knows which
        ('+CCLK: "80/01/01,00:00:12+00"', None),
        ('+CCLK: "80/01/06,00:00:12+00"', None),
        ('+CCLK: "70/01/01,00:00:12+00"', None),
        ('+CCLK: "26/02/30,12:00:00+28"', None),
        ('+CCLK: "26/11/23,25:00:00+28"', None),
        ('+CCLK: "26/11/23,12:00:00+99"', None),
        ('+CCLK: ""', None),
        ("OK", None),
    ],
)
def test_a_reading(line: str, said_ns: int | None) -> None:
    assert network_time.utc_ns(["noise", line]) == said_ns


def test_what_lies_below_the_floor_is_no_anchor() -> None:
    untold = network_time.utc_ns(['+CCLK: "04/01/01,00:00:12+00"'])
    assert untold is not None
    assert network_time.anchor(untold, "boot", 5, 5, floor_ns=_NOON_NS) is None
    assert network_time.anchor(_NOON_NS, "boot", 5, 5, floor_ns=_NOON_NS) is not None


def test_an_anchor_holds_whenever_in_its_second_and_in_the_answer_it_was_read() -> None:
    asked_ns, told_ns = 40 * 10**9, 43 * 10**9
    told = network_time.anchor(_NOON_NS, "boot", asked_ns, told_ns, 0)
    assert told is not None
    assert told.error_ms >= 2000
    for read_boot_ns in (asked_ns, told_ns):
        for true_ns in (_NOON_NS, _NOON_NS + 999_999_999):
            said_ns = told.utc_ns + read_boot_ns - told.boot_ns
            assert abs(true_ns - said_ns) <= told.error_ms * 10**6


class _Modem:
    """Tells time in a zone that may be none of its country's; None: refuses."""

    def __init__(self, clock: FakeClock, off_s: float | None = 0.0) -> None:
        self._clock, self.off_s = clock, off_s

    def command(self, command: str) -> list[str]:
        assert command == "AT+CCLK?"
        if self.off_s is None:
            raise Refused("AT+CCLK?", "3")
        local = datetime.fromtimestamp(self._clock.wall_ns() / 1e9, UTC) + timedelta(hours=7)
        return [f'+CCLK: "{local + timedelta(seconds=self.off_s):%y/%m/%d,%H:%M:%S}+28"']


class _Kernel:
    """The kernel's word on its clock."""

    said: tuple[ClockState, int | None] = ("unknown", None)

    def __call__(self) -> tuple[ClockState, int | None]:
        return self.said


def test_a_modem_is_believed_after_it_has_once_agreed_with_a_disciplined_clock(
    tmp_path: Path, clock: FakeClock
) -> None:
    kernel, modem = _Kernel(), _Modem(clock)
    keeper = NetworkTime(tmp_path, clock, Boot(1, "boot-one"), kernel)
    assert keeper.look(modem) is None  # the modem has only just started
    clock.advance(FIRST_AFTER_S)
    assert keeper.look(modem) is None
    kernel.said = ("synced", 200)
    clock.advance(EVERY_S)
    assert keeper.look(modem) is not None
    assert keeper.look(modem) is None  # not due again
    kernel.said = ("unknown", None)
    later = NetworkTime(tmp_path, clock, Boot(2, "boot-two"), kernel)
    clock.advance(EVERY_S)
    told = later.look(modem)
    assert told is not None
    assert (told.source, told.boot_id) == ("modem", "boot-two")
    assert abs(told.utc_ns - clock.wall_ns()) <= told.error_ms * 10**6


def test_a_modem_that_gives_universal_time_for_local_is_found_out_and_stays_so(
    tmp_path: Path, clock: FakeClock
) -> None:
    kernel, modem = _Kernel(), _Modem(clock, off_s=-7 * 3600.0)
    kernel.said = ("synced", 200)
    keeper = NetworkTime(tmp_path, clock, Boot(1, "boot-one"), kernel)
    clock.advance(FIRST_AFTER_S)
    assert keeper.look(modem) is None
    kernel.said = ("unknown", None)
    clock.advance(EVERY_S)
    assert keeper.look(modem) is None


def test_a_modem_that_knows_no_clock_is_left_alone(tmp_path: Path, clock: FakeClock) -> None:
    keeper = NetworkTime(tmp_path, clock, Boot(1, "boot-one"), _Kernel())
    clock.advance(FIRST_AFTER_S)
    assert keeper.look(_Modem(clock, off_s=None)) is None


def test_the_simulated_modem_is_asked_over_a_real_line(tmp_path: Path) -> None:
    class Later(SystemClock):
        """A minute after the start of the modem."""

        def mono_s(self) -> float:
            return super().mono_s() + self.ahead_s

        ahead_s = 0.0

    clock, kernel = Later(), _Kernel()
    kernel.said = ("synced", 200)
    keeper = NetworkTime(tmp_path, clock, Boot(1, "boot-one"), kernel)
    clock.ahead_s = FIRST_AFTER_S
    with simulated_modem(tmp_path) as modem:
        port = Port(str(modem.link), 115200, 5.0)
        try:
            port.command("ATE0")
            told = keeper.look(port)
        finally:
            port.close()
    assert told is not None
    true_ns = clock.wall_ns() - (clock.boot_ns() - told.boot_ns)
    assert abs(told.utc_ns - true_ns) <= told.error_ms * 10**6
