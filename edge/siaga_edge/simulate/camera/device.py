"""One simulated camera: its streams, and what is wrong with it."""

import time
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from siaga_edge.simulate.camera.feed import Feed

Mode = Literal["normal", "freeze", "black", "night", "drop", "stall", "mute", "refuse"]
Auth = Literal["digest", "basic"]
OnvifFault = Literal[
    "none", "blackhole", "drip", "huge", "unauthorized", "wrong-xaddr", "malformed", "redirect", "bomb"
]
MODES: tuple[Mode, ...] = get_args(Mode)
AUTHS: tuple[Auth, ...] = get_args(Auth)
ONVIF_FAULTS: tuple[OnvifFault, ...] = get_args(OnvifFault)


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
    feeds: dict[str, Feed]  # by the rest of the path: "" is the main stream, "sub" the small one
    auth: Auth = "digest"
    mode: Mode = "normal"
    until_mono_s: float | None = None
    onvif: Onvif = field(default_factory=Onvif)
    lost_share: float = 0.0  # of the UDP packets
    sessions: int = 0  # DESCRIBEs that were let in
    refused: int = 0  # requests without a proof of the password that came with one that was wrong

    def switch(self, mode: Mode, seconds: float | None = None) -> None:
        """Behave as `mode` from now on, for `seconds` if given, then normally again."""
        self.mode = mode
        self.until_mono_s = None if seconds is None else time.monotonic() + seconds
        if mode in ("drop", "refuse"):
            for feed in self.feeds.values():
                feed.close()

    def reset(self) -> None:
        """Cut all watchers off with a TCP reset; they may come again at once."""
        for feed in self.feeds.values():
            feed.close(reset=True)

    def change(self) -> None:
        """From the next picture on in the other form (size and parameter sets), or back in the usual one."""
        for feed in self.feeds.values():
            feed.changed = not feed.changed

    def jump(self, seconds: float) -> None:
        """Let the RTP time of all tracks jump."""
        for feed in self.feeds.values():
            feed.leap(seconds)

    def jump_clock(self, seconds: float) -> None:
        """Let the camera's own clock jump, as sender reports tell it."""
        for feed in self.feeds.values():
            feed.clock_jump_ns += round(seconds * 1e9)

    def mix(self, foreign: bool) -> None:
        """Send packets of a foreign SSRC in between, or no more."""
        for feed in self.feeds.values():
            feed.foreign = foreign

    def state(self) -> dict[str, Any]:
        """What `state` answers on the control socket."""
        return {
            "mode": self.mode,
            "clients": sum(len(feed.watchers) for feed in self.feeds.values()),
            "frames_sent": sum(feed.frames_sent for feed in self.feeds.values()),
            "sessions": self.sessions,
            "refused": self.refused,
            "changed": self.feeds[""].changed,
            "foreign": self.feeds[""].foreign,
            "lost_percent": round(self.lost_share * 100, 3),
            "onvif_fault": self.onvif.fault,
            "onvif_clock_offset_s": self.onvif.clock_offset_s,
            "onvif_requests": self.onvif.requests,
            "onvif_refused": self.onvif.refused,
        }

    def show(self) -> None:
        """Let one picture's time pass and send the picture to those who watch."""
        if self.until_mono_s is not None and time.monotonic() >= self.until_mono_s:
            self.switch("normal")
        for feed in self.feeds.values():
            feed.show(self.mode)
