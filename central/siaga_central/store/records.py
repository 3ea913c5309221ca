"""Records as they came, the marks up to which streams are whole, and what was refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, insert, select, update

from siaga_central.domain.retention import without_octets
from siaga_central.store import dialect
from siaga_central.store.schema import gap, mark, quarantine, record, refusal, unapplied
from siaga_core.wire.envelope import Mark, Record, Stamp

# What is kept of a refused payload; its true size is kept beside it.
QUARANTINED_BYTES_MOST = 8192
# Of one reason; with some twenty reasons at most 160 MB.
QUARANTINED_MOST = 1000
_TIDIED_EVERY = 50


Key = tuple[str, str, str]
# SQLite takes at most 32,766 values in one statement (SQLITE_MAX_VARIABLE_NUMBER of 3.32 and later).
_ASKED_AT_ONCE = 500
_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of records offered for keeping."""

    fresh: list[Record]
    forked: list[Record]  # their number is taken by a record that says something else


def keep(connection: Connection, key: Key, given: Sequence[Record], now_us: int) -> Kept:
    """Keep records of one (node, stream, epoch); those that are here already are left as they are.

    A number that comes twice with different words means that two nodes use one name and one journal.
    """
    said = _here(connection, key, [one.seq for one in given])
    fresh: list[Record] = []
    forked: list[Record] = []
    rows: list[tuple[Any, ...]] = []
    for one in given:
        words = _said(one)
        known = said.get(one.seq)
        if known is None:
            fresh.append(one)
            rows.append((*key, one.seq, *words, now_us, None))
            said[one.seq] = words
        elif known != words and known != _erased(words):
            forked.append(one)
    if rows:
        dialect.insert_rows(connection, record, rows)
    return Kept(fresh, forked)


def keep_raw(connection: Connection, key: Key, seq: int, octets: bytes, now_us: int) -> bool:
    """Keep an entry that is no record under its number, so that its stream goes on; False if it was here."""
    if _here(connection, key, [seq]):
        return False
    node, stream, epoch = key
    body = octets.decode(errors="replace")
    row = {"node": node, "stream": stream, "epoch": epoch, "seq": seq, "kind": "unreadable", "at": "{}"}
    connection.execute(insert(record).values(**row, body=body, received_us=now_us))
    return True


def upto(connection: Connection, key: Key) -> int:
    """The mark of a stream, 0 if nothing of it is known."""
    row = connection.execute(select(mark.c.upto).where(_marked(key))).one_or_none()
    return int(row.upto) if row else 0


def advance(connection: Connection, key: Key, spans: Sequence[tuple[int, int]]) -> int:
    """Move the mark over spans (first, last) that are settled and follow it without a hole; the mark.

    A span beyond a hole moves nothing until the hole is filled; its records are kept meanwhile.
    """
    old = reached = upto(connection, key)
    for first, last in sorted(spans):
        if first <= reached + 1:
            reached = max(reached, last)
    reached = _contiguous(connection, key, reached)
    node, stream, epoch = key
    if not old and reached:
        connection.execute(insert(mark).values(node=node, stream=stream, epoch=epoch, upto=reached))
    elif reached > old:
        connection.execute(update(mark).where(_marked(key)).values(upto=reached))
    return reached


def marks_of(connection: Connection, node: str) -> list[Mark]:
    """Every mark of a node."""
    rows = connection.execute(select(mark).where(mark.c.node == node))
    return [Mark(stream=row.stream, epoch=row.epoch, upto=row.upto) for row in rows]


def declare_gap(connection: Connection, key: Key, first: int, last: int, now_us: int) -> bool:
    """Note numbers that their node has declared gone; False if that was known."""
    node, stream, epoch = key
    same = (gap.c.node == node) & (gap.c.stream == stream) & (gap.c.epoch == epoch) & (gap.c.first == first)
    row = connection.execute(select(gap.c.last).where(same)).one_or_none()
    if row is not None and row.last >= last:
        return False
    if row is None:
        values = {"node": node, "stream": stream, "epoch": epoch, "first": first}
        connection.execute(insert(gap).values(**values, last=last, declared_us=now_us))
    else:
        connection.execute(update(gap).where(same).values(last=last, declared_us=now_us))
    return True


def _contiguous(connection: Connection, key: Key, reached: int) -> int:
    """Go on over records that came before those in front of them."""
    node, stream, epoch = key
    mine = (record.c.node == node) & (record.c.stream == stream) & (record.c.epoch == epoch)
    later = select(record.c.seq).where(mine, record.c.seq > reached).order_by(record.c.seq)
    for row in connection.execute(later):
        if row.seq != reached + 1:
            break
        reached = row.seq
    return reached


