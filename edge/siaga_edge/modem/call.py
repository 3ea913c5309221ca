"""Calls that come in, from the first ring to the end. Pure: signs in, what to note and to do out.

A modem says RING and +CLIP and +CCWA when it likes, forgets to say that a call is over, and says that one is
over which is not. So every word is a hint; what AT+CLCC lists is the truth (`Told`). A call that was never
noted is worse than one noted twice: in doubt a call is another one.

Nothing in here answers a call: it is turned away when it has rung long enough. Whoever picks up in its stead
(modem/voice, on proved audio alone) says so first (`PickedUp`), and that is noted like all else.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from siaga_core.wire.report import Call, CallPrompt, CallRecording, CallState, Report
from siaga_edge.modem.number import to_e164

# The network rings every 5 s (3GPP TS 22.001); without AT+CLCC a call without a ring for longer is over.
SILENT_S = 6.5
# With it: so long may it go unanswered (a modem that is away) before the call is given up.
UNHEARD_S = 20.0
LIST_EVERY_S = 1.0
# One list may be older than the ring that came while it was made.
ABSENT_MOST = 2

Sign = Literal["rang", "named", "withheld", "active", "over"]
# What becomes of a call; what is not here cannot happen to it and changes nothing.
TABLE: Mapping[tuple[CallState, Sign], CallState] = {
    ("ringing", "rang"): "ringing",
    ("ringing", "named"): "identified",
    ("ringing", "withheld"): "ringing",
    ("ringing", "active"): "answered",
    ("ringing", "over"): "missed",
    ("identified", "rang"): "identified",
    ("identified", "named"): "identified",
    ("identified", "active"): "answered",
    ("identified", "over"): "missed",
    ("answered", "named"): "answered",
    ("answered", "over"): "ended",
}


@dataclass(frozen=True, slots=True)
class Leg:
    """One call that is not over. `revision` counts what has been noted of it."""

    report_id: str
    began_mono_s: float
    heard_mono_s: float
    rings: int = 0
    number: str | None = None
    withheld: bool = False
    waiting: bool = False
    state: CallState = "ringing"
    revision: int = 1
    absent: int = 0  # lists in a row that it was not on
    prompt: CallPrompt | None = None  # the node picked up by itself
    recording: CallRecording | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """Everything known of the line. `blind`: this modem has no AT+CLCC."""

    legs: tuple[Leg, ...] = ()
    listed_mono_s: float = float("-inf")
    doubted: bool = False
    blind: bool = False
    rejections: int = 0


@dataclass(frozen=True, slots=True)
class Listed:
    """An incoming call as AT+CLCC lists it (3GPP TS 27.007 §7.18); number None when withheld or not told."""

    number: str | None
    state: Literal["active", "incoming", "waiting", "held"]


@dataclass(frozen=True, slots=True)
class Rang:
    """RING or +CRING."""


@dataclass(frozen=True, slots=True)
class Named:
    """+CLIP: whose call rings; None when the number is withheld."""

    number: str | None


@dataclass(frozen=True, slots=True)
class Waits:
    """+CCWA: another caller, while the line is taken."""

    number: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """The answer to AT+CLCC; None when the modem does not know the command."""

    calls: tuple[Listed, ...] | None


@dataclass(frozen=True, slots=True)
class Doubted:
    """The modem says that a call is over (NO CARRIER, MISSED_CALL, ^CEND)."""


@dataclass(frozen=True, slots=True)
class Passed:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class PickedUp:
    """The node is about to pick this call up by itself (`begun`), or could not (None)."""

    report_id: str
    prompt: CallPrompt | None = "begun"


Event = Rang | Named | Waits | Told | Doubted | Passed | PickedUp


@dataclass(frozen=True, slots=True)
class Note:
    """Commit this state of a call, before anything else is done."""

    leg: Leg


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask AT+CLCC."""


@dataclass(frozen=True, slots=True)
class Reject:
    """Turn a call away; `attempt` counts from 0, the modem may need to be told another way.

    `beside`: somebody is being talked to on the other line, which must not be cut.
    """

    attempt: int
    beside: bool = False


Deed = Note | Ask | Reject


def step(
    line: Line, event: Event, now_mono_s: float, reject_after_s: float, new_id: Callable[[], str]
) -> tuple[Line, tuple[Deed, ...]]:
    """The line after `event`, and what is to be done, in this order."""
    match event:
        case Rang():
            return _rang(line, now_mono_s, new_id)
        case Named(number):
            return _named(line, number, now_mono_s, new_id)
        case Waits(number):
            return _waits(line, number, now_mono_s, new_id)
        case Told(None):
            return replace(line, blind=True, listed_mono_s=now_mono_s), ()
        case Told(calls):
            assert calls is not None
            return _told(line, calls, now_mono_s, new_id)
        case Doubted():
            return _doubted(line)
        case Passed():
            return _passed(line, now_mono_s, reject_after_s)
        case PickedUp(report_id, prompt):
            return _picked_up(line, report_id, prompt)


