"""Incidents: opened by reports or by hand, moved by the table of domain.incident."""

from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, insert, select, update

from siaga_central.domain import incident as life
from siaga_central.domain import place as places
from siaga_central.domain.numbering import day_of, incident_number
from siaga_central.domain.place import Spot
from siaga_central.store import attention, events, outbox
from siaga_central.store.schema import incident, report
from siaga_core.errors import SiagaError


class NoSuchIncident(SiagaError):
    """There is no incident of this id."""


class AlreadyTaken(SiagaError):
    """Somebody else has the incident."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What an incident begins with."""

    category: str
    priority: str
    source: str
    summary: str
    place: str = ""


def open_new(connection: Connection, id: str, opening: Opening, actor: str, now_us: int) -> str:
    """Open an incident; its number. The number is the next of its WIB day."""
    day = f"K-{day_of(now_us)}-"
    counted = select(func.count()).select_from(incident).where(incident.c.number.like(f"{day}%"))
    number = incident_number(now_us, int(connection.execute(counted).scalar_one()) + 1)
    connection.execute(
        insert(incident).values(
            id=id,
            number=number,
            state="new",
            category=opening.category,
            priority=opening.priority,
            source=opening.source,
            summary=opening.summary,
            place=opening.place,
            opened_us=now_us,
            changed_us=now_us,
        )
    )
    body = {
        "number": number,
        "category": opening.category,
        "priority": opening.priority,
        "source": opening.source,
        "summary": opening.summary,
        "place": opening.place,
    }
    events.append(connection, now_us, "incident.opened", id, actor, body)
    publish(connection, id, now_us)
    return number


def open_manual(
    connection: Connection,
    id: str,
    *,
    reporter_name: str,
    place: str,
    summary: str,
    category: str,
    priority: str,
    ntpd_ticket: str,
    number: str,
    actor: str,
    now_us: int,
) -> str:
    """Open an incident for a call that an operator took on the NTPD 112 equipment; its number (SOP R01, R32).

    `reporter_name` may be the explicit value that the name was not given; `ntpd_ticket` may be empty.
    """
    opening = Opening(category, priority, "manual", summary, place)
    made = open_new(connection, id, opening, actor, now_us)
    body = {"reporter_name": reporter_name, "ntpd_ticket": ntpd_ticket, "number": number}
    events.append(connection, now_us, "incident.call_entered", id, actor, body)
    connection.execute(
        insert(report).values(
            id=id,
            incident=id,
            node="",
            revision=1,
            source="manual",
            reporter=number or None,
            reporter_e164=number or None,
            text=summary,
            arrived_us=now_us,
            received_us=now_us,
            body=msgspec.json.encode(body).decode(),
        )
    )
    return made


def find(connection: Connection, id: str) -> Row[Any]:
    """Return one incident. Raises NoSuchIncident."""
    row = connection.execute(select(incident).where(incident.c.id == id)).one_or_none()
    if row is None:
        raise NoSuchIncident(f"there is no incident {id}")
    return row


def take(connection: Connection, id: str, actor: str, now_us: int, by: dict[str, Any] | None = None) -> None:
    """Make `actor` the one who answers for it; taking over from somebody else is an event of its own.

    `by` says in the event how it came, if not from the console.
    """
    row = find(connection, id)
    if row.taken_by == actor:
        return
    _change(connection, id, now_us, taken_by=actor, taken_us=now_us)
    events.append(connection, now_us, "incident.taken", id, actor, {"from": row.taken_by, **(by or {})})
    publish(connection, id, now_us)


def classify(
    connection: Connection,
    id: str,
    category: str,
    priority: str,
    place: str,
    actor: str,
    now_us: int,
    reason: str = "",
) -> None:
    """Set category, priority and place as the operator judged them."""
    row = find(connection, id)
    new = {"category": category, "priority": priority, "place": place}
    old = {key: getattr(row, key) for key in new}
    if old == new:
        return
    _change(connection, id, now_us, **new)
    body = {"from": old, "to": new, "reason": reason}
    events.append(connection, now_us, "incident.classified", id, actor, body)
    publish(connection, id, now_us)


def spot_of(row: Row[Any]) -> Spot | None:
    """Where an incident is, if anybody has said so."""
    if row.latitude is None or row.longitude is None or not row.place_source:
        return None
    return Spot(row.latitude, row.longitude, row.place_radius_m or 0.0, row.place_source, row.place_words)


