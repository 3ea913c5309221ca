"""What a committed record changes: one function per kind, all in the record's own transaction."""

from collections.abc import Callable
from dataclasses import dataclass

from msgspec import Struct
from sqlalchemy import Connection

from siaga_central.ingest import carried, contact, fieldwork
from siaga_central.ingest.policy import Policy
from siaga_central.store import (
    assignments,
    camera_log,
    commands,
    coverage,
    duty_texts,
    fates,
    footage,
    holds,
    nodes,
    records,
    replies,
    spoken,
    wants,
)
from siaga_core.wire.command import Outcome
from siaga_core.wire.duty import AutoReply, DutyState
from siaga_core.wire.envelope import BadRecord, Record
from siaga_core.wire.grant import GrantUse
from siaga_core.wire.health import CameraState, Health, LinkState, ServiceState
from siaga_core.wire.kinds import BODIES, decode_body
from siaga_core.wire.outbound import AT_NODE, SmsState
from siaga_core.wire.recording import Coverage, HoldState, Segment
from siaga_core.wire.report import Report
from siaga_core.wire.want import WantState

LOCAL = "local-"  # holds that a technician has made at the node


@dataclass(frozen=True, slots=True)
class Moment:
    """What a projection may know beside its record, and by which rules it believes what came by SMS."""

    now_us: int
    new_id: Callable[[], str]
    policy: Policy
    author_of: carried.Author = carried.author
    assigned: fieldwork.Assigned = fieldwork.assigned


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a record has changed nothing."""

    reason: str
    detail: str


def commit(connection: Connection, record: Record, topic: str, moment: Moment) -> None:
    """Apply a record that has just been kept; what does not fit stays raw, is counted and may be replayed."""
    misfit = attempt(connection, record, moment)
    if misfit is not None:
        payload = bytes(record.body)
        records.refuse(connection, topic, payload, misfit.reason, misfit.detail, moment.now_us)
        records.note_unapplied(connection, record, misfit.reason)


def replay(connection: Connection, node: str | None, moment: Moment) -> tuple[int, int]:
    """Apply what did not fit when it came, of one node or all: (applied now, still not fitting).

    For records of a kind that this release knows, and of cameras that have been registered since.
    """
    done = left = 0
    for record in records.waiting_for_replay(connection, node):
        if attempt(connection, record, moment) is None:
            records.applied(connection, record)
            done += 1
        else:
            left += 1
    return done, left


def attempt(connection: Connection, record: Record, moment: Moment) -> Misfit | None:
    """Apply one record; why not, if it does not fit."""
    try:
        body = decode_body(record)
    except BadRecord as error:
        return Misfit(error.reason, str(error))
    if body is None:
        known = ", ".join(sorted(BODIES))
        return Misfit("unknown-kind", f"{record.kind} is none of {known}; kept raw")
    return apply(connection, record, body, moment)


def apply(connection: Connection, record: Record, body: Struct, moment: Moment) -> Misfit | None:
    """Apply one body to the projections."""
    node, now_us = record.node, moment.now_us
    match body:
        case Report():
            _report(connection, record, body, moment)
        case SmsState():
            return _sms_state(connection, record, body, now_us)
        case AutoReply():
            at_us = spoken.of_contact(connection, body.id, record.at.clock, record.at.wall_ns // 1000, now_us)
            if not replies.by_node(connection, node, body, at_us, now_us):
                return Misfit("foreign-report", f"{body.report_id} is not known here")
        case DutyState():
            if not assignments.from_node(connection, node, body, record.at.wall_ns // 1000, now_us):
                return Misfit("foreign-report", f"{body.report_id} is not known here")
        case Health():
            nodes.health(connection, node, body, now_us)
        case CameraState():
            if not nodes.camera_state(connection, node, body, now_us):
                return Misfit("foreign-camera", f"{body.camera} is not {node}'s")
        case ServiceState():
            nodes.service(connection, node, body, now_us)
        case Segment():
            if not footage.note(connection, node, body):
                return Misfit("foreign-camera", f"{body.camera} is not {node}'s")
        case Coverage():
            if (foreign := coverage.take(connection, record, body, now_us)) is not None:
                return Misfit("foreign-camera", f"{foreign} is not {node}'s")
        case GrantUse():
            if not camera_log.used(connection, node, body, now_us):
                return Misfit("foreign-camera", f"{body.camera} is not {node}'s")
        case HoldState() if body.id.startswith(LOCAL):
            if not camera_log.held_at_node(connection, node, body, now_us):
                return Misfit("foreign-camera", f"{body.camera} is not {node}'s")
        case HoldState():
            if not holds.settle(connection, node, body, now_us):
                return Misfit("foreign-hold", f"{body.id} is no hold of {node}")
        case LinkState():
            nodes.link(connection, node, body, now_us)
        case WantState():
            wants.settle(connection, node, body, now_us)
        case Outcome():
            fates.settle(connection, body.id, body.state, body.detail, body.result, f"node:{node}", now_us)
    return None


def _sms_state(connection: Connection, record: Record, body: SmsState, now_us: int) -> Misfit | None:
    """Of an answer or an alert; one that a technician sent at the node concerns nobody here."""
    id, actor = body.message_id, f"node:{record.node}"
    if assignments.find(connection, id) is not None:
        assignments.delivered(connection, id, body.state, body.detail, now_us)
    elif duty_texts.find(connection, id) is not None:
        duty_texts.delivered(connection, id, body.state, body.detail, actor, now_us)
    elif replies.is_known(connection, id):
        at_us = spoken.of_contact(connection, id, record.at.clock, record.at.wall_ns // 1000, now_us)
        replies.delivered(connection, id, body.state, body.detail, actor, now_us, at_us)
    elif commands.find(connection, id) is None and not id.startswith(AT_NODE):
        return Misfit("foreign-text", f"{id} was not ordered here")
    return None


def _report(connection: Connection, record: Record, given: Report, moment: Moment) -> None:
    """A text is an urgent record of a node without internet, or a team's answer, or a citizen's report."""
    now_us, new_id, policy = moment.now_us, moment.new_id, moment.policy
    apply_one = lambda one, body: apply(connection, one, body, moment)  # noqa: E731
    if carried.take(connection, given, now_us, apply_one, moment.author_of):
        return
    if not fieldwork.take(connection, record, given, now_us, new_id, policy, moment.assigned):
        contact.take(connection, record, given, now_us, new_id, policy)
