"""The trial call that this node's other modem has announced, told apart from citizens' calls. Pure.

Such a call must raise no alarm, and a citizen's that comes in its stead must not be lost: a ring is held for
HOLD_S at most until its caller is named, on disk all the while, and is a citizen's in every doubt.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from siaga_edge.modem.call import Doubted, Event, Leg, Listed, Named, Rang, Waits
from siaga_edge.modem.number import to_e164

# +CLIP follows RING within the same second where it comes at all (3GPP TS 27.007 §7.6).
HOLD_S = 1.5
# From the last moment at which it may come to its end, by the times of modem/trial: 28 s and some commands.
TRIAL_S = 45.0

# ours: of the trial call, no record. hold: keep on disk until it is known. release: the held ring was a
# citizen's, note it now and then this sign. other: none of ours.
Verdict = Literal["ours", "hold", "release", "other"]


@dataclass(frozen=True, slots=True)
class Expected:
    """`number` will call until `until_mono_s`. `came`: it rings, or is talked to, for TRIAL_S more."""

    number: str
    until_mono_s: float
    held: Leg | None = None
    came: bool = False


def is_from(expected: Expected, number: str | None) -> bool:
    """Whether a number is the other modem's."""
    return number is not None and (to_e164(number) or number) == expected.number


def hear(
    expected: Expected, event: Event, now_mono_s: float, new_id: Callable[[], str], *, busy: bool
) -> tuple[Expected, Verdict]:
    """What a sign of the modem belongs to. `busy`: a citizen's call is not over."""
    match event:
        case _ if now_mono_s >= expected.until_mono_s + TRIAL_S:
            return expected, "other" if expected.held is None else "release"
        case Rang() if not busy and (expected.came or expected.held is not None):
            return expected, "ours"
        case Rang() if not busy and now_mono_s < expected.until_mono_s:
            return replace(expected, held=Leg(new_id(), now_mono_s, now_mono_s, rings=1)), "hold"
        case Named(number) | Waits(number) if is_from(expected, number):
            came = expected.came or (isinstance(event, Named) and not busy)
            return replace(expected, held=None, came=came), "ours"
        case Named() | Waits() | Doubted() | Rang():
            return expected, "other" if expected.held is None else "release"
    return expected, "other"


def is_overdue(expected: Expected, now_mono_s: float) -> bool:
    """Whether a held ring has waited long enough for its name."""
    return expected.held is not None and now_mono_s - expected.held.began_mono_s >= HOLD_S


def citizens(expected: Expected, listed: tuple[Listed, ...]) -> tuple[Listed, ...]:
    """The calls of a list that are not the trial call."""
    return tuple(one for one in listed if not is_from(expected, one.number))
