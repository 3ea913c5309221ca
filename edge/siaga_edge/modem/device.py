"""A modem's device: python-gsmmodem-new's GsmModem with a connection and a reader of our own.

The library's reader dies of a stray byte and does not know that it did (docs/decisions/0005); this one queues
lines, and nothing that it reads can end it.
"""

import contextlib
import os
import queue
import select
import threading
import warnings
from typing import Any

from siaga_edge.modem.failure import PortGone, PortMissing

with warnings.catch_warnings():
    # The library compares strings with `is` and has invalid escapes; both are loud on import.
    warnings.simplefilter("ignore")
    from gsmmodem.exceptions import CmeError, CmsError, CommandError, TimeoutException
    from gsmmodem.modem import GsmModem

import serial

__all__ = ["CmeError", "CmsError", "CommandError", "Device", "TimeoutException"]

READ_MOST = 4096
# A driver that takes nothing any more (a hung USB stick) must not hold its owner.
WRITE_LIMIT_S = 3.0


class Device(GsmModem):  # type: ignore[misc]
    """Octets out, lines in. `fileno` becomes readable when a line has come; `noise` counts damaged ones."""

    def __init__(self, port: str, baud: int) -> None:
        super().__init__(port, baud)
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._prompt = threading.Event()
        self._unfinished = b""
        self.noise = 0

    def _begin(self) -> None:
        """Open it. Raises PortMissing, and then leaves nothing open: it is tried again each second."""
        try:
            self.connect()
        except PortMissing:
            self._close_wake()
            raise

    def connect(self, *_: Any, **__: Any) -> None:
        """Open without flow control (a 3-wire UART has none) and alone; begin to read."""
        try:
            if self.port.startswith("socket://"):
                self.serial = serial.serial_for_url(self.port, timeout=0.2)
            else:
                self.serial = serial.Serial(
                    self.port, self.baudrate, timeout=0.2, write_timeout=WRITE_LIMIT_S, exclusive=True
                )
        except (OSError, ValueError) as error:
            raise PortMissing(
                f"modem {self.port} cannot be opened: {error}; check plug and supply"
            ) from error
        self.alive = True
        self.rxThread = threading.Thread(target=self._readLoop, name="modem-reader", daemon=True)
        self.rxThread.start()

    def close(self) -> None:
        """Stop reading and close."""
        self.alive = False
        with contextlib.suppress(OSError):
            self.serial.close()
        self.rxThread.join(2)
        self._close_wake()

    def _close_wake(self) -> None:
        os.close(self._wake_read)
        os.close(self._wake_write)

    def fileno(self) -> int:
        """For select."""
        return self._wake_read

    def wait(self, woken: int, limit_s: float) -> bool:
        """Until a line has come, or `woken` can be read (True), or the time is over."""
        readable, _, _ = select.select([self.fileno(), woken], [], [], max(0.0, limit_s))
        return woken in readable

    def _rest(self) -> None:
        """Be readable again only when another line has come."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wake_read, READ_MOST):
                pass

    def _next(self, limit_s: float) -> str | None:
        """What the reader has queued. Raises queue.Empty after `limit_s`."""
        return self._lines.get(timeout=limit_s)

    def _write(self, text: str) -> None:
        try:
            self.serial.write(text.encode("latin-1", "replace"))
        except (OSError, serial.SerialException) as error:
            raise PortGone(f"modem {self.port} cannot be written: {error}") from error

    # -- the reader's thread: it queues lines, and nothing it reads can end it -------------------------

    def _readLoop(self) -> None:
        while self.alive:
            try:
                octets = self.serial.read(max(1, min(READ_MOST, self.serial.in_waiting)))
            except (OSError, TypeError, ValueError, AttributeError, serial.SerialException):
                break  # pyserial's ports raise any of these when they are closed under a reader
            if octets:
                self._take_octets(octets)
        self._lines.put(None)
        self._call()

    def _take_octets(self, octets: bytes) -> None:
        *lines, buffer = (self._unfinished + octets).replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            self._put(line)
        if buffer.lstrip(b"\x00 ") == b">" or buffer.endswith(b"> "):
            buffer = b""
            self._prompt.set()
        self._unfinished = buffer[-READ_MOST:]

    def _put(self, raw: bytes) -> None:
        text = raw.decode("latin-1").replace("\x00", "").strip()
        if not text:
            return
        if any(not 32 <= ord(letter) < 127 for letter in text):
            self.noise += 1
            text = "".join(letter for letter in text if 32 <= ord(letter) < 127).strip()
        if text:
            self._lines.put(text)
            self._call()

    def _call(self) -> None:
        with contextlib.suppress(OSError):
            os.write(self._wake_write, b"!")
