"""Callers whom somebody has to ring back, one entry per number and incident."""

from typing import Any

from sqlalchemy import Connection, and_, case, exists, func, insert, select, update

from siaga_central.domain.incident import IllegalMove
from siaga_central.store import events, incidents
from siaga_central.store.schema import callback, event, incident
from siaga_core.errors import SiagaError

PRESSED = {"P2": "P1", "P3": "P2", "P4": "P3"}
# What ends a call-back; a call that nobody took is a try, and the caller is rung again.
FINAL = ("reached", "prank", "closed")
# Who did not take the call may a little later (policy value).
RETRY_US = 5 * 60 * 1_000_000


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
        if waiting.calls == 1 and number is not None:
            _press(connection, incident_id, now_us)
        return
    row = {"id": id, "incident": incident_id, "number": number, "first_us": now_us, "last_us": now_us}
    connection.execute(insert(callback).values(row))
    events.append(connection, now_us, "callback.added", id, actor, {"incident": incident_id})


def incident_waiting(connection: Connection, number: str | None) -> str | None:
    """The open incident in which this number waits to be rung back: whoever calls again is one line."""
    if number is None:
        return None
    found = connection.execute(
        select(callback.c.incident)
        .join(incident, incident.c.id == callback.c.incident)
        .where(callback.c.number == number, callback.c.state == "waiting", incident.c.closed_us.is_(None))
        .order_by(callback.c.last_us.desc())
        .limit(1)
    ).scalar_one_or_none()
    return None if found is None else str(found)


def _press(connection: Connection, incident_id: str, now_us: int) -> None:
    """Who rings a second time is in earnest: one step more urgent, unless a person has judged it."""
    row = incidents.find(connection, incident_id)
    judged = select(event.c.seq).where(
        event.c.subject == incident_id, event.c.kind == "incident.classified", event.c.actor != "hub"
    )
    if row.priority in PRESSED and connection.execute(judged.limit(1)).first() is None:
        pressed = PRESSED[row.priority]
        incidents.classify(
            connection, incident_id, row.category, pressed, row.place, "hub", now_us, "called again"
        )


def name_caller(connection: Connection, id: str, number: str, now_us: int) -> None:
    """Fill in a number that came after the ringing had begun."""
    connection.execute(
        update(callback)
        .where(callback.c.id == id, callback.c.number.is_(None))
        .values(number=number, last_us=now_us)
    )


def settle(connection: Connection, id: str, state: str, actor: str, now_us: int, reason: str = "") -> None:
    """Note how ringing back went: `noanswer` is a try, reached, prank or closed end it; closed has a reason.

    Raises NoSuchCallback, IllegalMove.
    """
    row = connection.execute(select(callback).where(callback.c.id == id)).one_or_none()
    is_try = row is not None and row.state == "waiting" and state == "noanswer"
    if row is None or not (is_try or state in FINAL):
        raise NoSuchCallback(f"there is no call-back {id} that could become {state}")
    if state == "closed" and not reason.strip():
        raise IllegalMove(f"{state} needs a reason")
    body = {"incident": row.incident, "state": state, "reason": reason.strip()}
    if not is_try:
        done = {"state": state, "done_by": actor, "done_us": now_us}
        connection.execute(update(callback).where(callback.c.id == id).values(**done))
    events.append(connection, now_us, TRIED if is_try else "callback.settled", id, actor, body)
    incidents.touch(connection, row.incident, now_us)


TRIED, DUE = "callback.tried", "callback.due"


def tries() -> Any:
    """How often somebody has rung back in vain."""
    return _told(func.count(event.c.seq), TRIED)


def due_us() -> Any:
    """From when on somebody is to ring back: at once; after a try some minutes later, or when he calls."""
    tried = _told(func.coalesce(func.max(event.c.at_us), 0), TRIED)
    return case((tried >= callback.c.last_us, tried + RETRY_US), else_=callback.c.last_us)


def fallen_due(connection: Connection, now_us: int) -> list[str]:
    """Callers who are to be rung again now, of which nobody has been told."""
    told = exists().where(event.c.subject == callback.c.id, event.c.kind == DUE)
    told = told.where(event.c.at_us >= due_us()).correlate(callback)
    waits = and_(callback.c.state == "waiting", tries() > 0, due_us() <= now_us, ~told)
    return list(connection.execute(select(callback.c.id).where(waits)).scalars())


def _told(what: Any, kind: str) -> Any:
    found = select(what).where(event.c.subject == callback.c.id, event.c.kind == kind)
    return found.correlate(callback).scalar_subquery()
