"""What can go wrong with a camera's stream, and how long to wait before it is asked again. Pure."""

from typing import Literal

from siaga_core.errors import SiagaError, Transient
from siaga_core.service.workers import back_off_s

Kind = Literal["away", "refused", "silent", "jump", "garbage", "flood", "engine", "bug"]

RETRY_FIRST_S = 0.5
RETRY_MOST_S = 5.0
# Cameras lock an account after a handful of wrong passwords; how many and how long differs by maker.
REFUSED_FIRST_S = 15.0
REFUSED_MOST_S = 300.0
# What ffmpeg 5.1 means when it aborts on a leap of 2^31 ticks or more ("Assertion next_dts <= 0x7fffffff").
LEAPT = "the camera's time jumped"
_REFUSALS = ("401 ", "403 ", "Unauthorized", "Forbidden")


class CameraTrouble(SiagaError, Transient):
    """The camera gives no stream that can be recorded; the message says why, `kind` is counted."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind: Kind = kind


class Unreachable(CameraTrouble):
    """There was no connection to the camera at all: no engine would have one."""

    def __init__(self, message: str) -> None:
        super().__init__("away", message)


def kind_of(last_words: str) -> Kind:
    """What ffmpeg's own last words mean."""
    if last_words == LEAPT:
        return "jump"
    return "refused" if any(word in last_words for word in _REFUSALS) else "away"


def pause_s(kind: Kind, tries: int, jitter: float) -> float:
    """The pause before try number `tries` + 1, spread by `jitter` in [0, 1)."""
    if kind == "refused":
        return back_off_s(tries, jitter, first_s=REFUSED_FIRST_S, most_s=REFUSED_MOST_S)
    return back_off_s(tries, jitter, first_s=RETRY_FIRST_S, most_s=RETRY_MOST_S)
