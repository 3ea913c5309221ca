"""One camera's thread: what records it, its fragments, its segments; every end is a gap with a reason."""

import contextlib
import logging
import queue
import random
from pathlib import Path

from siaga_core.service.clock import Clock
from siaga_core.service.workers import Stop
from siaga_edge.node import Camera, Recorder
from siaga_edge.recorder import ffmpeg, parameters
from siaga_edge.recorder.client.messages import NotUnderstood
from siaga_edge.recorder.engines import Turns
from siaga_edge.recorder.fragments import BadStream, Fragment, Init
from siaga_edge.recorder.live import LiveRing
from siaga_edge.recorder.notices import Notice, Started, Stopped, Working
from siaga_edge.recorder.pacing import Pace
from siaga_edge.recorder.sources import Source, ffmpeg_source, native_source
from siaga_edge.recorder.trouble import CameraTrouble, Kind, Unreachable, pause_s
from siaga_edge.recorder.writing import Place, SegmentWriter

log = logging.getLogger(__name__)

# Until the first fragment ffmpeg connects, tries both ways of the password and looks at 5 s of the stream.
START_MOST_S = 20.0
STEADY_S = 20.0
# A camera that has other parameter sets at each key picture gets a new segment no oftener than this. In
# between they stand in the stream in front of their pictures, where decoders read them all the same.
CHANGE_LEAST_S = 5.0


class Recording:
    """One run of one camera: what the engine gives becomes. Made anew for each run."""

    change_least_s = CHANGE_LEAST_S

    def __init__(self, writer: SegmentWriter, live: LiveRing) -> None:
        self._writer, self._live = writer, live
        self._init: Init | None = None
        self._sets: parameters.Sets | None = None
        self._changed_mono_s = float("-inf")
        self._pace = Pace()

    def take(self, made: Init | Fragment, now_mono_s: float) -> None:
        """Write it. Raises CameraTrouble when the stream's time has leapt, BadStream."""
        if isinstance(made, Init):
            self._begin(made)
            self._sets = _sets_of(made)
            return
        if self._init is None:
            raise BadStream("a fragment came before moov")
        if now_mono_s - self._changed_mono_s >= self.change_least_s and (fresh := self._fresh(made)):
            self._sets, self._changed_mono_s = fresh, now_mono_s
            self._begin(_header(self._init, fresh))
        self._writer.add(made)
        self._live.add(made)
        leapt_s = self._pace.leapt_s(now_mono_s, made.duration / self._init.timescale)
        if leapt_s:
            raise _leapt(leapt_s)

    def _fresh(self, fragment: Fragment) -> parameters.Sets | None:
        """Other parameter sets than before; what follows belongs into a new segment."""
        return parameters.changed(fragment, self._sets) if self._sets else None

    def _begin(self, init: Init) -> None:
        self._init = init
        self._writer.begin(init)
        self._live.begin(init)


def _sets_of(init: Init) -> parameters.Sets | None:
    """The header's parameter sets; None where they cannot be read: then nobody looks for others."""
    try:
        return parameters.sets_of(init)
    except BadStream as error:
        log.warning("parameter sets not understood cause=%s", error)
        return None


def _header(init: Init, sets: parameters.Sets) -> Init:
    """A header with these sets; the old one where they cannot be read: the pictures are kept anyway."""
    try:
        return parameters.with_sets(init, sets)
    except BadStream as error:
        log.warning("header kept though parameter sets changed cause=%s", error)
        return init


