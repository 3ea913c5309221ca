"""What the sheet of an incident says of each contact and each event."""

import json
from dataclasses import dataclass, field
from typing import Any

from siaga_central.console.wording import N_

EVENTS = {
    "incident.opened": N_("incident opened"),
    "incident.call_entered": N_("call entered by hand"),
    "incident.taken": N_("taken"),
    "incident.classified": N_("classified"),
    "incident.moved": N_("moved"),
    "incident.noted": N_("note"),
    "report.received": N_("report received"),
    "report.updated": N_("report completed"),
    "reply.written": N_("answer written"),
    "reply.state": N_("answer's state"),
    "clip.asked": N_("clip asked for"),
    "clip.ready": N_("clip ready"),
    "clip.failed": N_("clip failed"),
    "clip.stopped": N_("clip stopped"),
    "clip.resumed": N_("clip continued"),
    "clip.dropped": N_("clip given up"),
    "clip.previewed": N_("part of a clip watched"),
    "clip.viewed": N_("clip watched"),
    "hold.asked": N_("footage to be held"),
    "hold.waiting": N_("hold taken, its time is not over"),
    "hold.held": N_("footage held"),
    "hold.lost": N_("held footage lost"),
    "hold.endangered": N_("hold not confirmed, soon overwritten"),
    "hold.released": N_("held footage released"),
    "picture.viewed": N_("picture looked at"),
}
_SHOWN = ("text", "reason", "detail", "clip", "camera", "ntpd_ticket", "reporter_name", "place")


@dataclass(frozen=True, slots=True)
class Contact:
    """A report with what only its body tells; `hex` are the parts nobody could read.

    `made` is the newest correction of its first record: when it really came in at its node.
    """

    report: Any
    withheld: bool
    sent_at: str
    made: Any = None
    hex: list[str] = field(default_factory=list)

    @property
    def missing(self) -> int:
        """Parts of the SMS that have not come."""
        return max(0, int(self.report.parts_total) - int(self.report.parts_have))


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
    unreadable = [str(part.get("pdu", "")) for part in parts] if report.undecodable else []
    return Contact(report, bool(call.get("withheld")), str(sms.get("sent_at") or ""), made, unreadable)


def moment(event: Any) -> Moment:
    """Put an event into words."""
    body = _object(event.body)
    details = [(key, str(body[key])) for key in _SHOWN if body.get(key)]
    states = None
    if event.kind == "incident.moved":
        states = (str(body.get("from", "")), str(body.get("to", "")))
    elif event.kind == "incident.classified":
        new = _part(body, "to")
        judged = (str(new.get(key, "")) for key in ("category", "priority", "place"))
        details = [("to", " ".join(judged)), *details]
    elif event.kind == "reply.state":
        details = [("state", str(body.get("state", ""))), *details]
    return Moment(event.at_us, EVENTS.get(event.kind, event.kind), event.actor, details, states)


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _part(body: dict[str, Any], key: str) -> dict[str, Any]:
    value = body.get(key)
    return value if isinstance(value, dict) else {}
