"""The revocation list is never let expire in silence: mosquitto would then refuse every node."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from siaga_central.authority.authority import Authority
from siaga_central.store.schema import event
from siaga_central.store.writer import Store
from siaga_central.timers.renewal import Renewal, due
from support.clock import FakeClock

Make = Callable[[type[Authority]], Renewal]


class FullDisk(Authority):
    """An authority that cannot write."""

    def write_crl(self, revoked: object, now: datetime) -> None:
        raise OSError(28, "No space left on device")


@pytest.fixture
def reloads() -> list[str]:
    return []


@pytest.fixture
def make(tmp_path: Path, store: Store, clock: FakeClock, reloads: list[str]) -> Make:
    now = datetime.fromtimestamp(clock.wall_ns() / 1e9, UTC)
    Authority.create(tmp_path / "authority", "Uji", now)
    return lambda kind: Renewal(store, kind(tmp_path / "authority"), clock, lambda: reloads.append("reload"))


@pytest.mark.parametrize(
    ("age", "expected"),
    [(None, True), (timedelta(0), False), (timedelta(hours=23), False), (timedelta(days=1), True)],
)
def test_a_list_is_made_anew_each_day(age: timedelta | None, expected: bool) -> None:
    assert due(age) is expected


def test_a_list_from_the_future_is_made_anew() -> None:
    assert due(timedelta(seconds=-1))


def test_after_a_day_there_is_a_new_list_and_the_broker_reads_it(
    make: Make, clock: FakeClock, reloads: list[str], tmp_path: Path
) -> None:
    renewal, path = make(Authority), tmp_path / "authority" / "crl.pem"
    before = path.read_bytes()
    renewal.look()
    assert (path.read_bytes() == before, reloads) == (True, [])
    clock.advance(86_401)
    renewal.look()
    assert (path.read_bytes() == before, reloads) == (False, ["reload"])


def test_a_list_that_cannot_be_written_alarms_days_before_it_expires(
    make: Make, clock: FakeClock, store: Store, reloads: list[str]
) -> None:
    renewal = make(FullDisk)
    for _ in range(5):
        clock.advance(86_400)
        renewal.look()
    with store.read() as connection:
        alarms = connection.execute(select(event.c.at_us).where(event.c.kind == "authority.crl")).all()
    assert len(alarms) == 1
    assert alarms[0].at_us // 1_000_000 <= clock.mono_s() + clock.wall_ns() / 1e9
    assert reloads == []
