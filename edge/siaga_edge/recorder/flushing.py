"""The one thread that makes footage durable: a group commit over all cameras, and the closing of segments."""

import contextlib
import errno
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from siaga_core.service.clock import Clock
from siaga_core.service.files import sync_directory, write_all
from siaga_core.service.workers import Stop
from siaga_edge.recorder import writeback
from siaga_edge.recorder.chain import Head, Link, Span
from siaga_edge.recorder.dating import Observation
from siaga_edge.recorder.salvage import Closed, close_left_open

log = logging.getLogger(__name__)

# Fragments of all cameras that ended within it share one round; the rest of the half second that a fragment
# may wait is for the disk.
GATHER_S = 0.35
# Files that were let go of are looked at again so often; a disk that is away stays away for longer.
ADOPT_EVERY_S = 5.0
LAST_ROUNDS = 3
FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(slots=True)
class Tail:
    """A file that is being written; one pump writes it, the flusher syncs it."""

    path: Path
    name: str
    camera: str
    descriptor: int
    folders: tuple[Path, ...]  # to be synced once: those in which a name is new
    stretch_boot_ns: int  # where the camera's unbroken footage that this goes on with began
    written_boot_ns: int = 0
    durable_boot_ns: int = 0
    failure: OSError | None = None  # a failed sync: the file is never trusted nor synced again


@dataclass(frozen=True, slots=True)
class Durable:
    """Footage of `camera` outlives a power cut, unbroken from its begin up to this arrival."""

    camera: str
    start_boot_ns: int
    end_boot_ns: int


@dataclass(slots=True)
class Closing:
    """A file that nothing more is appended to."""

    tail: Tail
    span: Span
    sha256: bytes
    size_bytes: int


