"""A pseudo-terminal under a lasting name."""

import contextlib
import errno
import fcntl
import os
import termios
import tty
from pathlib import Path

from siaga_core.errors import SiagaError

_BACKLOG_MAX_BYTES = 256 * 1024  # said while nobody reads; a UART would have lost it long before


class NameTaken(SiagaError):
    """The name for the device or the socket belongs to something that is not ours."""


class Terminal:
    """A pseudo-terminal in raw mode with a symbolic link to it; `close` is the pulled plug."""

    def __init__(self, link: Path) -> None:
        """Raises NameTaken when `link` is something other than a symbolic link."""
        if link.exists() and not link.is_symlink():
            raise NameTaken(f"{link} exists and is no link of a simulated modem; choose another --link")
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self.master, False)
        self._link, self._backlog = link, bytearray()
        self.name = os.ttyname(self._slave)
        fresh = link.with_name(f".{link.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(self.name)
        fresh.replace(link)

    def read(self) -> bytes:
        """What the node wrote."""
        try:
            return os.read(self.master, 4096)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EIO):
                return b""
            raise

    def write(self, octets: bytes) -> bool:
        """Say `octets`; False while some are still waiting for somebody to read."""
        self._backlog += octets
        del self._backlog[:-_BACKLOG_MAX_BYTES]
        with contextlib.suppress(BlockingIOError):
            while self._backlog:
                del self._backlog[: os.write(self.master, self._backlog)]
        return not self._backlog

    def forgive_exclusive(self) -> None:
        """Undo a client's TIOCEXCL: while we hold the device open, its close would not end it."""
        fcntl.ioctl(self._slave, termios.TIOCNXCL)

    def close(self) -> None:
        """Take the device away: readers get an end of file or EIO, the name is gone."""
        with contextlib.suppress(OSError):
            if self._link.is_symlink() and str(self._link.readlink()) == self.name:
                self._link.unlink()
        os.close(self.master)
        os.close(self._slave)
