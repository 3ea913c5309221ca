"""Fragmented MP4 off a pipe: boxes in any cuts in, whole fragments out (ISO/IEC 14496-12). Pure."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from siaga_core.errors import SiagaError

BOX_MOST_BYTES = 64 * 1024**2
_NON_SYNC = 0x10000  # sample_is_non_sync_sample (§8.8.3.1)
# Which columns a run of samples has, in this order (tr_flags, §8.8.8.1).
_DURATION, _SIZE, _FLAGS, _OFFSET = 0x100, 0x200, 0x400, 0x800
# Our own mark before each fragment: when it arrived, in the node's raw clocks.
MARK_TYPE = bytes.fromhex("5349414741204672616d65204d61726b")
_MARK = struct.Struct(">IQqI")


class BadStream(SiagaError, ValueError):
    """Octets that are no fragmented MP4."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One coded picture; `duration` and `offset` (presentation minus decoding) in the track's units."""

    size: int
    duration: int
    is_sync: bool
    offset: int


@dataclass(frozen=True, slots=True)
class Mark:
    """When the end of a fragment arrived, and how long it is."""

    boot_seq: int
    boot_ns: int
    wall_ns: int
    duration_ms: int

    def box(self) -> bytes:
        """The mark as a `uuid` box."""
        body = MARK_TYPE + _MARK.pack(self.boot_seq, self.boot_ns, self.wall_ns, self.duration_ms)
        return struct.pack(">I4s", 8 + len(body), b"uuid") + body


@dataclass(frozen=True, slots=True)
class Init:
    """What every decoder needs first: ftyp and moov."""

    octets: bytes
    timescale: int
    default_duration: int
    default_size: int
    default_flags: int


@dataclass(frozen=True, slots=True)
class Fragment:
    """moof and mdat as they came, the samples in it, and where the pictures begin in `octets`."""

    octets: bytes
    samples: tuple[Sample, ...]
    payload_at: int
    mark: Mark | None = None

    @property
    def starts_with_key(self) -> bool:
        """Whether it can be decoded without what came before."""
        return bool(self.samples) and self.samples[0].is_sync

    @property
    def duration(self) -> int:
        """In the track's units."""
        return sum(sample.duration for sample in self.samples)


