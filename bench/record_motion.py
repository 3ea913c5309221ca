"""Our recorder beside Debian's motion on the same streams: CPU, memory, what a crash and a power cut cost."""

import contextlib
import fcntl
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.loop_disk import LoopDisk, loop_disk, must_be_root
from bench.measure import Figure
from bench.record import RUNS, SECONDS, Used, disk_bytes, files, measure, until_recorded
from bench.recorders import Start, Where, motion, siaga
from bench.streams import FPS, Streams, streams

# motion decodes every picture: eight cameras of this size are more than two cores can do.
CAMERAS = int(os.environ.get("SIAGA_BENCH_CAMERAS", "2"))
LOSSES = int(os.environ.get("SIAGA_BENCH_LOSSES", "5"))
SEGMENT_S = 10.0
# Long enough that what a kernel writes by itself after 30 s (vm.dirty_expire_centisecs) is on the disk.
CUT_AFTER_S = 40.0
FILM_S = 90.0  # no picture comes twice in a run
ANCHOR_IS = "motion in pass-through, same run"
# linux/fs.h: FS_IOC_SHUTDOWN; 2: nothing that waits in memory is written any more.
_SHUTDOWN, _NOTHING_MORE = 0x8004587D, 2


@dataclass(frozen=True, slots=True)
class Witness:
    """Another client of a camera: what it has seen, picture by picture."""

    process: "subprocess.Popen[bytes]"
    seen: Path

    def end(self) -> None:
        """Leave the camera."""
        self.process.terminate()
        self.process.wait(10)


def run() -> list[Figure]:
    """Medians; seconds lost are each camera's, from its last readable picture to the cut."""
    must_be_root()
    with streams(CAMERAS) as cameras:
        measure(siaga, cameras)
        pairs = [(measure(siaga, cameras), measure(motion, cameras, least_kept=0.3)) for _ in range(RUNS)]
    with streams(CAMERAS, FILM_S) as cameras:
        losses = [
            _losses("kill -9", cameras, cut_power=False),
            _losses("power cut", cameras, cut_power=True),
        ]
    what = f"{CAMERAS} cameras"
    return [
        _figure(f"CPU in {SECONDS:g} s, {what}", "s", *_medians([(a.cpu_s, b.cpu_s) for a, b in pairs])),
        _figure(f"memory (PSS), {what}", "MB", *_medians([(_mb(a), _mb(b)) for a, b in pairs])),
        *losses,
    ]


def _mb(used: Used) -> float:
    return used.pss_bytes / 1e6


def _losses(name: str, cameras: Streams, *, cut_power: bool) -> Figure:
    lost: tuple[list[float], list[float]] = ([], [])
    for _ in range(LOSSES):
        for start, found in ((siaga, lost[0]), (motion, lost[1])):
            found += _lost_s(start, cameras, cut_power=cut_power)
            sys.stderr.write(f"{name} {start.__name__:8s} lost {max(found[-CAMERAS:]):.2f} s\n")
    return _figure(f"lost at {name}, worst of {len(lost[0])}", "s", max(lost[0]), max(lost[1]))


def _lost_s(start: Start, cameras: Streams, *, cut_power: bool) -> list[float]:
    """One run that ends badly; what of each camera's pictures is not readable afterwards, in seconds."""
    size_bytes = disk_bytes(CAMERAS, CUT_AFTER_S)
    with (
        loop_disk(size_bytes) as disk,
        tempfile.TemporaryDirectory(dir="/dev/shm") as memory,
    ):
        where = Where(disk.folder, Path(memory))
        recorder = start(where, cameras, SEGMENT_S)
        try:
            with _witnesses(cameras, Path(memory)) as witnesses:
                until_recorded(where, CAMERAS)
                time.sleep(CUT_AFTER_S)
                if cut_power:
                    _shut_down(disk)
                recorder.kill()
        finally:
            recorder.kill()
        if cut_power:
            _boot(disk)
        return [
            _unread(witnesses[name].seen, [p for p in files(where) if name in p.parts]) / FPS
            for name in cameras.names
        ]


@contextlib.contextmanager
def _witnesses(cameras: Streams, folder: Path) -> Iterator[dict[str, Witness]]:
    made = {}
    for name in cameras.names:
        seen = folder / f"{name}.seen"
        command = ["ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", "tcp", "-i", cameras.url(name)]
        command += ["-map", "0:v:0", "-c", "copy", "-f", "framemd5", "-flush_packets", "1", str(seen)]
        made[name] = Witness(subprocess.Popen(command, stderr=subprocess.DEVNULL), seen)
    try:
        yield made
    finally:
        for witness in made.values():
            witness.end()


def _unread(seen: Path, kept: list[Path]) -> int:
    """How many of the pictures seen came after the last that a file holds."""
    shown = list(_hashes(seen.read_text()))
    held = {one for path in kept for one in _hashes(_pictures(path))}
    last = max((number for number, one in enumerate(shown, 1) if one in held), default=0)
    return len(shown) - last


def _pictures(path: Path) -> str:
    command = ["ffmpeg", "-nostdin", "-v", "quiet", "-i", str(path), "-map", "0:v:0", "-c", "copy"]
    command += ["-bsf:v", "h264_mp4toannexb", "-f", "framemd5", "-"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout


def _hashes(text: str) -> Iterator[str]:
    """The sixth column of framemd5; what may follow is said of side data."""
    for line in text.splitlines():
        columns = line.split(",")
        if columns[0] == "0" and len(columns) > 5:
            yield columns[5].strip()


def _shut_down(disk: LoopDisk) -> None:
    descriptor = os.open(disk.folder, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _NOTHING_MORE))
    finally:
        os.close(descriptor)


def _boot(disk: LoopDisk) -> None:
    """Mount what the cut left, as the next boot does."""
    subprocess.run(["umount", str(disk.folder)], check=True, timeout=60)
    subprocess.run(["mount", "-o", "noatime", disk.device, str(disk.folder)], check=True, timeout=60)


def _medians(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


def _figure(name: str, unit: str, ours: float, anchor: float) -> Figure:
    return Figure(
        bench="record --vs motion",
        figure=name,
        unit=unit,
        ours=round(ours, 2),
        anchor=round(anchor, 2),
        anchor_is=ANCHOR_IS,
        ratio=round(ours / anchor, 3) if anchor else 0.0,
        goal="a table",
        met=True,
        runs=RUNS if unit != "s" or "CPU" in name else LOSSES,
    )
