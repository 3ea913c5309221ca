"""Octets of many files brought to the disk together, before each is asked for by fdatasync (Linux)."""

import ctypes
import errno
import os

# <fcntl.h>; sync_file_range(2)
_WAIT_BEFORE, _WRITE, _WAIT_AFTER = 1, 2, 4
# Not every file system or C library can; fdatasync alone does the same at more cost.
_CANNOT = (errno.ENOSYS, errno.EINVAL, errno.ESPIPE)

_library = ctypes.CDLL(None, use_errno=True)


def begin_to_write(descriptor: int) -> None:
    """Send what waits in memory on its way; waits for nothing. Raises OSError."""
    _sync_file_range(descriptor, _WRITE)


def wait_until_written(descriptor: int) -> None:
    """Wait until it has come to the disk, which makes nothing durable.

    Raises OSError: the kernel tells a failed write once, so that fdatasync may not know of it any more.
    """
    _sync_file_range(descriptor, _WAIT_BEFORE | _WRITE | _WAIT_AFTER)


def _sync_file_range(descriptor: int, flags: int) -> None:
    call = getattr(_library, "sync_file_range", None)
    if call is None or call(descriptor, ctypes.c_int64(0), ctypes.c_int64(0), flags) == 0:
        return
    number = ctypes.get_errno()
    if number not in _CANNOT:
        raise OSError(number, os.strerror(number))
