"""A citizen's contact becomes a report of an incident, however often and in whatever order it comes."""

import logging
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Row, case, func, insert, select, update

from siaga_central.domain import conversation
from siaga_central.domain.place import Spot
from siaga_central.ingest.policy import Policy
from siaga_central.ingest.suggestion import Suggestion, named, suggest
from siaga_central.store import attention, callbacks, commands, events, holds, incidents, nodes, spoken
from siaga_central.store.schema import callback, event, incident, report
from siaga_core.reading.lexicon import UNKNOWN
from siaga_core.reading.text import read
from siaga_core.wire.command import SoundSiren
from siaga_core.wire.envelope import Record
from siaga_core.wire.report import Report

log = logging.getLogger(__name__)

# Texts read again at either end of an incident, to know what it was about.
_TEXTS_READ = 4
_RANK = {"P1": 1, "P2": 2, "P3": 3, "P4": 4}


def take(
    connection: Connection,
    record: Record,
    given: Report,
    now_us: int,
    new_id: Callable[[], str],
    policy: Policy,
) -> None:
    """Take one revision of a contact; an older one than is known changes nothing."""
    known = connection.execute(select(report).where(report.c.id == given.report_id)).one_or_none()
    if known is None:
        incident_id = _first(connection, record, given, now_us, new_id, policy)
    elif known.node == record.node and given.revision > known.revision:
        incident_id = _more(connection, known, record, given, now_us, new_id, policy)
    else:
        return
    _place(connection, incident_id, given, f"node:{record.node}", now_us)


