"""The chain over a footage disk's segments: each closed file ends in a link that names the one before. Pure.

The link is the last box of the file, a `uuid` box that players skip. It holds everything the index knows of
the segment, so that index and chain are made anew from the files alone.
"""

import hashlib
import struct
from dataclasses import dataclass

from siaga_edge.recorder.dating import STATES, Observation

LINK_TYPE = bytes.fromhex("53494147412053656773204c696e6b31")
_LINK = struct.Struct(">8sQ32s32sIQQII")
_OBSERVED = struct.Struct(">IQqBi")
LINK_BYTES = 24 + _LINK.size + _OBSERVED.size
FIRST_HEAD = bytes(32)


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain stands after `links` segments."""

    chain: str  # sixteen hexadecimal digits: the footage disk's own id
    links: int
    head: bytes

    def after(self, name: str, sha256: bytes) -> "Head":
        """Where it stands after one more (wire/recording.Coverage)."""
        head = hashlib.sha256(self.head + name.encode() + b"\0" + sha256).digest()
        return Head(self.chain, self.links + 1, head)


@dataclass(frozen=True, slots=True)
class Span:
    """What a segment holds, in the node's raw clocks: the arrival of its first picture and of its last."""

    boot_seq: int
    start_boot_ns: int
    end_boot_ns: int
    media_ms: int
    fragments: int


@dataclass(frozen=True, slots=True)
class Link:
    """A segment's place in the chain. `sha256` is of the file before this box."""

    chain: str
    number: int  # the first is 1
    head_before: bytes
    sha256: bytes
    span: Span
    observation: Observation  # the newest one when the segment was closed

    def box(self) -> bytes:
        """The link as a `uuid` box."""
        span, seen = self.span, self.observation
        body = LINK_TYPE + _LINK.pack(
            bytes.fromhex(self.chain),
            self.number,
            self.head_before,
            self.sha256,
            span.boot_seq,
            max(0, span.start_boot_ns),
            span.end_boot_ns,
            span.media_ms,
            span.fragments,
        )
        error_ms = -1 if seen.error_ms is None else seen.error_ms
        body += _OBSERVED.pack(seen.boot_seq, seen.boot_ns, seen.wall_ns, STATES.index(seen.state), error_ms)
        return struct.pack(">I4s", 8 + len(body), b"uuid") + body

    def head(self, name: str) -> Head:
        """Where the chain stands after this link, when the segment is called `name`."""
        return Head(self.chain, self.number - 1, self.head_before).after(name, self.sha256)


def read_link(octets: bytes) -> Link | None:
    """The link in the last LINK_BYTES octets of a file; None if the file does not end in one."""
    if len(octets) < LINK_BYTES:
        return None
    octets = octets[-LINK_BYTES:]
    if struct.unpack_from(">I4s", octets) != (LINK_BYTES, b"uuid") or octets[8:24] != LINK_TYPE:
        return None
    chain, number, before, sha256, *span = _LINK.unpack_from(octets, 24)
    boot_seq, boot_ns, wall_ns, state, error_ms = _OBSERVED.unpack_from(octets, 24 + _LINK.size)
    if state >= len(STATES) or not number:
        return None
    seen = Observation(boot_seq, boot_ns, wall_ns, STATES[state], None if error_ms < 0 else error_ms)
    return Link(chain.hex(), number, before, sha256, Span(*span), seen)
