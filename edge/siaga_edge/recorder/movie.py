"""A progressive MP4 of recorded pictures: moov first, an edit list for what is shown (ISO/IEC 14496-12)."""

import itertools
import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from siaga_edge.recorder import sound, soundtrack
from siaga_edge.recorder.boxes import box, child, full, has, runs_of, with_duration
from siaga_edge.recorder.fragments import Init, find, moov_of
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


def head(
    strips: Sequence[Strip], line: Timeline, hidden: Collection[int], heard: sound.Track | None = None
) -> bytes:
    """Everything before the octets of sound and pictures, which follow it in a row; `hidden` are not shown.

    They are the first and the last that are seen; what lies between two that are shown is shown.
    """
    size = sum(sum(strip.columns.sizes) for strip in strips) + (heard.size_bytes if heard else 0)
    tables = _tables(strips, line)

    def moov(data_at: int) -> bytes:
        pictures_at = data_at + (heard.size_bytes if heard else 0)
        trak = soundtrack.trak(heard, line.scale, data_at) if heard else b""
        return _moov(strips[0].init, line, hidden, [*tables, _places(strips, pictures_at)], trak)

    data_at = len(_FTYP) + len(moov(0)) + 16
    return _FTYP + moov(data_at) + struct.pack(">I4sQ", 1, b"mdat", size + 16)


def _moov(init: Init, line: Timeline, hidden: Collection[int], tables: Sequence[bytes], more: bytes) -> bytes:
    """moov with the recorded track's own descriptions and tables of ours."""
    moov = moov_of(init)
    begin, end = line.shown(hidden)
    tkhd = child(moov, *find(moov, b"trak"), b"tkhd")
    minf = find(moov, b"trak", b"mdia", b"minf")
    mdhd = full(b"mdhd", 1, 0, struct.pack(">QQIQHH", 0, 0, line.scale, sum(line.durations), 0x55C4, 0))
    kept = [child(moov, *minf, kind) for kind in (b"vmhd", b"dinf") if has(moov, *minf, kind)]
    hdlr = child(moov, *find(moov, b"trak", b"mdia"), b"hdlr")
    elst = full(b"elst", 1, 0, struct.pack(">IQqI", 1, end - begin, begin, 0x10000))
    trak = box(
        b"trak",
        with_duration(tkhd, end - begin),
        box(b"edts", elst),
        box(b"mdia", mdhd, hdlr, box(b"minf", *kept, box(b"stbl", *tables))),
    )
    # The movie's own scale is the track's, so that the edit list cuts at a picture and not near one.
    times = struct.pack(">QQIQIH", 0, 0, line.scale, end - begin, 0x10000, 0x100)
    mvhd = full(b"mvhd", 1, 0, times, bytes(10), _MATRIX, bytes(24), struct.pack(">I", 3))
    return box(b"moov", mvhd, trak, more)


def _tables(strips: Sequence[Strip], line: Timeline) -> list[bytes]:
    """stsd, stts, ctts, stss, stsc, stsz: one chunk for each run of pictures of one description."""
    entries, runs = _descriptions(strips)
    stts = b"".join(struct.pack(">II", count, value) for count, value in runs_of(line.durations))
    made = [
        full(b"stsd", 0, 0, struct.pack(">I", len(entries)), *entries),
        full(b"stts", 0, 0, struct.pack(">I", len(stts) // 8), stts),
    ]
    if any(line.offsets):
        ctts = b"".join(struct.pack(">Ii", count, value) for count, value in runs_of(line.offsets))
        made.append(full(b"ctts", 1, 0, struct.pack(">I", len(ctts) // 8), ctts))
    flags = itertools.chain.from_iterable(strip.columns.keys for strip in strips)
    keys = [number for number, is_key in enumerate(flags, 1) if is_key]
    sizes = [size for strip in strips for size in strip.columns.sizes]
    chunks = [struct.pack(">III", number, count, entry) for number, (count, entry, _) in enumerate(runs, 1)]
    return [
        *made,
        full(b"stss", 0, 0, struct.pack(f">I{len(keys)}I", len(keys), *keys)),
        full(b"stsc", 0, 0, struct.pack(">I", len(chunks)), *chunks),
        full(b"stsz", 0, 0, struct.pack(f">II{len(sizes)}I", 0, len(sizes), *sizes)),
    ]


def _places(strips: Sequence[Strip], data_at: int) -> bytes:
    """co64: where each chunk begins, the first at `data_at`."""
    sizes = [size for _, _, size in _descriptions(strips)[1]]
    places = list(itertools.accumulate(sizes[:-1], initial=data_at))
    return full(b"co64", 0, 0, struct.pack(f">I{len(places)}Q", len(places), *places))


def _descriptions(strips: Sequence[Strip]) -> tuple[list[bytes], list[tuple[int, int, int]]]:
    """The different sample entries, and (pictures, number of their entry, octets) of each run of one."""
    entries: list[bytes] = []
    known: dict[bytes, int] = {}
    runs: list[tuple[int, int, int]] = []
    for strip in strips:
        octets = strip.init.octets
        if octets not in known:
            moov = moov_of(strip.init)
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
