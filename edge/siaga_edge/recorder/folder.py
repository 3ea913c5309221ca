"""What lies in a footage folder. A card may hold anything: pipes, devices and links are never opened."""

import errno
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from siaga_edge.recorder import segments

log = logging.getLogger(__name__)


def regular(path: str, flags: int) -> int:
    """An `opener` for `open` that neither waits for a pipe nor follows a link. Raises OSError."""
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is no regular file", path)


def files(folder: Path) -> Iterator[tuple[str, bool]]:
    """(`camera`/`run`/file, whether it is a regular file), in order of names. Raises OSError.

    Folders that may not be read (lost+found) or are links have nothing in them.
    """
    for camera in _entries(folder):
        for run in _readable(camera):
            for entry in _readable(run):
                name = f"{camera.name}/{run.name}/{entry.name}"
                yield name, entry.is_file(follow_symlinks=False)


def segment_names(folder: Path) -> Iterator[str]:
    """Names of the files that can be segments. Raises OSError."""
    for file, is_regular in files(folder):
        name = file.removesuffix(".mp4")
        if is_regular and name != file and segments.is_ours(name):
            yield name


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _readable(entry: "os.DirEntry[str]") -> list[os.DirEntry[str]]:
    if not entry.is_dir(follow_symlinks=False):
        return []
    try:
        return _entries(entry.path)
    except OSError as error:
        log.warning("folder cannot be read folder=%s cause=%s", entry.path, error)
        return []
