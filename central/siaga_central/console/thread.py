"""What the sheet of an incident says of each contact and each event."""

import json
from dataclasses import dataclass, field
from typing import Any

from siaga_central.console.wording import N_, clock_time, coordinates, day, distance, parse_moment
from siaga_central.console.wording import moment as moment_of
from siaga_central.store.spoken import CERTAIN
from siaga_central.store.views import LATE_US

EVENTS = {
    "incident.opened": N_("incident opened"),
    "incident.call_entered": N_("call entered by hand"),
    "incident.taken": N_("taken"),
    "incident.classified": N_("classified"),
    "incident.located": N_("place set on the map"),
    "incident.place_offered": N_("another place was named"),
    "incident.same_number": N_("the same number reported another incident"),
    "incident.pressing": N_("what was said now sounds like P1"),
    "incident.moved": N_("moved"),
    "incident.noted": N_("note"),
    "report.received": N_("report received"),
    "report.updated": N_("report completed"),
    "report.grown": N_("more of a text has come"),
    "callback.added": N_("to be rung back"),
    "callback.again": N_("called again"),
    "callback.named": N_("the caller's number is known"),
    "callback.tried": N_("rung back, no answer"),
    "callback.due": N_("ring back again now"),
    "callback.settled": N_("call-back ended"),
    "reply.written": N_("answer written"),
    "reply.state": N_("answer's state"),
    "reply.auto": N_("answered by the node itself"),
    "dispatch.told": N_("phone on duty texted"),
    "dispatch.accepted": N_("accepted by the team"),
    "dispatch.underway": N_("team on its way"),
    "dispatch.done": N_("team says: done"),
    "dispatch.repeated": N_("the team says it again"),
    "dispatch.asked": N_("the answer does not say which alert it means, phone asked for the code"),
    "dispatch.unclear": N_("an answer that fits no open alert"),
    "dispatch.stranger": N_("a stranger answered with the code, not counted"),
    "dispatch.silent": N_("no answer yet from"),
    "dispatch.unsent": N_("text to the phone on duty failed"),
    "away.sounded": N_("hub away: the node's siren sounded"),
    "away.told": N_("hub away: the node texted a phone on duty"),
    "away.stranger": N_("hub away: a stranger answered with the code, not counted"),
    "away.asked": N_("hub away: the answer named no open code, phone asked which"),
    "away.over": N_("hub reached again"),
    "away.back": N_("phone on duty told that the hub is reached again"),
    "roster.phone_added": N_("phone put on the list"),
    "roster.phone_removed": N_("phone taken off the list"),
    "roster.phone_moved": N_("order of texting changed, place"),
    "roster.modem": N_("number of a node's modem"),
    "roster.trial": N_("trial text sent to"),
    "policy.set": N_("times and limits changed"),
    "clip.asked": N_("clip asked for"),
    "clip.ready": N_("clip ready"),
    "clip.failed": N_("clip failed"),
    "clip.stopped": N_("clip stopped"),
    "clip.resumed": N_("clip continued"),
    "clip.dropped": N_("clip given up"),
    "clip.previewed": N_("part of a clip watched"),
    "clip.viewed": N_("clip watched"),
    "hold.asked": N_("footage to be held"),
    "hold.extended": N_("hold made longer"),
    "hold.not_placed": N_("NOT held by itself: no room"),
    "hold.waiting": N_("hold taken, its time is not over"),
    "hold.held": N_("footage held"),
    "hold.lost": N_("held footage lost"),
    "hold.endangered": N_("hold not confirmed, soon overwritten"),
    "hold.released": N_("held footage released"),
    "camera.searched": N_("searched"),
    "camera.status": N_("status"),
    "camera.added": N_("camera added"),
    "camera.picture_viewed": N_("picture looked at"),
    "camera.clip_asked": N_("clip asked for"),
    "camera.clip_viewed": N_("clip watched"),
    "camera.clip_previewed": N_("part of a clip watched"),
    "camera.hold_asked": N_("footage to be held"),
    "camera.hold_extended": N_("hold made longer"),
    "camera.hold_not_placed": N_("NOT held by itself: no room"),
    "camera.hold_waiting": N_("hold taken, its time is not over"),
    "camera.hold_held": N_("footage held"),
    "camera.hold_lost": N_("held footage lost"),
    "camera.hold_endangered": N_("hold not confirmed, soon overwritten"),
    "camera.hold_released": N_("held footage released"),
    "camera.hold_at_node_waiting": N_("held by a technician at the node"),
    "camera.hold_at_node_held": N_("held by a technician at the node"),
    "camera.hold_at_node_lost": N_("technician's hold at the node lost"),
    "camera.hold_at_node_released": N_("technician's hold at the node ended"),
    "camera.footage_granted": N_("copying at the node granted"),
    "camera.footage_begun": N_("copying at the node begun"),
    "camera.footage_done": N_("copied at the node"),
    "camera.footage_failed": N_("copying at the node failed"),
    "camera.footage_refused": N_("copying at the node refused"),
    "picture.viewed": N_("picture looked at"),
}
_SHOWN = (
    *("name", "code", "text", "reason", "detail", "clip", "camera"),
    *("ntpd_ticket", "reporter_name", "place", "other"),
)


