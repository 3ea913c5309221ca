"""What to try next on a modem that is not well: from a word to it, to its power, to another modem. Pure.

It never stops. Each rung is worse for whatever the modem still does, so the gentlest comes first, and the
power not again and again: a SIM that has died is not cured by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

Rung = Literal["drain", "reopen", "restart", "usb", "power", "second"]
RUNGS: tuple[Rung, ...] = ("drain", "reopen", "restart", "usb", "power", "second")
# What makes no sense while the device is not there: nobody would hear it.
NEEDS_DEVICE: frozenset[Rung] = frozenset({"drain", "restart"})
# Between two rounds of the whole ladder.
BACK_OFF_S = (1.0, 2.0, 5.0, 10.0, 30.0)
# How often a rung's effect is looked for while it is waited for.
LOOK_EVERY_S = 1.0
# What a rung needs until it can have helped: a USB device comes back in 2 to 8 s, a relay is open for 5.
USB_S, POWER_OFF_S = 10.0, 5.0
# Within one trouble: a SIM that has died is not cured by it, and the modem's boot is time without reports.
POWER_AGAIN_S = 600.0
# A plug that is being changed, or a modem that boots, is not missing yet.
MISSING_S = 10.0


@dataclass(frozen=True, slots=True)
class Ladder:
    """How far one trouble has come. `since_mono_s`: when it was noticed; None while all is well."""

    since_mono_s: float | None = None
    tried: int = 0  # rungs of this round that lie behind
    round: int = 0
    next_mono_s: float = float("-inf")
    wait_until_mono_s: float = float("-inf")  # the last rung may still help until then
    power_mono_s: float = float("-inf")


@dataclass(frozen=True, slots=True)
class Step:
    """What to do now. `anew`: it is a rung of its own, and an event; else one more look whether it helped."""

    rung: Rung
    anew: bool


def healthy() -> Ladder:
    """After a sweep that succeeded: the next trouble begins anew, and may have the power again at once."""
    return Ladder()


def failed(ladder: Ladder, now_mono_s: float) -> Ladder:
    """After a failure: the trouble begins, or goes on."""
    return ladder if ladder.since_mono_s is not None else replace(ladder, since_mono_s=now_mono_s)


def step(
    ladder: Ladder, now_mono_s: float, waits_s: Mapping[Rung, float], *, missing: bool
) -> tuple[Ladder, Step | None]:
    """The next thing to do, None before its time. `waits_s`: the rungs this node has, and what each needs.

    Between rungs the device is opened again every LOOK_EVERY_S: whatever cured the modem is found soon.
    """
    assert ladder.since_mono_s is not None, "there is trouble"
    if now_mono_s < ladder.next_mono_s:
        return ladder, None
    patient = missing and now_mono_s - ladder.since_mono_s < MISSING_S
    if now_mono_s < ladder.wait_until_mono_s or patient:
        return replace(ladder, next_mono_s=now_mono_s + LOOK_EVERY_S), Step("reopen", anew=False)
    place = _next_place(ladder, now_mono_s, waits_s, missing=missing)
    if place is None:
        pause_s = BACK_OFF_S[min(ladder.round, len(BACK_OFF_S) - 1)]
        if missing:  # looking costs nothing, and reports wait in the modem that comes back
            pause_s = min(pause_s, 2 * LOOK_EVERY_S)
        over = replace(ladder, tried=0, round=ladder.round + 1, next_mono_s=now_mono_s + pause_s)
        return over, Step("reopen", anew=False)
    rung = RUNGS[place]
    taken = replace(
        ladder,
        tried=place + 1,
        next_mono_s=now_mono_s,
        wait_until_mono_s=now_mono_s + waits_s[rung],
        power_mono_s=now_mono_s if rung == "power" else ladder.power_mono_s,
    )
    return taken, Step(rung, anew=True)


def _next_place(
    ladder: Ladder, now_mono_s: float, waits_s: Mapping[Rung, float], *, missing: bool
) -> int | None:
    for place in range(ladder.tried, len(RUNGS)):
        rung = RUNGS[place]
        if rung not in waits_s or (missing and rung in NEEDS_DEVICE):
            continue
        if rung == "power" and now_mono_s - ladder.power_mono_s < POWER_AGAIN_S:
            continue
        if rung == "second" and ladder.round > 0:  # told once
            continue
        return place
    return None
