"""Fragmented MP4 off a pipe: boxes in any cuts in, whole fragments out (ISO/IEC 14496-12). Pure."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import repeat

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
class Track:
    """A track's number, units per second and what its samples are unless they say otherwise."""

    id: int
    timescale: int
    default_duration: int
    default_size: int
    default_flags: int


@dataclass(frozen=True, slots=True)
class Init:
    """What every decoder needs first: ftyp and moov. The numbers are of the video; `sound` may be there."""

    octets: bytes
    timescale: int
    default_duration: int
    default_size: int
    default_flags: int
    track: int = 1
    sound: Track | None = None

    @property
    def video(self) -> Track:
        """The video track."""
        return Track(self.track, self.timescale, self.default_duration, self.default_size, self.default_flags)


@dataclass(frozen=True, slots=True)
class Fragment:
    """moof and mdat as they came, the pictures in it, and where they begin in `octets`.

    Sound, where there is any, stays in the octets until somebody asks for it (`sound_of`).
    """

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
        samples, at = _read_samples(self._moof, self.init.video)
        if at + sum(sample.size for sample in samples) > len(octets):
            raise BadStream("a fragment is shorter than its samples")
        made = Fragment(octets, samples, at, self._mark)
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


def moov_of(init: Init) -> bytes:
    """The moov box."""
    begin = next(at - 8 for kind, at, _ in boxes(init.octets, 0) if kind == b"moov")
    return init.octets[begin:]


def sound_of(fragment: Fragment, init: Init) -> tuple[tuple[Sample, ...], int]:
    """The sound's samples and where they begin in the fragment's octets; none if there is none.

    Raises BadStream.
    """
    if init.sound is None:
        return (), len(fragment.octets)
    size = struct.unpack_from(">I", fragment.octets)[0]
    samples, at = _read_samples(fragment.octets[:size], init.sound)
    if at + sum(sample.size for sample in samples) > len(fragment.octets):
        raise BadStream("a fragment is shorter than its sound")
    return samples, at


def _read_init(octets: bytes, moov: bytes) -> Init:
    found = {kind: track for kind, track in _read_tracks(moov) if kind in (b"vide", b"soun")}
    video = found.get(b"vide")
    if video is None:
        raise BadStream("there is no video")
    defaults = (video.default_duration, video.default_size, video.default_flags)
    return Init(octets, video.timescale, *defaults, video.id, found.get(b"soun"))


def _read_tracks(moov: bytes) -> Iterator[tuple[bytes, Track]]:
    """(handler type, track) of each trak; of two of a kind the first counts."""
    defaults = {}
    for kind, at, _ in boxes(moov, *find(moov, b"mvex")):
        if kind == b"trex":
            defaults[struct.unpack_from(">I", moov, at + 4)[0]] = struct.unpack_from(">III", moov, at + 12)
    traks = [moov[at - 8 : end] for kind, at, end in boxes(moov) if kind == b"trak"]
    for trak in reversed(traks):
        at, _ = find(trak, b"tkhd")
        number = struct.unpack_from(">I", trak, at + (20 if trak[at] == 1 else 12))[0]
        at, _ = find(trak, b"mdia", b"mdhd")
        timescale = struct.unpack_from(">I", trak, at + (20 if trak[at] == 1 else 12))[0]
        if not timescale:
            raise BadStream("the track has no time scale")
        at, _ = find(trak, b"mdia", b"hdlr")
        yield trak[at + 8 : at + 12], Track(number, timescale, *defaults.get(number, (0, 0, 0)))


def _read_samples(moof: bytes, track: Track) -> tuple[tuple[Sample, ...], int]:
    """The samples of one track, and where they begin counted from the moof (§8.8.7, §8.8.8)."""
    samples: list[Sample] = []
    data_at = len(moof) + 8
    try:
        for name, begin, end in boxes(moof):
            if name != b"traf" or _track_of(moof, begin, end) != track.id:
                continue
            default = Sample(
                track.default_size, track.default_duration, not track.default_flags & _NON_SYNC, 0
            )
            for kind, at, stop in boxes(moof, begin, end):
                if kind == b"tfhd":
                    default = _read_defaults(moof, at, default)
                elif kind == b"trun":
                    if not samples and moof[at + 3] & 1:
                        data_at = struct.unpack_from(">i", moof, at + 8)[0]
                    samples += _read_run(moof[:stop], at, default)
    except struct.error as error:
        raise BadStream(f"moof is cut short: {error}") from error
    if not data_at >= 0:
        raise BadStream("samples before their fragment")
    return tuple(samples), data_at


def _track_of(moof: bytes, begin: int, end: int) -> int:
    at = next((at for kind, at, _ in boxes(moof, begin, end) if kind == b"tfhd"), None)
    if at is None:
        raise BadStream("a track's part has no header")
    return int(struct.unpack_from(">I", moof, at + 4)[0])


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
    words = [bit for bit in (_DURATION, _SIZE, _FLAGS, _OFFSET) if flags & bit]
    if count > len(moof):
        raise BadStream(f"a run of {count} samples")
    values = struct.unpack_from(f">{count * len(words)}I", moof, at)
    columns = {bit: values[number :: len(words)] for number, bit in enumerate(words)}
    flagged = columns.get(_FLAGS)
    syncs = (not value & _NON_SYNC for value in flagged) if flagged else repeat(default.is_sync)
    offsets = columns.get(_OFFSET, ())
    if version:
        offsets = tuple(value - (value >> 31 << 32) for value in offsets)
    for number, (size, duration, is_sync, offset) in enumerate(
        zip(
            columns.get(_SIZE) or repeat(default.size, count),
            columns.get(_DURATION) or repeat(default.duration, count),
            syncs,
            offsets or repeat(default.offset, count),
            strict=False,
        )
    ):
        first = number == 0 and first_is_sync is not None
        yield Sample(size, duration, bool(first_is_sync) if first else is_sync, offset)