def _first(
    connection: Connection,
    record: Record,
    given: Report,
    now_us: int,
    new_id: Callable[[], str],
    policy: Policy,
) -> str:
    actor = f"node:{record.node}"
    suggestion = suggest(given)
    at = record.at
    spoken_us = spoken.of_contact(connection, given.report_id, at.clock, at.wall_ns // 1000, now_us)
    open_ones = _open_of(connection, given.reporter_e164, spoken_us)
    said = conversation.Said(_kind(suggestion.category), suggestion.spot)
    incident_id = conversation.belongs_to(given.reporter_e164, open_ones, spoken_us, said)
    if incident_id is None and given.call is not None:
        incident_id = callbacks.incident_waiting(connection, given.reporter_e164)
    follows = incident_id is not None
    if incident_id is None:
        incident_id = new_id()
        opening = incidents.Opening(
            suggestion.category, suggestion.priority, given.source, _text(given), suggestion.place
        )
        incidents.open_new(connection, incident_id, opening, actor, now_us)
        for one in open_ones:
            incidents.link(connection, incident_id, one.incident, now_us)
    connection.execute(insert(report).values(id=given.report_id, **_row(record, given, incident_id, now_us)))
    body = {"report": given.report_id, "source": given.source, "follows": follows}
    events.append(connection, now_us, "report.received", incident_id, actor, body)
    if follows:
        incidents.touch(connection, incident_id, now_us)
        _raise(connection, incident_id, suggestion, now_us, new_id, policy)
        incidents.publish(connection, incident_id, now_us)
    elif suggestion.priority == "P1":
        _sound(connection, incident_id, now_us, new_id, policy)
    if given.call is not None:
        callbacks.add(connection, new_id(), incident_id, _number(given), actor, now_us)
    return incident_id


def _more(
    connection: Connection,
    known: Row[Any],
    record: Record,
    given: Report,
    now_us: int,
    new_id: Callable[[], str],
    policy: Policy,
) -> str:
    incident_id = str(known.incident)
    if known.reporter_e164 is None and given.reporter_e164 is not None and given.call is not None:
        incident_id = _name_caller(connection, known, given, now_us)
    # When it was first committed stays, and by which clock.
    first = {"arrived_us": known.arrived_us, "clock": known.clock}
    values = _row(record, given, incident_id, known.received_us) | first
    connection.execute(update(report).where(report.c.id == given.report_id).values(**values))
    actor = f"node:{record.node}"
    body = {"report": given.report_id, "revision": given.revision}
    grown = given.sms is not None and given.sms.text != known.text
    events.append(
        connection, now_us, attention.GROWN if grown else "report.updated", incident_id, actor, body
    )
    if known.text and incidents.find(connection, incident_id).summary == known.text:
        connection.execute(update(incident).where(incident.c.id == incident_id).values(summary=_text(given)))
    incidents.touch(connection, incident_id, now_us)
    if given.sms is not None:
        _raise(connection, incident_id, suggest(given), now_us, new_id, policy)
    return incident_id


def _place(connection: Connection, incident_id: str, given: Report, actor: str, now_us: int) -> None:
    """Where it is, and what the cameras near there saw. What fails here costs no report."""
    try:
        with connection.begin_nested():
            for spot in _spots(connection, given):
                incidents.locate(connection, incident_id, spot, actor, now_us)
            holds.for_incident(connection, incident_id, "hub", now_us)
    except Exception:
        log.exception("footage not held incident=%s", incident_id)


def _spots(connection: Connection, given: Report) -> list[Spot]:
    """What the text says of where, and what our own registry knows by the name that stands in it."""
    if given.sms is None:
        return []
    both = suggest(given).spot, named(given.sms.text, nodes.named_spots(connection))
    return [one for one in both if one is not None]


def _raise(
    connection: Connection,
    incident_id: str,
    suggestion: Suggestion,
    now_us: int,
    new_id: Callable[[], str],
    policy: Policy,
) -> None:
    """Make an incident more urgent by what was said later; never less.

    What a person has judged stays so: then the text itself calls for him, and sounds.
    """
    row = incidents.find(connection, incident_id)
    if not suggestion.presses:
        return
    judged = select(func.count()).where(event.c.subject == incident_id, event.c.kind == "incident.classified")
    if connection.execute(judged.where(event.c.actor != "hub")).scalar_one():
        if suggestion.priority == "P1" != row.priority and not incidents.is_pressing(connection, incident_id):
            incidents.press(connection, incident_id, suggestion.category, now_us)
            _sound(connection, incident_id, now_us, new_id, policy)
        return
    graver = _RANK[suggestion.priority] < _RANK[row.priority]
    names = suggestion.category != "LAIN" and (graver or row.category == "LAIN")
    if not graver and not names and (row.place or not suggestion.place):
        return
    category = suggestion.category if names else row.category
    priority = suggestion.priority if graver else row.priority
    place = row.place or suggestion.place
    incidents.classify(connection, incident_id, category, priority, place, "hub", now_us)
    if graver and priority == "P1":
        _sound(connection, incident_id, now_us, new_id, policy)


def _name_caller(connection: Connection, known: Row[Any], given: Report, now_us: int) -> str:
    """The number came after the first ring: fill it in, or join the open incident of the same number."""
    number = given.reporter_e164
    at_us = spoken.of_contact(connection, known.id, known.clock, known.arrived_us, known.received_us)
    joined = conversation.belongs_to(number, _open_of(connection, number, at_us), at_us)
    joined = joined or callbacks.incident_waiting(connection, number)
    waiting = callback.c.incident == known.incident
    if joined is None or joined == known.incident:
        values = {"number": number, "last_us": now_us}
        connection.execute(update(callback).where(waiting, callback.c.number.is_(None)).values(**values))
        for row in connection.execute(select(callback.c.id).where(waiting)):
            events.append(connection, now_us, "callback.named", row.id, "hub", {"incident": known.incident})
        return str(known.incident)
    connection.execute(update(callback).where(waiting).values(incident=joined, number=number, last_us=now_us))
    target = incidents.find(connection, joined)
    for row in connection.execute(select(callback.c.id).where(callback.c.incident == joined)):
        events.append(connection, now_us, "callback.named", row.id, "hub", {"incident": joined})
    incidents.move(connection, known.incident, "cancel", "hub", now_us, f"same number as {target.number}")
    incidents.publish(connection, joined, now_us)
    return joined


def _open_of(connection: Connection, number: str | None, at_us: int) -> list[conversation.Open]:
    """Open incidents that this number has reported, each with its contact nearest to `at_us`."""
    if number is None:
        return []
    spoken_us = spoken.of_report()
    before_us = func.max(case((spoken_us <= at_us, spoken_us))).label("before_us")
    after_us = func.min(case((spoken_us > at_us, spoken_us))).label("after_us")
    rows = connection.execute(
        select(incident, before_us, after_us)
        .join(report, incident.c.id == report.c.incident)
        .where(report.c.reporter_e164 == number, incident.c.closed_us.is_(None))
        .group_by(incident.c.id)
    )
    return [_open(connection, row, at_us) for row in rows.all()]


def _open(connection: Connection, row: Row[Any], at_us: int) -> conversation.Open:
    spoke = [us for us in (row.before_us, row.after_us) if us is not None]
    nearest_us = min(spoke, key=lambda us: abs(at_us - us))
    about = conversation.Said(_kind(row.category), incidents.spot_of(row))
    if abs(at_us - nearest_us) <= conversation.SAME_WITHIN_US:
        return conversation.Open(row.id, nearest_us, about)  # whatever was said: a flood is not read again
    return conversation.Open(row.id, nearest_us, about, _kinds_of(connection, row.id))


def _kinds_of(connection: Connection, incident_id: str) -> frozenset[str]:
    """What the first and the last texts of an incident spoke of."""
    said = select(report.c.text).where(report.c.incident == incident_id, report.c.text != "")
    ends = report.c.received_us, report.c.received_us.desc()
    texts = {
        text for end in ends for text in connection.execute(said.order_by(end).limit(_TEXTS_READ)).scalars()
    }
    return frozenset(_kind(read(text).kind) for text in texts) - {""}


def _kind(category: str) -> str:
    return "" if category == UNKNOWN else category


def _sound(
    connection: Connection, incident_id: str, now_us: int, new_id: Callable[[], str], policy: Policy
) -> None:
    for node in policy.siren_nodes:
        order = SoundSiren(incident=incident_id, duration_s=policy.siren_s)
        commands.queue(connection, new_id(), node, "health", order, "hub", now_us, policy.siren_ttl_s)


def _row(record: Record, given: Report, incident_id: str, received_us: int) -> dict[str, Any]:
    sms, call = given.sms, given.call
    return {
        "incident": incident_id,
        "node": record.node,
        "revision": given.revision,
        "source": given.source,
        "reporter": given.reporter,
        "reporter_e164": given.reporter_e164,
        "text": _text(given),
        "parts_have": len({part.number for part in sms.parts}) if sms else 1,
        "parts_total": sms.parts_total if sms else 1,
        "undecodable": sms.undecodable if sms else None,
        "call_state": call.state if call else None,
        "rings": call.rings if call else 0,
        "arrived_us": record.at.wall_ns // 1000,
        "clock": record.at.clock,
        "received_us": received_us,
        "body": bytes(record.body).decode(),
    }


def _text(given: Report) -> str:
    return given.sms.text if given.sms else ""


def _number(given: Report) -> str | None:
    return given.reporter_e164 or given.reporter
