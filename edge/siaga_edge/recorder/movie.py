"""A progressive MP4 of recorded pictures: moov first, an edit list for what is shown (ISO/IEC 14496-12)."""

import itertools
import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from siaga_edge.recorder.fragments import Init, boxes, find
from siaga_edge.recorder.pictures import Strip

GAP_LEAST_NS = 500_000_000
_FTYP = struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"isom", 0x200, b"isom", b"avc1")
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


@dataclass(frozen=True, slots=True)
class Timeline:
    """How long each picture is decoded for and how much later it is seen, in units of `scale` per second.

    `gaps`: wall times in ns.
    """

    scale: int
    durations: list[int]
    offsets: list[int]
    gaps: list[tuple[int, int]]

    def shown(self, hidden: Collection[int]) -> tuple[int, int]:
        """From when to when all but the `hidden` pictures are seen."""
        begins = list(itertools.accumulate(self.durations, initial=0))
        seen = [n for n in range(len(self.durations)) if n not in hidden]
        first = min(begins[n] + self.offsets[n] for n in seen)
        return first, max(begins[n] + self.offsets[n] + self.durations[n] for n in seen)


def timeline(strips: Sequence[Strip]) -> Timeline:
    """Over a gap the last picture stands still; where a stretch begins its own time counts."""
    scale = strips[0].init.timescale
    durations: list[int] = []
    offsets: list[int] = []
    gaps = []
    for one, following in itertools.pairwise(strips):
        _add(one, scale, durations, offsets)
        missing_ns = following.began.wall_ns - one.ended.wall_ns
        is_gap = missing_ns > GAP_LEAST_NS
        if is_gap:
            gaps.append((one.ended.wall_ns, following.began.wall_ns))
        if is_gap or one.path != following.path or one.stretch != following.stretch:
            least = durations[-1] // 2 or 1
            durations[-1] = max(least, durations[-1] + missing_ns * scale // 1_000_000_000)
    _add(strips[-1], scale, durations, offsets)
    return Timeline(scale, durations, offsets, gaps)


def _add(strip: Strip, scale: int, durations: list[int], offsets: list[int]) -> None:
    own = strip.init.timescale
    if own == scale:
        durations += strip.columns.durations
        offsets += strip.columns.offsets
    else:
        durations += [max(1, one * scale // own) for one in strip.columns.durations]
        offsets += [one * scale // own for one in strip.columns.offsets]


def head(strips: Sequence[Strip], line: Timeline, hidden: Collection[int]) -> bytes:
    """Everything before the pictures' octets, which follow it in a row; those `hidden` are not shown.

    They are the first and the last that are seen; what lies between two that are shown is shown.
    """
    size = sum(sum(strip.columns.sizes) for strip in strips)
    tables = _tables(strips, line)
    length = len(_moov(strips[0].init, line, hidden, [*tables, _places(strips, 0)]))
    data_at = len(_FTYP) + length + 16
    moov = _moov(strips[0].init, line, hidden, [*tables, _places(strips, data_at)])
    return _FTYP + moov + struct.pack(">I4sQ", 1, b"mdat", size + 16)


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _full(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags), *parts)


def _moov(init: Init, line: Timeline, hidden: Collection[int], tables: Sequence[bytes]) -> bytes:
    """moov with the recorded track's own descriptions and tables of ours."""
    moov = _recorded_moov(init)
    begin, end = line.shown(hidden)
    tkhd = _child(moov, *find(moov, b"trak"), b"tkhd")
    minf = find(moov, b"trak", b"mdia", b"minf")
    mdhd = _full(b"mdhd", 1, 0, struct.pack(">QQIQHH", 0, 0, line.scale, sum(line.durations), 0x55C4, 0))
    kept = [_child(moov, *minf, kind) for kind in (b"vmhd", b"dinf") if _has(moov, *minf, kind)]
    hdlr = _child(moov, *find(moov, b"trak", b"mdia"), b"hdlr")
    elst = _full(b"elst", 1, 0, struct.pack(">IQqI", 1, end - begin, begin, 0x10000))
    trak = _box(
        b"trak",
        _with_duration(tkhd, end - begin),
        _box(b"edts", elst),
        _box(b"mdia", mdhd, hdlr, _box(b"minf", *kept, _box(b"stbl", *tables))),
    )
    # The movie's own scale is the track's, so that the edit list cuts at a picture and not near one.
    times = struct.pack(">QQIQIH", 0, 0, line.scale, end - begin, 0x10000, 0x100)
    mvhd = _full(b"mvhd", 1, 0, times, bytes(10), _MATRIX, bytes(24), struct.pack(">I", 2))
    return _box(b"moov", mvhd, trak)


def _tables(strips: Sequence[Strip], line: Timeline) -> list[bytes]:
    """stsd, stts, ctts, stss, stsc, stsz: one chunk for each run of pictures of one description."""
    entries, runs = _descriptions(strips)
    stts = b"".join(struct.pack(">II", count, value) for count, value in _runs(line.durations))
    made = [
        _full(b"stsd", 0, 0, struct.pack(">I", len(entries)), *entries),
        _full(b"stts", 0, 0, struct.pack(">I", len(stts) // 8), stts),
    ]
    if any(line.offsets):
        ctts = b"".join(struct.pack(">Ii", count, value) for count, value in _runs(line.offsets))
        made.append(_full(b"ctts", 1, 0, struct.pack(">I", len(ctts) // 8), ctts))
    flags = itertools.chain.from_iterable(strip.columns.keys for strip in strips)
    keys = [number for number, is_key in enumerate(flags, 1) if is_key]
    sizes = [size for strip in strips for size in strip.columns.sizes]
    chunks = [struct.pack(">III", number, count, entry) for number, (count, entry, _) in enumerate(runs, 1)]
    return [
        *made,
        _full(b"stss", 0, 0, struct.pack(f">I{len(keys)}I", len(keys), *keys)),
        _full(b"stsc", 0, 0, struct.pack(">I", len(chunks)), *chunks),
        _full(b"stsz", 0, 0, struct.pack(f">II{len(sizes)}I", 0, len(sizes), *sizes)),
    ]


def _places(strips: Sequence[Strip], data_at: int) -> bytes:
    """co64: where each chunk begins, the first at `data_at`."""
    sizes = [size for _, _, size in _descriptions(strips)[1]]
    places = list(itertools.accumulate(sizes[:-1], initial=data_at))
    return _full(b"co64", 0, 0, struct.pack(f">I{len(places)}Q", len(places), *places))


def _descriptions(strips: Sequence[Strip]) -> tuple[list[bytes], list[tuple[int, int, int]]]:
    """The different sample entries, and (pictures, number of their entry, octets) of each run of one."""
    entries: list[bytes] = []
    known: dict[bytes, int] = {}
    runs: list[tuple[int, int, int]] = []
    for strip in strips:
        octets = strip.init.octets
        if octets not in known:
            moov = _recorded_moov(strip.init)
            at, end = find(moov, b"trak", b"mdia", b"minf", b"stbl", b"stsd")
            entry = moov[at + 8 : end]
            if entry not in entries:
                entries.append(entry)
            known[octets] = entries.index(entry) + 1
        count, size = len(strip.columns.sizes), sum(strip.columns.sizes)
        if runs and runs[-1][1] == known[octets]:
            runs[-1] = runs[-1][0] + count, known[octets], runs[-1][2] + size
        else:
            runs.append((count, known[octets], size))
    return entries, runs


def _runs(values: Sequence[int]) -> list[tuple[int, int]]:
    return [(len(list(same)), value) for value, same in itertools.groupby(values)]


def _recorded_moov(init: Init) -> bytes:
    begin = next(at - 8 for kind, at, _ in boxes(init.octets, 0) if kind == b"moov")
    return init.octets[begin:]


def _child(octets: bytes, at: int, end: int, kind: bytes) -> bytes:
    return next(octets[begin - 8 : stop] for found, begin, stop in boxes(octets, at, end) if found == kind)


def _has(octets: bytes, at: int, end: int, kind: bytes) -> bool:
    return any(found == kind for found, _, _ in boxes(octets, at, end))


def _with_duration(tkhd: bytes, duration: int) -> bytes:
    """The track header with the clip's duration, in the movie's scale."""
    if tkhd[8] == 1:
        return tkhd[:36] + struct.pack(">Q", duration) + tkhd[44:]
    return tkhd[:28] + struct.pack(">I", min(duration, 0xFFFFFFFF)) + tkhd[32:]
