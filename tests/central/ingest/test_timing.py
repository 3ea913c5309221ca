"""A record's time gets better as more is known; what was written down stays; a batch costs a bounded sum."""

import random
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from siaga_central.ingest import timing
from siaga_central.store import records, timings
from siaga_central.store.schema import correction
from siaga_central.store.writer import Store
from siaga_core.wire import report
from siaga_core.wire.anchor import KIND, AnchorSource, ClockAnchor
from siaga_core.wire.envelope import Record, Stamp
from siaga_core.wire.report import Call, Report
from support.histories import history

_S, _H = 10**9, 3600 * 10**9
_T0 = 1_795_000_000 * _S
_URGENT, _BULK = ("gsm-001", "modem.urgent", "a" * 16), ("gsm-001", "health.bulk", "b" * 16)


def stamp(boot_seq: int, boot_ns: int, boot_id: str = "") -> Stamp:
    """A moment of a boot whose wall clock says 1970."""
    named = boot_id or f"boot-{boot_seq}"
    return Stamp(boot_seq=boot_seq, boot_id=named, boot_ns=boot_ns, wall_ns=5 * _S, clock="unknown")


def call(seq: int, at: Stamp, key: records.Key = _URGENT) -> Record:
    """A first ring."""
    ring = Call(state="ringing")
    body = Report(report_id=f"call-{seq}", revision=1, source="call", modem="m", call=ring)
    return _record(key, seq, report.KIND, body, at)


def told(seq: int, at: Stamp, utc_ns: int, source: AnchorSource = "ntp", key: records.Key = _BULK) -> Record:
    """An anchor, good to 10 ms."""
    body = ClockAnchor(boot_id=at.boot_id, boot_ns=at.boot_ns, utc_ns=utc_ns, source=source, error_ms=10)
    return _record(key, seq, KIND, body, at)


def _record(key: records.Key, seq: int, kind: str, body: msgspec.Struct, at: Stamp) -> Record:
    node, stream, epoch = key
    raw = msgspec.Raw(msgspec.json.encode(body))
    return Record(node=node, stream=stream, epoch=epoch, seq=seq, kind=kind, at=at, body=raw)


