"""Noticing within milliseconds that a service has appended: inotify(7), or looking often without it."""

import ctypes
import logging
import os
import select
import struct
from pathlib import Path

log = logging.getLogger(__name__)

_MODIFY, _CREATE, _MOVED_TO = 0x2, 0x100, 0x80  # <sys/inotify.h>
_HEADER = struct.Struct("iIII")  # struct inotify_event without its name
# SQLite writes the log, syncs it, and only then lets readers see the commit: news comes before the record.
_EAGER_S = 0.25
_EAGER_POLL_S = 0.004
_BLIND_POLL_S = 0.02
_LAZY_POLL_S = 0.5


class Watch:
    """Tells when the journals in a folder should be looked at again."""

    def __init__(self, folder: Path, *, blind: bool = False) -> None:
        """`blind` does without inotify, as on a kernel or file system that has none."""
        self._descriptor = -1 if blind else _inotify(folder)
        self._eager_until_s = 0.0

    def fileno(self) -> int:
        """For select; -1 where there is no inotify."""
        return self._descriptor

    def pause_s(self, now_s: float) -> float:
        """How long to wait at most before looking again."""
        if now_s < self._eager_until_s:
            return _EAGER_POLL_S
        return _BLIND_POLL_S if self._descriptor < 0 else _LAZY_POLL_S

    def take(self, now_s: float) -> None:
        """Read what the kernel has to say; a journal that changed makes the next looks eager."""
        while self._descriptor >= 0 and select.select([self._descriptor], [], [], 0)[0]:
            if any(name.startswith("journal-") for name in _names(os.read(self._descriptor, 16384))):
                self._eager_until_s = now_s + _EAGER_S

    def close(self) -> None:
        """Stop watching."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _inotify(folder: Path) -> int:
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        descriptor = int(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        if descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        if libc.inotify_add_watch(descriptor, os.fsencode(folder), _MODIFY | _CREATE | _MOVED_TO) < 0:
            os.close(descriptor)
            raise OSError(ctypes.get_errno(), "inotify_add_watch")
    except (OSError, AttributeError) as error:
        log.warning("no inotify, looking every %d ms cause=%s", _BLIND_POLL_S * 1000, error)
        return -1
    return descriptor


def _names(raw: bytes) -> list[str]:
    names, start = [], 0
    while start < len(raw):
        length = _HEADER.unpack_from(raw, start)[3]
        start += _HEADER.size
        names.append(raw[start : start + length].rstrip(b"\0").decode(errors="replace"))
        start += length
    return names
