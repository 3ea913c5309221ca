"""A clip: the asked span of one camera, exact to the picture, as an MP4 anybody can play.

Pictures are copied as they were recorded. The file begins at the key picture before the asked start, because
a decoder needs it; an edit list shows the span from the asked picture on (ISO/IEC 14496-12 §8.6.6).
"""

import hashlib
import itertools
import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from siaga_core.errors import SiagaError
from siaga_core.service.files import write_all
from siaga_edge.recorder.fragments import BadStream, Fragment, Init, Parser, Sample, boxes, find

GAP_LEAST_NS = 500_000_000
_READ_BYTES = 1 << 20
_MOVIE_SCALE = 1000


class NoFootage(SiagaError):
    """There is nothing of the asked span."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: when it was, what it is, and where its octets lie."""

    wall_ns: int
    sample: Sample
    path: Path
    at: int


@dataclass(frozen=True, slots=True)
class Clip:
    """What was cut. Times are of the first and after the last picture shown."""

    size_bytes: int
    sha256: str
    start_wall_ns: int
    end_wall_ns: int
    pictures: int
    gaps: tuple[tuple[int, int], ...]


def cut(paths: Iterable[Path], start_wall_ns: int, end_wall_ns: int, target: Path) -> Clip:
    """Cut the span out of segment files in order of time into `target`; synced. Raises NoFootage."""
    init: Init | None = None
    pictures: list[Picture] = []
    for path in paths:
        for found_init, picture in _pictures(path):
            if init is None:
                init = found_init
            if picture.wall_ns >= end_wall_ns or found_init.octets != init.octets:
                break
            if picture.sample.is_sync and picture.wall_ns <= start_wall_ns:
                pictures.clear()
            pictures.append(picture)
    while pictures and not pictures[0].sample.is_sync:
        pictures.pop(0)
    shown = [picture for picture in pictures if picture.wall_ns >= start_wall_ns]
    if init is None or not shown:
        raise NoFootage("there is no footage of this span")
    return _write(init, pictures, len(pictures) - len(shown), target)


def _pictures(path: Path) -> Iterator[tuple[Init, Picture]]:
    """A segment's pictures with their times; what is torn at the end is left out."""
    parser = Parser()
    try:
        with path.open("rb") as file:
            while octets := file.read(_READ_BYTES):
                for made in parser.feed(octets):
                    if isinstance(made, Fragment) and parser.init is not None and made.mark is not None:
                        begin = parser.consumed - len(made.octets) + made.payload_at
                        yield from (
                            (parser.init, one) for one in _of_fragment(made, parser.init, path, begin)
                        )
    except (BadStream, FileNotFoundError):
        return


def _of_fragment(fragment: Fragment, init: Init, path: Path, at: int) -> Iterator[Picture]:
    assert fragment.mark is not None
    begin_ns = fragment.mark.wall_ns - fragment.duration * 1_000_000_000 // init.timescale
    elapsed = 0
    for sample in fragment.samples:
        yield Picture(begin_ns + elapsed * 1_000_000_000 // init.timescale, sample, path, at)
        elapsed += sample.duration
        at += sample.size


def _write(init: Init, pictures: list[Picture], hidden: int, target: Path) -> Clip:
    durations, gaps = _durations(init, pictures)
    ftyp = struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"isom", 0x200, b"isom", b"avc1")
    size = sum(picture.sample.size for picture in pictures)
    length = len(_moov(init, pictures, durations, hidden, 0))
    moov = _moov(init, pictures, durations, hidden, len(ftyp) + length + 16)
    head = ftyp + moov + struct.pack(">I4sQ", 1, b"mdat", size + 16)
    digest = hashlib.sha256(head)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    try:
        write_all(descriptor, head)
        for octets in _octets(pictures):
            digest.update(octets)
            write_all(descriptor, octets)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    last_ns = durations[-1] * 1_000_000_000 // init.timescale
    return Clip(
        len(head) + size,
        digest.hexdigest(),
        pictures[hidden].wall_ns,
        pictures[-1].wall_ns + last_ns,
        len(pictures) - hidden,
        tuple(gap for gap in gaps if gap[1] > pictures[hidden].wall_ns),
    )


def _durations(init: Init, pictures: list[Picture]) -> tuple[list[int], list[tuple[int, int]]]:
    """How long each picture is shown, and the gaps: over a gap the last picture stands still."""
    durations, gaps = [], []
    for one, following in itertools.pairwise(pictures):
        own_ns = one.sample.duration * 1_000_000_000 // init.timescale
        between_ns = following.wall_ns - one.wall_ns
        if between_ns - own_ns > GAP_LEAST_NS:
            gaps.append((one.wall_ns + own_ns, following.wall_ns))
            durations.append(between_ns * init.timescale // 1_000_000_000)
        else:
            durations.append(one.sample.duration)
    return [*durations, pictures[-1].sample.duration], gaps


def _octets(pictures: list[Picture]) -> Iterator[bytes]:
    path: Path | None = None
    file = None
    try:
        for picture in pictures:
            if picture.path != path:
                if file is not None:
                    file.close()
                path, file = picture.path, picture.path.open("rb")
            assert file is not None
            file.seek(picture.at)
            yield file.read(picture.sample.size)
    finally:
        if file is not None:
            file.close()


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _full(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags), *parts)