def give(store: Store, given: Sequence[Record], received_ns: int) -> None:
    """Let a batch of one stream come in, as ingest does."""
    key = (given[0].node, given[0].stream, given[0].epoch)

    def work(connection: Any) -> None:
        kept = records.keep(connection, key, given, received_ns // 1000)
        timing.take(connection, key, kept.fresh, received_ns // 1000)

    store.write(work)


def now(store: Store, seq: int) -> Any:
    """What holds of a call."""
    with store.read() as connection:
        return timings.of_report(connection, [f"call-{seq}"])[f"call-{seq}"]


def count(store: Store) -> int:
    with store.read() as connection:
        return len(connection.execute(correction.select()).all())


def test_a_report_from_before_the_first_anchor_gets_its_time_afterwards(store: Store) -> None:
    give(store, [call(1, stamp(1, 20 * _S))], _T0 + 50 * _H)
    before = now(store, 1)
    assert before.source == "boots"
    assert before.low_ns < _T0 < before.high_ns
    give(store, [told(1, stamp(1, 80 * _S), _T0 + 60 * _S)], _T0 + 51 * _H)
    after = now(store, 1)
    assert after.source == "ntp"
    assert abs((after.low_ns + after.high_ns) // 2 - _T0) < 10**6
    assert after.high_ns - after.low_ns < _S
    assert count(store) == 2


def test_what_comes_twice_changes_nothing(store: Store) -> None:
    for _ in range(3):
        give(store, [call(1, stamp(1, 20 * _S))], _T0 + _H)
        give(store, [told(1, stamp(1, 80 * _S), _T0 + 60 * _S)], _T0 + _H)
    assert count(store) == 2


def test_a_synced_stamp_is_an_anchor_for_the_others_of_its_boot(store: Store) -> None:
    give(store, [call(1, stamp(1, 20 * _S))], _T0 + _H)
    synced = msgspec.structs.replace(stamp(1, 80 * _S), wall_ns=_T0 + 60 * _S, clock="synced", error_ms=50)
    give(store, [call(2, synced)], _T0 + _H)
    assert (now(store, 1).source, now(store, 2).source) == ("ntp", "ntp")
    assert now(store, 1).low_ns <= _T0 <= now(store, 1).high_ns


def test_a_boot_without_an_anchor_lies_between_its_neighbours(store: Store) -> None:
    give(store, [told(1, stamp(1, 80 * _S), _T0)], _T0)
    give(store, [_record(_BULK, 2, "x", Call(state="ringing"), stamp(2, 1 * _S))], _T0 + 100 * _H)
    give(store, [call(1, stamp(2, 20 * _S))], _T0 + 100 * _H)
    assert _T0 < now(store, 1).low_ns < _T0 + 30 * _S
    give(store, [told(3, stamp(3, 10 * _S), _T0 + _H)], _T0 + 101 * _H)
    assert now(store, 1).source == "boots"
    assert _T0 + _H - 20 * _S < now(store, 1).high_ns < _T0 + _H


def test_a_new_card_counts_anew_and_is_not_mixed_up_with_the_old_one(store: Store) -> None:
    give(store, [told(1, stamp(9, 80 * _S), _T0)], _T0)
    give(store, [call(1, stamp(9, 90 * _S))], _T0 + _H)
    fresh_urgent, later_ns = ("gsm-001", "modem.urgent", "c" * 16), _T0 + 1000 * _H
    give(store, [call(2, stamp(1, 20 * _S, "other"), fresh_urgent)], later_ns + _H)
    assert now(store, 2).low_ns <= later_ns <= now(store, 2).high_ns


def test_an_old_image_that_counts_on_is_not_put_before_what_came_before_it(store: Store) -> None:
    for boot_seq in (1, 2, 3):
        give(store, [told(boot_seq, stamp(boot_seq, 80 * _S), _T0 + boot_seq * _H)], _T0 + 4 * _H)
    restored_ns = _T0 + 1000 * _H
    twice = _record(_BULK, 9, "x", Call(state="ringing"), stamp(2, _S, "again"))
    give(store, [twice], restored_ns + _H)
    give(store, [call(1, stamp(2, 20 * _S, "again"))], restored_ns + _H)
    assert now(store, 1).low_ns <= restored_ns <= now(store, 1).high_ns


def test_one_anchor_corrects_a_bounded_number_and_the_next_goes_on(store: Store) -> None:
    many = [call(seq, stamp(1, seq * _S)) for seq in range(1, 501)]
    give(store, many, _T0 + 50 * _H)
    give(store, [told(1, stamp(1, 600 * _S), _T0 + 600 * _S)], _T0 + 50 * _H)
    assert count(store) == 500 + timing.AGAIN_MOST
    for step in (2, 3):
        give(store, [told(step, stamp(1, 600 * step * _S), _T0 + 600 * step * _S)], _T0 + 50 * _H)
    assert count(store) == 1000
    assert all(now(store, seq).low_ns <= _T0 + seq * _S <= now(store, seq).high_ns for seq in range(1, 501))


def test_a_false_anchor_that_comes_to_light_widens_what_was_said(store: Store) -> None:
    give(store, [told(1, stamp(1, 80 * _S), _T0 + 5 * _H)], _T0 + 9 * _H)
    give(store, [call(1, stamp(1, 80 * _S))], _T0 + 9 * _H)
    assert not now(store, 1).low_ns <= _T0 <= now(store, 1).high_ns
    give(store, [told(2, stamp(1, 90 * _S), _T0 + 10 * _S, "hub")], _T0 + 9 * _H)
    assert now(store, 1).low_ns <= _T0 <= now(store, 1).high_ns


def test_a_camera_sets_no_time(store: Store) -> None:
    give(store, [call(1, stamp(1, 20 * _S))], _T0 + _H)
    give(store, [told(seq, stamp(1, seq * _S), _T0, "camera") for seq in (1, 2, 3)], _T0 + _H)
    assert now(store, 1).source == "boots"


def test_a_stamp_of_nonsense_costs_no_record(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    wild = [
        msgspec.structs.replace(stamp(1, 1), boot_ns=1 << 70),
        msgspec.structs.replace(stamp(1, 1), wall_ns=-(1 << 70), clock="synced", error_ms=1),
        msgspec.structs.replace(stamp(1, 1), error_ms=1 << 70, clock="synced"),
        msgspec.structs.replace(stamp(1, 1), boot_seq=1 << 70),
        msgspec.structs.replace(stamp(1, 1), boot_id="x" * 900),
    ]
    give(store, [call(seq, at) for seq, at in enumerate(wild, 1)], _T0)
    with store.read() as connection:
        assert len(connection.execute(text("SELECT 1 FROM record")).all()) == len(wild)
    assert count(store) == 0
    assert not caplog.records


def test_a_node_that_says_it_was_restarted_for_every_record_keeps_nobody_busy(store: Store) -> None:
    give(store, [call(seq, stamp(seq, _S)) for seq in range(1, 301)], _T0)
    assert count(store) == 50


@pytest.mark.parametrize("table", ["anchor", "correction"])
@pytest.mark.parametrize("deed", ["UPDATE {} SET boot_ns = 0", "DELETE FROM {}"])
def test_anchors_and_corrections_can_only_be_added(store: Store, table: str, deed: str) -> None:
    give(store, [told(1, stamp(1, 80 * _S), _T0)], _T0)
    give(store, [call(1, stamp(1, 20 * _S))], _T0)
    with pytest.raises(DatabaseError, match="append-only"):
        store.write(lambda connection: connection.execute(text(deed.format(table))))


def test_what_holds_in_the_end_contains_the_truth_in_whatever_order_it_comes(store: Store) -> None:
    for seed in range(40):
        rng, node = random.Random(seed), "gsm-001"
        life = history(rng)
        urgent, bulk = (node, "modem.urgent", f"{seed:016x}"), (node, "health.bulk", f"{seed + 500:016x}")
        batches = [(one, call(n, _named(one.stamp, seed), urgent)) for n, one in enumerate(life.made, 1)]
        given = [(one.received_ns, record) for one, record in batches]
        last_ns = max(received_ns for received_ns, _ in given)
        for n, one in enumerate(life.anchors, 1):
            at = _named(stamp(one.boot_seq, one.boot_ns), seed)
            body = ClockAnchor(
                boot_id=at.boot_id,
                boot_ns=one.boot_ns,
                utc_ns=one.utc_ns,
                source=one.source,
                error_ms=-(-one.error_ns // 10**6),
            )
            given.append((last_ns + rng.randrange(_H), _record(bulk, n, KIND, body, at)))
        rng.shuffle(given)
        for received_ns, record in given:
            give(store, [record], received_ns)
        _holds(store, urgent[2], [one.true_ns for one in life.made])


def _named(at: Stamp, seed: int) -> Stamp:
    return msgspec.structs.replace(at, boot_id=f"boot-{seed}-{at.boot_seq}")


def _holds(store: Store, epoch: str, true_ns: Sequence[int]) -> None:
    with store.read() as connection:
        rows = connection.execute(
            correction.select().where(correction.c.epoch == epoch).order_by(correction.c.number)
        ).all()
    newest = {row.seq: row for row in rows}
    for seq, moment_ns in enumerate(true_ns, 1):
        assert newest[seq].low_ns <= moment_ns <= newest[seq].high_ns, newest[seq]
