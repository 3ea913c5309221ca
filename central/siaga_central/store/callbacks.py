"""Callers whom somebody has to ring back, one entry per number and incident."""

from sqlalchemy import Connection, insert, select, update

from siaga_central.store import events, incidents
from siaga_central.store.schema import callback
from siaga_core.errors import SiagaError

STATES = ("reached", "noanswer", "prank")


class NoSuchCallback(SiagaError):
    """There is no call-back of this id."""


def add(
    connection: Connection,
    id: str,
    incident_id: str,
    number: str | None,
    actor: str,
    now_us: int,
) -> None:
    """Add a caller of this incident, or count the call if he is already waiting."""
    waiting = connection.execute(
        select(callback).where(
            callback.c.incident == incident_id,
            callback.c.state == "waiting",
            callback.c.number.is_(None) if number is None else callback.c.number == number,
        )
    ).first()
    if waiting is not None:
        connection.execute(
            update(callback)
            .where(callback.c.id == waiting.id)
            .values(calls=waiting.calls + 1, last_us=now_us)
        )
        body = {"incident": incident_id, "calls": waiting.calls + 1}
        events.append(connection, now_us, "callback.again", waiting.id, actor, body)
        return
    row = {"id": id, "incident": incident_id, "number": number, "first_us": now_us, "last_us": now_us}
    connection.execute(insert(callback).values(row))
    events.append(connection, now_us, "callback.added", id, actor, {"incident": incident_id})


def name_caller(connection: Connection, id: str, number: str, now_us: int) -> None:
    """Fill in a number that came after the ringing had begun."""
    connection.execute(
        update(callback)
        .where(callback.c.id == id, callback.c.number.is_(None))
        .values(number=number, last_us=now_us)
    )


def settle(connection: Connection, id: str, state: str, actor: str, now_us: int) -> None:
    """Close a call-back with its outcome: reached, noanswer or prank. Raises NoSuchCallback."""
    row = connection.execute(select(callback).where(callback.c.id == id)).one_or_none()
    if row is None or state not in STATES:
        raise NoSuchCallback(f"there is no call-back {id} that could become {state}")
    connection.execute(
        update(callback).where(callback.c.id == id).values(state=state, done_by=actor, done_us=now_us)
    )
    body = {"incident": row.incident, "state": state}
    events.append(connection, now_us, "callback.settled", id, actor, body)
    incidents.touch(connection, row.incident, now_us)