def _moov(init: Init, pictures: list[Picture], durations: list[int], hidden: int, data_at: int) -> bytes:
    """moov with the recorded track's own description and tables of ours."""
    moov = init.octets[_moov_at(init.octets) :]
    total = sum(durations)
    before = sum(durations[:hidden])
    shown_ms = (total - before) * _MOVIE_SCALE // init.timescale
    trak_at, trak_end = find(moov, b"trak")
    tkhd = _child(moov, trak_at, trak_end, b"tkhd")
    mdia_at, mdia_end = find(moov, b"trak", b"mdia")
    minf_at, minf_end = find(moov, b"trak", b"mdia", b"minf")
    stsd = _child(moov, *find(moov, b"trak", b"mdia", b"minf", b"stbl"), b"stsd")
    mdhd = _full(b"mdhd", 1, 0, struct.pack(">QQIQHH", 0, 0, init.timescale, total, 0x55C4, 0))
    others = [
        _child(moov, minf_at, minf_end, kind)
        for kind in (b"vmhd", b"dinf")
        if _has(moov, minf_at, minf_end, kind)
    ]
    stbl = _box(b"stbl", stsd, *_tables(pictures, durations, data_at))
    hdlr = _child(moov, mdia_at, mdia_end, b"hdlr")
    media_start = before + pictures[hidden].sample.offset
    elst = _full(b"elst", 1, 0, struct.pack(">IQqI", 1, shown_ms, media_start, 0x10000))
    trak = _box(
        b"trak",
        _with_duration(tkhd, shown_ms),
        _box(b"edts", elst),
        _box(b"mdia", mdhd, hdlr, _box(b"minf", *others, stbl)),
    )
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    mvhd = _full(
        b"mvhd",
        1,
        0,
        struct.pack(">QQIQIH", 0, 0, _MOVIE_SCALE, shown_ms, 0x10000, 0x100) + bytes(10) + matrix + bytes(24),
        struct.pack(">I", 2),
    )
    return _box(b"moov", mvhd, trak)


def _tables(pictures: list[Picture], durations: list[int], data_at: int) -> list[bytes]:
    """stts, ctts, stss, stsc, stsz, co64: one chunk holds everything."""
    samples = [picture.sample for picture in pictures]
    stts = b"".join(struct.pack(">II", count, value) for count, value in _runs(durations))
    made = [_full(b"stts", 0, 0, struct.pack(">I", len(stts) // 8), stts)]
    if any(sample.offset for sample in samples):
        ctts = b"".join(struct.pack(">Ii", n, value) for n, value in _runs([s.offset for s in samples]))
        made.append(_full(b"ctts", 1, 0, struct.pack(">I", len(ctts) // 8), ctts))
    keys = [number for number, sample in enumerate(samples, 1) if sample.is_sync]
    made.append(_full(b"stss", 0, 0, struct.pack(f">I{len(keys)}I", len(keys), *keys)))
    made.append(_full(b"stsc", 0, 0, struct.pack(">IIII", 1, 1, len(samples), 1)))
    sizes = [sample.size for sample in samples]
    made.append(_full(b"stsz", 0, 0, struct.pack(f">II{len(sizes)}I", 0, len(sizes), *sizes)))
    made.append(_full(b"co64", 0, 0, struct.pack(">IQ", 1, data_at)))
    return made


def _runs(values: list[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for value in values:
        if runs and runs[-1][1] == value:
            runs[-1] = (runs[-1][0] + 1, value)
        else:
            runs.append((1, value))
    return runs


def _moov_at(octets: bytes) -> int:
    return next(at - 8 for kind, at, _ in boxes(octets, 0) if kind == b"moov")


def _child(octets: bytes, at: int, end: int, kind: bytes) -> bytes:
    return next(octets[begin - 8 : stop] for found, begin, stop in boxes(octets, at, end) if found == kind)


def _has(octets: bytes, at: int, end: int, kind: bytes) -> bool:
    return any(found == kind for found, _, _ in boxes(octets, at, end))


def _with_duration(tkhd: bytes, duration_ms: int) -> bytes:
    """The track header with the clip's duration, in the movie's scale."""
    if tkhd[8] == 1:
        return tkhd[:36] + struct.pack(">Q", duration_ms) + tkhd[44:]
    return tkhd[:28] + struct.pack(">I", min(duration_ms, 0xFFFFFFFF)) + tkhd[32:]
