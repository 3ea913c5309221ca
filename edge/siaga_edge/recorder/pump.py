"""One camera's thread: its ffmpeg child, its fragments, its segments; every end is a gap with a reason."""

import logging
import queue
import select
import time
from dataclasses import dataclass
from pathlib import Path

from siaga_core.service.clock import Clock
from siaga_core.service.workers import Stop, back_off_s
from siaga_edge.node import Camera, Recorder
from siaga_edge.recorder import ffmpeg
from siaga_edge.recorder.ffmpeg import CameraAway
from siaga_edge.recorder.fragments import BadStream, Fragment, Init, Parser
from siaga_edge.recorder.writing import LiveRing, Place, SegmentWriter

log = logging.getLogger(__name__)

# A child that gives nothing for this long is wedged, whatever it thinks.
SILENT_MOST_S = 12.0
RETRY_MOST_S = 5.0
# ffmpeg writes a fragment in many pieces within a millisecond: waited for, they are read as one.
GATHER_S = 0.004
STEADY_S = 20.0


@dataclass(frozen=True, slots=True)
class Started:
    """A camera's stream is being recorded again; the gap before it, if there was one."""

    camera: str
    gap_start_wall_ns: int
    gap_end_wall_ns: int
    reason: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """A camera gives no stream any more."""

    camera: str
    reason: str


Notice = Started | Stopped


class Pump:
    """Records one camera until asked to stop."""

    def __init__(
        self,
        camera: Camera,
        settings: Recorder,
        live_dir: Path,
        place: Place,
        clock: Clock,
        notices: "queue.Queue[Notice]",
        runs: "queue.Queue[int]",
    ) -> None:
        """`runs` gives the number of each new run, durable before it is used."""
        self._camera, self._settings, self._place, self._clock = camera, settings, place, clock
        self._notices, self._runs = notices, runs
        self._live_dir = live_dir
        self._last_wall_ns = 0
        self._reason = ""

    def work(self, stop: Stop) -> None:
        """Record, and try again whenever it ends."""
        tries = 0
        while not stop.is_set():
            began_s = self._clock.mono_s()
            try:
                self._record(stop)
            except (CameraAway, BadStream, OSError) as error:
                self._ended(str(error))
            tries = 1 if self._clock.mono_s() - began_s > STEADY_S else tries + 1
            stop.wait(back_off_s(tries, 0.5, first_s=0.5, most_s=RETRY_MOST_S))

    def _record(self, stop: Stop) -> None:
        writer = SegmentWriter(self._place, self._camera.id, self._runs.get())
        live, parser = LiveRing(self._live_dir), Parser()
        try:
            with ffmpeg.stream(self._settings.ffmpeg, self._camera) as child:
                while not stop.is_set():
                    octets = self._read(child, stop)
                    for made in parser.feed(octets):
                        self._take(made, writer, live)
        finally:
            writer.close()

    def _read(self, child: ffmpeg.Child, stop: Stop) -> bytes:
        deadline_s = self._clock.mono_s() + SILENT_MOST_S
        while not stop.is_set():
            if select.select([child.descriptor], [], [], 0.5)[0]:
                time.sleep(GATHER_S)
                octets = child.read()
                if not octets:
                    raise CameraAway(child.last_words())
                return octets
            if self._clock.mono_s() > deadline_s:
                raise CameraAway(f"sent nothing for {SILENT_MOST_S:.0f} s")
        return b""

    def _take(self, made: Init | Fragment, writer: SegmentWriter, live: LiveRing) -> None:
        if isinstance(made, Init):
            writer.begin(made)
            live.begin(made)
            return
        writer.add(made)
        live.add(made)
        self._grew()

    def _grew(self) -> None:
        now_wall_ns = self._clock.wall_ns()
        if self._reason or not self._last_wall_ns:
            begin_wall_ns = self._last_wall_ns or now_wall_ns
            self._notices.put(Started(self._camera.id, begin_wall_ns, now_wall_ns, self._reason))
            self._reason = ""
        self._last_wall_ns = now_wall_ns

    def _ended(self, reason: str) -> None:
        if not self._reason:
            log.warning("stream ended camera=%s cause=%s", self._camera.id, reason)
            self._notices.put(Stopped(self._camera.id, reason))
        self._reason = reason or "the stream ended"
