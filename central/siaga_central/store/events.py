"""The append-only truth."""

from typing import Any

import msgspec
from sqlalchemy import Connection, Row, insert, select

from siaga_central.store.schema import event


def append(
    connection: Connection,
    at_us: int,
    kind: str,
    subject: str,
    actor: str,
    body: dict[str, Any] | None = None,
) -> int:
    """Append one event; its number. Numbers grow without gaps."""
    text = msgspec.json.encode(body or {}, order="sorted").decode()
    row = {"at_us": at_us, "kind": kind, "subject": subject, "actor": actor, "body": text}
    result = connection.execute(insert(event).values(row))
    return int(result.inserted_primary_key[0])  # type: ignore[index]


def after(connection: Connection, seq: int, limit: int) -> list[Row[Any]]:
    """At most `limit` events above `seq`, in order."""
    return list(connection.execute(select(event).where(event.c.seq > seq).order_by(event.c.seq).limit(limit)))


def of(connection: Connection, subject: str) -> list[Row[Any]]:
    """Every event about one subject, in order."""
    return list(connection.execute(select(event).where(event.c.subject == subject).order_by(event.c.seq)))
