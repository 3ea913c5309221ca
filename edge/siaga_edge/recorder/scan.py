"""Reads where a segment's pictures lie without reading the pictures: box headers, moov and each moof."""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from siaga_edge.recorder.folder import regular
from siaga_edge.recorder.fragments import (
    BOX_MOST_BYTES,
    MARK_TYPE,
    BadStream,
    Init,
    Mark,
    Parser,
    Track,
    boxes,
)

# One read takes in mark, moof and the head of mdat of a fragment of a second (about 1 KiB at 25 pictures).
_WINDOW_BYTES = 4096
_MARK = struct.Struct(">IQqI")
_NON_SYNC = 0x10000  # sample_is_non_sync_sample (ISO/IEC 14496-12 §8.8.3.1)
_DURATION, _SIZE, _FLAGS, _OFFSET = 0x100, 0x200, 0x400, 0x800  # of trun (§8.8.8.1)


@dataclass(frozen=True, slots=True)
class Columns:
    """Pictures of one fragment, one entry each, in decoding order; times in the track's units."""

    sizes: tuple[int, ...]
    durations: tuple[int, ...]
    offsets: tuple[int, ...]  # presentation minus decoding
    keys: tuple[bool, ...]

    def __add__(self, other: "Columns") -> "Columns":
        return Columns(
            self.sizes + other.sizes,
            self.durations + other.durations,
            self.offsets + other.offsets,
            self.keys + other.keys,
        )

    def part(self, first: int, after: int) -> "Columns":
        """From one picture to before another."""
        span = slice(first, after)
        return Columns(self.sizes[span], self.durations[span], self.offsets[span], self.keys[span])


@dataclass(frozen=True, slots=True)
class Heard:
    """The sound of one fragment: where its first sample lies, and how much after the pictures it begins."""

    columns: Columns
    at: int
    after_pictures_ns: int


@dataclass(frozen=True, slots=True)
class Found:
    """One whole fragment: what it is coded by, when it came, and where its first picture lies in the file."""

    init: Init
    mark: Mark | None
    columns: Columns
    at: int
    heard: Heard | None = None


