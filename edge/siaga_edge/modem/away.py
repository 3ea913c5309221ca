"""What a node does while the hub cannot be reached: whom it wakes, how long it waits. Pure.

The hub is away for a report when it has not acknowledged it the policy's `away_after_s` after the node
committed it: not the link counts, not the broker, only the hub's own word.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from siaga_core.wire.roster import SHIPPED, NodePolicy

SIREN_MOST_S = 600.0
# Nobody comes for a text that was surely no emergency; it is kept and handed over like any other.
LOUD = ("P1", "P2")

AlarmState = Literal["sounding", "quiet", "accepted", "underway", "done", "over"]
OPEN: tuple[AlarmState, ...] = ("sounding", "quiet", "accepted", "underway")
UNANSWERED: tuple[AlarmState, ...] = ("sounding", "quiet")


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm now: `told` phones have been texted, the last `told_age_s` ago."""

    state: AlarmState
    age_s: float
    told: int = 0
    told_age_s: float = 0.0


def begins(waiting_s: float, *, has_alarm: bool, policy: NodePolicy = SHIPPED) -> bool:
    """Whether a report that waits for the hub's word raises an alarm of its own."""
    return waiting_s >= policy.away_after_s and not has_alarm


def first_state(priority: str) -> AlarmState:
    """Loud for what is pressing, quiet for the rest."""
    return "sounding" if priority in LOUD else "quiet"


def next_phone(alarm: Alarm, phones: Sequence[str], policy: NodePolicy = SHIPPED) -> int | None:
    """Which phone to text now; each is texted once, the next when the one before has not answered."""
    if alarm.state != "sounding" or alarm.told >= len(phones):
        return None
    return alarm.told if not alarm.told or alarm.told_age_s >= policy.next_phone_s else None


def is_deserted(alarm: Alarm, *, hub_has_it: bool, policy: NodePolicy = SHIPPED) -> bool:
    """Whether it is true that nobody can read a report now."""
    unanswered = alarm.state in UNANSWERED and alarm.age_s >= policy.unanswered_s
    return unanswered and not hub_has_it


def siren(alarms: Sequence[Alarm]) -> bool:
    """Whether the siren sounds: for alarms that nobody has answered, and not for ever."""
    return any(alarm.state == "sounding" and alarm.age_s < SIREN_MOST_S for alarm in alarms)
