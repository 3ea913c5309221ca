"""Sessions at the hub: the browser has a token, the hub its hash."""

from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from siaga_central.store import events
from siaga_central.store.schema import session


def open(
    connection: Connection, token_sha256: str, user: str, csrf: str, now_us: int, expires_us: int
) -> None:
    """Begin a session."""
    row = {
        "token_sha256": token_sha256,
        "user": user,
        "csrf": csrf,
        "opened_us": now_us,
        "used_us": now_us,
        "expires_us": expires_us,
    }
    connection.execute(insert(session).values(row))
    events.append(connection, now_us, "session.opened", user, user)


def find(connection: Connection, token_sha256: str, now_us: int) -> Row[Any] | None:
    """The live session of a token, or None."""
    return connection.execute(
        select(session).where(session.c.token_sha256 == token_sha256, session.c.expires_us > now_us)
    ).one_or_none()


def touch(connection: Connection, token_sha256: str, now_us: int) -> None:
    """Note that a session is in use."""
    connection.execute(update(session).where(session.c.token_sha256 == token_sha256).values(used_us=now_us))


def end(connection: Connection, token_sha256: str, now_us: int) -> None:
    """End a session."""
    row = connection.execute(select(session).where(session.c.token_sha256 == token_sha256)).one_or_none()
    if row is not None:
        connection.execute(session.delete().where(session.c.token_sha256 == token_sha256))
        events.append(connection, now_us, "session.ended", row.user, row.user)
