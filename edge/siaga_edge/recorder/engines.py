"""Whose turn it is to record a camera: our own client's or ffmpeg's. Pure."""

from dataclasses import dataclass
from typing import Literal

from siaga_edge.recorder.trouble import Kind

Engine = Literal["native", "ffmpeg"]


@dataclass(slots=True)
class Turns:
    """Our own client is tried first, unless the config says otherwise.

    What it does not understand is ffmpeg's until the service ends. A camera that it has never recorded and
    that answers is tried with both in turn: the first that records it goes on.
    """

    engine: Engine
    reason: str = ""  # why it is not our own client's turn
    _has_recorded: bool = False
    _is_trial: bool = False
    _said: Engine | None = None

    def hand_over(self, reason: str) -> None:
        """Our own client does not understand the camera."""
        self.engine, self.reason, self._is_trial, self._has_recorded = "ffmpeg", reason, False, True

    def recorded(self) -> Engine | None:
        """There is a fragment; the engine, if it is another than was said before."""
        self._has_recorded, self._is_trial = True, False
        said, self._said = self._said, self.engine
        return self.engine if said != self.engine else None

    def failed(self, kind: Kind, reason: str) -> None:
        """A camera that answered gave nothing that could be recorded, or what it gave ended."""
        if self.engine == "native" and kind in ("garbage", "bug"):
            self.hand_over(reason)
        elif self._has_recorded:
            return
        elif self.engine == "native":
            self.engine, self.reason, self._is_trial = "ffmpeg", reason, True
        elif self._is_trial:
            self.engine, self.reason, self._is_trial = "native", "", False
