"""The recorded device, a FUSE process of its own: `disk` is a block image, a line into `said` is a mark.

    python -m powercut.recorder MOUNT_POINT SIZE_BYTES LOG

One thread, so the log has one order: a mark stands after every flush that was finished when it was said.
"""

import errno
import stat
import struct
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

import mfusepy

HEAD = struct.Struct("<cQI")  # kind, offset, length; then that many octets
WRITE, FLUSH, SAID = b"W", b"F", b"S"


class Device(mfusepy.Operations):  # type: ignore[misc]
    """Two files: the image and the marks."""

    use_ns = True

    def __init__(self, size_bytes: int, log: BinaryIO) -> None:
        self._image = bytearray(size_bytes)
        self._log = log

    def _note(self, kind: bytes, offset: int = 0, octets: bytes = b"") -> None:
        self._log.write(HEAD.pack(kind, offset, len(octets)) + octets)

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        now_ns = time.time_ns()
        times = {"st_ctime": now_ns, "st_mtime": now_ns, "st_atime": now_ns}
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2, **times}
        if path not in ("/disk", "/said"):
            raise mfusepy.FuseOSError(errno.ENOENT)
        size_bytes = len(self._image) if path == "/disk" else 0
        return {"st_mode": stat.S_IFREG | 0o600, "st_nlink": 1, "st_size": size_bytes, **times}

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", "disk", "said"]

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        return 0

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return bytes(self._image[offset : offset + size])

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        octets = bytes(data)
        if path == "/said":
            self._note(SAID, 0, octets)
        else:
            self._image[offset : offset + len(octets)] = octets
            self._note(WRITE, offset, octets)
        return len(octets)

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        if path == "/disk":
            self._note(FLUSH)
        return 0

    def destroy(self, path: str) -> None:
        self._log.close()


def main() -> None:
    """Serve until unmounted."""
    mount_point, size, log = sys.argv[1:4]
    with Path(log).open("wb", buffering=1 << 20) as file:
        mfusepy.FUSE(Device(int(size), file), mount_point, foreground=True, nothreads=True)


if __name__ == "__main__":
    main()
