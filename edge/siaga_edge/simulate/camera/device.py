"""One simulated camera: what it shows now, who watches, what is wrong with it."""

import struct
import time
import zlib
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args

from siaga_edge.simulate.camera.h264 import Picture, Stream
from siaga_edge.simulate.camera.scene import Form, Scenes

Mode = Literal["normal", "freeze", "black", "night", "drop", "stall"]
OnvifFault = Literal[
    "none", "blackhole", "drip", "huge", "unauthorized", "wrong-xaddr", "malformed", "redirect", "bomb"
]
MODES: tuple[Mode, ...] = get_args(Mode)
ONVIF_FAULTS: tuple[OnvifFault, ...] = get_args(OnvifFault)

_NTP_EPOCH_S = 2_208_988_800  # 1900 to 1970, RFC 3550 §4
_REPORT_EVERY_S = 5.0  # RFC 3550 §6.2
_MOST_WAITING_BYTES = 4 << 20  # a watcher that reads slower than this loses pictures
_PAYLOAD_TYPE = 96


class Watcher(Protocol):
    """A connection that plays this camera."""

    def send(self, packets: bytes) -> None:
        """Queue interleaved packets."""

    def waiting_bytes(self) -> int:
        """How much is queued already."""

    def close(self) -> None:
        """End the connection."""


@dataclass(slots=True)
class Onvif:
    """What the ONVIF side says and how it misbehaves."""

    fault: OnvifFault = "none"
    clock_offset_s: float = 0.0
    requests: int = 0
    refused: int = 0


@dataclass
class Camera:
    """Mutable state of one camera; lives in the event loop's thread alone."""

    name: str
    scenes: Scenes
    form: Form
    mode: Mode = "normal"
    until_mono_s: float | None = None
    onvif: Onvif = field(default_factory=Onvif)
    frames_sent: int = 0
    _watchers: dict[Watcher, bool] = field(default_factory=dict)  # watcher -> has had a key picture
    _shown: Mode = "normal"
    _position: int = 0
    _pictures: int = 0
    _sequence: int = 0
    _packets: int = 0
    _octets: int = 0
    _report_mono_s: float = 0.0

    @property
    def ssrc(self) -> int:
        """A synchronisation source of its own, from its name."""
        return hash_32(self.name)

    @property
    def timestamp(self) -> int:
        """RTP time of the next picture, 90 kHz (RFC 6184 §5.1)."""
        return (self._pictures * 90_000 // self.form.fps + self.ssrc) & 0xFFFFFFFF

    @property
    def sequence(self) -> int:
        """RTP sequence number of the next packet."""
        return self._sequence & 0xFFFF

    def switch(self, mode: Mode, seconds: float | None = None) -> None:
        """Behave as `mode` from now on, for `seconds` if given, then normally again."""
        self.mode = mode
        self.until_mono_s = None if seconds is None else time.monotonic() + seconds
        if mode == "drop":
            for watcher in list(self._watchers):
                watcher.close()
            self._watchers.clear()

    def watch(self, watcher: Watcher) -> None:
        """Send pictures to `watcher`, beginning with the next key picture."""
        self._watchers[watcher] = False

    def unwatch(self, watcher: Watcher) -> None:
        """Send it nothing more."""
        self._watchers.pop(watcher, None)

    def state(self) -> dict[str, Any]:
        """What `state` answers on the control socket."""
        return {
            "mode": self.mode,
            "clients": len(self._watchers),
            "frames_sent": self.frames_sent,
            "onvif_fault": self.onvif.fault,
            "onvif_clock_offset_s": self.onvif.clock_offset_s,
            "onvif_requests": self.onvif.requests,
            "onvif_refused": self.onvif.refused,
        }

    def show(self) -> None:
        """Let one picture's time pass and send the picture to those who watch."""
        if self.until_mono_s is not None and time.monotonic() >= self.until_mono_s:
            self.switch("normal")
        if self.mode not in ("drop", "stall"):
            self._send(self._next())
        self._pictures += 1

    def _next(self) -> Picture:
        if self._shown != self.mode:
            self._shown, self._position = self.mode, 0
        pictures = self._stream().pictures
        picture = pictures[self._position]
        self._position = (self._position + 1) % len(pictures)
        return picture

    def _stream(self) -> Stream:
        by_mode = {"freeze": self.scenes.frozen, "black": self.scenes.black, "night": self.scenes.night}
        return by_mode.get(self.mode, self.scenes.normal)

    def _send(self, picture: Picture) -> None:
        if not self._watchers:
            self._sequence += len(picture.payloads)
            return
        packets = self._packetise(picture)
        self.frames_sent += 1
        for watcher, started in list(self._watchers.items()):
            if (started or picture.is_key) and watcher.waiting_bytes() < _MOST_WAITING_BYTES:
                watcher.send(packets)
                self._watchers[watcher] = True
            else:
                self._watchers[watcher] = False

    def _packetise(self, picture: Picture) -> bytes:
        """The picture as RTP (RFC 3550 §5.1), interleaved on channel 0 (RFC 2326 §10.12)."""
        now_mono_s = time.monotonic()
        packets = bytearray()
        if picture.is_key and now_mono_s - self._report_mono_s >= _REPORT_EVERY_S:
            self._report_mono_s = now_mono_s
            packets += interleaved(1, self._sender_report())
        last = len(picture.payloads) - 1
        for index, payload in enumerate(picture.payloads):
            marker = 0x80 if index == last else 0
            header = struct.pack(
                ">BBHII", 0x80, marker | _PAYLOAD_TYPE, self.sequence, self.timestamp, self.ssrc
            )
            packets += interleaved(0, header + payload)
            self._sequence += 1
            self._packets += 1
            self._octets += len(payload)
        return bytes(packets)

    def _sender_report(self) -> bytes:
        """RTCP SR (RFC 3550 §6.4.1) with an SDES CNAME, as a compound packet must have."""
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        report = struct.pack(
            ">BBHIIIIII",
            *(0x80, 200, 6, self.ssrc),
            *(seconds + _NTP_EPOCH_S, (nanoseconds << 32) // 1_000_000_000, self.timestamp),
            *(self._packets & 0xFFFFFFFF, self._octets & 0xFFFFFFFF),
        )
        item = struct.pack(">BB", 1, len(self.name)) + self.name.encode()
        item += b"\0" * (4 - len(item) % 4)
        return report + struct.pack(">BBHI", 0x81, 202, 1 + len(item) // 4, self.ssrc) + item


def interleaved(channel: int, packet: bytes) -> bytes:
    """Frame a packet for the RTSP connection (RFC 2326 §10.12)."""
    return struct.pack(">BBH", 0x24, channel, len(packet)) + packet


def hash_32(text: str) -> int:
    """A stable 32-bit number of a name."""
    return zlib.crc32(text.encode())