def _here(connection: Connection, key: Key, seqs: Sequence[int]) -> dict[int, tuple[str, str, str]]:
    node, stream, epoch = key
    mine = (record.c.node == node) & (record.c.stream == stream) & (record.c.epoch == epoch)
    found: dict[int, tuple[str, str, str]] = {}
    for start in range(0, len(seqs), _ASKED_AT_ONCE):
        part = seqs[start : start + _ASKED_AT_ONCE]
        wanted = select(record.c.seq, record.c.kind, record.c.at, record.c.body)
        for row in connection.execute(wanted.where(mine, record.c.seq.in_(part))):
            found[row.seq] = (row.kind, row.at, row.body)
    return found


def _said(one: Record) -> tuple[str, str, str]:
    return (one.kind, _ENCODER.encode(one.at).decode(), bytes(one.body).decode())


def _erased(words: tuple[str, str, str]) -> tuple[str, str, str]:
    """What is left of a record when its time is over; its node may still say it again."""
    kind, at, body = words
    return (kind, at, without_octets(body))


def _marked(key: Key) -> Any:
    node, stream, epoch = key
    return (mark.c.node == node) & (mark.c.stream == stream) & (mark.c.epoch == epoch)


def refuse(connection: Connection, topic: str, payload: bytes, reason: str, detail: str, now_us: int) -> None:
    """Count what was refused and keep the newest of each reason; the payload is cut to a bound.

    A flood of bad messages fills neither the disk nor the page: QUARANTINED_MOST of a reason stay.
    """
    counted = update(refusal).where(refusal.c.reason == reason)
    values = {"count": refusal.c["count"] + 1, "last_us": now_us}
    if not connection.execute(counted.values(values)).rowcount:
        connection.execute(insert(refusal).values(reason=reason, count=1, last_us=now_us))
    connection.execute(
        insert(quarantine).values(
            received_us=now_us,
            reason=reason,
            detail=detail[:500],
            topic=topic[:500],
            payload=payload[:QUARANTINED_BYTES_MOST],
            size_bytes=len(payload),
        )
    )
    count = connection.execute(select(refusal.c["count"]).where(refusal.c.reason == reason)).scalar_one()
    if count > QUARANTINED_MOST and count % _TIDIED_EVERY == 0:
        newest = select(quarantine.c.number).where(quarantine.c.reason == reason)
        newest = newest.order_by(quarantine.c.number.desc()).limit(1).offset(QUARANTINED_MOST - 1)
        old = (quarantine.c.reason == reason) & (quarantine.c.number < newest.scalar_subquery())
        connection.execute(delete(quarantine).where(old))


def refused(connection: Connection) -> dict[str, int]:
    """Reason -> how many were refused for it, ever."""
    return {row.reason: row[1] for row in connection.execute(select(refusal.c.reason, refusal.c["count"]))}


def last_refused(connection: Connection, limit: int = 50) -> list[Row[Any]]:
    """The last refused payloads, newest first."""
    return list(connection.execute(select(quarantine).order_by(quarantine.c.number.desc()).limit(limit)))


def note_unapplied(connection: Connection, one: Record, reason: str) -> None:
    """Remember that a record is kept but has changed nothing."""
    key = {"node": one.node, "stream": one.stream, "epoch": one.epoch, "seq": one.seq}
    connection.execute(insert(unapplied).values(**key, reason=reason[:24]))


def waiting_for_replay(connection: Connection, node: str | None) -> list[Record]:
    """Records that have changed nothing, of one node or all, oldest first."""
    same = (record.c.node == unapplied.c.node) & (record.c.stream == unapplied.c.stream)
    same &= (record.c.epoch == unapplied.c.epoch) & (record.c.seq == unapplied.c.seq)
    found = select(record).join(unapplied, same).order_by(record.c.received_us, record.c.seq)
    if node is not None:
        found = found.where(record.c.node == node)
    return [_as_record(row) for row in connection.execute(found)]


def applied(connection: Connection, one: Record) -> None:
    """A record has changed what it should."""
    mine = (unapplied.c.node == one.node) & (unapplied.c.stream == one.stream)
    mine &= (unapplied.c.epoch == one.epoch) & (unapplied.c.seq == one.seq)
    connection.execute(delete(unapplied).where(mine))


def _as_record(row: Row[Any]) -> Record:
    return Record(
        node=row.node,
        stream=row.stream,
        epoch=row.epoch,
        seq=row.seq,
        kind=row.kind,
        at=msgspec.json.decode(row.at, type=Stamp),
        body=msgspec.Raw(row.body.encode()),
    )
