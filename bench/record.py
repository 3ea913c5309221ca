"""CPU, memory, bytes at the device: 8 cameras of 1080p25, 4 Mbit/s, recorded, against ffmpeg without sync."""

import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench import process_tree
from bench.loop_disk import loop_disk, must_be_root
from bench.measure import Figure
from bench.recorders import Recorder, Start, Where, ffmpeg_segments, siaga
from bench.streams import RATE_BITS, Streams, streams

GOAL = "<= 1.25, <= 1.02"
# For a first look: fewer, or shorter.
CAMERAS = int(os.environ.get("SIAGA_BENCH_CAMERAS", "8"))
SECONDS = float(os.environ.get("SIAGA_BENCH_SECONDS", "30"))
RUNS = int(os.environ.get("SIAGA_BENCH_RUNS", "5"))
CPU_MOST, MEMORY_MOST, BYTES_MOST = 1.25, 1.25, 1.02
# Until every camera is recorded and starting is over: what is judged is the work of months, not of a start.
WARM_S = 6.0
_STARTED_WITHIN_S = 20.0
ANCHOR_IS = "ffmpeg -c copy -f segment, fMP4, no sync, same run"


@dataclass(frozen=True, slots=True)
class Used:
    """What one run took."""

    cpu_s: float  # within SECONDS
    pss_bytes: int  # at the end of them
    written_ratio: float  # octets at the device for each of footage, over the whole run


def run() -> list[Figure]:
    """Medians over alternating runs; each segment ends once within what is measured."""
    must_be_root()
    with streams(CAMERAS) as cameras:
        measure(siaga, cameras)  # not counted: what is read from the disk for the first time
        pairs = [(measure(siaga, cameras), measure(ffmpeg_segments, cameras)) for _ in range(RUNS)]
    ours, anchor = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    what = f"{CAMERAS} cameras, {RATE_BITS // 10**6} Mbit/s"
    return [
        _compared(f"CPU in {SECONDS:g} s, {what}", "s", _cpu(ours), _cpu(anchor), CPU_MOST),
        _compared(f"memory (PSS), {what}", "MB", _memory_mb(ours), _memory_mb(anchor), MEMORY_MOST),
        _bytes(what, _written(ours), _written(anchor)),
    ]


def measure(start: Start, cameras: Streams, least_kept: float = 1.0) -> Used:
    """One run on a disk of its own. Raises SystemExit when less than `least_kept` of it was recorded."""
    size_bytes = disk_bytes(len(cameras.names), SECONDS)
    with loop_disk(size_bytes) as disk, tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        where = Where(disk.folder, Path(memory))
        before = disk.written_bytes()
        recorder = start(where, cameras, SECONDS)
        try:
            until_recorded(where, len(cameras.names))
            cpu_s, pss_bytes = _watch(recorder)
        finally:
            recorder.end()
        footage = _footage_bytes(where)
        used = Used(cpu_s, pss_bytes, (disk.written_bytes() - before) / footage)
        kept = footage / (len(cameras.names) * RATE_BITS / 8 * SECONDS)
    if kept < least_kept:
        raise SystemExit(f"{kept:.0%} of the footage was kept: the machine is too busy, or cameras were lost")
    sys.stderr.write(
        f"record {start.__name__:16s} {used.cpu_s:6.2f} s {used.pss_bytes / 1e6:6.1f} MB"
        f" {used.written_ratio:.4f} bytes/byte\n"
    )
    return used


def disk_bytes(cameras: int, seconds: float) -> int:
    """Room for a run and its start."""
    return int(cameras * RATE_BITS / 8 * (seconds + WARM_S + _STARTED_WITHIN_S) * 1.5) + 2**27


def until_recorded(where: Where, cameras: int) -> None:
    """Wait until every camera has a file. Raises SystemExit."""
    deadline_s = time.monotonic() + _STARTED_WITHIN_S
    while len({path.relative_to(where.footage).parts[0] for path in files(where)}) < cameras:
        if time.monotonic() > deadline_s:
            raise SystemExit("not every camera is recorded; does ffmpeg work here?")
        time.sleep(0.1)


def files(where: Where) -> list[Path]:
    """Every file of footage, oldest first."""
    found = [path for path in where.footage.rglob("*") if path.suffix in (".mp4", ".mkv")]
    return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path))


def _watch(recorder: Recorder) -> tuple[float, int]:
    time.sleep(WARM_S)
    before_s = process_tree.cpu_s(recorder.pids)
    time.sleep(SECONDS)
    return process_tree.cpu_s(recorder.pids) - before_s, process_tree.pss_bytes(recorder.pids)


def _footage_bytes(where: Where) -> int:
    return sum(path.stat().st_size for path in files(where))


def _cpu(used: list[Used]) -> float:
    return statistics.median(one.cpu_s for one in used)


def _memory_mb(used: list[Used]) -> float:
    return statistics.median(one.pss_bytes for one in used) / 1e6


def _written(used: list[Used]) -> float:
    return statistics.median(one.written_ratio for one in used)


def _compared(figure: str, unit: str, ours: float, anchor: float, most: float) -> Figure:
    ratio = ours / anchor
    return Figure(
        bench="record",
        figure=figure,
        unit=unit,
        ours=round(ours, 3),
        anchor=round(anchor, 3),
        anchor_is=ANCHOR_IS,
        ratio=round(ratio, 3),
        goal=f"ratio <= {most}",
        met=ratio <= most,
        runs=RUNS,
    )


def _bytes(what: str, ours: float, anchor: float) -> Figure:
    return Figure(
        bench="record",
        figure=f"written to the device for each byte of footage, {what}",
        unit="bytes",
        ours=round(ours, 4),
        anchor=round(anchor, 4),
        anchor_is=ANCHOR_IS,
        ratio=round(ours / anchor, 4),
        goal=f"ours <= {BYTES_MOST}",
        met=ours <= BYTES_MOST,
        runs=RUNS,
    )
