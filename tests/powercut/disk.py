"""A real ext4 on a recorded block device, and the same ext4 as a power cut would have left it.

ext4 lies on a loop device over the recorder's image, so its own journal is in the test: a flush of ext4
reaches the recorder as fsync. What was written before the last flush is durable; of what came after it any
sector of 512 octets may have arrived or not, in any order.
"""

import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from powercut.recorder import FLUSH, HEAD, SAID, WRITE

SIZE_BYTES = 24 * 1024**2
SECTOR_BYTES = 512
START, END = "start", "end"
_MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing the device was asked, in order."""

    kind: bytes
    offset: int
    octets: bytes


@dataclass(frozen=True, slots=True)
class Recording:
    """All the device was asked, and between which steps the work was done."""

    steps: Sequence[Step]
    start: int
    end: int

    def points(self, cuts: int, rng: random.Random) -> list[int]:
        """Moments at which the power fails, in order."""
        return sorted(rng.randrange(self.start, self.end + 1) for _ in range(cuts))


@dataclass(frozen=True, slots=True)
class Remains:
    """What a power cut left: the image, and what had been said until then."""

    image: bytes
    said: list[str]


class Disk:
    """A mounted ext4 that is being recorded."""

    def __init__(self, folder: Path, said: int) -> None:
        self.folder = folder
        self._said = said

    def say(self, mark: str) -> None:
        """Write a mark into the order of writes; returns when it stands there."""
        os.write(self._said, mark.encode() + b"\n")


def missing() -> str:
    """Why no disk can be recorded here, empty if it can."""
    if os.geteuid() != 0:
        return "mounting needs root"
    for path in ("/dev/fuse", "/dev/loop-control"):
        if not os.access(path, os.R_OK | os.W_OK):
            return f"no {path} here"
    return ""


@contextlib.contextmanager
def recorded(log: Path) -> Iterator[Disk]:
    """A fresh ext4; everything asked of its device goes to `log`, which is whole after the end."""
    with tempfile.TemporaryDirectory(dir=_MEMORY) as place:
        device, mounted = Path(place, "device"), Path(place, "mounted")
        device.mkdir()
        mounted.mkdir()
        command = [sys.executable, "-m", "powercut.recorder", str(device), str(SIZE_BYTES), str(log)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen(command, env=environment) as recorder:
            try:
                _wait_for(device / "disk", recorder)
                yield from _on_ext4(device, mounted)
            finally:
                # A workload that raised may still hold files open; the device must go all the same.
                _run("umount", "--lazy", str(device))
                _end(recorder)


def _on_ext4(device: Path, mounted: Path) -> Iterator[Disk]:
    options = "lazy_itable_init=0,lazy_journal_init=0"
    _run(
        "mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0", "-J", "size=4", "-E", options, str(device / "disk")
    )
    _run("mount", "-o", "loop,noatime", str(device / "disk"), str(mounted))
    said = os.open(device / "said", os.O_WRONLY)
    try:
        disk = Disk(mounted, said)
        disk.say(START)
        yield disk
        disk.say(END)
        _run("umount", str(mounted))
    except BaseException:
        _run("umount", "--lazy", str(mounted))
        raise
    finally:
        os.close(said)


def load(log: Path) -> Recording:
    """Read a log."""
    octets, at, steps = log.read_bytes(), 0, []
    while at < len(octets):
        kind, offset, length = HEAD.unpack_from(octets, at)
        at += HEAD.size
        steps.append(Step(kind, offset, octets[at : at + length]))
        at += length
    marks = [number for number, step in enumerate(steps) if step.kind == SAID]
    return Recording(steps, marks[0], marks[-1])


def cut(recording: Recording, points: Sequence[int], rng: random.Random) -> Iterator[Remains]:
    """What is left after a power cut at each of `points`, which ascend."""
    durable, pending = bytearray(SIZE_BYTES), list[Step]()
    at, said = 0, b""  # FUSE cuts a mark in two where it crosses a page
    for point in points:
        for step in recording.steps[at:point]:
            if step.kind == WRITE:
                pending.append(step)
            elif step.kind == FLUSH:
                for one in pending:
                    durable[one.offset : one.offset + len(one.octets)] = one.octets
                pending.clear()
            else:
                said += step.octets
        at, marks = point, said.decode().split("\n")[:-1]
        yield Remains(_torn(durable, pending, rng), [mark for mark in marks if mark != START])


def _torn(durable: bytearray, pending: Sequence[Step], rng: random.Random) -> bytes:
    """Any part of what was not flushed: none, all, the first of it, or sectors at random."""
    image, fate = bytearray(durable), rng.random()
    if fate < 0.15:
        return bytes(image)
    arrived = pending[: rng.randrange(len(pending) + 1)] if fate < 0.4 else pending
    chance = 1.0 if fate < 0.5 else rng.choice((0.1, 0.5, 0.9))
    for step in arrived:
        for at in range(0, len(step.octets), SECTOR_BYTES):
            if chance == 1.0 or rng.random() < chance:
                sector = step.octets[at : at + SECTOR_BYTES]
                image[step.offset + at : step.offset + at + len(sector)] = sector
    return bytes(image)


@contextlib.contextmanager
def booted(remains: Remains) -> Iterator[Path]:
    """Mount what a cut left, as the next boot does; raises CalledProcessError when ext4 cannot be mounted."""
    # An image of its own for every cut: a loop device lets go of its file late.
    with tempfile.TemporaryDirectory(dir=_MEMORY) as place:
        image, mounted = Path(place, "disk"), Path(place, "mounted")
        image.write_bytes(remains.image)
        mounted.mkdir()
        _run("mount", "-o", "loop,noatime", str(image), str(mounted))
        try:
            yield mounted
        finally:
            _run("umount", str(mounted))


def _wait_for(path: Path, recorder: "subprocess.Popen[bytes]") -> None:
    deadline_s = time.monotonic() + 20
    while not path.exists():
        if recorder.poll() is not None or time.monotonic() > deadline_s:
            raise RuntimeError("the recorded device did not come up; is fuse3 installed?")
        time.sleep(0.01)


def _end(recorder: "subprocess.Popen[bytes]") -> None:
    try:
        recorder.wait(20)
    except subprocess.TimeoutExpired:
        recorder.kill()


def _run(*command: str, check: bool = True) -> None:
    subprocess.run(command, check=check, capture_output=True, timeout=60)
