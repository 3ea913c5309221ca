"""Alerts texted to duty phones, and what was answered: each phone of each alert is one assignment."""

import os
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, exists, insert, select, update

from siaga_central.domain import incident as life
from siaga_central.domain import texts
from siaga_central.domain.delivery import replaces
from siaga_central.store import commands, duty_texts, events, incidents, modems
from siaga_central.store.schema import assignment, event, incident, report
from siaga_core.reading import field
from siaga_core.wire.command import SendSms
from siaga_core.wire.duty import DutyState

# An alert that could not be sent for half an hour is told by phone (policy value).
TTL_S = 1800.0
# An answer may come late; after this a code may mean something else again.
KNOWN_US = 3 * 86_400 * 1_000_000
# A team that was told has read it by then or somebody rings it (policy value; no rule of the city's yet).
ANSWER_WITHIN_US = 5 * 60 * 1_000_000
SILENT = "dispatch.silent"


def tell(
    connection: Connection,
    id: str,
    incident_id: str,
    phone: tuple[str, str],
    node: str,
    actor: str,
    now_us: int,
) -> str:
    """Text (name, number) of an incident through a node's modem, at least once; the code to answer with."""
    row = incidents.find(connection, incident_id)
    code = _code(connection, incident_id, now_us)
    name, number = phone
    text = texts.dispatch(code, row.priority, row.category, row.place, row.number)
    _add(connection, id, incident_id, code, node, name, number, text, actor, now_us, away=False)
    order = SendSms(to=number, text=text, at_least_once=True)
    commands.queue(connection, id, node, modems.sender(connection, node, number), order, actor, now_us, TTL_S)
    body = {"assignment": id, "name": name, "code": code}
    events.append(connection, now_us, "dispatch.told", incident_id, actor, body)
    incidents.touch(connection, incident_id, now_us)
    return code


def from_node(connection: Connection, node: str, step: DutyState, at_us: int, now_us: int) -> bool:
    """What a node did while no hub took its report; False if its report is not known here.

    `at_us` is when by the node's clock. Whatever comes twice changes nothing.
    """
    incident_id = connection.execute(
        select(report.c.incident).where(report.c.id == step.report_id)
    ).scalar_one_or_none()
    if incident_id is None:
        return False
    actor = f"node:{node}"
    if step.deed == "told":
        _told_away(connection, incident_id, node, step, at_us, now_us)
    elif step.deed in ("back", "asked"):
        duty_texts.by_node(connection, node, step, at_us, now_us)
        _away(connection, incident_id, f"away.{step.deed}", actor, step, at_us, now_us)
    elif step.deed in field.RANK:
        for row in _of_phone(connection, step.code, step.number):
            answer(connection, row, step.deed, step.text, at_us, now_us, again=False)
    else:
        _away(connection, incident_id, f"away.{step.deed}", actor, step, at_us, now_us)
    incidents.touch(connection, incident_id, now_us)
    return True


def _told_away(
    connection: Connection, incident_id: str, node: str, step: DutyState, at_us: int, now_us: int
) -> None:
    """A phone is put to an incident once; texted again, as it became graver, it has no second task."""
    if find(connection, step.id) is not None or duty_texts.find(connection, step.id) is not None:
        return
    actor = f"node:{node}"
    if any(row.away for row in _of_phone(connection, step.code, step.number)):
        duty_texts.by_node(connection, node, step, at_us, now_us)
    else:
        _add(
            connection, step.id, incident_id, step.code, node, step.name, step.number, "", actor, at_us,
            away=True,
        )  # fmt: skip
    _away(connection, incident_id, "away.told", actor, step, at_us, now_us)


def answer(
    connection: Connection,
    row: Row[Any],
    deed: str,
    text: str,
    at_us: int,
    now_us: int,
    *,
    again: bool = True,
) -> bool:
    """Take a team's word; False when it is no news. The first who accepts answers for the incident.

    The incident follows what its teams say.

    `again`: what is no news is shown as a repetition; a node's account of a text is not said twice.
    """
    if not field.is_news(row.state, deed):
        body = {"name": row.name, "code": row.code, "text": text}
        if again:
            events.append(connection, now_us, "dispatch.repeated", row.incident, row.name, body)
        return False
    values = {"state": deed, "state_us": at_us}
    connection.execute(update(assignment).where(assignment.c.id == row.id).values(**values))
    body = {"name": row.name, "code": row.code, "text": text, "at_us": at_us}
    body |= {"while_away": True} if row.away else {}
    events.append(connection, now_us, f"dispatch.{deed}", row.incident, row.name, body)
    found = incidents.find(connection, row.incident)
    if found.taken_by is None and life.is_open(found.state):
        incidents.take(connection, row.incident, row.name, now_us, {"via": "sms"})
    else:
        incidents.touch(connection, row.incident, now_us)
    others = [one.state for one in of_incident(connection, row.incident) if one.id != row.id]
    for move in life.by_field(found.state, deed, others):
        incidents.move(connection, row.incident, move, "hub", now_us, f"{row.name}: {text}")
    return True


def told(connection: Connection, now_us: int) -> list[field.Told]:
    """Every alert that somebody may still answer."""
    rows = connection.execute(
        select(assignment, incident.c.closed_us)
        .join(incident, incident.c.id == assignment.c.incident)
        .where(assignment.c.told_us > now_us - KNOWN_US)
    )
    return [
        field.Told(row.code, row.number, row.told_us, row.closed_us is None and row.state != "done")
        for row in rows
    ]