def report(leg: Leg, modem: str) -> Report:
    """The report of a call as it is."""
    return Report(
        report_id=leg.report_id,
        revision=leg.revision,
        source="call",
        modem=modem,
        reporter=leg.number,
        reporter_e164=to_e164(leg.number),
        call=Call(
            state=leg.state,
            rings=leg.rings,
            withheld=leg.withheld,
            prompt=leg.prompt,
            recording=leg.recording,
        ),
    )


def resumed(legs: tuple[Leg, ...], now_mono_s: float) -> Line:
    """The line after a restart of the service: the first list says which of these calls are still there."""
    # Their own moments may be of another boot, whose clock began anew.
    fresh = {"began_mono_s": now_mono_s, "heard_mono_s": now_mono_s, "absent": ABSENT_MOST - 1}
    return Line(tuple(replace(leg, **fresh) for leg in legs))  # type: ignore[arg-type]


def ringing(line: Line) -> Leg | None:
    """The call that rings longest and is not answered."""
    return next((leg for leg in line.legs if _is_due(leg)), None)


def is_over(leg: Leg) -> bool:
    """Whether nothing more can become of a call."""
    return leg.state in ("missed", "ended")


def _rang(line: Line, now_mono_s: float, new_id: Callable[[], str]) -> tuple[Line, tuple[Deed, ...]]:
    place = _front(line)
    if place is None:
        return _with_new(line, Leg(new_id(), now_mono_s, now_mono_s, rings=1))
    leg = line.legs[place]
    heard = replace(leg, rings=leg.rings + 1, heard_mono_s=now_mono_s, waiting=False, absent=0)
    return _put(line, place, heard), ()


def _named(
    line: Line, number: str | None, now_mono_s: float, new_id: Callable[[], str]
) -> tuple[Line, tuple[Deed, ...]]:
    place = _front(line)
    if place is None:
        fresh = Leg(new_id(), now_mono_s, now_mono_s)
        return _with_new(line, _known_as(fresh, number))
    leg = replace(line.legs[place], heard_mono_s=now_mono_s)
    if number is None or leg.number is None or _same(leg.number, number):
        return _named_leg(_put(line, place, leg), place, number)
    # Somebody else: the end of the call before this one was never said.
    line, over = _end(line, place)
    fresh = _known_as(Leg(new_id(), now_mono_s, now_mono_s, rings=1), number)
    line, begun = _with_new(line, fresh)
    return line, over + begun


def _waits(
    line: Line, number: str | None, now_mono_s: float, new_id: Callable[[], str]
) -> tuple[Line, tuple[Deed, ...]]:
    known = [leg for leg in line.legs if leg.waiting and (number is None or _same(leg.number, number))]
    if known:
        place = line.legs.index(known[0])
        return _put(line, place, replace(known[0], heard_mono_s=now_mono_s, rings=known[0].rings + 1)), ()
    fresh = Leg(new_id(), now_mono_s, now_mono_s, rings=1, waiting=True)
    return _with_new(line, _known_as(fresh, number))


def _told(
    line: Line, calls: tuple[Listed, ...], now_mono_s: float, new_id: Callable[[], str]
) -> tuple[Line, tuple[Deed, ...]]:
    """What is listed is there, what is not listed is over."""
    deeds: tuple[Deed, ...] = ()
    found: set[str] = set()
    for listed in calls:
        place = _place_of(line, listed, found)
        if place is None:
            fresh = Leg(new_id(), now_mono_s, now_mono_s, waiting=listed.state == "waiting")
            line, more = _with_new(line, _known_as(fresh, listed.number, told=False))
            place = len(line.legs) - 1
        else:
            line, more = _seen(line, place, listed, now_mono_s)
        if listed.state in ("active", "held"):
            line, answered = _turn(line, place, "active")
            more += answered
        found.add(line.legs[place].report_id)
        deeds += more
    line, over = _absent(line, found)
    line = replace(line, listed_mono_s=now_mono_s, doubted=False, blind=False)
    return line if line.legs else replace(line, rejections=0), deeds + over


def _seen(line: Line, place: int, listed: Listed, now_mono_s: float) -> tuple[Line, tuple[Deed, ...]]:
    leg = replace(line.legs[place], heard_mono_s=now_mono_s, absent=0, waiting=listed.state == "waiting")
    line = _put(line, place, leg)
    if listed.number is None or leg.number is not None:
        return line, ()
    return _named_leg(line, place, listed.number)


def _absent(line: Line, found: set[str]) -> tuple[Line, tuple[Deed, ...]]:
    deeds: tuple[Deed, ...] = ()
    for leg in line.legs:
        if leg.report_id in found:
            continue
        place = line.legs.index(leg)
        if line.doubted or leg.absent + 1 >= ABSENT_MOST:
            line, over = _end(line, place)
            deeds += over
        else:
            line = _put(line, place, replace(leg, absent=leg.absent + 1))
    return line, deeds


