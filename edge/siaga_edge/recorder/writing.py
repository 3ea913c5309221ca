"""One camera's segments on the disk: appended by its pump, synced and closed by the flusher."""

import contextlib
import errno
import hashlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from siaga_core.service.clock import Boot, Clock
from siaga_core.service.files import write_all
from siaga_edge.recorder import segments
from siaga_edge.recorder.chain import Span
from siaga_edge.recorder.flushing import FULL, Flusher, Tail
from siaga_edge.recorder.fragments import Fragment, Init, Mark
from siaga_edge.recorder.pictures import believable

log = logging.getLogger(__name__)
_T = TypeVar("_T")

# A full disk is waited for with the fragment in hand, so long; a stream stands that in its buffers.
ROOM_WITHIN_S = 4.0
_ROOM_POLL_S = 0.05
# A disk that refuses is asked again for a new file so often.
RETRY_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Unwritten:
    """Footage of `camera` came and was not kept, from `start_wall_ns` on; `reason` says why."""

    camera: str
    start_wall_ns: int
    reason: str


@dataclass(frozen=True, slots=True)
class WrittenAgain:
    """Footage is kept again; what came in between is a gap."""

    camera: str
    start_wall_ns: int
    end_wall_ns: int
    reason: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where segments go, and who is told; the same for all cameras."""

    folder: Path
    boot: Boot
    clock: Clock
    segment_s: float
    flusher: Flusher
    tell: Callable[[Unwritten | WrittenAgain], None]
    wait: Callable[[float], bool]  # sleeps; True: the recorder is ending
    make_room: Callable[[], None] = lambda: None  # asks retention to work now; returns at once
    is_there: Callable[[], bool] = lambda: True  # whether the footage disk is the one that was opened
    paused: Callable[[str], str] = lambda _camera: ""  # why this camera may not be recorded now
    write: Callable[[int, bytes], None] = write_all


class Refused(OSError):
    """This may not be written now: the disk is another one, or room is kept for other cameras."""


class SegmentWriter:
    """Writes one run of one camera: from one start of its stream to the end of it. Never raises OSError.

    Of what the disk refuses nothing counts: it is a gap with a reason, and the next key picture tries again.
    """

    def __init__(self, place: Place, camera: str, run: int) -> None:
        self._place, self._camera, self._run = place, camera, run
        self._seq = 0
        self._init: Init | None = None
        self._open: segments.Open | None = None
        self._tail: Tail | None = None
        self._digest = hashlib.sha256()
        self._size_bytes = 0
        self._span: Span | None = None
        self._stretch_boot_ns: int | None = None
        self._lost_wall_ns = 0
        self._lost_reason = ""
        self._retry_mono_s = float("-inf")

    def begin(self, init: Init) -> None:
        """The stream's parameters; what follows goes into a new segment."""
        if self._init is not None and init.octets != self._init.octets:
            self.close()
        self._init = init

    def add(self, fragment: Fragment) -> None:
        """Append a fragment; it is durable when the flusher says so."""
        assert self._init is not None
        clock = self._place.clock
        timescale = self._init.timescale
        lasts = sum(believable([sample.duration for sample in fragment.samples], timescale))
        duration_ms = lasts * 1000 // timescale
        mark = Mark(self._place.boot.seq, clock.boot_ns(), clock.wall_ns(), duration_ms)
        try:
            self._add(fragment, mark, clock.mono_s())
        except OSError as error:
            self._lose(mark, error)

    def close(self) -> None:
        """Nothing more comes: the flusher syncs, links and closes the open segment."""
        if self._tail is None:
            return
        if self._span is None or self._tail.failure is not None:
            self.abandon()
            return
        self._place.flusher.close(self._tail, self._span, self._digest.digest(), self._size_bytes)
        self._tail = self._open = None

    def abandon(self) -> None:
        """Let go of the open file; its whole fragments are found again."""
        if self._tail is not None:
            self._place.flusher.abandon(self._tail)
        self._tail = self._open = None

    def _add(self, fragment: Fragment, mark: Mark, now_s: float) -> None:
        if reason := self._place.paused(self._camera):
            self.close()
            raise Refused(errno.EDQUOT, reason)
        if self._tail is not None and self._tail.failure is not None:
            raise self._tail.failure
        if self._open is not None and segments.is_full(
            self._open, now_s, self._place.segment_s, starts_with_key=fragment.starts_with_key
        ):
            self.close()
        start_ns = max(0, mark.boot_ns - mark.duration_ms * 1_000_000)
        if self._tail is None:
            self._begin_segment(fragment, now_s, start_ns)
        assert self._tail is not None
        self._append(mark.box(), fragment.octets)
        first = self._span or Span(mark.boot_seq, start_ns, 0, 0, 0)
        self._span = Span(
            first.boot_seq,
            first.start_boot_ns,
            mark.boot_ns,
            first.media_ms + mark.duration_ms,
            first.fragments + 1,
        )
        self._place.flusher.dirty(self._tail, mark.boot_ns)
        self._regained(mark)

    def _begin_segment(self, fragment: Fragment, now_s: float, start_ns: int) -> None:
        assert self._init is not None
        if self._lost_reason and (now_s < self._retry_mono_s or not fragment.starts_with_key):
            raise Refused(errno.EAGAIN, self._lost_reason)
        self._retry_mono_s = now_s + RETRY_EVERY_S
        if not self._place.is_there():
            raise Refused(errno.ENODEV, "the footage disk is away")
        name = segments.name(self._camera, self._place.boot.seq, self._run, self._seq + 1)
        path = segment_path(self._place.folder, name)
        folders = self._make_folders(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = self._with_room(lambda: os.open(path, flags, 0o640))
        self._seq += 1
        if self._stretch_boot_ns is None:
            self._stretch_boot_ns = start_ns
        self._tail = Tail(path, name, self._camera, descriptor, folders, self._stretch_boot_ns)
        self._open, self._span = segments.Open(name, now_s), None
        self._digest, self._size_bytes = hashlib.sha256(), 0
        self._append(self._init.octets)

    def _make_folders(self, path: Path) -> tuple[Path, ...]:
        """Make the run's folder; which folders have a new name in them."""
        run = path.parent
        if run.is_dir():
            return (run,)
        known = run.parent.is_dir()
        self._with_room(lambda: run.mkdir(parents=True, exist_ok=True))
        return (run, run.parent) if known else (run, run.parent, self._place.folder)

    def _append(self, *pieces: bytes) -> None:
        """Append all of `pieces` or nothing. Raises OSError."""
        assert self._tail is not None
        descriptor, before = self._tail.descriptor, self._size_bytes

        def write() -> None:
            try:
                for octets in pieces:
                    self._place.write(descriptor, octets)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, before)
                    os.lseek(descriptor, before, os.SEEK_SET)
                raise

        self._with_room(write)
        for octets in pieces:
            self._digest.update(octets)
            self._size_bytes += len(octets)

    def _with_room(self, deed: Callable[[], _T]) -> _T:
        """Do it; on a full disk ask for room and do the same again. Raises OSError."""
        clock = self._place.clock
        deadline_s = clock.mono_s() + (0 if self._lost_reason else ROOM_WITHIN_S)
        while True:
            try:
                return deed()
            except OSError as error:
                if isinstance(error, Refused) or error.errno not in FULL:
                    raise
                self._place.make_room()
                if clock.mono_s() >= deadline_s or self._place.wait(_ROOM_POLL_S):
                    raise

    def _lose(self, mark: Mark, error: OSError) -> None:
        if isinstance(error, Refused) or error.errno in FULL:
            self.close()  # what it holds is whole
        else:
            self.abandon()
        self._stretch_boot_ns = None
        reason = error.strerror or str(error)
        if not self._lost_reason:
            self._lost_wall_ns = mark.wall_ns - mark.duration_ms * 1_000_000
            self._lost_reason = reason
            log.error("footage not kept camera=%s cause=%s", self._camera, reason)
            self._place.tell(Unwritten(self._camera, self._lost_wall_ns, reason))

    def _regained(self, mark: Mark) -> None:
        if self._lost_reason:
            end_ns = mark.wall_ns - mark.duration_ms * 1_000_000
            self._place.tell(WrittenAgain(self._camera, self._lost_wall_ns, end_ns, self._lost_reason))
            self._lost_reason = ""


def segment_path(folder: Path, name: str) -> Path:
    """Where a segment's file is."""
    return folder / f"{name}.mp4"
