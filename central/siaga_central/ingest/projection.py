"""What a committed record changes: one function per kind, all in the record's own transaction."""

from collections.abc import Callable
from dataclasses import dataclass

from msgspec import Struct
from sqlalchemy import Connection

from siaga_central.ingest import contact
from siaga_central.ingest.policy import Policy
from siaga_central.store import fates, footage, nodes, records, replies, wants
from siaga_core.wire.command import Outcome
from siaga_core.wire.envelope import BadRecord, Record
from siaga_core.wire.health import CameraState, Health, LinkState, ServiceState
from siaga_core.wire.kinds import BODIES, decode_body
from siaga_core.wire.outbound import SmsState
from siaga_core.wire.recording import Segment
from siaga_core.wire.report import Report
from siaga_core.wire.want import WantState


@dataclass(frozen=True, slots=True)
class Moment:
    """What a projection may know beside its record."""

    now_us: int
    new_id: Callable[[], str]
    policy: Policy


def commit(connection: Connection, record: Record, topic: str, moment: Moment) -> None:
    """Apply a record that has just been kept; what does not fit stays raw and is counted."""
    try:
        body = decode_body(record)
    except BadRecord as error:
        _note(connection, record, topic, error.reason, str(error), moment)
        return
    if body is None:
        known = ", ".join(sorted(BODIES))
        detail = f"{record.kind} is none of {known}; kept raw"
        _note(connection, record, topic, "unknown-kind", detail, moment)
        return
    apply(connection, record, body, topic, moment)


def apply(connection: Connection, record: Record, body: Struct, topic: str, moment: Moment) -> None:
    """Apply one body to the projections."""
    node, now_us = record.node, moment.now_us
    match body:
        case Report():
            contact.take(connection, record, body, moment.now_us, moment.new_id, moment.policy)
        case SmsState():
            replies.delivered(connection, body.message_id, body.state, body.detail, f"node:{node}", now_us)
        case Health():
            nodes.health(connection, node, body, now_us)
        case CameraState():
            if not nodes.camera_state(connection, node, body, now_us):
                _note(connection, record, topic, "foreign-camera", f"{body.camera} is not {node}'s", moment)
        case ServiceState():
            nodes.service(connection, node, body, now_us)
        case Segment():
            if not footage.note(connection, node, body):
                _note(connection, record, topic, "foreign-camera", f"{body.camera} is not {node}'s", moment)
        case LinkState():
            nodes.link(connection, node, body, now_us)
        case WantState():
            wants.settle(connection, node, body, now_us)
        case Outcome():
            fates.settle(connection, body.id, body.state, body.detail, body.result, f"node:{node}", now_us)


def _note(
    connection: Connection, record: Record, topic: str, reason: str, detail: str, moment: Moment
) -> None:
    records.refuse(connection, topic, bytes(record.body), reason, detail, moment.now_us)
