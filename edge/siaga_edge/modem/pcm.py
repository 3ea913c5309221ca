"""A call's sound as raw PCM on a device of its own: a thread that plays, hears and never raises."""

import logging
import os
import select
import termios
import threading
import time
import tty
from collections.abc import Callable

from siaga_core.errors import SiagaError
from siaga_edge.modem import tone

log = logging.getLogger(__name__)

READ_MOST = 4096
# Behind by more than this (a machine that stood still) the time lost is given up, not made good in a burst.
LATE_MOST_S = 0.2
JOIN_S = 1.0

Play = Callable[[], bytes]
Hear = Callable[[bytes], None]


class PcmMissing(SiagaError):
    """The device of a call's sound cannot be opened."""


class Stream:
    """One call's sound. `play` gives and `hear` takes a frame in the stream's own thread.

    What the owner of the modem reads are numbers: how many frames came, when the last came and when the
    modem last took one. Neither function may touch the modem's port.
    """

    def __init__(self, device: str, frame_octets: int) -> None:
        """Open the device; nothing is played before `start`. Raises PcmMissing."""
        flags = os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            self._descriptor = os.open(device, flags)
        except OSError as error:
            raise PcmMissing(f"the audio device {device} cannot be opened: {error}") from error
        try:
            tty.setraw(self._descriptor)
            attributes = termios.tcgetattr(self._descriptor)
            # Without it a USB port hangs up on a modem that shows no carrier (termios(3), CLOCAL).
            attributes[2] |= termios.CLOCAL | termios.CREAD
            termios.tcsetattr(self._descriptor, termios.TCSANOW, attributes)
            termios.tcflush(self._descriptor, termios.TCIOFLUSH)
        except termios.error as error:
            os.close(self._descriptor)
            raise PcmMissing(f"the audio device {device} is no terminal") from error
        self._size = frame_octets
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._heard, self._unsent = b"", b""
        self.frames, self.fault = 0, ""
        self.began_mono_s = self.heard_mono_s = self.took_mono_s = time.monotonic()

    def start(self, play: Play, hear: Hear) -> None:
        """Begin to play and to hear."""
        self.began_mono_s = self.heard_mono_s = self.took_mono_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, args=(play, hear), name="call-audio", daemon=True)
        self._thread.start()

    def close(self) -> bool:
        """Stop and close; True when neither function will be called any more. A second time is no harm.

        False (a card that takes nothing for long): what `hear` writes to must stay open, or its number may be
        another file's when the thread wakes.
        """
        was_stopped = self._stop.is_set()
        self._stop.set()
        if self._thread is not None:
            self._thread.join(JOIN_S)
            if self._thread.is_alive():
                log.error("call audio does not end; its device stays open")
                return False
        if not was_stopped:
            os.close(self._descriptor)
        return True

    def _run(self, play: Play, hear: Hear) -> None:
        try:
            self._pump(play, hear)
        except Exception as error:
            # The thread's boundary: a full card, a device that vanished. The owner sees it and hangs up.
            log.exception("call audio ended")
            self.fault = str(error) or type(error).__name__

    def _pump(self, play: Play, hear: Hear) -> None:
        frame_s = self._size / (2 * tone.RATE_HZ)
        due_s = time.monotonic()
        while not self._stop.is_set():
            wait_s = min(max(0.0, due_s - time.monotonic()), frame_s)
            if select.select([self._descriptor], [], [], wait_s)[0]:
                self._read(hear)
            now_s = time.monotonic()
            if now_s >= due_s:
                self._write(play)
                due_s = due_s + frame_s if now_s - due_s < LATE_MOST_S else now_s

    def _read(self, hear: Hear) -> None:
        try:
            octets = os.read(self._descriptor, READ_MOST)
        except BlockingIOError:
            return
        if not octets:
            raise OSError("the audio device is gone")
        self._heard += octets
        while len(self._heard) >= self._size:
            frame, self._heard = self._heard[: self._size], self._heard[self._size :]
            self.frames, self.heard_mono_s = self.frames + 1, time.monotonic()
            hear(frame)

    def _write(self, play: Play) -> None:
        """One more frame, when the last has been taken whole: half a sample would make noise of all after."""
        if not self._unsent:
            self._unsent = play()
        try:
            self._unsent = self._unsent[os.write(self._descriptor, self._unsent) :]
        except BlockingIOError:
            return
        if not self._unsent:
            self.took_mono_s = time.monotonic()
