"""What every record carries on its way up, and the acknowledgement that comes back down."""

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from siaga_core.errors import SiagaError
from siaga_core.wire.ids import NodeId

_T = TypeVar("_T")

VERSION = 1
# A record is text and numbers; footage never travels over MQTT. The longest honest record is a ten-part
# SMS with its PDUs (about 8 kB), so this is a bound against abuse, not a budget.
RECORD_MAX_BYTES = 64 * 1024

Lane = Literal["urgent", "bulk"]
ClockState = Literal["synced", "holdover", "floor", "unknown"]
Stream = Annotated[str, Meta(pattern=r"^[a-z]{3,16}\.(urgent|bulk)$")]
Epoch = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$")]
Seq = Annotated[int, Meta(ge=1, le=(1 << 53) - 1)]


class BadRecord(SiagaError, ValueError):
    """A payload that is no record; `reason` is one stable word for counting."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


class Stamp(Struct, frozen=True, kw_only=True):
    """When something happened, in the node's own raw clocks. Raw values never change afterwards.

    `boot_ns` is CLOCK_BOOTTIME, `wall_ns` CLOCK_REALTIME (UTC); `error_ms` is the bound the node
    knew for wall time, None if it knew none.
    """

    boot_seq: Annotated[int, Meta(ge=0)]
    boot_id: str
    boot_ns: Annotated[int, Meta(ge=0)]
    wall_ns: int
    clock: ClockState
    error_ms: int | None = None


class Record(Struct, frozen=True, kw_only=True):
    """One journal record as it travels. Its key is (node, stream, epoch, seq)."""

    v: Literal[1] = 1
    node: str
    stream: Stream
    epoch: Epoch
    seq: Seq
    kind: Annotated[str, Meta(pattern=r"^[a-z]+(\.[a-z]+)*$", max_length=40)]
    at: Stamp
    body: msgspec.Raw


class Ack(Struct, frozen=True, kw_only=True):
    """The hub has committed every record of (stream, epoch) up to and including `upto`. Cumulative."""

    v: Literal[1] = 1
    node: str
    stream: Stream
    epoch: Epoch
    upto: Seq


class Presence(Struct, frozen=True, kw_only=True):
    """What a node says of its link: birth when it connects, `online` false as its last will."""

    v: Literal[1] = 1
    node: str
    online: bool
    since_ms: int = 0
    version: str = ""


class _Head(Struct):
    v: Any = None


def encode(message: Record | Ack | Presence | Struct) -> bytes:
    """Return the JSON of any message of the wire, UTF-8."""
    return msgspec.json.encode(message)


def decode_record(payload: bytes, *, node: NodeId, stream: str) -> Record:
    """Return the record in `payload`, which came on `node`'s topic for `stream`.

    Unknown fields are ignored, unknown kinds pass. Raises BadRecord with reason `oversized`, `json`,
    `version`, `schema` or `impersonation`.
    """
    if len(payload) > RECORD_MAX_BYTES:
        raise BadRecord("oversized", f"{len(payload)} bytes, at most {RECORD_MAX_BYTES}")
    try:
        head = msgspec.json.decode(payload, type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRecord("json", str(error)) from error
    if head.v != VERSION:
        raise BadRecord("version", f"version {head.v!r} is not understood here, only {VERSION}")
    try:
        record = msgspec.json.decode(payload, type=Record)
    except (msgspec.ValidationError, msgspec.DecodeError, RecursionError) as error:
        raise BadRecord("schema", str(error)) from error
    if record.node != node or record.stream != stream:
        raise BadRecord(
            "impersonation", f"says {record.node}/{record.stream} on the topic of {node}/{stream}"
        )
    return record


def decode_ack(payload: bytes) -> Ack:
    """Return the acknowledgement in `payload`. Raises BadRecord."""
    return _decode_down(payload, Ack)


def decode_presence(payload: bytes) -> Presence:
    """Return the presence in `payload`. Raises BadRecord."""
    return _decode_down(payload, Presence)


def _decode_down(payload: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRecord("schema", str(error)) from error
