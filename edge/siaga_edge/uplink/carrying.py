"""Which urgent records go by SMS because the hub has not taken them over the link. Pure.

Only what somebody must know now and what fits: citizens' contacts, pictures lost, services in trouble. All
else waits for the link, and so do these: what came by SMS comes over the link again, under the same key.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from siaga_core.wire import carried, health, report
from siaga_core.wire.health import CameraState, ServiceState
from siaga_core.wire.ids import NodeId, ulid
from siaga_core.wire.report import Report, SmsPart
from siaga_core.wire.roster import Roster
from siaga_edge.journal import StoredRecord

# A prepaid SIM is let send some ten texts a minute, and a record may take three.
RECORDS_A_MINUTE = 4
# After this a record is history: it waits for the link.
TOO_OLD_S = 3600.0
# Fields without a default; the rest may be left out.
_REQUIRED = frozenset({"text", "pdu"})


@dataclass(frozen=True, slots=True)
class Aged:
    """An urgent record that the hub has not acknowledged, `age_s` after its commit."""

    record: StoredRecord
    service: str
    age_s: float


def gateway(roster: Roster, node: NodeId) -> str | None:
    """The number that takes urgent texts for `node`; None for whoever takes them itself, or without one."""
    takers = [one for one in roster.gateways if one.takes_urgent]
    if any(one.node == node for one in takers):
        return None
    return takers[0].number if takers else None


def is_due(one: Aged, carry_after_s: float) -> bool:
    """Whether a record has waited long enough, and not too long."""
    return carry_after_s <= one.age_s < TOO_OLD_S and is_pressing(one.record)


def is_pressing(record: StoredRecord) -> bool:
    """Whether somebody must know of it now."""
    if record.kind == report.KIND:
        given = msgspec.json.decode(record.body, type=Report)
        return given.sms is None or not carried.is_carried(given.sms.text)
    if record.kind == health.CAMERA_KIND:
        return msgspec.json.decode(record.body, type=CameraState).status != "unknown"
    if record.kind == health.SERVICE_KIND:
        return msgspec.json.decode(record.body, type=ServiceState).level == "crit"
    return False


def newest_of_each(found: Sequence[Aged]) -> list[Aged]:
    """Of a report only its newest revision, of a camera its newest state: one text says it all."""
    newest: dict[tuple[str, str], Aged] = {}
    for one in found:
        body = msgspec.json.decode(one.record.body)
        subject = body.get("report_id") or body.get("camera") or body.get("code") or ""
        newest[one.record.kind, str(subject)] = one
    return sorted(newest.values(), key=lambda one: (one.record.kind != report.KIND, -one.age_s))


def content(one: Aged, made_s: int) -> bytes | None:
    """What is signed and sent of a record; None if it does not fit."""
    record = one.record
    body = record.body.encode()
    if record.kind == report.KIND:
        body = msgspec.json.encode(_bare(msgspec.json.decode(body, type=Report)))
    body = msgspec.json.encode(_said(msgspec.json.decode(body)))
    return carried.content_of(
        carried.Carried(one.service, record.epoch, record.seq, made_s, record.kind, body)
    )


def text_id(one: Aged) -> str:
    """The id of the order to the modem: always the same for the same record, so that it is given once."""
    key = f"{one.record.stream} {one.record.epoch} {one.record.seq}".encode()
    return ulid(0, hashlib.sha256(key).digest()[:10])


def _said(body: dict[str, Any]) -> dict[str, Any]:
    """A body without what it does not say: empty fields are what they are when they are missing."""
    return {
        key: _said(value) if isinstance(value, dict) else value
        for key, value in body.items()
        if value not in ("", None) or key in _REQUIRED
    }


def _bare(given: Report) -> Report:
    """A report without its PDUs, which say nothing that its text does not, or its recording's long hash."""
    if given.call is not None and given.call.recording is not None:
        return msgspec.structs.replace(given, call=msgspec.structs.replace(given.call, recording=None))
    if given.sms is None:
        return given
    parts = [SmsPart(number=part.number, pdu="") for part in given.sms.parts]
    return msgspec.structs.replace(given, sms=msgspec.structs.replace(given.sms, parts=parts, sent_at=None))
