"""What the node says to a citizen by itself: the table below is the whole truth. Pure.

A report never waits for the dialogue: it is committed, alarmed and handed over from the first message on.
The dialogue only asks for what is missing. Nothing is said before it is true: that a report was taken only
when the hub, or somebody on duty, has it; that nobody can read it only when nobody can.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from siaga_core.wire.duty import Template
from siaga_core.wire.roster import SHIPPED, NodePolicy

# Each text there is; the hub knows four kinds of them (KIND).
Text = Literal[
    "report", "place", "call", "bounce", "bounce_call", "retraction", "retraction_placed", "retraction_call"
]
KIND: dict[Text, Template] = {
    "report": "report",
    "place": "place",
    "call": "call",
    "bounce": "bounce",
    "bounce_call": "bounce",
    "retraction": "report",
    "retraction_placed": "report",
    "retraction_call": "call",
}

# fresh, located, rang: a text, a text with a place, a call came and nobody has it yet. rung: the caller was
# told that his call was seen, and has not written. bounced, and with the place known, and of a call: he was
# told that nobody can read it.
State = Literal[
    "fresh",
    "located",
    "rang",
    "asked",
    "reminded",
    "placed",
    "rung",
    "bounced",
    "bounced_placed",
    "bounced_rang",
]
# text, placed: the citizen wrote, without or with a place. missed: he rang in vain. taken: the hub or a duty
# phone has it. waited: no place after the reply for REMIND_AFTER_S. deserted: nobody can read it.
Event = Literal["text", "placed", "missed", "taken", "waited", "deserted"]

TABLE: dict[tuple[State | None, Event], tuple[State, Text | None]] = {
    (None, "text"): ("fresh", None),
    (None, "placed"): ("located", None),
    (None, "missed"): ("rang", None),
    ("fresh", "text"): ("fresh", None),
    ("fresh", "placed"): ("located", None),
    ("fresh", "missed"): ("fresh", None),
    ("fresh", "taken"): ("asked", "report"),
    ("fresh", "deserted"): ("bounced", "bounce"),
    ("located", "taken"): ("placed", "report"),
    ("located", "deserted"): ("bounced_placed", "bounce"),
    ("rang", "text"): ("fresh", None),
    ("rang", "placed"): ("located", None),
    ("rang", "taken"): ("rung", "call"),
    ("rang", "deserted"): ("bounced_rang", "bounce_call"),
    ("rung", "text"): ("asked", None),
    ("rung", "placed"): ("placed", None),
    ("rung", "deserted"): ("bounced_rang", "bounce_call"),
    ("asked", "placed"): ("placed", None),
    ("asked", "waited"): ("reminded", "place"),
    ("asked", "deserted"): ("bounced", "bounce"),
    ("reminded", "placed"): ("placed", None),
    ("reminded", "deserted"): ("bounced", "bounce"),
    ("placed", "deserted"): ("bounced_placed", "bounce"),
    ("bounced", "placed"): ("bounced_placed", None),
    ("bounced", "taken"): ("asked", "retraction"),
    ("bounced_placed", "taken"): ("placed", "retraction_placed"),
    ("bounced_rang", "text"): ("bounced", None),
    ("bounced_rang", "placed"): ("bounced_placed", None),
    ("bounced_rang", "taken"): ("rung", "retraction_call"),
}
# Somebody waits for an answer that is owed; the others are looked at more seldom.
OWED: tuple[State, ...] = ("fresh", "located", "rang")
# Whoever was told that nobody can read it hears when somebody has it, however long that takes.
BOUNCED: tuple[State, ...] = ("bounced", "bounced_placed", "bounced_rang")
# How a bounce is taken back, by the state that follows; of who gave a place none is asked for.
RETRACTIONS: dict[State, Text] = {
    "asked": "retraction",
    "placed": "retraction_placed",
    "rung": "retraction_call",
}

REMIND_AFTER_S = 120.0
# A text after this begins anew: who writes an hour later has something new to say.
SESSION_S = 1800.0
# After a day it is no news any more that somebody has what nobody could read.
RETRACTED_WITHIN_S = 86_400.0
# A prepaid SIM is let send some ten texts a minute; alerts to duty phones must have their share.
BUDGET_A_MINUTE = 6
_DAY_S, _HOUR_S = 86_400.0, 3600.0

Verdict = Literal["now", "later", "never"]


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment that outlives a restart: exact within a boot, by wall time across boots."""

    boot_id: str
    boot_ns: int
    wall_ns: int

    def until_s(self, now: "Instant") -> float:
        """Seconds from here to `now`; never negative, whatever was done to the wall clock."""
        if self.boot_id == now.boot_id:
            return max(0.0, (now.boot_ns - self.boot_ns) / 1e9)
        return max(0.0, (now.wall_ns - self.wall_ns) / 1e9)


