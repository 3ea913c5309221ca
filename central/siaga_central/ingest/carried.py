"""Urgent records of nodes without internet, as texts to a modem of ours: believed by signature alone."""

from collections.abc import Callable, Sequence

import msgspec
from cryptography import x509
from msgspec import Struct
from sqlalchemy import Connection

from siaga_central.domain.mask import masked
from siaga_central.store import certificates, early, events, nodes, records
from siaga_core.service.signing import is_signed, public_key
from siaga_core.wire import carried as wire
from siaga_core.wire import health, report
from siaga_core.wire.envelope import BadRecord, Record, Stamp
from siaga_core.wire.health import CameraState, ServiceState
from siaga_core.wire.kinds import decode_body
from siaga_core.wire.report import Report

KINDS = (report.KIND, health.CAMERA_KIND, health.SERVICE_KIND)
Apply = Callable[[Record, Struct], object]
# (node, PEM) of the keys that a text may be signed with, and the text: the node whose word it is.
Author = Callable[[Sequence[tuple[str, str]], wire.Signed], str | None]


def author(claimed: Sequence[tuple[str, str]], signed: wire.Signed) -> str | None:
    """The node whose key has signed this; the id in the text only says which keys to try."""
    octets = wire.signed_octets(signed.content)
    for node, pem in claimed:
        if is_signed(public_key(x509.load_pem_x509_certificate(pem.encode())), signed.signature, octets):
            return node
    return None


def take(
    connection: Connection, given: Report, now_us: int, apply: Apply, author_of: Author = author
) -> bool:
    """Whether this text was a carried record or pretended to be one; what is believed is applied.

    What is forged, comes again or cannot be read is kept in quarantine, counted and shown. A text with the
    mark that is nothing like a record is somebody's words, and a report.
    """
    if given.sms is None or not wire.is_carried(given.sms.text):
        return False
    if not given.sms.is_complete:
        if "tidak tiba" in given.sms.text:
            _refuse(connection, given, "sms-incomplete", "parts of it did not come", now_us)
        return True
    try:
        signed = wire.parse(given.sms.text)
    except BadRecord as error:
        if not wire.is_torn(given.sms.text):
            return False
        _refuse(connection, given, "sms-unreadable", str(error), now_us)
        return True
    claimed = certificates.of_key_prefix(connection, signed.key_id.hex())
    node = author_of(claimed, signed)
    if node is None:
        _refuse(connection, given, "sms-forged", "no node of ours has signed this", now_us)
        for name in sorted({name for name, _ in claimed}):
            detail = f"a text from {masked(given.reporter)} speaks in its name and is not signed by it"
            nodes.alarm(connection, name, "sms-forged", detail, now_us)
        return True
    try:
        one = _record(node, wire.opened(signed.content))
        body = decode_body(one)
    except BadRecord as error:
        _refuse(connection, given, "sms-unreadable", f"{node}: {error}", now_us)
        return True
    _believe(connection, given, one, body, now_us, apply)
    return True


def _believe(
    connection: Connection, given: Report, one: Record, body: Struct | None, now_us: int, apply: Apply
) -> None:
    if one.kind not in KINDS or body is None:
        _refuse(connection, given, "sms-unreadable", f"{one.node}: {one.kind} does not come by SMS", now_us)
        return
    if early.is_known(connection, one):
        detail = f"{one.node} {one.stream} {one.seq} is here already"
        _refuse(connection, given, "sms-repeated", detail, now_us)
        return
    subject = _subject(body)
    overtaken = early.is_overtaken(connection, one, subject)
    early.keep(connection, one, subject, given.reporter or "", now_us)
    what = {"stream": one.stream, "seq": one.seq, "kind": one.kind, "overtaken": overtaken}
    events.append(connection, now_us, "record.carried", one.node, f"node:{one.node}", what)
    if overtaken:
        return
    apply(one, body)
    if isinstance(body, Report):
        early.mark_report(connection, body.report_id)


def _record(node: str, one: wire.Carried) -> Record:
    """The record under its own key; only its wall time has come along."""
    at = Stamp(boot_seq=0, boot_id="", boot_ns=0, wall_ns=one.made_s * 10**9, clock="unknown")
    return Record(
        node=node,
        stream=one.stream,
        epoch=one.epoch,
        seq=one.seq,
        kind=one.kind,
        at=at,
        body=msgspec.Raw(one.body),
    )


def _subject(body: Struct) -> str:
    match body:
        case Report():
            return body.report_id
        case CameraState():
            return body.camera
        case ServiceState():
            return f"{body.service}/{body.code}"
    return ""


def _refuse(connection: Connection, given: Report, reason: str, detail: str, now_us: int) -> None:
    text = given.sms.text if given.sms else ""
    records.refuse(connection, f"sms/{masked(given.reporter)}", text.encode(), reason, detail, now_us)
