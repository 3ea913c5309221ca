"""A progressive MP4 of recorded pictures: moov first, an edit list for what is shown (ISO/IEC 14496-12)."""

import itertools
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from siaga_edge.recorder.fragments import Init, Sample, boxes, find
from siaga_edge.recorder.pictures import Picture

GAP_LEAST_NS = 500_000_000
_MOVIE_SCALE = 1000
_FTYP = struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"isom", 0x200, b"isom", b"avc1")
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


@dataclass(frozen=True, slots=True)
class Timeline:
    """How long each picture is shown, in units of `scale` per second, and the gaps as wall times in ns."""

    scale: int
    durations: list[int]
    gaps: list[tuple[int, int]]


def timeline(pictures: Sequence[Picture]) -> Timeline:
    """Over a gap the last picture stands still; where a stretch begins its own time counts."""
    scale = pictures[0].init.timescale
    durations, gaps = [], []
    for one, following in itertools.pairwise(pictures):
        own_ns = one.sample.duration * 1_000_000_000 // one.init.timescale
        between_ns = following.wall_ns - one.wall_ns
        is_gap = between_ns - own_ns > GAP_LEAST_NS
        if is_gap:
            gaps.append((one.wall_ns + own_ns, following.wall_ns))
        joined = one.path == following.path and one.stretch == following.stretch
        shown_ns = own_ns if joined and not is_gap else max(between_ns, own_ns // 2)
        same = joined and not is_gap and one.init.timescale == scale
        durations.append(one.sample.duration if same else max(1, shown_ns * scale // 1_000_000_000))
    last = pictures[-1]
    durations.append(max(1, last.sample.duration * scale // last.init.timescale))
    return Timeline(scale, durations, gaps)


def head(pictures: Sequence[Picture], line: Timeline, hidden: int) -> bytes:
    """Everything before the pictures' octets, which follow it in a row; the first `hidden` are not shown."""
    size = sum(picture.sample.size for picture in pictures)
    length = len(_moov(pictures, line, hidden, 0))
    moov = _moov(pictures, line, hidden, len(_FTYP) + length + 16)
    return _FTYP + moov + struct.pack(">I4sQ", 1, b"mdat", size + 16)


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _full(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags), *parts)


def _moov(pictures: Sequence[Picture], line: Timeline, hidden: int, data_at: int) -> bytes:
    """moov with the recorded track's own descriptions and tables of ours."""
    moov = _recorded_moov(pictures[0].init)
    total, before = sum(line.durations), sum(line.durations[:hidden])
    shown_ms = (total - before) * _MOVIE_SCALE // line.scale
    tkhd = _child(moov, *find(moov, b"trak"), b"tkhd")
    minf = find(moov, b"trak", b"mdia", b"minf")
    mdhd = _full(b"mdhd", 1, 0, struct.pack(">QQIQHH", 0, 0, line.scale, total, 0x55C4, 0))
    kept = [_child(moov, *minf, kind) for kind in (b"vmhd", b"dinf") if _has(moov, *minf, kind)]
    stbl = _box(b"stbl", *_tables(pictures, line, data_at))
    hdlr = _child(moov, *find(moov, b"trak", b"mdia"), b"hdlr")
    media_start = before + _offset(pictures[hidden], line.scale)
    elst = _full(b"elst", 1, 0, struct.pack(">IQqI", 1, shown_ms, media_start, 0x10000))
    trak = _box(
        b"trak",
        _with_duration(tkhd, shown_ms),
        _box(b"edts", elst),
        _box(b"mdia", mdhd, hdlr, _box(b"minf", *kept, stbl)),
    )
    times = struct.pack(">QQIQIH", 0, 0, _MOVIE_SCALE, shown_ms, 0x10000, 0x100)
    mvhd = _full(b"mvhd", 1, 0, times, bytes(10), _MATRIX, bytes(24), struct.pack(">I", 2))
    return _box(b"moov", mvhd, trak)


def _tables(pictures: Sequence[Picture], line: Timeline, data_at: int) -> list[bytes]:
    """stsd, stts, ctts, stss, stsc, stsz, co64: one chunk for each run of pictures of one description."""
    samples = [picture.sample for picture in pictures]
    offsets = [_offset(picture, line.scale) for picture in pictures]
    entries, described = _descriptions(pictures)
    stts = b"".join(struct.pack(">II", count, value) for count, value in _runs(line.durations))
    made = [
        _full(b"stsd", 0, 0, struct.pack(">I", len(entries)), *entries),
        _full(b"stts", 0, 0, struct.pack(">I", len(stts) // 8), stts),
    ]
    if any(offsets):
        ctts = b"".join(struct.pack(">Ii", count, value) for count, value in _runs(offsets))
        made.append(_full(b"ctts", 1, 0, struct.pack(">I", len(ctts) // 8), ctts))
    keys = [number for number, sample in enumerate(samples, 1) if sample.is_sync]
    made.append(_full(b"stss", 0, 0, struct.pack(f">I{len(keys)}I", len(keys), *keys)))
    made += _chunks(samples, _runs(described), data_at)
    return made


def _chunks(samples: Sequence[Sample], runs: list[tuple[int, int]], data_at: int) -> list[bytes]:
    """stsc, stsz and co64; `runs`: (pictures, number of their description)."""
    chunks, places, first = [], [], 0
    for number, (count, entry) in enumerate(runs, 1):
        chunks.append(struct.pack(">III", number, count, entry))
        places.append(data_at + sum(sample.size for sample in samples[:first]))
        first += count
    sizes = [sample.size for sample in samples]
    return [
        _full(b"stsc", 0, 0, struct.pack(">I", len(chunks)), *chunks),
        _full(b"stsz", 0, 0, struct.pack(f">II{len(sizes)}I", 0, len(sizes), *sizes)),
        _full(b"co64", 0, 0, struct.pack(f">I{len(places)}Q", len(places), *places)),
    ]


def _descriptions(pictures: Sequence[Picture]) -> tuple[list[bytes], list[int]]:
    """The different sample entries, and for each picture the number of its own, from 1."""
    entries: list[bytes] = []
    known: dict[bytes, int] = {}
    described = []
    for picture in pictures:
        octets = picture.init.octets
        if octets not in known:
            moov = _recorded_moov(picture.init)
            at, end = find(moov, b"trak", b"mdia", b"minf", b"stbl", b"stsd")
            entry = moov[at + 8 : end]
            if entry not in entries:
                entries.append(entry)
            known[octets] = entries.index(entry) + 1
        described.append(known[octets])
    return entries, described


def _offset(picture: Picture, scale: int) -> int:
    return picture.sample.offset * scale // picture.init.timescale


def _runs(values: Sequence[int]) -> list[tuple[int, int]]:
    return [(len(list(same)), value) for value, same in itertools.groupby(values)]


def _recorded_moov(init: Init) -> bytes:
    begin = next(at - 8 for kind, at, _ in boxes(init.octets, 0) if kind == b"moov")
    return init.octets[begin:]


def _child(octets: bytes, at: int, end: int, kind: bytes) -> bytes:
    return next(octets[begin - 8 : stop] for found, begin, stop in boxes(octets, at, end) if found == kind)


def _has(octets: bytes, at: int, end: int, kind: bytes) -> bool:
    return any(found == kind for found, _, _ in boxes(octets, at, end))


def _with_duration(tkhd: bytes, duration_ms: int) -> bytes:
    """The track header with the clip's duration, in the movie's scale."""
    if tkhd[8] == 1:
        return tkhd[:36] + struct.pack(">Q", duration_ms) + tkhd[44:]
    return tkhd[:28] + struct.pack(">I", min(duration_ms, 0xFFFFFFFF)) + tkhd[32:]
