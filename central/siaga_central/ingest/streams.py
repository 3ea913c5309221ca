"""Commits what came of one stream: new records are kept and applied, holes are noted, the mark moves."""

import logging
from collections.abc import Sequence

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from siaga_central.ingest import timing
from siaga_central.ingest.projection import Moment
from siaga_central.ingest.projection import commit as apply
from siaga_central.store import events, nodes, records
from siaga_core.wire import health
from siaga_core.wire.envelope import Received, Record

log = logging.getLogger(__name__)


class _Level(Struct):
    level: str = ""


def commit(
    connection: Connection, key: records.Key, batches: Sequence[tuple[str, Received]], moment: Moment
) -> int:
    """Commit the batches of one (node, stream, epoch) in the order they came; the stream's mark.

    However often and in whatever order a batch comes, the outcome is the same.
    """
    topic = batches[0][0]
    before = records.upto(connection, key)
    given = [record for _, batch in batches for record in batch.records]
    kept = records.keep(connection, key, given, moment.now_us)
    for record in kept.forked:
        _forked(connection, record, topic, moment)
    timing.take(connection, key, kept.fresh, moment.now_us)  # first: when it was said decides what it joins
    _apply_all(connection, worth_applying(kept.fresh), topic, moment)
    for _, batch in batches:
        _unreadable(connection, key, batch, topic, moment)
        _gaps(connection, key, batch, before, moment)
    return records.advance(connection, key, [(batch.first, batch.last) for _, batch in batches])


def worth_applying(fresh: Sequence[Record]) -> list[Record]:
    """Records that change something: of health samples the last, and each whose level is a new one."""
    newest = max((record.seq for record in fresh if record.kind == health.KIND), default=0)
    chosen, level = [], ""
    for record in sorted(fresh, key=lambda one: one.seq):
        if record.kind == health.KIND:
            try:
                present = msgspec.json.decode(record.body, type=_Level).level
            except msgspec.DecodeError:
                present = "unreadable"
            if present == level and record.seq != newest:
                continue
            level = present
        chosen.append(record)
    return chosen


def _apply_all(connection: Connection, fresh: Sequence[Record], topic: str, moment: Moment) -> None:
    """Apply all in one savepoint; if one of them cannot be digested, each in its own."""
    if not fresh:
        return
    try:
        with connection.begin_nested():
            for record in fresh:
                apply(connection, record, topic, moment)
    except Exception:  # noqa: BLE001 - whatever it is, the record it comes from is found below
        log.warning("batch applied one by one stream=%s seq=%d", fresh[0].stream, fresh[0].seq)
        for record in fresh:
            _apply_alone(connection, record, topic, moment)


def _apply_alone(connection: Connection, record: Record, topic: str, moment: Moment) -> None:
    """What the hub itself cannot digest stays raw and does not stop the others."""
    try:
        with connection.begin_nested():
            apply(connection, record, topic, moment)
    except Exception as error:
        log.exception(
            "record not understood node=%s stream=%s seq=%d", record.node, record.stream, record.seq
        )
        detail = f"{type(error).__name__}: {error}"
        records.refuse(connection, topic, bytes(record.body), "failed", detail, moment.now_us)


def _unreadable(
    connection: Connection, key: records.Key, batch: Received, topic: str, moment: Moment
) -> None:
    for entry in batch.unreadable:
        if records.keep_raw(connection, key, entry.seq, entry.octets, moment.now_us):
            records.refuse(connection, topic, entry.octets, "schema", entry.reason, moment.now_us)


def _gaps(connection: Connection, key: records.Key, batch: Received, before: int, moment: Moment) -> None:
    """Numbers the node declares gone. Up to the mark they were here in time: it has only tidied up."""
    node, stream, _ = key
    for first, last in batch.missing():
        if last <= before or not records.declare_gap(
            connection, key, max(first, before + 1), last, moment.now_us
        ):
            continue
        log.warning("gap declared node=%s stream=%s first=%d last=%d", node, stream, first, last)
        body = {"stream": stream, "first": first, "last": last}
        events.append(connection, moment.now_us, "record.gap", node, f"node:{node}", body)
        if stream.endswith(".urgent"):
            detail = f"{stream}: {last - first + 1} urgent records are lost on the node ({first} to {last})"
            nodes.alarm(connection, node, "lost", detail, moment.now_us)


def _forked(connection: Connection, record: Record, topic: str, moment: Moment) -> None:
    """One number, two records: a second device uses this node's key and a copy of its journal."""
    detail = f"{record.stream} {record.seq} came twice with different words; is the node's card a copy?"
    records.refuse(connection, topic, bytes(record.body), "fork", detail, moment.now_us)
    nodes.alarm(connection, record.node, "fork", detail, moment.now_us)