def fallen_silent(connection: Connection, now_us: int) -> dict[str, list[str]]:
    """Open incident -> teams that should have answered by now, where that has not been noted."""
    late = assignment.c.told_us.between(now_us - KNOWN_US, now_us - ANSWER_WITHIN_US)
    found = select(assignment.c.incident, assignment.c.name).where(_unanswered(), late, ~_is_noted())
    is_open = incident.c.closed_us.is_(None)
    return _names(connection, found.join(incident, incident.c.id == assignment.c.incident).where(is_open))


def silent(connection: Connection, incident_ids: Sequence[str]) -> dict[str, list[str]]:
    """Incident -> teams that have not answered in time."""
    mine = assignment.c.incident.in_(incident_ids)
    return _names(
        connection,
        select(assignment.c.incident, assignment.c.name).where(mine, _unanswered(), _is_noted()),
    )


def _unanswered() -> Any:
    return assignment.c.state == "told"


def _is_noted() -> Any:
    """Whether the silence of its incident's teams was noted after this one's time was over."""
    noted = exists().where(event.c.subject == assignment.c.incident, event.c.kind == SILENT)
    return noted.where(event.c.at_us >= assignment.c.told_us + ANSWER_WITHIN_US).correlate(assignment)


def _names(connection: Connection, found: Select[Any]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for row in connection.execute(found.order_by(assignment.c.told_us, assignment.c.id)):
        names.setdefault(row.incident, []).append(row.name)
    return names


def join(connection: Connection, id: str, code: str, phone: tuple[str, str], at_us: int) -> Row[Any]:
    """Put (name, number), on duty but not texted, to the incident of a known code; he told himself."""
    name, number = phone
    newest = (
        select(assignment).where(assignment.c.code == code).order_by(assignment.c.told_us.desc()).limit(1)
    )
    row = connection.execute(newest).one()
    connection.execute(
        insert(assignment).values(
            id=id, incident=row.incident, code=code, node=row.node, name=name, number=number, text="",
            told_by=name, told_us=at_us, state="told", state_us=at_us, away=row.away, sms_state="",
        )
    )  # fmt: skip
    found = find(connection, id)
    assert found is not None
    return found


def of_answer(connection: Connection, code: str, number: str) -> Row[Any] | None:
    """The newest assignment of this phone under this code."""
    rows = _of_phone(connection, code, number)
    return rows[0] if rows else None


def incident_of_code(connection: Connection, code: str) -> str | None:
    """The incident that a code was last given to."""
    found = select(assignment.c.incident).where(assignment.c.code == code)
    return connection.execute(found.order_by(assignment.c.told_us.desc()).limit(1)).scalar_one_or_none()


def of_incident(connection: Connection, incident_id: str) -> list[Row[Any]]:
    """Who was told of an incident, first to last."""
    found = select(assignment).where(assignment.c.incident == incident_id)
    return list(connection.execute(found.order_by(assignment.c.told_us, assignment.c.id)))


def delivered(connection: Connection, id: str, state: str, detail: str, now_us: int) -> bool:
    """Note how far the text to a phone has come; False when it is none of ours, or no news."""
    row = find(connection, id)
    if row is None or not replaces(row.sms_state, state):
        return False
    connection.execute(update(assignment).where(assignment.c.id == id).values(sms_state=state))
    if state == "FAILED":
        body = {"name": row.name, "code": row.code, "detail": detail}
        events.append(connection, now_us, "dispatch.unsent", row.incident, "hub", body)
    incidents.touch(connection, row.incident, now_us)
    return True


def find(connection: Connection, id: str) -> Row[Any] | None:
    """One assignment, or None."""
    return connection.execute(select(assignment).where(assignment.c.id == id)).one_or_none()


def _add(
    connection: Connection,
    id: str,
    incident_id: str,
    code: str,
    node: str,
    name: str,
    number: str,
    text: str,
    actor: str,
    at_us: int,
    *,
    away: bool,
) -> None:
    connection.execute(
        insert(assignment).values(
            id=id, incident=incident_id, code=code, node=node, name=name, number=number, text=text,
            told_by=actor, told_us=at_us, state="told", state_us=at_us, away=away, sms_state="QUEUED",
        )
    )  # fmt: skip


def _code(connection: Connection, incident_id: str, now_us: int) -> str:
    """One code per incident, so that two phones speak of the same thing."""
    known = connection.execute(
        select(assignment.c.code).where(assignment.c.incident == incident_id, ~assignment.c.away).limit(1)
    ).scalar_one_or_none()
    if known is not None:
        return str(known)
    taken = select(assignment.c.code).where(assignment.c.told_us > now_us - KNOWN_US)
    return field.code_of(os.urandom(16), {row.code for row in connection.execute(taken)})


def _of_phone(connection: Connection, code: str, number: str) -> list[Row[Any]]:
    found = select(assignment).where(assignment.c.code == code, assignment.c.number == number)
    return list(connection.execute(found.order_by(assignment.c.told_us.desc())))


def _away(
    connection: Connection, incident_id: str, kind: str, actor: str, step: DutyState, at_us: int, now_us: int
) -> None:
    body = {"name": step.name, "code": step.code, "text": step.text, "at_us": at_us, "while_away": True}
    events.append(connection, now_us, kind, incident_id, actor, body)
