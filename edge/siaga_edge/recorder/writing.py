"""One camera's segments on the disk: appended, synced every second, closed with their hash."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from siaga_core.service.clock import Boot, Clock
from siaga_core.service.files import sync_directory, write_all
from siaga_edge.recorder import segments
from siaga_edge.recorder.fragments import Fragment, Init, Mark

# Footage not yet synced is lost at a power cut; a second of 4 Mbit/s costs one flush.
SYNC_EVERY_S = 1.0
LIVE_KEPT = 3


@dataclass(frozen=True, slots=True)
class Closed:
    """A segment that will not change any more."""

    name: str
    camera: str
    start_wall_ns: int
    end_wall_ns: int
    size_bytes: int
    sha256: str


class SegmentWriter:
    """Writes one run of one camera: from one start of its stream to the end of it."""

    def __init__(
        self, folder: Path, camera: str, boot: Boot, run: int, clock: Clock, segment_s: float
    ) -> None:
        self._folder, self._camera, self._boot, self._run = folder, camera, boot, run
        self._clock, self._segment_s = clock, segment_s
        self._seq = 0
        self._init: Init | None = None
        self._open: segments.Open | None = None
        self._descriptor = -1
        self._digest = hashlib.sha256()
        self._size_bytes = 0
        self._span = (0, 0)
        self._synced_mono_s = 0.0

    def begin(self, init: Init) -> None:
        """The stream's parameters; what follows goes into a new segment."""
        self._init = init

    def add(self, fragment: Fragment) -> Closed | None:
        """Append a fragment; the segment it closed, if any. Raises OSError: nothing of it counts then."""
        assert self._init is not None
        now_s = self._clock.mono_s()
        closed = None
        if self._open is not None and segments.is_full(
            self._open, now_s, self._segment_s, starts_with_key=fragment.starts_with_key
        ):
            closed = self.close()
        duration_ms = fragment.duration * 1000 // self._init.timescale
        wall_ns = self._clock.wall_ns()
        mark = Mark(self._boot.seq, self._clock.boot_ns(), wall_ns, duration_ms)
        if self._open is None:
            self._begin_segment(now_s, wall_ns - duration_ms * 1_000_000)
        self._append(fragment.marked(mark))
        self._span = (self._span[0], wall_ns)
        if now_s - self._synced_mono_s >= SYNC_EVERY_S:
            os.fdatasync(self._descriptor)
            self._synced_mono_s = now_s
        return closed

    def close(self) -> Closed | None:
        """Sync and close the open segment; None if there is none."""
        if self._open is None:
            return None
        os.fsync(self._descriptor)
        os.close(self._descriptor)
        name, self._open = self._open.name, None
        return Closed(name, self._camera, *self._span, self._size_bytes, self._digest.hexdigest())

    def abandon(self) -> None:
        """Let go of a file that could not be written; its whole fragments are found at the next start."""
        if self._open is not None:
            self._open = None
            os.close(self._descriptor)

    def _begin_segment(self, now_s: float, start_wall_ns: int) -> None:
        assert self._init is not None
        self._seq += 1
        name = segments.name(self._camera, self._boot.seq, self._run, self._seq)
        path = segment_path(self._folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        self._digest, self._size_bytes = hashlib.sha256(), 0
        self._open = segments.Open(name, now_s)
        self._span = (start_wall_ns, start_wall_ns)
        self._append(self._init.octets)
        os.fsync(self._descriptor)
        sync_directory(path.parent)
        sync_directory(path.parent.parent)
        self._synced_mono_s = now_s

    def _append(self, octets: bytes) -> None:
        write_all(self._descriptor, octets)
        self._digest.update(octets)
        self._size_bytes += len(octets)


class LiveRing:
    """The newest pictures of one camera in memory, for whoever judges or shows them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()

    def begin(self, init: Init) -> None:
        """Publish what a decoder needs first."""
        self._publish("init.mp4", init.octets)

    def add(self, fragment: Fragment) -> None:
        """Publish a fragment that can be decoded alone; the oldest gives way."""
        if not fragment.starts_with_key:
            return
        self._number += 1
        self._publish(f"{self._number:010d}.m4s", fragment.octets)
        (self._folder / f"{self._number - LIVE_KEPT:010d}.m4s").unlink(missing_ok=True)

    def _publish(self, name: str, octets: bytes) -> None:
        part = self._folder / f".{name}"
        part.write_bytes(octets)
        part.replace(self._folder / name)


def segment_path(folder: Path, name: str) -> Path:
    """Where a segment's file is."""
    return folder / f"{name}.mp4"
