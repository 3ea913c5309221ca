"""What a node does while the hub cannot be reached: whom it wakes, how long it waits. Pure.

The hub is away for a report when it has not acknowledged it AWAY_AFTER_S after the node committed it: not
the link counts, not the broker, only the hub's own word.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

# A hub that restarts takes 5 to 10 s, a link that reconnects up to 15: neither should wake the duty phones.
AWAY_AFTER_S = 20.0
# The citizen is told that nobody reads when siren and phones have gone unanswered for this long.
UNANSWERED_S = 60.0
# The next phone is texted when the one before has not answered.
NEXT_PHONE_S = 60.0
SIREN_MOST_S = 600.0
# Nobody comes for a text that was surely no emergency; it is kept and handed over like any other.
LOUD = ("P1", "P2")

AlarmState = Literal["sounding", "quiet", "accepted", "underway", "done", "over"]
OPEN: tuple[AlarmState, ...] = ("sounding", "quiet", "accepted", "underway")


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm now: `told` phones have been texted, the last `told_age_s` ago."""

    state: AlarmState
    age_s: float
    told: int = 0
    told_age_s: float = 0.0


def begins(waiting_s: float, *, has_alarm: bool) -> bool:
    """Whether a report that waits for the hub's word raises an alarm of its own."""
    return waiting_s >= AWAY_AFTER_S and not has_alarm


def first_state(priority: str) -> AlarmState:
    """Loud for what is pressing, quiet for the rest."""
    return "sounding" if priority in LOUD else "quiet"


def next_phone(alarm: Alarm, phones: Sequence[str]) -> int | None:
    """Which phone to text now; each is texted once, the next when the one before has not answered."""
    if alarm.state != "sounding" or alarm.told >= len(phones):
        return None
    return alarm.told if not alarm.told or alarm.told_age_s >= NEXT_PHONE_S else None


def is_deserted(alarm: Alarm, *, hub_has_it: bool) -> bool:
    """Whether it is true that nobody can read a report now."""
    return not hub_has_it and alarm.state in ("sounding", "quiet") and alarm.age_s >= UNANSWERED_S


def siren(alarms: Sequence[Alarm]) -> bool:
    """Whether the siren sounds: for alarms that nobody has answered, and not for ever."""
    return any(alarm.state == "sounding" and alarm.age_s < SIREN_MOST_S for alarm in alarms)