class Parser:
    """Feed it any cuts of the stream; memory is bounded by one fragment.

    Fed a whole fragment at once it copies nothing of it: `octets` of the fragment are the octets fed.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()  # from the moof on whose mdat is awaited, or from the first box not whole
        self._scanned = 0  # octets of it that were taken already: that moof
        self._ftyp = b""
        self._moof = b""
        self._mark: Mark | None = None
        self.init: Init | None = None
        self.consumed = 0  # octets up to the end of the last whole Init or Fragment
        self._seen = 0  # octets up to the end of the last whole box of any kind

    def feed(self, octets: bytes) -> Iterator[Init | Fragment]:
        """What has become whole. Raises BadStream."""
        if self._buffer:
            self._buffer += octets
        source = self._buffer or octets
        keep, at = 0, self._scanned
        while len(source) - at >= 8:
            size, kind = struct.unpack_from(">I4s", source, at)
            if not 8 <= size <= BOX_MOST_BYTES or not kind.isalnum():
                raise BadStream(f"box {kind!r} of {size} octets")
            if len(source) - at < size:
                break
            end = at + size
            self._seen += size
            try:
                made = self._take(kind, source, keep, at, end)
            except (struct.error, IndexError) as error:
                raise BadStream(f"box {kind!r} is cut short: {error}") from error
            keep, at = (at if kind == b"moof" else end), end
            if made is not None:
                yield made
        if source is self._buffer:
            del self._buffer[:keep]
        else:
            self._buffer = bytearray(memoryview(octets)[keep:])
        self._scanned = at - keep

    def _take(
        self, kind: bytes, source: bytes | bytearray, keep: int, at: int, end: int
    ) -> Init | Fragment | None:
        if kind == b"mdat":
            # Octets from `keep` to `at` are its moof, unless another box came in between.
            return self._fragment(_cut(source, keep, end), at - keep) if self._moof else None
        box = _cut(source, at, end)
        if kind == b"ftyp":
            self._ftyp = box
        elif kind == b"moov":
            self.init = _read_init(self._ftyp + box, box)
            self.consumed = self._seen
            return self.init
        elif kind == b"uuid" and box[8:24] == MARK_TYPE and len(box) == 24 + _MARK.size:
            self._mark = Mark(*_MARK.unpack(box[24:]))
        elif kind == b"moof":
            self._moof = box
        return None

    def _fragment(self, octets: bytes, mdat_at: int) -> Fragment:
        if self.init is None:
            raise BadStream("a fragment came before moov")
        if not mdat_at:
            octets, mdat_at = self._moof + octets, len(self._moof)
        samples = _read_samples(self._moof, self.init)
        if sum(sample.size for sample in samples) > len(octets) - mdat_at - 8:
            raise BadStream("a fragment is shorter than its samples")
        made = Fragment(octets, samples, mdat_at + 8, self._mark)
        self.consumed = self._seen
        self._moof, self._mark = b"", None
        return made


def _cut(source: bytes | bytearray, begin: int, end: int) -> bytes:
    """A part of it; the whole of it is not copied."""
    if isinstance(source, bytes):
        return source[begin:end]
    return bytes(memoryview(source)[begin:end])


def boxes(octets: bytes, at: int = 8, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """(type, begin of content, end) of the boxes within a container. Raises BadStream."""
    end = len(octets) if end is None else end
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", octets, at)
        if size < 8 or at + size > end:
            raise BadStream(f"box {kind!r} of {size} octets does not fit")
        yield kind, at + 8, at + size
        at += size


def find(octets: bytes, *path: bytes) -> tuple[int, int]:
    """Begin and end of the content of the first box along `path`. Raises BadStream."""
    at, end = 8, len(octets)
    for name in path:
        place = next(((a, b) for kind, a, b in boxes(octets, at, end) if kind == name), None)
        if place is None:
            raise BadStream(f"there is no {name!r}")
        at, end = place
    return at, end


def _read_init(octets: bytes, moov: bytes) -> Init:
    at, _ = find(moov, b"trak", b"mdia", b"mdhd")
    wide = moov[at] == 1
    timescale = struct.unpack_from(">I", moov, at + (20 if wide else 12))[0]
    trex, _ = find(moov, b"mvex", b"trex")
    duration, size, flags = struct.unpack_from(">III", moov, trex + 12)
    if not timescale:
        raise BadStream("the track has no time scale")
    return Init(octets, timescale, duration, size, flags)


def _read_samples(moof: bytes, init: Init) -> tuple[Sample, ...]:
    try:
        at, end = find(moof, b"traf")
        default = Sample(init.default_size, init.default_duration, not init.default_flags & _NON_SYNC, 0)
        samples: list[Sample] = []
        for kind, begin, stop in boxes(moof, at, end):
            if kind == b"tfhd":
                default = _read_defaults(moof, begin, default)
            elif kind == b"trun":
                samples += _read_run(moof[:stop], begin, default)
    except struct.error as error:
        raise BadStream(f"moof is cut short: {error}") from error
    return tuple(samples)


def _read_defaults(moof: bytes, at: int, default: Sample) -> Sample:
    flags = int.from_bytes(moof[at + 1 : at + 4], "big")
    at += 8 + (8 if flags & 1 else 0) + (4 if flags & 2 else 0)
    if flags & 8:
        default = replace(default, duration=struct.unpack_from(">I", moof, at)[0])
        at += 4
    if flags & 16:
        default = replace(default, size=struct.unpack_from(">I", moof, at)[0])
        at += 4
    if flags & 32:
        default = replace(default, is_sync=not struct.unpack_from(">I", moof, at)[0] & _NON_SYNC)
    return default


def _read_run(moof: bytes, at: int, default: Sample) -> Iterator[Sample]:
    version, flags = moof[at], int.from_bytes(moof[at + 1 : at + 4], "big")
    count = struct.unpack_from(">I", moof, at + 4)[0]
    at += 8 + (4 if flags & 1 else 0)
    first_is_sync: bool | None = None
    if flags & 4:
        first_is_sync = not struct.unpack_from(">I", moof, at)[0] & _NON_SYNC
        at += 4
    if count > len(moof):
        raise BadStream(f"a run of {count} samples")
    columns = [bit for bit in (_DURATION, _SIZE, _FLAGS, _OFFSET) if flags & bit]
    form = struct.Struct(">" + "".join("i" if bit == _OFFSET and version else "I" for bit in columns))
    for number in range(count):
        row = dict(zip(columns, form.unpack_from(moof, at), strict=True))
        at += form.size
        is_sync = not row[_FLAGS] & _NON_SYNC if _FLAGS in row else default.is_sync
        if number == 0 and first_is_sync is not None:
            is_sync = first_is_sync
        duration, size = row.get(_DURATION, default.duration), row.get(_SIZE, default.size)
        yield Sample(size, duration, is_sync, row.get(_OFFSET, 0))
