"""Urgent records that came by SMS before the link brought them."""

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from siaga_central.store.schema import early, mark, record, report
from siaga_core.wire.envelope import Record


def is_known(connection: Connection, one: Record) -> bool:
    """Whether a record of this key is here, by whichever way."""
    for table in (early, record):
        same = (table.c.node == one.node) & (table.c.stream == one.stream)
        same &= (table.c.epoch == one.epoch) & (table.c.seq == one.seq)
        if connection.execute(select(table.c.seq).where(same)).first() is not None:
            return True
    mine = (mark.c.node == one.node) & (mark.c.stream == one.stream) & (mark.c.epoch == one.epoch)
    upto = connection.execute(select(mark.c.upto).where(mine)).scalar_one_or_none()
    return upto is not None and one.seq <= upto


def is_overtaken(connection: Connection, one: Record, subject: str) -> bool:
    """Whether something newer about the same subject has come: an old word must not undo it."""
    same = (early.c.node == one.node) & (early.c.stream == one.stream) & (early.c.epoch == one.epoch)
    newest = select(func.max(early.c.seq)).where(same, early.c.subject == subject)
    seq = connection.execute(newest).scalar_one_or_none()
    return seq is not None and seq > one.seq


def keep(connection: Connection, one: Record, subject: str, sender: str, now_us: int) -> None:
    """Keep that a record came by SMS."""
    connection.execute(
        insert(early).values(
            node=one.node,
            stream=one.stream,
            epoch=one.epoch,
            seq=one.seq,
            kind=one.kind,
            subject=subject,
            at=msgspec.json.encode(one.at).decode(),
            body=bytes(one.body).decode(errors="replace"),
            sender=sender,
            received_us=now_us,
        )
    )


def mark_report(connection: Connection, report_id: str) -> None:
    """A report that came by SMS lacks its PDUs: the same revision over the link completes it."""
    connection.execute(
        update(report).where(report.c.id == report_id).values(via="sms", revision=report.c.revision - 1)
    )
