"""Operators' own MQTT clients: one account each, and what they have acknowledged."""

from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from siaga_central.store import events
from siaga_central.store.schema import acknowledgement, client, user

# The broker keeps the hub's session a week (bus/client.py): nothing comes again later than that.
KEPT_US = 7 * 86_400 * 1_000_000


def add(connection: Connection, name: str, account: str, actor: str, now_us: int) -> None:
    """Register a client of `account`; one that was removed may be registered again."""
    connection.execute(delete(acknowledgement).where(acknowledgement.c.client == name))
    connection.execute(delete(client).where(client.c.name == name))
    connection.execute(insert(client).values(name=name, user=account, made_us=now_us))
    events.append(connection, now_us, "client.added", name, actor, {"user": account})


def remove(connection: Connection, name: str, actor: str, now_us: int) -> None:
    """Take a client's registration away: from this commit on it acknowledges nothing."""
    connection.execute(update(client).where(client.c.name == name).values(removed_us=now_us))
    events.append(connection, now_us, "client.removed", name, actor)


def find(connection: Connection, name: str) -> Row[Any] | None:
    """A registered client, or None."""
    wanted = select(client).where(client.c.name == name, client.c.removed_us.is_(None))
    return connection.execute(wanted).one_or_none()


def account_of(connection: Connection, name: str) -> Row[Any] | None:
    """The account behind a registered client, or None."""
    wanted = select(user).join(client, client.c.user == user.c.name)
    return connection.execute(
        wanted.where(client.c.name == name, client.c.removed_us.is_(None))
    ).one_or_none()


def all_of_them(connection: Connection) -> list[Row[Any]]:
    """Every registered client with its account, by name."""
    wanted = select(client.c.name, client.c.user, client.c.made_us, user.c.role, user.c.disabled)
    joined = wanted.join(user, client.c.user == user.c.name).where(client.c.removed_us.is_(None))
    return list(connection.execute(joined.order_by(client.c.name)))


def of_account(connection: Connection, account: str) -> list[str]:
    """Names of an account's registered clients."""
    wanted = select(client.c.name).where(client.c.user == account, client.c.removed_us.is_(None))
    return [row.name for row in connection.execute(wanted.order_by(client.c.name))]


def answered(connection: Connection, name: str, id: str) -> str | None:
    """What a client was answered to its acknowledgement `id`, or None."""
    same = (acknowledgement.c.client == name) & (acknowledgement.c.id == id)
    row = connection.execute(select(acknowledgement.c.answer).where(same)).one_or_none()
    return None if row is None else str(row.answer)


def keep_answer(connection: Connection, name: str, id: str, answer: str, now_us: int) -> None:
    """Remember an answer, and forget what is too old to come again."""
    old = (acknowledgement.c.client == name) & (acknowledgement.c.received_us < now_us - KEPT_US)
    connection.execute(delete(acknowledgement).where(old))
    row = {"client": name, "id": id, "received_us": now_us, "answer": answer}
    connection.execute(insert(acknowledgement).values(row))
