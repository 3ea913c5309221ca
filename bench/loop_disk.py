"""An ext4 of its own on a loop device, and what the kernel counts at it."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# Documentation/block/stat.rst: the seventh value is sectors written, of 512 bytes each.
_SECTORS_WRITTEN, _SECTOR_BYTES = 6, 512


@dataclass(frozen=True, slots=True)
class LoopDisk:
    """Where it is mounted, and its device."""

    folder: Path
    device: str

    def written_bytes(self) -> int:
        """Octets that reached the device so far; what still waits in memory is flushed first."""
        os.sync()
        words = Path(f"/sys/block/{Path(self.device).name}/stat").read_text().split()
        return int(words[_SECTORS_WRITTEN]) * _SECTOR_BYTES


def must_be_root() -> None:
    """Say at once what is missing. Raises SystemExit."""
    if os.geteuid() != 0:
        raise SystemExit("this needs a loop device: run as root or through sudo")


@contextmanager
def loop_disk(size_bytes: int) -> Iterator[LoopDisk]:
    """A fresh one, mounted as a node mounts its footage disk (noatime); gone when the block is left."""
    with tempfile.TemporaryDirectory(prefix="siaga-disk-") as place:
        image, folder = Path(place) / "image", Path(place) / "mounted"
        folder.mkdir()
        with image.open("wb") as file:
            file.truncate(size_bytes)
        _run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(image))
        device = _run("losetup", "--find", "--show", str(image)).strip()
        try:
            _run("mount", "-o", "noatime", device, str(folder))
            try:
                yield LoopDisk(folder, device)
            finally:
                _run("umount", str(folder))
        finally:
            _run("losetup", "--detach", device)


def _run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout
