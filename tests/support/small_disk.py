"""A small ext4 of its own on a loop device: it can be filled, pulled out and put back."""

import contextlib
import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

SIZE_BYTES = 24 * 1024**2
# linux/fs.h: FS_IOC_SHUTDOWN is EXT4_IOC_SHUTDOWN, _IOR('X', 125, __u32); 2: no flush of the journal.
_SHUTDOWN = 0x8004587D
_NO_FLUSH = 2


class SmallDisk:
    """The image and where it is mounted."""

    def __init__(self, image: Path, mounted: Path) -> None:
        self.image, self.folder = image, mounted

    def mount(self) -> None:
        """Put it in."""
        _run("mount", "-o", "loop,noatime,errors=remount-ro", str(self.image), str(self.folder))

    def unmount(self) -> None:
        """Take it out; who has files open keeps them, dead."""
        _run("umount", "--lazy", str(self.folder))

    def turn_read_only(self) -> None:
        """As ext4 does when it finds itself damaged; until it is mounted anew."""
        device = self.folder.stat().st_dev
        name = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve().name
        Path(f"/sys/fs/ext4/{name}/trigger_fs_error").write_text("1")

    def break_off(self) -> None:
        """Every access fails from now on, as of a disk that is gone."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _NO_FLUSH))
        finally:
            os.close(descriptor)

    def fill(self, left_bytes: int) -> Path:
        """Leave so much room; the file that takes the rest."""
        path = self.folder / "filler"
        free = os.statvfs(self.folder)
        with path.open("ab") as file:
            os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - left_bytes)
        return path


@contextlib.contextmanager
def small_disk(folder: Path, size_bytes: int = SIZE_BYTES) -> Iterator[SmallDisk]:
    """A fresh one, mounted."""
    image, mounted = folder / "image", folder / "mounted"
    with image.open("wb") as file:
        file.truncate(size_bytes)
    mounted.mkdir()
    _run("mkfs.ext4", "-q", "-F", "-m", "0", "-J", "size=4", str(image))
    disk = SmallDisk(image, mounted)
    disk.mount()
    try:
        yield disk
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            disk.unmount()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=30)
