"""A camera's own RTSP session for a node without a recorder: a thread reads, the round takes the newest."""

import logging
import threading

from siaga_core.service.clock import Clock
from siaga_core.service.workers import Heartbeat, Stop
from siaga_edge.cameras.picture import Frame, PictureUnreadable, RtspPictures

log = logging.getLogger(__name__)

_TRY_AGAIN_S = 3.0


class StreamWatch:
    """Keeps the newest picture of one stream, decoding only one per `every_s`."""

    def __init__(self, name: str, pictures: RtspPictures, every_s: float, clock: Clock) -> None:
        self._name, self._pictures, self._every_s, self._clock = name, pictures, every_s, clock
        self._lock = threading.Lock()
        self._frame: Frame | None = None
        self._trouble = ""

    def newest(self) -> Frame | None:
        """The newest picture, once. Raises PictureUnreadable with what the reading thread ran into."""
        with self._lock:
            frame, self._frame = self._frame, None
            trouble = self._trouble
        if frame is None and trouble:
            raise PictureUnreadable(trouble)
        return frame

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """Read until told to stop; a camera that does not answer is tried again every few seconds."""
        while not stop.is_set():
            try:
                self._read(stop, heartbeat)
            except PictureUnreadable as error:
                with self._lock:
                    self._trouble = str(error)
                heartbeat.beat()
                stop.wait(_TRY_AGAIN_S)
        self._pictures.close()

    def _read(self, stop: Stop, heartbeat: Heartbeat) -> None:
        self._pictures.open()
        kept_mono_s: float | None = None
        while not stop.is_set():
            self._pictures.grab()
            heartbeat.beat()
            now_mono_s = self._clock.mono_s()
            if kept_mono_s is not None and now_mono_s - kept_mono_s < self._every_s:
                continue
            frame = self._pictures.retrieve(self._clock.wall_ns())
            kept_mono_s = now_mono_s
            with self._lock:
                self._frame, self._trouble = frame, ""
