"""A hub that does not reach its broker says so, once, and says when it is over."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from siaga_central.store import notices
from siaga_central.store.writer import Store
from siaga_central.timers.bus_watch import DOWN_AFTER_S, BusWatch
from support.clock import FakeClock
from support.hub_store import hub_store


class Line:
    """The bus, as far as the watch sees it."""

    number = 0

    def __call__(self) -> int:
        return self.number


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Iterator[Store]:
    made = hub_store(tmp_path, clock)
    yield made
    made.close()


def _said(store: Store) -> list[str]:
    with store.read() as connection:
        rows = connection.exec_driver_sql("SELECT kind FROM event WHERE kind LIKE 'bus.%' ORDER BY seq")
        return [str(row[0]) for row in rows]


def _is_shown(store: Store, clock: FakeClock) -> bool:
    with store.read() as connection:
        return notices.hub_notices(connection, clock.wall_ns() // 1000).bus_down_since_us is not None


def _looks(watch: BusWatch, clock: FakeClock, seconds: int) -> None:
    for _ in range(seconds):
        clock.advance(1)
        watch.look()


def test_a_broker_that_stays_away_is_said_once_and_so_is_its_return(store: Store, clock: FakeClock) -> None:
    line = Line()
    watch = BusWatch(store, clock, line)
    _looks(watch, clock, int(DOWN_AFTER_S) - 1)
    assert _said(store) == []
    _looks(watch, clock, 30)
    assert _said(store) == ["bus.down"]
    assert _is_shown(store, clock)
    line.number = 1
    _looks(watch, clock, 30)
    assert _said(store) == ["bus.down", "bus.up"]
    assert not _is_shown(store, clock)


def test_a_broker_that_is_started_again_is_no_news(store: Store, clock: FakeClock) -> None:
    line = Line()
    watch = BusWatch(store, clock, line)
    for number in range(1, 20):
        line.number = 0
        _looks(watch, clock, 5)
        line.number = number
        _looks(watch, clock, 1)
    assert _said(store) == []


def test_what_was_said_before_the_hub_was_restarted_is_taken_back(store: Store, clock: FakeClock) -> None:
    line = Line()
    _looks(BusWatch(store, clock, line), clock, 20)
    line.number = 1
    _looks(BusWatch(store, clock, line), clock, 1)
    assert _said(store) == ["bus.down", "bus.up"]
