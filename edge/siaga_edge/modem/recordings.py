"""What callers said to the prompt: WAV files beside the journal, bounded, whole after a power cut.

They are personal data: nobody but the service's group may read them, and the oldest give way.
"""

import hashlib
import logging
import os
import shutil
import struct
import wave
from dataclasses import dataclass
from pathlib import Path

from siaga_core.errors import SiagaError
from siaga_core.service.files import sync_directory, write_all
from siaga_core.wire.report import CallRecording
from siaga_edge.modem import tone

log = logging.getLogger(__name__)

# Some 270 full ones of a minute.
MOST_OCTETS = 256 * 1024 * 1024
KEEP_S = 90 * 86_400.0
# Journal and messages come first on a card that fills.
FREE_LEAST_OCTETS = 128 * 1024 * 1024
PROMPT_MOST_S = 30.0
_SYNC_FRAMES = 50
_HEAD = struct.Struct("<4sI4s4sIHHIIHH4sI")
_PART = ".part"


class BadPrompt(SiagaError):
    """The prompt's file cannot be played; the message says what it must be."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One finished recording."""

    path: Path
    at_wall_s: float
    octets: int

    @property
    def duration_s(self) -> float:
        """Its length."""
        return _duration_s(self.octets - _HEAD.size)


class Recording:
    """One being made. `take` and `finish` may be called from one thread after the other, not at once."""

    def __init__(self, folder: Path, report_id: str) -> None:
        self._part, self._path = folder / f"{report_id}{_PART}", folder / f"{report_id}.wav"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        self._descriptor = os.open(self._part, flags, 0o640)
        write_all(self._descriptor, head(0))
        self._octets, self._unsynced, self._is_silent = 0, 0, True

    def take(self, frame: bytes) -> None:
        """Write a frame; each second is synced. Raises OSError on a full or broken card."""
        write_all(self._descriptor, frame)
        self._octets += len(frame)
        self._is_silent = self._is_silent and not any(tone.samples(frame))
        self._unsynced += 1
        if self._unsynced >= _SYNC_FRAMES:
            os.fsync(self._descriptor)
            self._unsynced = 0

    def finish(self) -> CallRecording | None:
        """Publish the file, synced under its lasting name; None when nothing was heard. Raises OSError."""
        os.close(self._descriptor)
        return publish(self._part, self._path, is_silent=self._is_silent)


def head(octets: int) -> bytes:
    """The head of a WAV file of so many octets of PCM (RIFF WAVE, format 1)."""
    rate = tone.RATE_HZ
    fmt = (b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    return _HEAD.pack(b"RIFF", 36 + octets, b"WAVE", *fmt, b"data", octets)


def publish(part: Path, path: Path, *, is_silent: bool) -> CallRecording | None:
    """Give a part its true head and its name; a power cut leaves the part or the file."""
    octets = (part.stat().st_size - _HEAD.size) & ~1
    if octets <= 0:
        part.unlink()
        return None
    with part.open("r+b") as opened:
        opened.truncate(_HEAD.size + octets)
        opened.write(head(octets))
        opened.flush()
        os.fsync(opened.fileno())
    part.replace(path)
    sync_directory(path.parent)
    return _told(path, octets, is_silent=is_silent)


class Recordings:
    """The folder of one modem's service. Used in its thread."""

    def __init__(self, folder: Path, most_octets: int = MOST_OCTETS) -> None:
        self.folder, self._most_octets = folder, most_octets

    def begin(self, report_id: str, now_wall_s: float) -> Recording:
        """Make room and begin one. Raises OSError."""
        self.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        self.prune(now_wall_s)
        return Recording(self.folder, report_id)

    def recover(self, report_id: str) -> CallRecording | None:
        """What was left of a recording in whose midst the service died; None if there is nothing."""
        part, path = self.folder / f"{report_id}{_PART}", self.folder / f"{report_id}.wav"
        if part.exists():
            return publish(part, path, is_silent=False)
        if not path.exists():
            return None
        return _told(path, path.stat().st_size - _HEAD.size, is_silent=False)

    def has_room(self) -> bool:
        """Whether the card has room for more."""
        there = next(one for one in (self.folder, *self.folder.parents) if one.exists())
        return shutil.disk_usage(there).free >= FREE_LEAST_OCTETS

    def prune(self, now_wall_s: float) -> int:
        """Remove what is too old or too much, the oldest first; how many. A failure is logged."""
        room, removed = self._most_octets, 0
        try:
            for one in reversed(listed(self.folder)):
                room -= one.octets
                if room < 0 or now_wall_s - one.at_wall_s > KEEP_S:
                    one.path.unlink(missing_ok=True)
                    removed += 1
            for part in self.folder.glob(f"*{_PART}"):
                if now_wall_s - part.stat().st_mtime > KEEP_S:
                    part.unlink()
        except OSError as error:
            log.warning("recordings not removed cause=%s", error)
        if removed:
            log.info("recordings removed count=%d", removed)
        return removed


def sha256_of(path: Path) -> str:
    """The hash by which a recording is told from an edited one."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def listed(folder: Path) -> list[Kept]:
    """The finished recordings of a folder, oldest first."""
    found = [(path, path.stat()) for path in folder.glob("*.wav")]
    kept = [Kept(path, stat.st_mtime, stat.st_size) for path, stat in found]
    return sorted(kept, key=lambda one: (one.at_wall_s, one.path.name))


def prompt_frames(path: Path) -> list[bytes]:
    """The prompt in frames, the last filled up with silence, and a beep after it. Raises BadPrompt."""
    try:
        with wave.open(str(path), "rb") as opened:
            kind = (opened.getnchannels(), opened.getsampwidth(), opened.getframerate())
            length = opened.getnframes()
            octets = opened.readframes(length)
    except (OSError, EOFError, wave.Error) as error:
        raise BadPrompt(f"the prompt {path} cannot be read: {error}") from error
    if kind != (1, 2, tone.RATE_HZ) or not octets:
        raise BadPrompt(f"the prompt {path} must be a WAV of 8 kHz, mono, 16 bit")
    if length > PROMPT_MOST_S * tone.RATE_HZ:
        raise BadPrompt(f"the prompt {path} is longer than {PROMPT_MOST_S:.0f} s")
    size = tone.FRAME_OCTETS
    frames = [octets[place : place + size].ljust(size, b"\0") for place in range(0, len(octets), size)]
    return frames + [tone.frame(tone.BEEP_HZ, number) for number in range(tone.BEEP_FRAMES)]


def _told(path: Path, octets: int, *, is_silent: bool) -> CallRecording:
    duration_s = round(_duration_s(octets), 2)
    return CallRecording(file=path.name, sha256=sha256_of(path), duration_s=duration_s, is_silent=is_silent)


def _duration_s(octets: int) -> float:
    return octets / (2 * tone.RATE_HZ)
