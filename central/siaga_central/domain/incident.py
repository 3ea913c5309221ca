"""The life of an incident: the table below is the whole truth."""

from collections.abc import Collection

State = str

# state -> what may be done to it -> the state it is in afterwards
TRANSITIONS: dict[State, dict[str, State]] = {
    "new": {"verify": "verified", "handle": "handled", "dismiss": "unfounded", "cancel": "cancelled"},
    "verified": {"handle": "handled", "dismiss": "unfounded", "cancel": "cancelled"},
    "handled": {"finish": "done", "cancel": "cancelled"},
    "done": {"close": "closed", "reopen": "handled"},
    "closed": {"reopen": "handled"},
    "unfounded": {"reopen": "new"},
    "cancelled": {"reopen": "new"},
}
FINAL = frozenset({"closed", "unfounded", "cancelled"})
# What a field team answers (siaga_core.reading.field), and which answers say that it is at work.
_AT_WORK = frozenset({"accepted", "underway"})
# Moves that somebody will be asked about later need a reason now.
NEED_REASON = frozenset({"dismiss", "cancel", "reopen"})


class IllegalMove(ValueError):
    """What was asked cannot be done to an incident in this state, or lacks its reason."""


def moves(state: State) -> tuple[str, ...]:
    """What may be done to an incident in `state`."""
    return tuple(TRANSITIONS[state])


def after(state: State, move: str, reason: str = "") -> State:
    """Return the state after `move`. Raises IllegalMove."""
    following = TRANSITIONS.get(state, {}).get(move)
    if following is None:
        raise IllegalMove(f"an incident that is {state} cannot be moved by {move!r}")
    if move in NEED_REASON and not reason.strip():
        raise IllegalMove(f"{move} needs a reason")
    return following


def by_field(state: State, deed: str, others: Collection[str]) -> tuple[str, ...]:
    """The moves that a field team's answer makes; `others` is how far other teams are with the incident.

    Who accepts handles it, again if it was done; the last at work finishes it. Closing is a person's.
    """
    begins = ("handle",) if state in ("new", "verified") else ()
    if deed in _AT_WORK:
        return ("reopen",) if state == "done" else begins
    if deed != "done" or state not in ("new", "verified", "handled"):
        return ()
    return begins if _AT_WORK.intersection(others) else (*begins, "finish")


def is_open(state: State) -> bool:
    """Whether somebody still has to do something about it."""
    return state not in FINAL
