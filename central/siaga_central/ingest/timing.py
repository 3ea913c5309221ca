"""What records tell of time, in their stamps and as anchors, and what that changes of what is known.

Raw values stay as they came. The interval of an urgent record is written down with it, and again whenever
what is known has become twice as good or turned out to be wrong; a sample's can be reckoned at any time.
"""

import logging
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row

from siaga_central.domain.timeline import DRIFT_PPM, Anchor, Interval, Receipt, Timeline
from siaga_central.store import timings
from siaga_central.store.records import Key
from siaga_core.wire import anchor as wire
from siaga_core.wire import report
from siaga_core.wire.envelope import Record, Stamp

log = logging.getLogger(__name__)

# A stamp is kept as an anchor where there is none as good in ten minutes either way: in that time a crystal
# runs away by 60 ms.
_WITHIN_NS = 600 * 10**9
# A batch costs at most this many corrections beside those of its own records; the next anchor goes on.
AGAIN_MOST = 200
_NEAREST = 8
_SAME = ("node", "stream", "epoch", "seq", "subject", "boot_id", "boot_seq", "boot_ns")
# What fits the database's integers even when multiplied: uptime of two years, the year 2116.
_CERTAIN = ("synced", "holdover")
# What a node restarts during one batch; who says more is not to keep the hub busy.
_ID_MOST, _BOOTS_MOST = 64, 50
_BOOT_MOST_NS, _WALL_MOST_NS, _SEQ_MOST, _ERROR_MOST_MS = 1 << 56, 1 << 62, 1 << 31, 1 << 40


def take(connection: Connection, key: Key, fresh: Sequence[Record], now_us: int) -> None:
    """Note what fresh records of one (node, stream, epoch) say of time. What fails here costs no record."""
    by_boot: dict[str, list[Record]] = {}
    for record in fresh:
        by_boot.setdefault(record.at.boot_id, []).append(record)
    named = {id: by_boot[id] for id in list(by_boot)[:_BOOTS_MOST] if 0 < len(id) <= _ID_MOST}
    if not named:
        return
    try:
        with connection.begin_nested():
            _take(connection, key, named, now_us)
    except Exception:
        log.exception("times not reckoned node=%s stream=%s records=%d", key[0], key[1], len(fresh))


def anchor_of(stamp: Stamp) -> Anchor | None:
    """What a stamp says of time by itself: its wall time, if the node knew a bound for it."""
    if stamp.clock not in _CERTAIN or stamp.error_ms is None:
        return None
    return Anchor(stamp.boot_seq, stamp.boot_ns, stamp.wall_ns, "ntp", stamp.error_ms * 10**6)


def _is_sane(stamp: Stamp) -> bool:
    error_ms = stamp.error_ms or 0
    return (
        stamp.boot_seq < _SEQ_MOST
        and stamp.boot_ns < _BOOT_MOST_NS
        and 0 <= stamp.wall_ns < _WALL_MOST_NS
        and 0 <= error_ms < _ERROR_MOST_MS
    )


def _take(connection: Connection, key: Key, by_boot: dict[str, list[Record]], now_us: int) -> None:
    seqs = {boot_id: records[0].at.boot_seq for boot_id, records in by_boot.items()}
    timings.note_boots(connection, key, {id: seq for id, seq in seqs.items() if seq < _SEQ_MOST})
    left = AGAIN_MOST
    for boot_id, records in by_boot.items():
        kept = _keep(connection, key[0], boot_id, records, now_us)
        if key[1].endswith(".urgent"):
            _correct(connection, key, boot_id, [one for one in records if _is_sane(one.at)], now_us)
        left -= _again(connection, key[0], boot_id, kept, now_us, left)


def _keep(
    connection: Connection, node: str, boot_id: str, records: Sequence[Record], now_us: int
) -> list[Anchor]:
    """Keep the anchors that came, and the best stamp where nothing as good is known; what was kept."""
    told = [_told(record) for record in records if record.kind == wire.KIND]
    kept = [one for one in told if one is not None]
    for one in kept:
        timings.add_anchor(connection, node, boot_id, one, now_us)
    best = _best(records)
    if best is None or timings.has_anchor_near(
        connection, node, boot_id, best, _WITHIN_NS, 2 * best.error_ns
    ):
        return kept
    timings.add_anchor(connection, node, boot_id, best, now_us)
    return [*kept, best]


def _best(records: Sequence[Record]) -> Anchor | None:
    """What the most certain stamp says."""
    known = [record.at for record in records if record.at.error_ms is not None]
    usable = [at for at in known if at.clock in _CERTAIN and _is_sane(at)]
    return anchor_of(min(usable, key=lambda at: at.error_ms or 0)) if usable else None


def _told(record: Record) -> Anchor | None:
    """The anchor in a record; one that is none has been put aside by the projection."""
    try:
        body = msgspec.json.decode(record.body, type=wire.ClockAnchor)
    except (msgspec.DecodeError, RecursionError):
        return None
    mine = body.boot_id == record.at.boot_id and _is_sane(record.at) and body.boot_ns < _BOOT_MOST_NS
    if not mine or body.utc_ns >= _WALL_MOST_NS or body.error_ms >= _ERROR_MOST_MS:
        return None
    return Anchor(record.at.boot_seq, body.boot_ns, body.utc_ns, body.source, body.error_ms * 10**6)


