"""The life of a hold: footage that retention may not delete. The table below is the whole truth. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

State = str

_WORDS = {"waiting": "waiting", "held": "held", "lost": "lost"}
_DEEDS = {"extend": "asked", "release": "released"}
# What a node says (wire/recording.HoldState) and what people do; anything else changes nothing.
TRANSITIONS: dict[State, dict[str, State]] = {
    "asked": {**_WORDS, **_DEEDS},
    "waiting": {**_WORDS, **_DEEDS},
    "held": {**_WORDS, **_DEEDS},
    # A node that had lost its memory may find the footage again.
    "lost": {"held": "held", "waiting": "waiting", **_DEEDS},
    "released": {},
}
# What a node is asked to keep; a lost one too, for what may still be found.
WANTED = frozenset({"asked", "waiting", "held", "lost"})


@dataclass(frozen=True, slots=True)
class Policy:
    """What the city decides about holds (SOP §2 A6); these values ship until it does (store/policies)."""

    priorities: tuple[str, ...] = ("P1", "P2")  # whose incidents hold footage by themselves
    cameras: int = 3  # nearest to an incident
    within_m: float = 500.0  # of the place, whose own radius is added
    # Vaguer than this (a kecamatan, a pulau) the nearest cameras are any cameras, and would only cost room.
    vague_m: float = 2500.0
    before_us: int = 2 * 60 * 1_000_000
    after_us: int = 10 * 60 * 1_000_000
    longest_us: int = 12 * 3600 * 1_000_000
    kept_after_closing_us: int = 30 * 86_400 * 1_000_000
    # What was placed by itself for an incident that turned out to be none.
    kept_after_dismissal_us: int = 3 * 86_400 * 1_000_000
    kept_after_clip_us: int = 86_400 * 1_000_000
    # An unconfirmed hold whose footage comes this near to retention's edge is said aloud.
    warn_us: int = 24 * 3600 * 1_000_000
    crit_us: int = 2 * 3600 * 1_000_000
    # Of the most that a node can be asked; the rest is kept for what people ask by hand.
    by_itself_percent: int = 80


POLICY = Policy()
# Less is the jitter of arrival, and nodes do not name it as missing.
_JITTER_US = 2_500_000


class IllegalHold(ValueError):
    """A hold that nobody can place, or a release without what it needs."""


def after(state: State, word: str) -> State:
    """The state after a word of the node or a deed of a person; the same if it changes nothing."""
    return TRANSITIONS[state].get(word, state)


def check_span(start_us: int, end_us: int, policy: Policy = POLICY) -> None:
    """Raises IllegalHold for a span that ends before it begins or holds more than a shift and a half."""
    if not start_us < end_us <= start_us + policy.longest_us:
        raise IllegalHold("a hold ends after it begins and is at most 12 hours long")


def check_reason(reason: str) -> None:
    """Raises IllegalHold: who holds or lets go of footage says why."""
    if not reason.strip():
        raise IllegalHold("say why the footage is held or released")


def danger(start_us: int, kept_since_us: int | None, policy: Policy = POLICY) -> str:
    """How near retention is to footage that the node has not confirmed: `crit`, `warn` or nothing.

    `kept_since_us`: the oldest footage the node has left; None while it has not said.
    """
    if kept_since_us is None:
        return ""
    left_us = start_us - kept_since_us
    if left_us < policy.crit_us:
        return "crit"
    return "warn" if left_us < policy.warn_us else ""


def wants(priority: str, radius_m: float | None, policy: Policy) -> bool:
    """Whether an incident of this priority at a place of this certainty holds footage by itself."""
    return priority in policy.priorities and radius_m is not None and radius_m <= policy.vague_m


def span(moments: Sequence[tuple[int, int]], policy: Policy) -> tuple[int, int]:
    """From before the first to after the last moment, each given as the interval that contains it."""
    start_us = min(low for low, _ in moments) - policy.before_us
    end_us = max(high for _, high in moments) + policy.after_us
    return start_us, min(end_us, start_us + policy.longest_us)


def widened(old: tuple[int, int], new: tuple[int, int], policy: Policy) -> tuple[int, int]:
    """The old span, grown by as much of the new one as the longest allows; it never gives anything up."""
    start_us = max(min(old[0], new[0]), min(old[0], old[1] - policy.longest_us))
    end_us = min(max(old[1], new[1]), max(old[1], start_us + policy.longest_us))
    return start_us, end_us


def accounts_for(
    start_us: int, end_us: int, kept: tuple[int, int], missing: Sequence[tuple[int, int]]
) -> bool:
    """Whether what a node says it has and lacks speaks of the whole span; one of before it grew does not."""
    reached_us = start_us
    for begin_us, until_us in sorted([kept, *missing]):
        if begin_us - reached_us > _JITTER_US:
            return False
        reached_us = max(reached_us, until_us)
    return end_us - reached_us <= _JITTER_US


def lets_go_us(cause: str, incident_state: str, closed_us: int | None, policy: Policy) -> int | None:
    """When a closed incident's hold ends by itself; None while the incident is open."""
    if closed_us is None:
        return None
    is_none = cause == "incident" and incident_state in ("cancelled", "unfounded")
    return closed_us + (policy.kept_after_dismissal_us if is_none else policy.kept_after_closing_us)


def checked(made: Policy) -> Policy:
    """The policy as it is. Raises IllegalHold for values that nobody can mean."""
    spans = (
        made.before_us >= 0 and made.after_us >= 0 and 0 < made.before_us + made.after_us <= made.longest_us
    )
    if not spans or made.longest_us > 24 * 3600 * 1_000_000:
        raise IllegalHold("before and after make a span of at most the longest, which is at most a day")
    kept = (made.kept_after_closing_us, made.kept_after_dismissal_us, made.kept_after_clip_us)
    if min(kept) < 0 or not 0 <= made.crit_us <= made.warn_us:
        raise IllegalHold("times are not negative, and crit_us is not above warn_us")
    if not 0 <= made.cameras <= 20 or not 0 <= made.by_itself_percent <= 100 or made.within_m < 0:
        raise IllegalHold("0 to 20 cameras, 0 to 100 percent, no negative distance")
    return made
