"""What field teams text: an answer to an alert is taken as one, anything else is a report like any other."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Row

from siaga_central.ingest.policy import Policy
from siaga_central.store import assignments, commands, duty_texts, events, incidents, replies, roster
from siaga_core.reading import field
from siaga_core.wire.command import SoundSiren
from siaga_core.wire.envelope import Record
from siaga_core.wire.report import Report

# An answer older than this is not asked about any more: it waited for a hub that was away. If its node
# has asked about a younger one, that came before it.
FRESH_US = 120_000_000
# Whom an answer from a number is taken as: one assignment, or why it counts for nothing.
Assigned = Callable[[Connection, field.FieldReply, str, int], Row[Any] | field.Unmatched]


def assigned(
    connection: Connection, reply: field.FieldReply, sender: str, now_us: int
) -> Row[Any] | field.Unmatched:
    """The assignment that an answer from `sender` means, or why it means none."""
    found = field.match(reply, sender, assignments.told(connection, now_us))
    if isinstance(found, field.Unmatched):
        return found
    row = assignments.of_answer(connection, found.code, sender)
    assert row is not None
    return row


def take(
    connection: Connection,
    record: Record,
    given: Report,
    now_us: int,
    new_id: Callable[[], str],
    policy: Policy,
    find: Assigned = assigned,
) -> bool:
    """Whether this text was a team's answer. A stranger's is noted at its incident and stays a report.

    A phone on duty that was not texted of an incident answers it all the same with its code.
    """
    if given.sms is None or given.reporter_e164 is None:
        return False
    number, told = given.reporter_e164, assignments.told(connection, now_us)
    name = next((one.name for one in roster.phones(connection) if one.number == number), None)
    is_duty = name is not None or any(one.number == number for one in told)
    reply = field.parse(given.sms.text, {one.code for one in told if one.is_open} if is_duty else None)
    if reply is None:
        return (
            is_duty
            and field.is_meant(given.sms.text)
            and _ask(connection, record, given, told, now_us, new_id)
        )
    found = find(connection, reply, number, now_us)
    if isinstance(found, field.Unmatched) and name is not None and field.may_join(reply, told):
        at_us = record.at.wall_ns // 1000
        found = assignments.join(connection, new_id(), reply.code or "", (name, number), at_us)
    if isinstance(found, field.Unmatched):
        if found.why == "stranger" and reply.code is not None:
            _note_stranger(connection, reply.code, record, given.sms.text, now_us)
            return False
        return is_duty and _ask(connection, record, given, told, now_us, new_id)
    was = incidents.find(connection, found.incident).state
    if assignments.answer(connection, found, reply.deed, given.sms.text, record.at.wall_ns // 1000, now_us):
        _silence(connection, found.incident, now_us, new_id, policy)
        if incidents.find(connection, found.incident).state == "handled" != was:
            replies.tell_handled(connection, found.incident, "hub", now_us, new_id)
    return True


def _ask(
    connection: Connection,
    record: Record,
    given: Report,
    told: Sequence[field.Told],
    now_us: int,
    new_id: Callable[[], str],
) -> bool:
    """Whether this is no report but a bare answer, of a phone that was texted, that fits none of its alerts.

    The phone is asked for the code while it has alerts that are open; not for what it wrote long ago, which
    its node has seen to. What it wrote stands at the incidents that it may mean.
    """
    assert given.sms is not None
    number, text = given.reporter_e164 or "", given.sms.text
    mine = sorted((one for one in told if one.number == number), key=lambda one: one.told_at)
    codes = list(dict.fromkeys(one.code for one in mine if one.is_open))
    is_fresh = now_us - record.at.wall_ns // 1000 < FRESH_US
    asked = (
        bool(codes)
        and is_fresh
        and duty_texts.ask_which(connection, new_id(), number, codes, record.node, now_us)
    )
    if not mine or not field.is_brief(text):
        return False
    for code in codes or [mine[-1].code]:
        row = assignments.of_answer(connection, code, number)
        if row is not None:
            body = {"name": row.name, "code": code, "text": text}
            kind = "dispatch.asked" if asked else "dispatch.unclear"
            events.append(connection, now_us, kind, row.incident, row.name, body)
            incidents.touch(connection, row.incident, now_us)
    return True


def _note_stranger(connection: Connection, code: str, record: Record, text: str, now_us: int) -> None:
    incident_id = assignments.incident_of_code(connection, code)
    if incident_id is not None:
        body = {"code": code, "text": text}
        events.append(connection, now_us, "dispatch.stranger", incident_id, f"node:{record.node}", body)


def _silence(
    connection: Connection, incident_id: str, now_us: int, new_id: Callable[[], str], policy: Policy
) -> None:
    """Somebody goes there: the sirens need not call any more."""
    for node in policy.siren_nodes:
        order = SoundSiren(incident=incident_id, duration_s=0)
        commands.queue(connection, new_id(), node, "health", order, "hub", now_us, policy.siren_ttl_s)