def scan(path: Path) -> Iterator[Found]:
    """A file's whole fragments; what is torn ends it, a file that has gone has none."""
    try:
        descriptor = regular(str(path), os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        yield from _fragments(_Window(descriptor))
    except (BadStream, struct.error, IndexError):
        return
    finally:
        os.close(descriptor)


class _Window:
    """Small reads of a file, a few kilobytes at once."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._octets, self._at = descriptor, b"", 0
        self.end = os.fstat(descriptor).st_size

    def read(self, at: int, size: int) -> bytes:
        begin = at - self._at
        if begin < 0 or begin + size > len(self._octets):
            self._octets, self._at = os.pread(self._descriptor, max(size, _WINDOW_BYTES), at), at
            begin = 0
        return self._octets[begin : begin + size]


def _fragments(window: _Window) -> Iterator[Found]:
    at, init, ftyp = 0, None, b""
    mark: Mark | None = None
    moof: tuple[int, bytes] | None = None
    while at + 8 <= window.end:
        size, kind = struct.unpack(">I4s", window.read(at, 8))
        if not 8 <= size <= BOX_MOST_BYTES or not kind.isalnum():
            raise BadStream(f"box {kind!r} of {size} octets")
        if at + size > window.end:
            return
        if kind == b"ftyp":
            ftyp = window.read(at, size)
        elif kind == b"moov":
            init = next(one for one in Parser().feed(ftyp + window.read(at, size)) if isinstance(one, Init))
        elif kind == b"uuid" and size == 24 + _MARK.size:
            octets = window.read(at, size)
            mark = Mark(*_MARK.unpack(octets[24:])) if octets[8:24] == MARK_TYPE else mark
        elif kind == b"moof":
            moof = at, window.read(at, size)
        elif kind == b"mdat" and moof is not None and init is not None:
            columns, begin = read_moof(moof[1], init)
            place = at + 8 if begin is None else moof[0] + begin
            if place + sum(columns.sizes) > at + size:
                raise BadStream("a fragment is shorter than its samples")
            yield Found(init, mark, columns, place, _heard(*moof, init))
            mark, moof = None, None
        at += size


def read_moof(moof: bytes, init: Init) -> tuple[Columns, int | None]:
    """The pictures of a moof, and how far from its own beginning they lie if it says. Raises BadStream."""
    columns, begin, _ = _track_part(moof, init.video)
    return columns, begin


def _heard(moof_at: int, moof: bytes, init: Init) -> Heard | None:
    if init.sound is None:
        return None
    columns, begin, decoded = _track_part(moof, init.sound)
    if not columns.sizes or begin is None:
        return None
    pictures = _track_part(moof, init.video)[2]
    after_ns = decoded * 10**9 // init.sound.timescale - pictures * 10**9 // init.timescale
    return Heard(columns, moof_at + begin, after_ns)


def _track_part(moof: bytes, track: Track) -> tuple[Columns, int | None, int]:
    """A track's samples in a moof, where they lie, and when the first is decoded (tfdt, §8.8.12)."""
    begin: int | None = None
    decoded = 0
    made = Columns((), (), (), ())
    for name, at, end in boxes(moof):
        if name != b"traf":
            continue
        duration, size, flags = track.default_duration, track.default_size, track.default_flags
        for kind, start, stop in boxes(moof, at, end):
            if kind == b"tfhd":
                if struct.unpack_from(">I", moof, start + 4)[0] != track.id:
                    break
                duration, size, flags = _defaults(moof, start, (duration, size, flags))
            elif kind == b"tfdt":
                decoded = struct.unpack_from(">Q" if moof[start] else ">I", moof, start + 4)[0]
            elif kind == b"trun":
                if begin is None and moof[start + 3] & 1:
                    begin = struct.unpack_from(">i", moof, start + 8)[0]
                made = made + _run(moof[start:stop], (duration, size, flags))
    return made, begin, decoded


def _defaults(moof: bytes, at: int, before: tuple[int, int, int]) -> tuple[int, int, int]:
    """(duration, size, flags) that hold where a run does not say (tfhd, §8.8.7)."""
    flags = int.from_bytes(moof[at + 1 : at + 4], "big")
    at += 8 + (8 if flags & 1 else 0) + (4 if flags & 2 else 0)
    said = list(before)
    for place, bit in enumerate((8, 16, 32)):
        if flags & bit:
            said[place] = struct.unpack_from(">I", moof, at)[0]
            at += 4
    return said[0], said[1], said[2]


def _run(trun: bytes, default: tuple[int, int, int]) -> Columns:
    flags, count = int.from_bytes(trun[1:4], "big"), struct.unpack_from(">I", trun, 4)[0]
    at = 8 + (4 if flags & 1 else 0) + (4 if flags & 4 else 0)
    bits = [bit for bit in (_DURATION, _SIZE, _FLAGS, _OFFSET) if flags & bit]
    if count * max(1, len(bits)) * 4 > len(trun) - at + 4 * count * (not bits) or count > len(trun) * 4:
        raise BadStream(f"a run of {count} samples")
    values = struct.unpack_from(f">{count * len(bits)}I", trun, at)
    said = {bit: values[place :: len(bits)] for place, bit in enumerate(bits)}
    coded = said.get(_FLAGS, (default[2],) * count)
    keys = [not one & _NON_SYNC for one in coded]
    if flags & 4 and keys:
        keys[0] = not struct.unpack_from(">I", trun, 8 + (4 if flags & 1 else 0))[0] & _NON_SYNC
    offsets = said.get(_OFFSET, (0,) * count)
    if trun[0] and _OFFSET in said:
        offsets = tuple(one - (1 << 32) if one >> 31 else one for one in offsets)
    sizes = said.get(_SIZE, (default[1],) * count)
    return Columns(sizes, said.get(_DURATION, (default[0],) * count), offsets, tuple(keys))
