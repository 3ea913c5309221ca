"""What the hub says there is of a camera: no more than its node told, dated by what is known now."""

import hashlib

import msgspec
import pytest
from sqlalchemy import Connection

from siaga_central.domain.timeline import Anchor
from siaga_central.store import coverage, events, nodes, records, timings
from siaga_central.store.coverage import Stretch
from siaga_central.store.writer import Store
from siaga_core.wire.envelope import Record, Stamp
from siaga_core.wire.recording import COVERAGE_KIND, CameraCoverage, Coverage
from siaga_edge.recorder.chain import Head

S = 10**9
T0 = 1_795_000_000 * S  # the true time at the boot's beginning
NODE, CAMERA, STREAM, EPOCH = "btm-017", "cam-a", "recorder.bulk", "00000000000000aa"
ALL = (0, 1 << 62)


@pytest.fixture(autouse=True)
def anchored(store: Store) -> None:
    """The first boot's true time is known."""
    store.write(lambda c: timings.add_anchor(c, NODE, "boot-1", Anchor(1, 0, T0, "ntp", S // 100), 1))


def told(
    seq: int,
    at_s: float,
    since_ago_s: float | None = None,
    *,
    camera: str = CAMERA,
    boot: int = 1,
    **more: object,
) -> tuple[Record, Coverage]:
    """A coverage at `at_s` of a boot, durable up to a second before."""
    since_ms = None if since_ago_s is None else int(since_ago_s * 1000)
    one = CameraCoverage(camera=camera, upto_ago_ms=1000, since_ago_ms=since_ms, kept_ago_s=3600)
    values = {"chain": "5be1c3a09f77d2e4", "links": seq, "head": bytes([seq % 256]) * 32} | more
    body = Coverage(cameras=(one,), **values)  # type: ignore[arg-type]
    at_ns = int(at_s * S)
    at = Stamp(boot_seq=boot, boot_id=f"boot-{boot}", boot_ns=at_ns, wall_ns=T0 + at_ns, clock="synced")
    raw = msgspec.Raw(msgspec.json.encode(body))
    record = Record(node=NODE, stream=STREAM, epoch=EPOCH, seq=seq, kind=COVERAGE_KIND, at=at, body=raw)
    return record, body


def take(store: Store, *given: tuple[Record, Coverage]) -> list[str | None]:
    def work(connection: Connection) -> list[str | None]:
        records.keep(connection, (NODE, STREAM, EPOCH), [record for record, _ in given], 1)
        return [coverage.take(connection, record, body, record.seq) for record, body in given]

    return store.write(work)


def seen(store: Store, start_ns: int = ALL[0], end_ns: int = ALL[1]) -> list[tuple[float, float]]:
    """Stretches in seconds after the boot's true beginning."""
    with store.read() as connection:
        found = coverage.of_camera(connection, CAMERA, start_ns, end_ns)
    return [(round((one.start_ns - T0) / S, 2), round((one.end_ns - T0) / S, 2)) for one in found]


def rows(store: Store) -> int:
    with store.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM stretch").scalar_one())


def alarms(store: Store) -> set[str]:
    with store.read() as connection:
        found = connection.exec_driver_sql("SELECT code FROM service_state WHERE level = 'crit'")
        return {str(row[0]) for row in found}


def test_minutes_without_a_break_are_one_row(store: Store) -> None:
    take(store, told(1, 60, 55), *(told(seq, 60 * seq) for seq in range(2, 1440)))
    assert seen(store) == [(5, 60 * 1439 - 1)]
    assert rows(store) == 1
    assert alarms(store) == set()


def test_a_break_is_a_hole(store: Store) -> None:
    take(store, told(1, 60, 55), told(2, 120), told(3, 180, 20), told(4, 240))
    assert seen(store) == [(5, 119), (160, 239)]
    assert seen(store, T0 + 130 * S, T0 + 140 * S) == []


def test_a_record_that_is_missing_may_have_told_of_a_break(store: Store) -> None:
    take(store, told(1, 60, 55), told(3, 180))
    assert seen(store) == [(5, 59), (179, 179)]
    take(store, told(4, 240))
    assert seen(store) == [(5, 59), (179, 239)]


def test_a_start_of_the_node_begins_anew_unless_it_says_how_far_back_it_reaches(store: Store) -> None:
    store.write(
        lambda c: timings.add_anchor(c, NODE, "boot-2", Anchor(2, 0, T0 + 100 * S, "ntp", S // 100), 1)
    )
    take(store, told(1, 60, 55), told(2, 5, boot=2), told(3, 65, 100, boot=2))
    assert seen(store) == [(5, 59), (65, 164)]


def test_a_later_anchor_dates_what_was_told_before(store: Store) -> None:
    one = told(1, 60, 55, boot=3)
    take(store, one)
    with store.read() as connection:
        [before] = coverage.of_camera(connection, CAMERA, *ALL)
    store.write(lambda c: timings.add_anchor(c, NODE, "boot-3", Anchor(3, 0, T0 + 7 * S, "hub", S // 10), 1))
    with store.read() as connection:
        [after] = coverage.of_camera(connection, CAMERA, *ALL)
    assert before.error_ns > 1000 * after.error_ns
    assert abs(after.start_ns - T0 - 12 * S) <= after.error_ns
    assert after.error_ns < S


def test_what_retention_has_left_is_known(store: Store) -> None:
    take(store, told(1, 7200, 7000))
    with store.read() as connection:
        since_ns = coverage.kept_since_ns(connection, CAMERA)
        assert coverage.kept_since_ns(connection, "cam-z") is None
    assert since_ns is not None
    assert abs(since_ns - T0 - 3600 * S) < S


def test_a_camera_of_another_node_is_named_and_nothing_kept(store: Store) -> None:
    assert take(store, told(1, 60, 55, camera="cam-z")) == ["cam-z"]
    assert rows(store) == 0


@pytest.mark.parametrize(
    ("second", "code"),
    [
        ({"links": 4}, "footage-chain"),
        ({"links": 5, "head": b"x" * 32}, "footage-chain"),
        ({"links": 6, "chain": "0000000000000001"}, "footage-disk"),
        ({"links": 6}, ""),
        ({"links": 5, "head": bytes([5]) * 32}, ""),
    ],
)
def test_a_chain_that_went_back_or_was_replaced_alarms(
    store: Store, second: dict[str, object], code: str
) -> None:
    take(store, told(5, 60, 55), told(6, 120, **second))  # type: ignore[arg-type]
    assert alarms(store) == ({code} if code else set())


def test_neighbours_are_joined_only_when_they_touch() -> None:
    apart = [Stretch(0, 10 * S, 1), Stretch(12 * S, 20 * S, 1)]
    assert coverage.joined(apart) == apart
    assert coverage.joined([Stretch(0, 10 * S, 1), Stretch(9 * S, 20 * S, 5)]) == [Stretch(0, 20 * S, 5)]
    assert coverage.joined([Stretch(0, 30 * S, 1), Stretch(9 * S, 20 * S, 5)]) == [Stretch(0, 30 * S, 5)]


def heads_alarm(store: Store, *at_s: float, boots: tuple[int, ...] = ()) -> bool:
    """Whether heads told at these moments raise the alarm of missing minutes."""
    given = [
        told(seq, at, 55, boot=boots[seq - 1] if boots else 1, links=seq, head=bytes([seq]) * 32)
        for seq, at in enumerate(at_s, 1)
    ]
    take(store, *given)
    return coverage.HEADS_CODE in alarms(store)


def test_heads_that_come_each_minute_are_no_news(store: Store) -> None:
    assert not heads_alarm(store, 5, 65, 125, 186, 262)


@pytest.mark.parametrize("at_s", [(60, 120, 300), (60, 185), (5, 65, 3725)])
def test_a_missing_minute_between_two_heads_alarms(store: Store, at_s: tuple[float, ...]) -> None:
    assert heads_alarm(store, *at_s)


def test_a_power_cut_between_two_heads_is_no_missing_minute(store: Store) -> None:
    assert not heads_alarm(store, 60, 4000, boots=(1, 2))


def test_a_head_alone_with_no_camera_recording_counts(store: Store) -> None:
    record, body = told(1, 60, 55)
    idle = [told(seq, 60.0 * seq) for seq in (2, 3)]
    stripped = [
        (one, Coverage(cameras=(), chain=body.chain, links=body.links, head=body.head)) for one, _ in idle
    ]
    take(store, (record, body), *stripped)
    assert alarms(store) == set()


def test_a_node_that_is_heard_and_says_no_head_alarms_once_until_somebody_has_looked(store: Store) -> None:
    take(store, told(1, 60, 55))
    store.write(lambda c: nodes.heard(c, NODE, 2))
    minute = 60_000_000
    assert store.write(lambda c: coverage.silent(c, 4 * minute)) == 0
    assert store.write(lambda c: coverage.silent(c, 6 * minute)) == 1
    assert alarms(store) == {coverage.HEADS_CODE}
    store.write(lambda c: coverage.silent(c, 7 * minute))
    with store.read() as connection:
        raised = [row.kind for row in events.of(connection, NODE) if "service" in row.kind]
    assert len(raised) == 1
    store.write(lambda c: nodes.silent(c, NODE, "not heard", 8 * minute))
    store.write(lambda c: nodes.settle(c, NODE, coverage.HEADS_CODE, "admin", 8 * minute))
    assert store.write(lambda c: coverage.silent(c, 9 * minute)) == 0, "a node that is away is another matter"


class Unlinked(Head):
    """Says each head as if nothing had come before it."""

    def after(self, name: str, sha256: bytes) -> Head:
        return Head(self.chain, self.links + 1, hashlib.sha256(name.encode() + sha256).digest())


class Unhashed(Head):
    """Links names alone."""

    def after(self, name: str, sha256: bytes) -> Head:
        head = hashlib.sha256(self.head + name.encode()).digest()
        return type(self)(self.chain, self.links + 1, head)


def _told_after(kind: type[Head], edited: int) -> dict[int, bytes]:
    """Heads of five segments, of which one (0: none) is other than it was."""
    head: Head = kind("5be1c3a09f77d2e4", 0, bytes(32))
    said = {}
    for number in range(1, 6):
        content = b"edited" if number == edited else b"as it was"
        head = kind(head.chain, head.links, head.head).after(f"cam-a/1-1/{number:06d}", content)
        said[number] = head.head
    return said


@pytest.mark.parametrize(("kind", "noticed"), [(Head, True), (Unlinked, False), (Unhashed, False)])
def test_an_edit_is_noticed_by_the_next_head_because_each_is_made_of_all_before_it(
    store: Store, kind: type[Head], noticed: bool
) -> None:
    take(store, told(1, 60, 55, links=5, head=_told_after(kind, 0)[5]))
    take(store, told(2, 120, links=5, head=_told_after(kind, 2)[5]))
    assert ("footage-chain" in alarms(store)) == noticed
