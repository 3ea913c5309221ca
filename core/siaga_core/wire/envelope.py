"""What every record carries on its way up, and the acknowledgement that comes back down.

Records travel in batches of one stream, sealed by the node (wire/seal); acknowledgements sealed by the hub.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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
# A batch as it travels, and what it may inflate to: one longest record with its batch around it fits.
PAYLOAD_MAX_BYTES = 96 * 1024
BATCH_MAX_BYTES = 128 * 1024
BATCH_MAX_RECORDS = 1000
_INT64_MOST = (1 << 63) - 1

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

    `boot_ns` counts from boot at the crystal's own rate, which nobody steps or slews (service/clock);
    `wall_ns` is CLOCK_REALTIME (UTC); `error_ms` is the bound the node knew for it, None if it knew none.
    `clock` is `floor` when wall time cannot be: it lies before this software was made.
    """

    boot_seq: Annotated[int, Meta(ge=0)]
    boot_id: str
    boot_ns: Annotated[int, Meta(ge=0)]
    wall_ns: int
    clock: ClockState
    error_ms: int | None = None


class Record(Struct, frozen=True, kw_only=True):
    """One journal record with its key (node, stream, epoch, seq); it travels as an Entry of a Batch."""

    v: Literal[1] = 1
    node: str
    stream: Stream
    epoch: Epoch
    seq: Seq
    kind: Annotated[str, Meta(pattern=r"^[a-z]+(\.[a-z]+)*$", max_length=40)]
    at: Stamp
    body: msgspec.Raw


class Entry(Struct, frozen=True, kw_only=True):
    """One record inside a batch, which says everything else of it."""

    kind: Annotated[str, Meta(pattern=r"^[a-z]+(\.[a-z]+)*$", max_length=40)]
    body: msgspec.Raw


class Batch(Struct, frozen=True, kw_only=True):
    """All that a journal holds of (stream, epoch) from `first` to `last`, in order of `seq`.

    A number in between that is not among the entries is gone: samples that had to be shed, or records that a
    damaged card has lost. The node says so by leaving it out; the hub keeps it as a gap.

    Number and stamp of every entry are steps from the entry before, because whole ones are most of what a
    compressed batch weighs: [`seq`, `boot_ns`, `wall_ns` beyond `boot_ns`, `error_ms`], the first from number
    `first` - 1 and from `at`. The rest of the stamp is `at`'s, so a batch holds one boot and one clock state.
    """

    v: Literal[1] = 1
    node: str
    stream: Stream
    epoch: Epoch
    first: Seq
    last: Seq
    at: Stamp | None = None
    steps: Annotated[list[tuple[int, int, int, int]], Meta(max_length=BATCH_MAX_RECORDS)] = []
    entries: Annotated[list[msgspec.Raw], Meta(max_length=BATCH_MAX_RECORDS)] = []


class Mark(Struct, frozen=True, kw_only=True):
    """Every number of (stream, epoch) up to and including `upto` is committed or known to be gone."""

    stream: Stream
    epoch: Epoch
    upto: Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]


