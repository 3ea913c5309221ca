"""The boxes of a clip's sound track (ISO/IEC 14496-12), beside those of its pictures in `movie`. Pure."""

import itertools
import struct

from siaga_edge.recorder.boxes import box, child, full, has, runs_of, with_duration
from siaga_edge.recorder.fragments import find
from siaga_edge.recorder.sound import Track, recorded_trak

# Sample entries in which one sample is one octet (QuickTime File Format, Sound Sample Descriptions).
_OCTET_SAMPLES = (b"alaw", b"ulaw")


def trak(heard: Track, movie_scale: int, data_at: int) -> bytes:
    """The track: heard from `delay_ns` after the first picture on; its octets lie in a row from `data_at`."""
    recorded = recorded_trak(heard.init)
    total = sum(heard.durations)
    lasts, delay = total * movie_scale // heard.scale, heard.delay_ns * movie_scale // 1_000_000_000
    edits = [struct.pack(">QqI", delay, -1, 0x10000)] if delay else []
    edits.append(struct.pack(">QqI", lasts, 0, 0x10000))
    minf = find(recorded, b"mdia", b"minf")
    kept = [child(recorded, *minf, kind) for kind in (b"smhd", b"dinf") if has(recorded, *minf, kind)]
    stsd = child(recorded, *find(recorded, b"mdia", b"minf", b"stbl"), b"stsd")
    mdhd = full(b"mdhd", 1, 0, struct.pack(">QQIQHH", 0, 0, heard.scale, total, 0x55C4, 0))
    return box(
        b"trak",
        with_duration(child(recorded, 8, len(recorded), b"tkhd"), delay + lasts),
        box(b"edts", full(b"elst", 1, 0, struct.pack(">I", len(edits)), *edits)),
        box(
            b"mdia",
            mdhd,
            child(recorded, *find(recorded, b"mdia"), b"hdlr"),
            box(b"minf", *kept, box(b"stbl", stsd, *_tables(heard, stsd, data_at))),
        ),
    )


def _tables(heard: Track, stsd: bytes, data_at: int) -> list[bytes]:
    """stts, stsc, stsz, co64; one chunk for each run."""
    sizes = [size for run in heard.runs for size in run.columns.sizes]
    if stsd[20:24] in _OCTET_SAMPLES:
        durations = _by_octet(sizes, heard.durations)
        counts = [sum(run.columns.sizes) for run in heard.runs]
        stsz = full(b"stsz", 0, 0, struct.pack(">II", 1, sum(sizes)))
    else:
        durations = runs_of(heard.durations)
        counts = [len(run.columns.sizes) for run in heard.runs]
        stsz = full(b"stsz", 0, 0, struct.pack(f">II{len(sizes)}I", 0, len(sizes), *sizes))
    chunks = [struct.pack(">III", number, count, 1) for number, count in enumerate(counts, 1)]
    octets = [sum(run.columns.sizes) for run in heard.runs]
    places = list(itertools.accumulate(octets[:-1], initial=data_at))
    stts = b"".join(struct.pack(">II", count, value) for count, value in durations)
    return [
        full(b"stts", 0, 0, struct.pack(">I", len(stts) // 8), stts),
        full(b"stsc", 0, 0, struct.pack(">I", len(chunks)), *chunks),
        stsz,
        full(b"co64", 0, 0, struct.pack(f">I{len(places)}Q", len(places), *places)),
    ]


def _by_octet(sizes: list[int], durations: list[int]) -> list[tuple[int, int]]:
    """(samples, duration of each): an octet lasts one unit, the last before a gap until the next."""
    made: list[tuple[int, int]] = []
    for size, duration in zip(sizes, durations, strict=True):
        single = size if duration == size else size - 1
        if made and made[-1][1] == 1:
            made[-1] = made[-1][0] + single, 1
        else:
            made.append((single, 1))
        if single < size:
            made.append((1, max(1, duration - single)))
    return made
