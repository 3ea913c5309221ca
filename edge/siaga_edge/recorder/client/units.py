"""Coded pictures out of RTP payloads: H.264 (RFC 6184) and H.265 (RFC 7798). Pure.

A picture is what has one time; it is whole when the next time begins. What is not whole is left out, and
with it all that may refer to it: up to the next key picture.
"""

from dataclasses import dataclass

from siaga_edge.recorder.client.messages import NotUnderstood
from siaga_edge.recorder.client.packets import Taken
from siaga_edge.recorder.fragments import BadStream

# A key picture of 4K at the best quality is 2 to 4 MB.
PICTURE_MOST_BYTES = 16 * 1024**2
_LENGTH = b"\0\0\0\0"
_START_CODE = b"\0\0\1"


@dataclass(frozen=True, slots=True)
class Picture:
    """NAL units, each behind its length; `time` in units of the clock; `sets`: parameter sets in it."""

    time: int
    octets: bytearray
    is_key: bool
    sets: tuple[bytes, ...]


class Pictures:
    """Gathers one picture after the other. What differs by coding is in the subclasses."""

    header_bytes = 1
    set_kinds: tuple[int, ...] = ()

    def __init__(self) -> None:
        self.left_out = 0  # pictures after the first that are not handed on
        self._octets = bytearray()
        self._sets: list[bytes] = []
        self._time = 0
        self._marked = True
        self._fragment_at = -1  # where the length of the unit stands that comes in fragments
        self._is_whole = True
        self._has_slice = self._is_key = False
        self._wants_key = True
        self._has_begun = False

    def take(self, taken: Taken) -> Picture | None:
        """The picture before, when this packet begins another. Raises BadStream, NotUnderstood."""
        marker, time, payload, missing = taken
        made = None
        if time != self._time:
            if missing and not self._marked:
                self._is_whole = False
            made = self._finish()
            self._time = time
        if missing:
            self._is_whole = False
        self._marked = marker
        if len(payload) > self.header_bytes:
            self._add(payload)
            if len(self._octets) > PICTURE_MOST_BYTES:
                raise BadStream(f"a picture of more than {PICTURE_MOST_BYTES >> 20} MiB")
        return made

    def flush(self) -> Picture | None:
        """The last picture, if its end came."""
        return self._finish() if self._marked else None

    def _finish(self) -> Picture | None:
        if self._fragment_at >= 0:
            self._is_whole = False
        if not self._has_slice and self._is_whole:
            return None  # parameter sets that go before the picture with a time of their own
        made = None
        if self._is_whole and (self._is_key or not self._wants_key):
            made = Picture(self._time, self._octets, self._is_key, tuple(self._sets))
            self._wants_key, self._has_begun = False, True
        else:
            self._wants_key = True
            self.left_out += self._has_begun
        self._octets, self._sets, self._fragment_at = bytearray(), [], -1
        self._is_whole, self._has_slice, self._is_key = True, False, False
        return made

    def _unit(self, unit: memoryview) -> None:
        """A whole NAL unit."""
        self._octets += len(unit).to_bytes(4, "big")
        self._octets += unit
        self._note(self._kind(unit), unit)

    def _units(self, payload: memoryview) -> None:
        """Units behind lengths of two octets."""
        at, end = 0, len(payload)
        while at + 2 < end:
            size = payload[at] << 8 | payload[at + 1]
            if size <= self.header_bytes or at + 2 + size > end:
                self._is_whole = False
                return
            self._unit(payload[at + 2 : at + 2 + size])
            at += 2 + size

    def _fragment(self, header: int, head: bytes, kind: int, body: memoryview) -> None:
        """A part of a unit: `header` has its first bit set for the first part and the second for the last."""
        if header & 0x80:
            if self._fragment_at >= 0:
                self._is_whole = False
            self._fragment_at = len(self._octets)
            self._octets += _LENGTH + head
            self._note_kind(kind, body)
        elif self._fragment_at < 0:
            self._is_whole = False
            return
        self._octets += body
        if header & 0x40:
            at = self._fragment_at
            self._octets[at : at + 4] = (len(self._octets) - at - 4).to_bytes(4, "big")
            if kind in self.set_kinds:
                self._sets.append(bytes(self._octets[at + 4 :]))
            self._fragment_at = -1

    def _note(self, kind: int, unit: memoryview) -> None:
        if kind in self.set_kinds:
            octets = bytes(unit)
            if _START_CODE in octets:
                raise NotUnderstood("several units in one, with start codes between them")
            self._sets.append(octets)
        self._note_kind(kind, unit[self.header_bytes :])

    def _note_kind(self, kind: int, body: memoryview) -> None:
        raise NotImplementedError

    def _note_slice(self, body: memoryview, *, is_key: bool) -> None:
        """The first slice of a picture says so in its first bit: first_mb_in_slice is 0 in H.264 (§7.3.3),
        first_slice_segment_in_pic_flag is set in H.265 (§7.3.6.1). Else those before it are missing.
        """
        if not self._has_slice and (not body or not body[0] & 0x80):
            self._is_whole = False
        self._has_slice = True
        self._is_key = self._is_key or is_key

    def _kind(self, unit: memoryview) -> int:
        raise NotImplementedError

    def _add(self, payload: memoryview) -> None:
        raise NotImplementedError


class H264(Pictures):
    """Single units, STAP-A and FU-A: packetization modes 0 and 1."""

    set_kinds = (7, 8)

    def _add(self, payload: memoryview) -> None:
        first = payload[0]
        kind = first & 0x1F
        if kind == 28:
            header = payload[1]
            if not header & 0xC0 and self._fragment_at >= 0:
                self._octets += payload[2:]
            else:
                kind = header & 0x1F
                self._fragment(header, bytes((first & 0xE0 | kind,)), kind, payload[2:])
        elif 0 < kind < 24:
            if self._fragment_at >= 0:
                self._is_whole = False
            self._unit(payload)
        elif kind == 24:
            self._units(payload[1:])
        elif kind == 0:
            raise NotUnderstood("units with start codes in the packets")
        elif kind < 30:
            raise NotUnderstood(f"packets of kind {kind}, which belong to packetization mode 2")
        if first & 0x80:
            self._is_whole = False

    def _kind(self, unit: memoryview) -> int:
        return unit[0] & 0x1F

    def _note_kind(self, kind: int, body: memoryview) -> None:
        if 1 <= kind <= 5:
            self._note_slice(body, is_key=kind == 5)


class H265(Pictures):
    """Single units, aggregation and fragmentation units, none out of its order."""

    header_bytes = 2
    set_kinds = (32, 33, 34)

    def _add(self, payload: memoryview) -> None:
        first = payload[0]
        kind = first >> 1 & 0x3F
        if kind == 49:
            header = payload[2]
            if not header & 0xC0 and self._fragment_at >= 0:
                self._octets += payload[3:]
            else:
                kind = header & 0x3F
                self._fragment(header, bytes((first & 0x81 | kind << 1, payload[1])), kind, payload[3:])
        elif kind < 48:
            if self._fragment_at >= 0:
                self._is_whole = False
            self._unit(payload)
        elif kind == 48:
            self._units(payload[2:])
        elif kind == 50:
            raise NotUnderstood("packets with PACI")
        if first & 0x80:
            self._is_whole = False

    def _kind(self, unit: memoryview) -> int:
        return unit[0] >> 1 & 0x3F

    def _note_kind(self, kind: int, body: memoryview) -> None:
        if kind < 32:
            self._note_slice(body, is_key=16 <= kind <= 21)
