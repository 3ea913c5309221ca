"""An incoming call, from its first ring to its end. Pure: events in, what to note and to do out."""

from dataclasses import dataclass, replace
from typing import Literal

from siaga_core.wire.report import Call, CallState, Report
from siaga_edge.modem.number import to_e164

# The network rings every 5 s (3GPP TS 22.001); a call without a ring for longer than this is over.
SILENT_S = 6.5

Deed = Literal["note", "reject"]


@dataclass(frozen=True, slots=True)
class Ringing:
    """A call that is not over. `revision` counts what has been noted of it."""

    report_id: str
    began_mono_s: float
    last_ring_mono_s: float
    rings: int = 1
    number: str | None = None
    withheld: bool = False
    state: CallState = "ringing"
    revision: int = 1
    rejected: bool = False


def rang(call: Ringing | None, report_id: str, now_mono_s: float) -> tuple[Ringing, bool]:
    """A RING came; the call, and whether it is a new one that has to be noted before anything is answered."""
    if call is None:
        return Ringing(report_id, now_mono_s, now_mono_s), True
    return replace(call, rings=call.rings + 1, last_ring_mono_s=now_mono_s), False


def identified(call: Ringing, number: str | None, now_mono_s: float) -> tuple[Ringing, bool]:
    """A +CLIP came; the call, and whether that is news."""
    call = replace(call, last_ring_mono_s=now_mono_s)
    if number is None:
        news = not call.withheld and call.number is None
        return (replace(call, withheld=True, revision=call.revision + 1), True) if news else (call, False)
    if number == call.number:
        return call, False
    known = replace(call, number=number, withheld=False, state="identified", revision=call.revision + 1)
    return known, True


def ended(call: Ringing) -> Ringing:
    """The call is over and nobody answered it."""
    return replace(call, state="missed", revision=call.revision + 1)


def is_silent(call: Ringing, now_mono_s: float) -> bool:
    """Whether the ringing has stopped without the modem saying so."""
    return now_mono_s - call.last_ring_mono_s > SILENT_S


def is_to_be_rejected(call: Ringing, now_mono_s: float, reject_after_s: float) -> bool:
    """Whether it has rung long enough: rejected, so that the caller is rung back and not left ringing."""
    return not call.rejected and now_mono_s - call.began_mono_s >= reject_after_s


def report(call: Ringing, modem: str) -> Report:
    """The report of the call as it is."""
    return Report(
        report_id=call.report_id,
        revision=call.revision,
        source="call",
        modem=modem,
        reporter=call.number,
        reporter_e164=to_e164(call.number),
        call=Call(state=call.state, rings=call.rings, withheld=call.withheld),
    )