class Ack(Struct, frozen=True, kw_only=True):
    """The hub's own commits, cumulative. `whole`: these are all marks it has of the node.

    `generation` names this life of the hub's database: a restored one has another, and older marks.
    """

    v: Literal[1] = 1
    node: str
    generation: str
    marks: list[Mark]
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An entry whose number can be read and whose rest cannot; kept raw, so that the stream goes on."""

    seq: int
    octets: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Received:
    """A batch as the hub takes it."""

    node: NodeId
    stream: str
    epoch: str
    first: int
    last: int
    records: list[Record]
    unreadable: list[Unreadable]

    def missing(self) -> list[tuple[int, int]]:
        """Ranges of numbers that the node does not have any more, both ends included."""
        ranges, expected = [], self.first
        for seq in sorted([record.seq for record in self.records] + [entry.seq for entry in self.unreadable]):
            if seq > expected:
                ranges.append((expected, seq - 1))
            expected = seq + 1
        if expected <= self.last:
            ranges.append((expected, self.last))
        return ranges


class Presence(Struct, frozen=True, kw_only=True):
    """What a node says of its link: birth when it connects, `online` false as its last will."""

    v: Literal[1] = 1
    node: str
    online: bool
    since_ms: int = 0
    version: str = ""


class _Head(Struct):
    v: Any = None


def encode(message: Struct) -> bytes:
    """Return the JSON of any message of the wire, UTF-8."""
    return msgspec.json.encode(message)


def decode_batch(message: bytes, *, node: NodeId, stream: str) -> Received:
    """Return the batch in `message`, which came on `node`'s topic for `stream`.

    Unknown fields are ignored, unknown kinds pass; an entry that is no record of ours is `unreadable`. Raises
    BadRecord with reason `json`, `version`, `schema` or `impersonation`.
    """
    _check_version(message)
    batch = _decode(message, Batch)
    if batch.node != node or batch.stream != stream:
        raise BadRecord("impersonation", f"says {batch.node}/{batch.stream} on the topic of {node}/{stream}")
    received = Received(node, stream, batch.epoch, batch.first, batch.last, [], [])
    for raw, seq, at in zip(batch.entries, *_stamps(batch), strict=True):
        entry = _entry(received, bytes(raw), seq)
        if entry is not None:
            record = Record(
                node=node, stream=stream, epoch=batch.epoch, seq=seq, kind=entry.kind, at=at, body=entry.body
            )
            received.records.append(record)
    return received


def _stamps(batch: Batch) -> tuple[list[int], list[Stamp]]:
    """Numbers and stamps of the entries. Raises BadRecord."""
    if len(batch.steps) != len(batch.entries):
        raise BadRecord("schema", f"{len(batch.steps)} steps for {len(batch.entries)} entries")
    numbers: list[int] = []
    stamps: list[Stamp] = []
    at, seq = batch.at, batch.first - 1
    for seq_step, boot_step_ns, drift_ns, error_step_ms in batch.steps:
        if at is None:
            raise BadRecord("schema", "entries without a stamp")
        seq += seq_step
        if seq_step < 1 or seq > batch.last:
            raise BadRecord("schema", f"entry {seq} is out of order in {batch.first}..{batch.last}")
        if boot_step_ns or drift_ns or error_step_ms:
            at = _stepped(at, boot_step_ns, boot_step_ns + drift_ns, error_step_ms)
        numbers.append(seq)
        stamps.append(at)
    return numbers, stamps


def _stepped(at: Stamp, boot_step_ns: int, wall_step_ns: int, error_step_ms: int) -> Stamp:
    boot_ns, wall_ns = at.boot_ns + boot_step_ns, at.wall_ns + wall_step_ns
    error_ms = None if at.error_ms is None else at.error_ms + error_step_ms
    if not (
        0 <= boot_ns <= _INT64_MOST and abs(wall_ns) <= _INT64_MOST and abs(error_ms or 0) <= _INT64_MOST
    ):
        raise BadRecord("schema", "a stamp beyond 64 bits")
    return Stamp(
        boot_seq=at.boot_seq,
        boot_id=at.boot_id,
        boot_ns=boot_ns,
        wall_ns=wall_ns,
        clock=at.clock,
        error_ms=error_ms,
    )


def _entry(received: Received, octets: bytes, seq: int) -> Entry | None:
    """One entry; None, and put aside, if it cannot be read."""
    try:
        entry = msgspec.json.decode(octets, type=Entry)
        bytes(entry.body).decode()  # a raw body has not been looked into yet
        return entry
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        received.unreadable.append(Unreadable(seq, octets, str(error)))
        return None


def entry_of(record: Record) -> msgspec.Raw:
    """The record as an entry of a batch."""
    return msgspec.Raw(msgspec.json.encode(Entry(kind=record.kind, body=record.body)))


def one_batch(one: Stamp, other: Stamp) -> bool:
    """Whether records stamped so may travel in one batch."""
    return (one.boot_seq, one.boot_id, one.clock, one.error_ms is None) == (
        other.boot_seq,
        other.boot_id,
        other.clock,
        other.error_ms is None,
    )


def steps_of(first: int, keys: Sequence[tuple[int, Stamp]]) -> list[tuple[int, int, int, int]]:
    """Steps of entries with these numbers and stamps, all of one batch (`one_batch`) from `first` on."""
    steps: list[tuple[int, int, int, int]] = []
    before = (first - 1, keys[0][1]) if keys else None
    for seq, at in keys:
        assert before is not None
        last_seq, last = before
        boot_step_ns = at.boot_ns - last.boot_ns
        drift_ns = at.wall_ns - last.wall_ns - boot_step_ns
        steps.append((seq - last_seq, boot_step_ns, drift_ns, (at.error_ms or 0) - (last.error_ms or 0)))
        before = (seq, at)
    return steps


def batch_of(records: Sequence[Record], first: int, last: int) -> Batch:
    """Records of one stream, epoch, boot and clock state as a batch from `first` to `last`."""
    one = records[0]
    if not all(one_batch(one.at, record.at) for record in records):
        raise ValueError("these records belong into several batches")
    return Batch(
        node=one.node,
        stream=one.stream,
        epoch=one.epoch,
        first=first,
        last=last,
        at=one.at,
        steps=steps_of(first, [(record.seq, record.at) for record in records]),
        entries=[entry_of(record) for record in records],
    )


def _check_version(message: bytes) -> None:
    try:
        head = msgspec.json.decode(message, type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRecord("json", str(error)) from error
    if head.v != VERSION:
        raise BadRecord("version", f"version {head.v!r} is not understood here, only {VERSION}")


def decode_ack(message: bytes) -> Ack:
    """Return the acknowledgement in `message`. Raises BadRecord."""
    return _decode(message, Ack)


def decode_presence(message: bytes) -> Presence:
    """Return the presence in `message`. Raises BadRecord."""
    return _decode(message, Presence)


def _decode(message: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(message, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRecord("schema", str(error)) from error
