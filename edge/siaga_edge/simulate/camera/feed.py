"""One stream of a simulated camera, main or sub: its pictures, its sound, who watches it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from siaga_edge.simulate.camera.coded import Picture, Stream
from siaga_edge.simulate.camera.rtp import Source
from siaga_edge.simulate.camera.scene import Form, Scenes
from siaga_edge.simulate.camera.sound import Sound

VIDEO, SOUND = 0, 1  # tracks; RTP goes on channel 2 x track, RTCP on the next
_REPORT_EVERY_S = 5.0  # RFC 3550 §6.2
_MOST_WAITING_BYTES = 4 << 20  # a watcher that reads slower than this loses pictures
_VIDEO_RATE_HZ, _VIDEO_PAYLOAD_TYPE = 90_000, 96

Packets = Sequence[tuple[int, bytes]]


class Watcher(Protocol):
    """A connection that plays this stream."""

    def send(self, packets: Packets) -> None:
        """Queue packets, each with its channel."""

    def waiting_bytes(self) -> int:
        """How much is queued already."""

    def close(self) -> None:
        """End the connection."""

    def reset(self) -> None:
        """End the connection with a TCP reset."""


@dataclass
class Feed:
    """Mutable state of one stream; lives in the event loop's thread alone."""

    name: str
    scenes: Scenes
    form: Form
    sound: Sound | None = None
    changed: bool = False  # whether it shows its other form, with other parameter sets
    foreign: bool = False
    clock_jump_ns: int = 0  # how far the camera's clock is off in sender reports
    frames_sent: int = 0
    watchers: dict[Watcher, bool] = field(default_factory=dict)  # watcher -> has had a key picture
    _shown: Stream | None = None
    _position: int = 0
    _pictures: int = 0
    _frames: int = 0
    _report_mono_s: float = float("-inf")
    _began_wall_ns: int = field(default_factory=time.time_ns)

    def __post_init__(self) -> None:
        self.video = Source(self.name, VIDEO, _VIDEO_RATE_HZ, _VIDEO_PAYLOAD_TYPE)
        heard = self.sound
        self.audio = Source(self.name, SOUND, heard.rate_hz, heard.payload_type) if heard else None

    @property
    def sources(self) -> list[Source]:
        """Its tracks, in the order of the session description."""
        return [self.video, self.audio] if self.audio else [self.video]

    @property
    def sequence_and_time(self) -> dict[int, tuple[int, int]]:
        """Sequence number and RTP time of what comes next, by track."""
        return {
            one.track: (one.sequence & 0xFFFF, one.timestamp(self._ticks(one.rate_hz)))
            for one in self.sources
        }

    def begin_at(self, picture: int) -> None:
        """Show this picture of the scene next."""
        self._shown, self._position = self.scenes.normal, picture

    def close(self, *, reset: bool = False) -> None:
        """Cut off all who watch."""
        for watcher in list(self.watchers):
            if reset:
                watcher.reset()
            else:
                watcher.close()
        self.watchers.clear()

    def leap(self, seconds: float) -> None:
        """Let the RTP time of all tracks jump."""
        for one in self.sources:
            one.jumped += round(seconds * one.rate_hz)

    def strangers(self) -> Packets:
        """What another camera would send on these channels."""
        return [(2 * one.track, one.foreign(self._ticks(one.rate_hz))) for one in self.sources]

    def show(self, mode: str) -> None:
        """Let one picture's time pass; send picture and sound, unless the camera is silent."""
        if mode not in ("drop", "stall", "mute", "refuse"):
            self._send(self._next(mode))
        self._pictures += 1
        if self.sound:
            self._frames = self._due_frames()

    def _next(self, mode: str) -> Picture:
        stream = self._stream(mode)
        if self._shown is not stream:
            self._shown, self._position = stream, 0
        picture = stream.pictures[self._position]
        self._position = (self._position + 1) % len(stream.pictures)
        return picture

    def _stream(self, mode: str) -> Stream:
        if self.changed:
            return self.scenes.other
        by_mode = {"freeze": self.scenes.frozen, "black": self.scenes.black, "night": self.scenes.night}
        return by_mode.get(mode, self.scenes.normal)

    def _send(self, picture: Picture) -> None:
        if not self.watchers:
            self.video.sequence += len(picture.payloads)
            return
        packets = self._packets(picture)
        self.frames_sent += 1
        for watcher, started in list(self.watchers.items()):
            if (started or picture.is_key) and watcher.waiting_bytes() < _MOST_WAITING_BYTES:
                watcher.send(packets)
                self.watchers[watcher] = True
            else:
                self.watchers[watcher] = False

    def _packets(self, picture: Picture) -> Packets:
        """Reports that are due, the picture, and the sound up to the next picture."""
        packets: list[tuple[int, bytes]] = []
        now_mono_s = time.monotonic()
        if picture.is_key and now_mono_s - self._report_mono_s >= _REPORT_EVERY_S:
            self._report_mono_s = now_mono_s
            packets += self._reports()
        if self.foreign:
            packets += self.strangers()
        ticks, last = self._ticks(self.video.rate_hz), len(picture.payloads) - 1
        for index, payload in enumerate(picture.payloads):
            packets.append((2 * VIDEO, self.video.packet(payload, ticks, marker=index == last)))
        if self.sound and self.audio:
            for number in range(self._frames, self._due_frames(1)):
                payload = self.sound.frames[number % len(self.sound.frames)]
                packet = self.audio.packet(payload, number * self.sound.step, marker=True)
                packets.append((2 * SOUND, packet))
        return packets

    def _due_frames(self, pictures: int = 0) -> int:
        assert self.sound is not None
        ticks = (self._pictures + pictures) * self.sound.rate_hz // self.form.fps
        return -(-ticks // self.sound.step)

    def _ticks(self, rate_hz: int) -> int:
        return self._pictures * rate_hz // self.form.fps

    def _reports(self) -> Packets:
        lived_ns = self._pictures * 1_000_000_000 // self.form.fps
        wall_ns = self._began_wall_ns + self.clock_jump_ns + lived_ns
        return [(2 * one.track + 1, one.report(wall_ns, self._ticks(one.rate_hz))) for one in self.sources]