@dataclass(frozen=True, slots=True)
class Said:
    """What a number was sent, `age_s` ago: a reply, or `hub`, what the hub had one of the modems send it.

    `elsewhere`: by this node's other modem. `is_out`: it has left, as far as is known.
    """

    template: Text | Literal["hub"]
    age_s: float
    elsewhere: bool = False
    is_out: bool = True


def step(state: State | None, event: Event) -> tuple[State | None, Text | None]:
    """The state after `event` and the reply it calls for; what the table does not name changes nothing."""
    return TABLE.get((state, event), (state, None))


def bounced_s(said: Sequence[Said]) -> float | None:
    """How long ago this number was last told that nobody can read it, within a day."""
    ages = (one.age_s for one in said if one.template in ("bounce", "bounce_call"))
    return min((age_s for age_s in ages if age_s < RETRACTED_WITHIN_S), default=None)


def stands(said: Sequence[Said]) -> bool:
    """Whether a number still has to believe that nobody can read it: no modem and no hub said more."""
    since_s = bounced_s(said)
    later = (*RETRACTIONS.values(), "hub")
    return since_s is not None and not any(one.template in later and one.age_s < since_s for one in said)


def fitting(wanted: Text, after: State, said: Sequence[Said]) -> Text:
    """What is said for `wanted`: a plain receipt would leave a bounce, of whichever modem, as it stands."""
    return RETRACTIONS[after] if wanted in ("report", "call") and stands(said) else wanted


def lasts_s(state: State) -> float:
    """How long a conversation in which nobody says anything stays open."""
    return RETRACTED_WITHIN_S if state in BOUNCED else SESSION_S


def place_in_line(state: State, priority: str) -> tuple[int, int, int, str]:
    """Who is answered first of those who wait, the least.

    P1 before others, a bounce that is true no longer before a courtesy, a reminder last.
    """
    return (int(state == "asked"), int(priority != "P1"), int(state not in BOUNCED), priority)


def verdict(
    template: Text,
    number: str | None,
    ours: Collection[str],
    said: Sequence[Said],
    sent_last_minute: int,
    policy: NodePolicy = SHIPPED,
) -> Verdict:
    """Whether an automatic reply may go. Limits concern replies alone, never what is kept or shown.

    `number` is E.164, None for short codes, names and withheld numbers; `ours` are our own modems' numbers;
    `said` is what this number has been sent by itself in the last day, by both modems of the node.
    `sent_last_minute` is this modem's own: it spares its SIM.
    """
    if number is None or number in ours:
        return "never"
    if template in RETRACTIONS.values():
        return _of_retraction(said, sent_last_minute)
    replies = [one for one in said if one.template != "hub"]
    same = [one for one in replies if one.template == template and one.age_s < _DAY_S]
    if len(same) >= policy.same_reply_a_day or _has_heard(template, said):
        return "never"
    if any(one.age_s < policy.between_replies_s for one in replies):
        return "later"
    in_an_hour = sum(one.age_s < _HOUR_S for one in replies)
    if in_an_hour >= policy.replies_an_hour or sent_last_minute >= BUDGET_A_MINUTE:
        return "later"
    return "now"


def _of_retraction(said: Sequence[Said], sent_last_minute: int) -> Verdict:
    """Once per bounce, and then at once: what was said is false now, and keeps him from waiting for help."""
    if any(one.template == "hub" and not one.is_out for one in said):
        return "later"  # what the hub says may reach him
    if not stands(said):
        return "never"
    return "later" if sent_last_minute >= BUDGET_A_MINUTE else "now"


def _has_heard(template: Text, said: Sequence[Said]) -> bool:
    """Whether the other modem has said it of late, or after a bounce the hub that somebody has it."""
    of_late = [one for one in said if one.age_s < SESSION_S]
    since_s = bounced_s(of_late)
    by_hub = since_s is not None and any(one.template == "hub" and one.age_s < since_s for one in of_late)
    if by_hub and template in ("report", "call"):
        return True
    return any(
        one.elsewhere and one.template != "hub" and KIND[one.template] == KIND[template] for one in of_late
    )


def is_echo(text: str, sent: Collection[str]) -> bool:
    """Whether `text` is one of ours coming back: two machines that answer each other never stop."""
    heard = _bare(text)
    return any(bare and bare in heard for bare in map(_bare, sent))


def _bare(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())
