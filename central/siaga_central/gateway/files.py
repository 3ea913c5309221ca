"""Clips and pictures as they arrive: in slices, synced, published only when whole and right."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from siaga_core.errors import SiagaError
from siaga_core.service.files import sync_directory, write_all, write_atomic

# Half an hour of one camera at 16 Mbit/s.
CLIP_MOST_BYTES = 4 * 1024**3
SLICE_MOST_BYTES = 8 * 1024**2
PICTURE_MOST_BYTES = 2 * 1024**2
_RANGE = re.compile(r"bytes (?:(\d{1,12})-(\d{1,12})|\*)/(\d{1,12})\Z")


class BadSlice(SiagaError, ValueError):
    """A slice whose header makes no sense."""


class WrongOffset(SiagaError):
    """A slice that does not begin where the file ends."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"the next byte wanted is {offset}")
        self.offset = offset


class WrongHash(SiagaError):
    """The whole file is not what the node stated; it was thrown away."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Where a body belongs: `start` is None when it only asks for the verdict."""

    start: int | None
    total: int
    size: int = 0


def parse_range(header: str) -> Slice:
    """Read a Content-Range (RFC 9110 §14.4). Raises BadSlice."""
    found = _RANGE.match(header)
    if found is None:
        raise BadSlice("Content-Range is missing or is none: bytes FIRST-LAST/TOTAL")
    total = int(found[3])
    if total > CLIP_MOST_BYTES or total == 0:
        raise BadSlice(f"a clip has 1 to {CLIP_MOST_BYTES} bytes, not {total}")
    if found[1] is None:
        return Slice(None, total)
    first, last = int(found[1]), int(found[2])
    if not first <= last < total:
        raise BadSlice(f"bytes {first}-{last} are not within {total}")
    return Slice(first, total, last - first + 1)


class Clips:
    """The folder of clips. A name is an id made by the hub, never a path from outside."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, clip: str) -> Path:
        """Where a whole clip is."""
        return self._folder / f"{clip}.mp4"

    def offset(self, clip: str) -> int:
        """How many bytes are here, durable."""
        for path in (self.path(clip), self._part(clip)):
            if path.exists():
                return path.stat().st_size
        return 0

    def add(self, clip: str, piece: Slice, body: bytes) -> int:
        """Append one slice, synced; how many bytes are here then. Raises WrongOffset."""
        here = self.offset(clip)
        if piece.start is None or self.path(clip).exists():
            return here
        if piece.start != here:
            raise WrongOffset(here)
        descriptor = os.open(self._part(clip), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        try:
            write_all(descriptor, body)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return here + len(body)

    def finish(self, clip: str, sha256: str) -> None:
        """Publish a whole clip; durable when this returns. Raises WrongHash and throws the bytes away."""
        if self.path(clip).exists():
            return
        part = self._part(clip)
        with part.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            part.unlink()
            raise WrongHash(f"the file's SHA-256 is {found}, stated was {sha256}")
        part.replace(self.path(clip))
        sync_directory(self._folder)

    def drop(self, clip: str) -> None:
        """Delete what has come of a clip that is not whole."""
        self._part(clip).unlink(missing_ok=True)

    def _part(self, clip: str) -> Path:
        return self._folder / f"{clip}.part"


def store_picture(folder: Path, camera: str, body: bytes, sha256: str) -> None:
    """Publish a camera's last picture. Raises WrongHash, BadSlice for what is no JPEG."""
    if hashlib.sha256(body).hexdigest() != sha256:
        raise WrongHash("the picture's SHA-256 is not what was stated")
    if not body.startswith(b"\xff\xd8"):
        raise BadSlice("this is no JPEG")
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / f"{camera}.jpg", body, mode=0o640)