def _leapt(leapt_s: float) -> CameraTrouble:
    if leapt_s > 0:
        return CameraTrouble("jump", f"the camera's time jumped forward by {leapt_s:.1f} s")
    return CameraTrouble("jump", f"the camera's time jumped back by {-leapt_s:.1f} s")


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
        rng: random.Random | None = None,
    ) -> None:
        """`runs` gives the number of each new run, durable before it is used."""
        self._camera, self._settings, self._place, self._clock = camera, settings, place, clock
        self._notices, self._runs = notices, runs
        self._live_dir = live_dir
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._turns = Turns("native" if _is_native(camera) else "ffmpeg")
        self._container: ffmpeg.Container = "mp4"
        self._last_wall_ns = 0
        self._kind: Kind | None = None
        self._reason = ""

    def work(self, stop: Stop) -> None:
        """Record, and try again whenever it ends."""
        tries = 0
        while not stop.is_set():
            began_s, kind = self._clock.mono_s(), self._try(stop)
            if kind is None:
                continue
            tries = 1 if self._clock.mono_s() - began_s > STEADY_S else tries + 1
            stop.wait(pause_s(kind, tries, self._rng.random()))

    def _try(self, stop: Stop) -> Kind | None:
        """Record until it ends; why. None: at once again."""
        try:
            self._record(stop)
        except ffmpeg.OtherContainer:
            self._container = "mov"
            return None
        except NotUnderstood as error:
            return self._handed_over(str(error))
        except CameraTrouble as error:
            return self._ended(error.kind, str(error), is_reached=not isinstance(error, Unreachable))
        except BadStream as error:
            return self._ended("garbage", f"the stream cannot be read: {error}")
        except OSError as error:
            return self._ended("away", error.strerror or str(error))
        except Exception:  # one camera's trouble, even ours, is not another's: said, counted, tried again
            log.exception("recording failed camera=%s", self._camera.id)
            return self._ended("bug", "the recorder itself failed; its log says how")
        return None

    def _record(self, stop: Stop) -> None:
        writer = SegmentWriter(self._place, self._camera.id, self._runs.get())
        recording = Recording(writer, LiveRing(self._live_dir))
        try:
            with self._source() as source:
                silent_most_s = self._settings.silent_most_s
                deadline_s = self._clock.mono_s() + max(START_MOST_S, silent_most_s)
                while not stop.is_set():
                    for made in source.read(stop, deadline_s):
                        recording.take(made, self._clock.mono_s())
                        if isinstance(made, Fragment):
                            self._grew()
                            deadline_s = self._clock.mono_s() + silent_most_s
                    if self._clock.mono_s() > deadline_s:
                        raise CameraTrouble("silent", f"no picture came for {silent_most_s:.0f} s")
                for made in source.rest():
                    recording.take(made, self._clock.mono_s())
        finally:
            writer.close()

    def _source(self) -> contextlib.AbstractContextManager[Source]:
        if self._turns.engine == "native":
            return native_source(self._camera, self._clock, self._notices)
        return ffmpeg_source(self._settings.ffmpeg, self._camera, self._container, self._clock, self._notices)

    def _grew(self) -> None:
        if engine := self._turns.recorded():
            self._notices.put(Working(self._camera.id, engine, self._turns.reason))
        now_wall_ns = self._clock.wall_ns()
        if self._kind is not None or not self._last_wall_ns:
            begin_wall_ns = self._last_wall_ns or now_wall_ns
            notice = Started(self._camera.id, begin_wall_ns, now_wall_ns, self._kind, self._reason)
            self._notices.put(notice)
            self._kind, self._reason = None, ""
        self._last_wall_ns = now_wall_ns

    def _handed_over(self, reason: str) -> Kind | None:
        """Our own client does not understand the camera: ffmpeg goes on at once, until the service ends."""
        log.warning("given to ffmpeg camera=%s cause=%s", self._camera.id, reason)
        self._turns.hand_over(reason)
        if self._last_wall_ns:
            self._ended("engine", f"given to ffmpeg: {reason}")
        return None

    def _ended(self, kind: Kind, reason: str, *, is_reached: bool = True) -> Kind:
        if is_reached:
            self._turns.failed(kind, reason)
        if self._kind is None:
            log.warning("stream ended camera=%s kind=%s cause=%s", self._camera.id, kind, reason)
            self._notices.put(Stopped(self._camera.id, kind, reason))
            self._kind, self._reason = kind, reason  # the first reason is the gap's; the next are its effects
        return kind


def _is_native(camera: Camera) -> bool:
    return camera.engine == "auto" and camera.transport == "tcp"
