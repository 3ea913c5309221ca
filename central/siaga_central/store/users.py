"""Accounts. Passwords come here as hashes only."""

from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from siaga_central.store import events
from siaga_central.store.schema import session, user


def add(
    connection: Connection,
    name: str,
    full_name: str,
    role: str,
    password_hash: str,
    actor: str,
    now_us: int,
    expires_us: int | None = None,
) -> None:
    """Add an account."""
    row = {
        "name": name,
        "full_name": full_name,
        "role": role,
        "password_hash": password_hash,
        "expires_us": expires_us,
    }
    connection.execute(insert(user).values(row))
    events.append(connection, now_us, "user.added", name, actor, {"role": role, "expires_us": expires_us})


def find(connection: Connection, name: str) -> Row[Any] | None:
    """One account, or None."""
    return connection.execute(select(user).where(user.c.name == name)).one_or_none()


def all_of_them(connection: Connection) -> list[Row[Any]]:
    """Every account, by name."""
    return list(connection.execute(select(user).order_by(user.c.name)))


def set_password(connection: Connection, name: str, password_hash: str, actor: str, now_us: int) -> None:
    """Change a password; every session of the account ends."""
    connection.execute(update(user).where(user.c.name == name).values(password_hash=password_hash))
    connection.execute(session.delete().where(session.c.user == name))
    events.append(connection, now_us, "user.password", name, actor)


def set_language(connection: Connection, name: str, language: str) -> None:
    """Remember in which language somebody reads."""
    connection.execute(update(user).where(user.c.name == name).values(language=language))


def disable(connection: Connection, name: str, actor: str, now_us: int) -> None:
    """Close an account; every session of it ends."""
    connection.execute(update(user).where(user.c.name == name).values(disabled=True))
    connection.execute(session.delete().where(session.c.user == name))
    events.append(connection, now_us, "user.disabled", name, actor)
