"""What has to be published, written in the same transaction as its cause."""

from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from siaga_central.store.schema import outbox


def put(connection: Connection, channel: str, subject: str, payload: str, now_us: int) -> None:
    """Queue one message; an empty payload clears what is retained."""
    row = {"channel": channel, "subject": subject, "payload": payload, "made_us": now_us}
    connection.execute(insert(outbox).values(row))


def waiting(connection: Connection, limit: int = 200) -> list[Row[Any]]:
    """What is not done, oldest first."""
    return list(
        connection.execute(
            select(outbox).where(outbox.c.done_us.is_(None)).order_by(outbox.c.number).limit(limit)
        )
    )


def done(connection: Connection, numbers: list[int], now_us: int) -> None:
    """Mark messages that the broker has confirmed."""
    connection.execute(update(outbox).where(outbox.c.number.in_(numbers)).values(done_us=now_us))
