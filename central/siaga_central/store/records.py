"""Records as they came, the marks up to which streams are whole, and what was refused."""

from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from siaga_central.store.schema import mark, quarantine, record
from siaga_core.wire.envelope import Record

# What is kept of a refused payload; its true size is kept beside it.
QUARANTINED_BYTES_MOST = 8192


def keep(connection: Connection, given: Record, at: str, now_us: int) -> bool:
    """Keep a record; False when its key (node, stream, epoch, seq) is here already."""
    key = {"node": given.node, "stream": given.stream, "epoch": given.epoch, "seq": given.seq}
    same = (
        (record.c.node == given.node)
        & (record.c.stream == given.stream)
        & (record.c.epoch == given.epoch)
        & (record.c.seq == given.seq)
    )
    if connection.execute(select(record.c.seq).where(same)).one_or_none() is not None:
        return False
    body = bytes(given.body).decode()
    connection.execute(insert(record).values(**key, kind=given.kind, at=at, body=body, received_us=now_us))
    return True


def advance(connection: Connection, node: str, stream: str, epoch: str) -> int:
    """Move the mark over every record that follows without a gap; the mark."""
    here = (mark.c.node == node) & (mark.c.stream == stream) & (mark.c.epoch == epoch)
    row = connection.execute(select(mark.c.upto).where(here)).one_or_none()
    old = int(row.upto) if row else 0
    upto = _contiguous(connection, node, stream, epoch, old)
    if row is None:
        connection.execute(insert(mark).values(node=node, stream=stream, epoch=epoch, upto=upto))
    elif upto > old:
        connection.execute(update(mark).where(here).values(upto=upto))
    return upto


def _contiguous(connection: Connection, node: str, stream: str, epoch: str, old: int) -> int:
    here = (record.c.node == node) & (record.c.stream == stream) & (record.c.epoch == epoch)
    upto = old
    for row in connection.execute(
        select(record.c.seq).where(here, record.c.seq > old).order_by(record.c.seq)
    ):
        if row.seq != upto + 1:
            break
        upto = row.seq
    return upto


def refuse(connection: Connection, topic: str, payload: bytes, reason: str, detail: str, now_us: int) -> None:
    """Keep what was refused, with its reason; the payload is cut to a bound."""
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


def refused(connection: Connection) -> dict[str, int]:
    """Reason -> how many were refused for it."""
    rows = connection.execute(
        select(quarantine.c.reason, func.count().label("n")).group_by(quarantine.c.reason)
    )
    return {row.reason: row.n for row in rows}


def last_refused(connection: Connection, limit: int = 50) -> list[Row[Any]]:
    """The last refused payloads, newest first."""
    return list(connection.execute(select(quarantine).order_by(quarantine.c.number.desc()).limit(limit)))
