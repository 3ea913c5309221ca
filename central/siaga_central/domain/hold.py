"""The life of a hold: footage that retention may not delete. The table below is the whole truth. Pure."""

from dataclasses import dataclass

State = str

# What a node says (wire/recording.HoldState) and what people do; anything else changes nothing.
TRANSITIONS: dict[State, dict[str, State]] = {
    "asked": {"waiting": "waiting", "held": "held", "lost": "lost", "release": "released"},
    "waiting": {"waiting": "waiting", "held": "held", "lost": "lost", "release": "released"},
    "held": {"held": "held", "waiting": "waiting", "lost": "lost", "release": "released"},
    # A node that had lost its memory may find the footage again.
    "lost": {"held": "held", "waiting": "waiting", "release": "released"},
    "released": {},
}
# What a node is asked to keep; a lost one too, for what may still be found.
WANTED = frozenset({"asked", "waiting", "held", "lost"})


@dataclass(frozen=True, slots=True)
class Policy:
    """What the city decides about holds, until it does (SOP §2 A6)."""

    cameras: int = 3  # nearest to an incident
    within_m: float = 500.0
    before_us: int = 2 * 60 * 1_000_000
    after_us: int = 10 * 60 * 1_000_000
    longest_us: int = 12 * 3600 * 1_000_000
    kept_after_closing_us: int = 30 * 86_400 * 1_000_000
    # An unconfirmed hold whose footage comes this near to retention's edge is said aloud.
    warn_us: int = 24 * 3600 * 1_000_000
    crit_us: int = 2 * 3600 * 1_000_000


POLICY = Policy()


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