@dataclass
class Flusher:
    """Syncs what pumps have written. `step` is called in one thread; `dirty` and `close` in any."""

    clock: Clock
    tell: Callable[[Durable | Closed], None]
    head: Head
    observation: Callable[[], Observation]
    fdatasync: Callable[[int], None] = os.fdatasync
    sync_directory: Callable[[Path], None] = sync_directory
    _open: dict[str, Tail] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    gather_s: float = GATHER_S
    _wanted: threading.Event = field(default_factory=threading.Event)
    _dirty: dict[int, Tail] = field(default_factory=dict)
    _closings: list[Closing] = field(default_factory=list)
    _orphans: dict[str, Path] = field(default_factory=dict)  # let go of before they were linked
    _adopt_mono_s: float = 0.0

    def dirty(self, tail: Tail, end_boot_ns: int) -> None:
        """A whole fragment was appended: sync it soon."""
        with self._lock:
            tail.written_boot_ns = end_boot_ns
            self._open[tail.name] = tail
            self._dirty[id(tail)] = tail
        self._wanted.set()

    def close(self, tail: Tail, span: Span, sha256: bytes, size_bytes: int) -> None:
        """Nothing more will be appended: sync, link and close it soon."""
        with self._lock:
            self._dirty.pop(id(tail), None)
            self._closings.append(Closing(tail, span, sha256, size_bytes))
        self._wanted.set()

    def abandon(self, tail: Tail) -> None:
        """Let go of a file that could not be written; its whole fragments are taken in later."""
        with self._lock:
            self._dirty.pop(id(tail), None)
            self._open.pop(tail.name, None)
            self._orphans[tail.name] = tail.path
            with contextlib.suppress(OSError):
                os.close(tail.descriptor)

    def unclosed(self, camera: str) -> list[str]:
        """Names of a camera's segments that are not linked yet, oldest first."""
        with self._lock:
            writing = [tail.name for tail in self._open.values() if tail.camera == camera]
            return [*(name for name in self._orphans if name.startswith(f"{camera}/")), *writing]

    def work(self, stop: Stop) -> None:
        """Until asked to stop; then what waits is written, if the disk lets it."""
        self._adopt_mono_s = self.clock.mono_s() + ADOPT_EVERY_S
        while not stop.is_set():
            if self._wanted.wait(self.gather_s):
                stop.wait(self.gather_s)
            if self._wanted.is_set() or self._closings:
                self.step()
            if self._orphans and self.clock.mono_s() >= self._adopt_mono_s:
                self._adopt_mono_s = self.clock.mono_s() + ADOPT_EVERY_S
                self.adopt()
        for _ in range(LAST_ROUNDS):
            if self._dirty or self._closings:
                self.step()

    def step(self) -> None:
        """One round: every file that grew, then every one that ended, in this order over all cameras."""
        self._wanted.clear()
        with self._lock:
            grown, self._dirty = list(self._dirty.values()), {}
            closings, self._closings = self._closings, []
        self._write_back(grown)
        for tail in grown:
            self._sync(tail)
        for closing in closings:
            self._link(closing)

    def adopt(self) -> None:
        """Take in files that were let go of; those that the disk still refuses wait."""
        with self._lock:
            orphans = dict(self._orphans)
        for name, path in orphans.items():
            try:
                left = close_left_open(path, name, self.head, self.observation())
            except FileNotFoundError:
                if not path.parent.is_dir():
                    continue  # the whole disk is away
                left = None
            except OSError:
                continue
            if left is not None:
                self.head = left.closed.link.head(name)
                log.info("segment taken in segment=%s cut=%d", name, left.cut_bytes)
                self.tell(left.closed)
            with self._lock:
                self._orphans.pop(name, None)

    def _write_back(self, tails: list[Tail]) -> None:
        """Bring the octets of all files to the disk; the first fdatasync then commits for all of them.

        ext4 gives blocks out, and marks them as written, when octets are written back. One file after the
        other, each fdatasync commits a transaction or two of its own: 1.06 octets at the device for each
        of footage (docs/decisions/0016).
        """
        if len(tails) > 1:
            for step in (writeback.begin_to_write, writeback.wait_until_written):
                for tail in tails:
                    self._attempt(tail, step)

    def _sync(self, tail: Tail) -> bool:
        upto, folders = tail.written_boot_ns, tail.folders
        if not self._attempt(tail, lambda descriptor: self._make_durable(descriptor, folders)):
            return False
        tail.folders = ()
        if upto > tail.durable_boot_ns:
            tail.durable_boot_ns = upto
            self.tell(Durable(tail.camera, tail.stretch_boot_ns, upto))
        return True

    def _make_durable(self, descriptor: int, folders: tuple[Path, ...]) -> None:
        self.fdatasync(descriptor)
        for folder in folders:
            self.sync_directory(folder)

    def _attempt(self, tail: Tail, deed: Callable[[int], None]) -> bool:
        """Do it with a descriptor of the file's; once it failed, the file is never asked for again."""
        if tail.failure is not None:
            return False
        # A pump may abandon the file meanwhile: a number of its own cannot become another file's.
        with self._lock:
            try:
                descriptor = os.dup(tail.descriptor)
            except OSError:
                return False
        try:
            deed(descriptor)
        except OSError as error:
            log.error("segment abandoned segment=%s cause=%s", tail.name, error)
            tail.failure = error
            return False
        finally:
            os.close(descriptor)
        return True

    def _link(self, closing: Closing) -> None:
        """Append the link and sync once; the chain goes on only from a link that is durable."""
        tail, before = closing.tail, self.head
        link = Link(
            before.chain, before.links + 1, before.head, closing.sha256, closing.span, self.observation()
        )
        box = link.box()
        try:
            if tail.failure is None:
                write_all(tail.descriptor, box)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(tail.descriptor, closing.size_bytes)
                os.lseek(tail.descriptor, closing.size_bytes, os.SEEK_SET)
                if error.errno in FULL:
                    self._later(closing)
                    return
            tail.failure = error
        if tail.failure is not None or not self._sync(tail):
            log.error("segment not linked segment=%s cause=%s", tail.name, tail.failure)
            self.abandon(tail)
            return
        with contextlib.suppress(OSError):
            os.close(tail.descriptor)
        self.head = link.head(tail.name)
        self.tell(Closed(tail.name, tail.camera, closing.size_bytes + len(box), link))
        with self._lock:
            self._open.pop(tail.name, None)

    def _later(self, closing: Closing) -> None:
        """The disk is full for now: the same link is tried again in the next round."""
        with self._lock:
            self._closings.append(closing)