@dataclass(frozen=True, slots=True)
class Contact:
    """A report with what only its body tells; `hex` are the parts nobody could read.

    `made` is the newest correction of its first record: when it really came in at its node.
    """

    report: Any
    withheld: bool
    sent_us: int | None  # by the clock of the network that took the text from the phone
    made: Any = None
    hex: list[str] = field(default_factory=list)
    prompt: str = ""  # the node picked the call up by itself: begun, played or mute
    recording: dict[str, Any] = field(default_factory=dict)

    @property
    def missing(self) -> int:
        """Parts of the SMS that have not come."""
        return max(0, int(self.report.parts_total) - int(self.report.parts_have))

    @property
    def is_dated(self) -> bool:
        """Whether the node's clock told when it came in, and is believed."""
        return self.report.clock in CERTAIN and self.report.spoken_us == self.report.arrived_us

    @property
    def sent_long_before(self) -> bool:
        """Whether the network had the text well before the node: the modem was off or not reached."""
        return self.sent_us is not None and self.report.spoken_us - self.sent_us >= LATE_US


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the time line."""

    at_us: int
    kind: str
    actor: str
    details: list[tuple[str, str]]
    states: tuple[str, str] | None


def contact(report: Any, made: Any = None) -> Contact:
    """Read a report's body; a body of another shape shows as nothing more than the row says."""
    body = _object(report.body)
    sms, call = _part(body, "sms"), _part(body, "call")
    parts = sms.get("parts") or []
    unreadable = [str(part["pdu"]) for part in parts if part.get("pdu")] if report.undecodable else []
    return Contact(
        report,
        bool(call.get("withheld")),
        parse_moment(str(sms.get("sent_at") or "")),
        made,
        unreadable,
        str(call.get("prompt") or ""),
        _part(call, "recording"),
    )


def moment(event: Any) -> Moment:
    """Put an event into words."""
    body = _object(event.body)
    details = [(key, str(body[key])) for key in _SHOWN if body.get(key) and body[key] != event.actor]
    if body.get("while_away") or body.get("by_node"):
        details += _happened(int(body.get("at_us", event.at_us)), int(event.at_us))
    states = None
    if event.kind == "incident.moved":
        states = (str(body.get("from", "")), str(body.get("to", "")))
    elif event.kind == "incident.classified":
        new = _part(body, "to")
        judged = (str(new.get(key, "")) for key in ("category", "priority", "place"))
        details = [("to", " ".join(judged)), *details]
    elif event.kind in ("incident.located", "incident.place_offered"):
        details = [("place", _where(_part(body, "to") or body)), *details]
    elif event.kind == "camera.status":
        states = (str(body.get("from", "")), str(body.get("to", "")))
    elif event.kind == "camera.searched":
        span = f"{moment_of(int(body.get('from_us', 0)))} – {clock_time(int(body.get('to_us', 0)))}"
        details = [("span", span), ("state", f"search {body.get('answer', '')}")]
    elif event.kind.startswith("roster."):
        keys = ("place", "name", "node", "number", "state", "detail", "reason")
        details = [(key, str(body[key])) for key in keys if body.get(key)]
    elif event.kind == "policy.set":
        details = [(key, f"{key} {value}") for key, value in sorted(_part(body, "values").items())]
    elif event.kind in ("reply.state", "callback.settled"):
        details = [("state", str(body.get("state", ""))), *details]
    return Moment(event.at_us, EVENTS.get(event.kind, event.kind), event.actor, details, states)


def _happened(at_us: int, told_us: int) -> list[tuple[str, str]]:
    """When a node did it, if not in the second of its line; with the day if that is another."""
    if day(at_us) != day(told_us):
        return [("happened", moment_of(at_us))]
    return [("happened", clock_time(at_us))] if clock_time(at_us) != clock_time(told_us) else []


def _where(spot: dict[str, Any]) -> str:
    """`Nagoya Hill (1,14600; 104,01100 ±500 m)`."""
    latitude, longitude = float(spot.get("latitude", 0)), float(spot.get("longitude", 0))
    radius = distance(float(spot.get("radius_m", 0)))
    return f"{spot.get('words', '')} ({coordinates(latitude, longitude)} ±{radius})".strip()


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _part(body: dict[str, Any], key: str) -> dict[str, Any]:
    value = body.get(key)
    return value if isinstance(value, dict) else {}
