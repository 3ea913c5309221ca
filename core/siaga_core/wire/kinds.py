"""Which body belongs to which kind of record; a kind that is not here is kept raw and shown."""

from typing import Any

import msgspec
from msgspec import Struct

from siaga_core.wire import anchor, command, duty, grant, health, outbound, recording, report, want
from siaga_core.wire.envelope import BadRecord, Record

BODIES: dict[str, type[Struct]] = {
    report.KIND: report.Report,
    outbound.KIND: outbound.SmsState,
    health.KIND: health.Health,
    health.CAMERA_KIND: health.CameraState,
    health.SERVICE_KIND: health.ServiceState,
    health.LINK_KIND: health.LinkState,
    recording.KIND: recording.Segment,
    recording.COVERAGE_KIND: recording.Coverage,
    recording.HOLD_KIND: recording.HoldState,
    grant.USE_KIND: grant.GrantUse,
    command.KIND: command.Outcome,
    want.KIND: want.WantState,
    anchor.KIND: anchor.ClockAnchor,
    duty.REPLY_KIND: duty.AutoReply,
    duty.KIND: duty.DutyState,
}


def decode_body(record: Record) -> Struct | None:
    """Return the record's body as its own type, or None for a kind not known here. Raises BadRecord."""
    kind = BODIES.get(record.kind)
    if kind is None:
        return None
    try:
        return msgspec.json.decode(record.body, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRecord("body", f"{record.kind}: {error}") from error


def body_of(record: Record) -> dict[str, Any]:
    """Return the body as plain JSON values. Raises BadRecord if it is not an object."""
    body: Any = msgspec.json.decode(record.body)
    if not isinstance(body, dict):
        raise BadRecord("body", f"{record.kind}: the body is not an object")
    return body