def _correct(connection: Connection, key: Key, boot_id: str, records: Sequence[Record], now_us: int) -> None:
    """Write down when records that have just come were made."""
    if not records:
        return
    moments = [record.at.boot_ns for record in records]
    known = _Known(connection, key[0], boot_id, records[0].at.boot_seq, min(moments), max(moments))
    names = ("node", "stream", "epoch")
    rows = []
    for record in records:
        interval = known.at(record.at.boot_ns, now_us, anchor_of(record.at))
        row = dict(zip(names, key, strict=True)) | {"seq": record.seq, "subject": _subject(record)}
        place = {"boot_id": boot_id, "boot_seq": record.at.boot_seq, "boot_ns": record.at.boot_ns}
        rows.append(row | place | _values(interval, now_us))
    timings.correct(connection, rows)


def _again(
    connection: Connection, node: str, boot_id: str, kept: Sequence[Anchor], now_us: int, most: int
) -> int:
    """Correct earlier records again where new anchors make a difference; how many were looked at."""
    looked = 0
    for one in _telling(kept):
        found = timings.to_improve(connection, node, boot_id, one, DRIFT_PPM, max(0, most - looked))
        looked += len(found)
        found += timings.neighbours_to_improve(connection, node, boot_id, one, max(0, most - looked))
        looked += len(found)
        _improve(connection, node, found, now_us)
    return looked


def _telling(kept: Sequence[Anchor]) -> list[Anchor]:
    """Of many anchors those that say most: the first, the last and the best."""
    trusted = [one for one in kept if one.source != "camera"]
    if not trusted:
        return []
    first = min(trusted, key=lambda one: one.boot_ns)
    last = max(trusted, key=lambda one: one.boot_ns)
    return list(dict.fromkeys((first, last, min(trusted, key=lambda one: one.error_ns))))


def _improve(connection: Connection, node: str, found: Sequence[Row[Any]], now_us: int) -> None:
    by_boot: dict[str, list[Row[Any]]] = {}
    for row in found:
        by_boot.setdefault(row.boot_id, []).append(row)
    better = []
    for boot_id, rows in by_boot.items():
        moments = [row.boot_ns for row in rows]
        known = _Known(connection, node, boot_id, rows[0].boot_seq, min(moments), max(moments))
        for row in rows:
            own = anchor_of(msgspec.json.decode(row.at, type=Stamp))
            interval = known.at(row.boot_ns, row.received_us, own)
            if _is_worth_saying(row, interval):
                better.append({name: getattr(row, name) for name in _SAME} | _values(interval, now_us))
    timings.correct(connection, better)


def _is_worth_saying(old: Row[Any], new: Interval) -> bool:
    """Twice as good, or what was said is now known to be wrong or to claim too much."""
    width_ns = int(old.high_ns - old.low_ns)
    apart = bool(new.low_ns > old.high_ns or new.high_ns < old.low_ns)
    return apart or 2 * new.width_ns <= width_ns or new.width_ns >= 2 * width_ns


def _values(interval: Interval, made_us: int) -> dict[str, Any]:
    return {
        "low_ns": interval.low_ns,
        "high_ns": interval.high_ns,
        "source": interval.source,
        "made_us": made_us,
    }


def _subject(record: Record) -> str:
    """The report whose first record it is: by that one people know when somebody called for help."""
    if record.kind != report.KIND:
        return ""
    try:
        body = msgspec.json.decode(record.body, type=report.Report)
    except (msgspec.DecodeError, RecursionError):
        return ""
    return body.report_id[:64] if body.revision == 1 else ""


class _Known:
    """What is known of a boot around some of its moments; read once."""

    def __init__(
        self,
        connection: Connection,
        node: str,
        boot_id: str,
        boot_seq: int,
        first_ns: int,
        last_ns: int,
    ) -> None:
        self._boot_seq = boot_seq
        self._own = timings.anchors_around(connection, node, boot_id, first_ns, last_ns)
        self._places = [one.boot_ns for one in self._own]
        self._others = timings.anchors_of_neighbours(connection, node, boot_id, boot_seq)

    def at(self, boot_ns: int, received_us: int, own: Anchor | None = None) -> Interval:
        """When `boot_ns` of this boot was, of a record that the hub had at `received_us`."""
        receipt = Receipt(self._boot_seq, boot_ns, received_us * 1000)
        timeline = Timeline([*self._near(boot_ns), *self._others, *_given(own)], [receipt])
        return timeline.at(self._boot_seq, boot_ns)

    def _near(self, boot_ns: int) -> Sequence[Anchor]:
        place = bisect_left(self._places, boot_ns)
        return self._own[max(0, place - _NEAREST) : place + _NEAREST]


def _given(own: Anchor | None) -> Iterable[Anchor]:
    return () if own is None else (own,)