def locate(connection: Connection, id: str, spot: Spot, actor: str, now_us: int, reason: str = "") -> bool:
    """Say where an incident is; False if what was known is better, and stays.

    What speaks against the known place without replacing it is written down for the operator to see.
    """
    old = spot_of(find(connection, id))
    if places.replaces(spot, old):
        values = {"latitude": spot.latitude, "longitude": spot.longitude, "place_source": spot.source}
        _change(connection, id, now_us, **values, place_radius_m=spot.radius_m, place_words=spot.words[:200])
        body = {"from": None if old is None else msgspec.to_builtins(old), "reason": reason}
        body["to"] = msgspec.to_builtins(spot)
        events.append(connection, now_us, "incident.located", id, actor, body)
        return True
    if old is not None and places.contradicts(spot, old):
        events.append(connection, now_us, "incident.place_offered", id, actor, msgspec.to_builtins(spot))
    return False


def move(connection: Connection, id: str, command: str, actor: str, now_us: int, reason: str = "") -> str:
    """Do `command` to the incident; the state afterwards. Raises domain.incident.IllegalMove."""
    row = find(connection, id)
    state = life.after(row.state, command, reason)
    _change(connection, id, now_us, state=state, closed_us=None if life.is_open(state) else now_us)
    body = {"command": command, "from": row.state, "to": state, "reason": reason}
    events.append(connection, now_us, "incident.moved", id, actor, body)
    publish(connection, id, now_us)
    return state


def note(connection: Connection, id: str, text: str, actor: str, now_us: int) -> None:
    """Write down what an operator observed; the log can only be added to."""
    find(connection, id)
    _change(connection, id, now_us)
    events.append(connection, now_us, "incident.noted", id, actor, {"text": text})


def touch(connection: Connection, id: str, now_us: int) -> None:
    """Say that something about the incident is new."""
    _change(connection, id, now_us)


def link(connection: Connection, id: str, other: str, now_us: int) -> None:
    """Say at two open incidents that the same number has reported both."""
    for subject, named in ((id, other), (other, id)):
        body = {"incident": named, "other": find(connection, named).number}
        events.append(connection, now_us, "incident.same_number", subject, "hub", body)


def press(connection: Connection, id: str, category: str, now_us: int) -> None:
    """Say that a reporter's later words sound like P1, though a person has judged the incident otherwise."""
    events.append(connection, now_us, attention.PRESSING, id, "hub", {"category": category, "priority": "P1"})
    touch(connection, id, now_us)


def is_pressing(connection: Connection, id: str) -> bool:
    """Whether such words wait to be read."""
    found = select(incident.c.id).where(incident.c.id == id, attention.is_pressing())
    return connection.execute(found).first() is not None


def publish(connection: Connection, id: str, now_us: int) -> None:
    """Queue the alert for operators' own clients as the incident is now; empty when it is closed."""
    row = find(connection, id)
    if not life.is_open(row.state):
        outbox.put(connection, "alert", id, "", now_us)
        return
    outbox.put(connection, "alert", id, alert_payload(connection, row), now_us)


def open_alerts(connection: Connection) -> list[tuple[str, str]]:
    """(incident, payload) of every open incident: what has to be retained at the broker."""
    rows = connection.execute(
        select(incident).where(incident.c.closed_us.is_(None)).order_by(incident.c.opened_us)
    )
    return [(row.id, alert_payload(connection, row)) for row in rows]


def alert_payload(connection: Connection, row: Row[Any]) -> str:
    """The alert of one incident as JSON: nothing in it leads to a person."""
    from siaga_core.wire.alert import Alert

    reports = select(func.count()).select_from(report).where(report.c.incident == row.id)
    alert = Alert(
        incident=row.id,
        number=row.number,
        priority=row.priority,
        category=row.category,
        state=row.state,
        source=row.source,
        reports=max(1, int(connection.execute(reports).scalar_one())),
        opened_ms=row.opened_us // 1000,
        changed_ms=row.changed_us // 1000,
        acknowledged_by=row.taken_by or "",
        acknowledged_ms=None if row.taken_us is None else row.taken_us // 1000,
    )
    return msgspec.json.encode(alert).decode()


def _change(connection: Connection, id: str, now_us: int, **values: Any) -> None:
    connection.execute(
        update(incident)
        .where(incident.c.id == id)
        .values(changed_us=now_us, version=incident.c.version + 1, **values)
    )
