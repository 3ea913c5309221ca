"""Whether a node's other modem has already called people for what a citizen wrote to this one. Pure.

Who writes to both SIMs means one matter, and two codes for it send two teams. But whatever may be another
emergency has an alarm of its own: another kind, a more pressing one, another place, a text after a call.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from siaga_core.reading.text import Reading, read
from siaga_edge.modem.away import OPEN, UNANSWERED, AlarmState
from siaga_edge.modem.conversation import SESSION_S

# So long the other modem is given to get the text to the first phone on duty out.
REACH_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class TheirAlarm:
    """An alarm of the other modem, `age_s` old; `text` is what was written, None for a call.

    `reached`: a phone on duty was sent it. `tended`: the other modem's service runs, and texts the next one.
    """

    code: str
    state: AlarmState
    age_s: float
    text: str | None
    reached: bool
    tended: bool


# own: alarm as if there were no other; also: alarm that names the other's code; none: it has been seen to;
# wait: they are being called, look again.
Decision = Literal["own", "also", "none", "wait"]


def decide(text: str | None, age_s: float, waited_s: float, theirs: TheirAlarm | None) -> Decision:
    """What to do about a report `age_s` old that was due for an alarm `waited_s` ago.

    `text` as in TheirAlarm. While it waits for the hub it is looked at again: the other may stop calling.
    """
    if theirs is None:
        return "own"
    if abs(theirs.age_s - age_s) >= SESSION_S:
        return "also" if theirs.state in OPEN else "own"
    if not is_same(theirs.text, text):
        return "also"
    if theirs.state not in UNANSWERED:
        return "none"
    calls = theirs.reached or waited_s < REACH_WITHIN_S
    return "wait" if theirs.tended and calls else "also"


@lru_cache(maxsize=1024)  # a flood to both SIMs is looked at again every round
def is_same(first: str | None, second: str | None) -> bool:
    """Whether the second text, None for a call, adds nothing that could be another emergency."""
    if second is None:
        return True
    if first is None:
        return False
    before, after = read(first), read(second)
    if after.kind not in (before.kind, "LAIN") or after.priority < before.priority:
        return False
    return _where(after) in (_where(before), _where(read("")))


def _where(said: Reading) -> tuple[object, ...]:
    place = said.place.names or said.place.words.casefold()
    return place or "", said.positions, said.links, said.location
