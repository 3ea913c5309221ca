"""What a pump reads from: a session of our own with the camera, or an ffmpeg child."""

import contextlib
import queue
import select
import time
from collections.abc import Iterable, Iterator
from typing import Protocol

from siaga_core.service.clock import Clock
from siaga_core.service.workers import Stop
from siaga_edge.node import Camera
from siaga_edge.recorder import ffmpeg
from siaga_edge.recorder.client import session
from siaga_edge.recorder.client.messages import NotUnderstood
from siaga_edge.recorder.fragments import Fragment, Init, Parser
from siaga_edge.recorder.notices import Missed, Notice, Spoilt
from siaga_edge.recorder.trouble import CameraTrouble, kind_of

# ffmpeg writes a fragment in many pieces within a millisecond: waited for, they are read as one.
GATHER_S = 0.004
_POLL_S = 0.5
_TELL_EVERY_S = 2.0


class Source(Protocol):
    """Gives header and fragments."""

    def read(self, stop: Stop, deadline_mono_s: float) -> Iterable[Init | Fragment]:
        """What has come; returns at the latest at the deadline and soon after `stop`.

        Raises CameraTrouble, BadStream, OSError, NotUnderstood, OtherContainer.
        """

    def rest(self) -> Iterable[Init | Fragment]:
        """What is whole when nobody will read any more."""


@contextlib.contextmanager
def native_source(camera: Camera, clock: Clock, notices: "queue.Queue[Notice]") -> Iterator[Source]:
    """Our own client. Raises as `session.stream` does."""
    with session.stream(camera, clock) as playing:
        source = _Native(playing, camera, clock, notices)
        try:
            yield source
        finally:
            source.tell()


@contextlib.contextmanager
def ffmpeg_source(
    program: str,
    camera: Camera,
    container: ffmpeg.Container,
    clock: Clock,
    notices: "queue.Queue[Notice]",
) -> Iterator[Source]:
    """A child of its own."""
    with ffmpeg.stream(program, camera, container) as child:
        yield _Child(child, camera, clock, notices)


class _Native:
    def __init__(
        self, playing: session.Session, camera: Camera, clock: Clock, notices: "queue.Queue[Notice]"
    ) -> None:
        self._playing, self._camera, self._clock, self._notices = playing, camera, clock, notices
        self._told = (0, 0, 0)
        self._told_mono_s = clock.mono_s()

    def read(self, stop: Stop, deadline_mono_s: float) -> Iterator[Init | Fragment]:  # noqa: ARG002
        """One read of the connection, which waits a tenth of a second at most."""
        try:
            yield from self._playing.read()
        except (NotUnderstood, GeneratorExit):
            raise
        except Exception:
            yield from self.rest()
            raise
        if self._clock.mono_s() - self._told_mono_s >= _TELL_EVERY_S:
            self.tell()

    def rest(self) -> Iterator[Fragment]:
        """The pictures that wait for their fragment to be full."""
        return self._playing.flush()

    def tell(self) -> None:
        """Say what was not recorded since the last time."""
        self._told_mono_s = self._clock.mono_s()
        now = (self._playing.lost, self._playing.left_out, self._playing.strangers)
        lost, left_out, strangers = (one - before for one, before in zip(now, self._told, strict=True))
        self._told = now
        if lost:
            self._notices.put(Missed(self._camera.id, lost))
        if left_out or strangers:
            self._notices.put(Spoilt(self._camera.id, left_out, strangers))


class _Child:
    def __init__(
        self, child: ffmpeg.Child, camera: Camera, clock: Clock, notices: "queue.Queue[Notice]"
    ) -> None:
        self._child, self._camera, self._clock, self._notices = child, camera, clock, notices
        self._parser = Parser()

    def read(self, stop: Stop, deadline_mono_s: float) -> Iterator[Init | Fragment]:
        """What the child wrote."""
        return self._parser.feed(self._octets(stop, deadline_mono_s))

    def rest(self) -> Iterator[Fragment]:
        """Nothing: the child ends with what it has not written."""
        return iter(())

    def _octets(self, stop: Stop, deadline_s: float) -> bytes:
        child = self._child
        while not stop.is_set() and self._clock.mono_s() <= deadline_s:
            ends = [child.descriptor, child.complaints] if child.talks else [child.descriptor]
            ready = select.select(ends, [], [], _POLL_S)[0]
            now_s = self._clock.mono_s()
            if child.complaints in ready:
                self._listen(now_s)
            if child.descriptor in ready:
                time.sleep(GATHER_S)
                octets = child.read()
                if octets:
                    return octets
                said = child.last_words()
                raise CameraTrouble(kind_of(said), said)
        return b""

    def _listen(self, now_s: float) -> None:
        self._child.listen(now_s)
        if self._child.packets_missed:
            self._notices.put(Missed(self._camera.id, self._child.packets_missed))
            self._child.packets_missed = 0