def _doubted(line: Line) -> tuple[Line, tuple[Deed, ...]]:
    if not line.legs:
        return line, ()
    if not line.blind:
        return replace(line, doubted=True), (Ask(),)
    place = _front(line)
    return _end(line, 0 if place is None else place)


def _passed(line: Line, now_mono_s: float, reject_after_s: float) -> tuple[Line, tuple[Deed, ...]]:
    deeds: tuple[Deed, ...] = ()
    for leg in line.legs:
        limit_s = SILENT_S if line.blind and not leg.waiting else UNHEARD_S
        if now_mono_s - leg.heard_mono_s > limit_s:
            line, over = _end(line, line.legs.index(leg))
            deeds += over
    if not line.legs:
        return replace(line, rejections=0, doubted=False), deeds
    due = [leg for leg in line.legs if _is_due(leg)]
    if due and now_mono_s - due[0].began_mono_s >= reject_after_s + line.rejections * LIST_EVERY_S:
        beside = any(leg.state == "answered" for leg in line.legs)
        deeds += (Reject(line.rejections, beside), Ask())
        return replace(line, rejections=line.rejections + 1, doubted=True), deeds
    if not line.blind and now_mono_s - line.listed_mono_s >= LIST_EVERY_S:
        deeds += (Ask(),)
    return line, deeds


def _picked_up(line: Line, report_id: str, prompt: CallPrompt | None) -> tuple[Line, tuple[Deed, ...]]:
    place = next((place for place, leg in enumerate(line.legs) if leg.report_id == report_id), None)
    if place is None:
        return line, ()
    leg = line.legs[place]
    leg = replace(leg, prompt=prompt, revision=leg.revision + 1)
    return _put(line, place, leg), (Note(leg),)


def _is_due(leg: Leg) -> bool:
    """Whether a call rings and is not being picked up: some modems list it as ringing for a while longer."""
    return leg.state in ("ringing", "identified") and leg.prompt is None


def _front(line: Line) -> int | None:
    """The call that rings: the one that does not wait, or the one that waited longest."""
    places = [place for place, leg in enumerate(line.legs) if leg.state != "answered"]
    ringing = [place for place in places if not line.legs[place].waiting]
    return ringing[0] if ringing else places[0] if places else None


def _place_of(line: Line, listed: Listed, taken: set[str]) -> int | None:
    """Which of the calls that are known a listed one is: by its number, else one that has none yet."""
    free = [place for place, leg in enumerate(line.legs) if leg.report_id not in taken]
    if listed.number is not None:
        same = [place for place in free if _same(line.legs[place].number, listed.number)]
        if same:
            return same[0]
        free = [place for place in free if line.legs[place].number is None]
    alike = [place for place in free if line.legs[place].waiting == (listed.state == "waiting")]
    return next(iter(alike or free), None)


def _same(one: str | None, other: str | None) -> bool:
    return one is not None and (one == other or (to_e164(one) or one) == (to_e164(other) or other))


def _known_as(leg: Leg, number: str | None, *, told: bool = True) -> Leg:
    if number is None:
        return replace(leg, withheld=told)
    return replace(leg, number=number, state=TABLE[leg.state, "named"])


def _named_leg(line: Line, place: int, number: str | None) -> tuple[Line, tuple[Deed, ...]]:
    leg = line.legs[place]
    if number is None:
        if leg.withheld or leg.number is not None:
            return line, ()
        leg = replace(leg, withheld=True, revision=leg.revision + 1)
    elif leg.number is not None:
        return line, ()
    else:
        leg = replace(
            leg,
            number=number,
            withheld=False,
            state=TABLE.get((leg.state, "named"), leg.state),
            revision=leg.revision + 1,
        )
    return _put(line, place, leg), (Note(leg),)


def _turn(line: Line, place: int, sign: Sign) -> tuple[Line, tuple[Deed, ...]]:
    leg = line.legs[place]
    state = TABLE.get((leg.state, sign))
    if state is None or state == leg.state:
        return line, ()
    leg = replace(leg, state=state, revision=leg.revision + 1)
    return _put(line, place, leg), (Note(leg),)


def _end(line: Line, place: int) -> tuple[Line, tuple[Deed, ...]]:
    line, deeds = _turn(line, place, "over")
    left = line.legs[:place] + line.legs[place + 1 :]
    return replace(line, legs=left, rejections=0), deeds


def _with_new(line: Line, leg: Leg) -> tuple[Line, tuple[Deed, ...]]:
    return replace(line, legs=(*line.legs, leg)), (Note(leg),)


def _put(line: Line, place: int, leg: Leg) -> Line:
    return replace(line, legs=(*line.legs[:place], leg, *line.legs[place + 1 :]))
