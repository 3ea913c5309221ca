"""A card that takes all and keeps nothing shows no symptom: write, flush, forget, read back, compare."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

from siaga_core.service.files import sync_directory, write_all

log = logging.getLogger(__name__)

CANARY_EVERY_S = 600.0
SIZE_BYTES = 256 * 1024
_NAME = ".canary"

Read = Callable[[int, int, int], bytes]


class Canary:
    """One small file, written anew each time; the one before is read again first."""

    def __init__(self, folder: Path, read: Read = os.pread) -> None:
        self._path, self._read = folder / _NAME, read
        self._before = b""

    def check(self) -> str:
        """What is wrong with the disk, empty if it kept what it was given. Takes as long as the disk does."""
        try:
            if self._before and self._read_back() != self._before:
                return "what was written before is not there any more"
            fresh = os.urandom(SIZE_BYTES)
            self._write(fresh)
            if self._read_back() != fresh:
                self._before = b""
                return "it does not give back what was just written"
            self._before = fresh
        except OSError as error:
            self._before = b""
            return error.strerror or str(error)
        return ""

    def _write(self, octets: bytes) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            write_all(descriptor, octets)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_directory(self._path.parent)

    def _read_back(self) -> bytes:
        """Read past the cache: its pages are clean after the flush, so the kernel lets them go."""
        descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            return self._read(descriptor, SIZE_BYTES + 1, 0)
        finally:
            os.close(descriptor)
