"""Calls: ringing, answering, hanging up, and what each model says meanwhile (3GPP TS 27.007 §6 and §7)."""

from datetime import UTC, datetime

from siaga_edge.simulate.modem.general import WESTERN_INDONESIA
from siaga_edge.simulate.modem.machine import AtError, Call, Handler, Machine, Now
from siaga_edge.simulate.modem.request import Request

_STATES = {"active": 0, "dialing": 2, "alerting": 3, "incoming": 4, "waiting": 5}
_UNCONDITIONAL, _BUSY = 0, 1
ALERTING_AFTER_S, NO_ANSWER_AFTER_S = 1.0, 30.0


def ring(
    machine: Machine, number: str, now: Now, *, rings: int, withheld: bool, every_s: float
) -> Call | None:
    """Somebody calls; None when the network finds the modem busy or unreachable."""
    if machine.on_air and _UNCONDITIONAL in machine.sim.forwards:
        machine.count("calls_forwarded")
        return None
    if not machine.on_air or (machine.calls and not machine.settings.call_waiting) or len(machine.calls) > 1:
        machine.count("calls_refused")
        return None
    call = Call(
        id=_free_id(machine),
        number=number,
        withheld=withheld or machine.faults.withhold,
        rings_left=rings,
        ring_every_s=every_s,
        next_ring_mono_s=now.mono_s,
        began_mono_s=now.mono_s,
        state="waiting" if machine.calls else "incoming",
    )
    machine.calls.append(call)
    machine.count("calls")
    advance(machine, now)
    return call


def advance(machine: Machine, now: Now) -> None:
    """Ring again where it is time; end the calls of those who gave up."""
    for call in list(machine.calls):
        if call.clip_due_mono_s is not None and now.mono_s >= call.clip_due_mono_s:
            call.clip_due_mono_s = None
            _say_clip(machine, call, now)
        if call.direction == 0:
            _advance_outgoing(machine, call, now)
        elif call.state in ("incoming", "waiting") and now.mono_s >= call.next_ring_mono_s:
            _ring_again(machine, call, now)


def due_mono_s(machine: Machine) -> float | None:
    """When `advance` has something to do."""
    times = [call.clip_due_mono_s for call in machine.calls if call.clip_due_mono_s is not None]
    for call in machine.calls:
        if call.direction == 0 and call.state != "active":
            wait_s = ALERTING_AFTER_S if call.state == "dialing" else NO_ANSWER_AFTER_S
            times.append(call.began_mono_s + wait_s)
        elif call.state in ("incoming", "waiting"):
            times.append(call.next_ring_mono_s)
    return min(times, default=None)


def end(machine: Machine, call: Call, now: Now, *, by_node: bool, is_told: bool = False) -> None:
    """Take a leg down and say what this model says. `is_told`: the modem at its other end knows already."""
    machine.calls.remove(call)
    machine.pcm_open = machine.pcm_open and any(one.state == "active" for one in machine.calls)
    if not is_told:
        machine.signals.append((call.number, {"do": "hangup", "number": ""}))
    if call.direction == 1 and call.answered_mono_s is None and by_node and _BUSY in machine.sim.forwards:
        machine.count("calls_forwarded")
    machine.finished_calls.append(
        {
            "id": call.id,
            "from": call.number,
            "rings": call.rings,
            "answered": call.answered_mono_s is not None,
            "ended_by": "node" if by_node else "other",
        }
    )
    if call.clip_due_mono_s is not None and not by_node:
        _say_clip(machine, call, now)
    _say_end(machine, call, now, by_node=by_node)


def _ring_again(machine: Machine, call: Call, now: Now) -> None:
    if call.rings_left <= 0:
        end(machine, call, now, by_node=False)
        return
    call.rings_left -= 1
    call.rings += 1
    call.next_ring_mono_s = now.mono_s + call.ring_every_s
    if call.state == "waiting":
        if call.rings == 1:
            machine.say(f"+CCWA: {_clip_fields(machine, call)},1", now)
        return
    machine.say("+CRING: VOICE" if machine.settings.extended_ring else "RING", now)
    if 0 < machine.settings.auto_answer_rings <= call.rings:
        pick_up(machine, call, now)
        return
    if machine.settings.clip:
        if machine.faults.late_clip_ms:
            call.clip_due_mono_s = now.mono_s + machine.faults.late_clip_ms / 1000
        else:
            _say_clip(machine, call, now)


def _say_clip(machine: Machine, call: Call, now: Now) -> None:
    validity = 1 if call.withheld else 0  # CLI validity 1: withheld by the caller
    machine.say(f'+CLIP: {_clip_fields(machine, call)},"",0,"",{validity}', now)


def _clip_fields(machine: Machine, call: Call) -> str:
    if call.withheld:
        return '"",128'
    number = call.number
    if machine.faults.ucs2_clip or machine.settings.character_set == "UCS2":
        number = number.encode("utf-16-be").hex().upper()
    return f'"{number}",{_type(call.number)}'


def _type(number: str) -> int:
    return 145 if number.startswith("+") else 129


def _say_end(machine: Machine, call: Call, now: Now, *, by_node: bool) -> None:
    profile, answered = machine.profile, call.answered_mono_s is not None
    if profile.caret_calls:
        length_s = int(now.mono_s - call.answered_mono_s) if call.answered_mono_s is not None else 0
        machine.say(f"^CEND:{call.id},{length_s},104,16", now)
    elif profile.voice_call and answered:
        seconds = int(now.mono_s - (call.answered_mono_s or now.mono_s))
        machine.say(f"VOICE CALL: END: {seconds:06d}", now)
    elif profile.missed_call and not answered and not by_node:
        local = datetime.fromtimestamp(now.wall_s, UTC).astimezone(WESTERN_INDONESIA)
        machine.say(f"MISSED_CALL: {local:%I:%M%p} {'' if call.withheld else call.number}".rstrip(), now)
    elif not by_node:
        machine.say("NO CARRIER", now)


def _advance_outgoing(machine: Machine, call: Call, now: Now) -> None:
    waited_s = now.mono_s - call.began_mono_s
    if call.state == "dialing" and waited_s >= ALERTING_AFTER_S:
        call.state = "alerting"
    elif call.state == "alerting" and waited_s >= NO_ANSWER_AFTER_S:
        end(machine, call, now, by_node=False)


def _answer(machine: Machine, _request: Request, now: Now) -> list[str]:
    call = next((call for call in machine.calls if call.state == "incoming"), None)
    if call is None:
        raise AtError("CME", 3)
    pick_up(machine, call, now)
    return []


def pick_up(machine: Machine, call: Call, now: Now) -> None:
    """The leg is connected, whoever answered it."""
    call.state, call.answered_mono_s, call.clip_due_mono_s = "active", now.mono_s, None
    if call.direction == 1:
        machine.signals.append((call.number, {"do": "answer"}))
    machine.count("calls_answered")
    if machine.profile.voice_call:
        machine.say("VOICE CALL: BEGIN", now)
    elif machine.profile.caret_calls:
        machine.say(f"^CONN:{call.id},0", now)


def _hang_up(machine: Machine, request: Request, now: Now) -> list[str]:
    """ATH says OK and does nothing while +CVHU asks for AT+CHUP (SIM7600 as delivered)."""
    if request.name == "H" and machine.settings.hangup_needs_chup:
        return []
    talked = [call for call in machine.calls if call.state in ("active", "dialing", "alerting")]
    for call in talked or list(machine.calls):
        end(machine, call, now, by_node=True)
    for call in machine.calls:  # who waited beside a call that is over rings now (3GPP TS 22.030 §6.5.5.1)
        call.state, call.next_ring_mono_s = "incoming", now.mono_s
    return []


def _chld(machine: Machine, request: Request, now: Now) -> list[str]:
    if request.form == "test":
        return ["+CHLD: (0,1,2,3)"]
    for call in [call for call in machine.calls if call.state == "waiting" or request.number(0, 0) == 1]:
        end(machine, call, now, by_node=True)
    return []


def _dial(machine: Machine, request: Request, now: Now) -> list[str]:
    number = request.arguments[0].strip().rstrip(";")
    if not number.lstrip("+").isdecimal() or machine.calls or not machine.on_air:
        raise AtError("CME", 3)
    call = Call(_free_id(machine), number, False, 0, 3.0, 0.0, now.mono_s, direction=0, state="dialing")
    machine.calls.append(call)
    machine.signals.append((number, {"do": "call", "rings": 20}))
    return []


def _clcc(machine: Machine, request: Request, _now: Now) -> list[str]:
    if request.form == "test":
        return []
    return [_clcc_line(machine, call) for call in machine.calls]


def _clcc_line(machine: Machine, call: Call) -> str:
    head = f"+CLCC: {call.id},{call.direction},{_STATES[call.state]},0,0"
    if call.withheld:
        return head
    return f'{head},"{call.number}",{_type(call.number)}' + (',""' if machine.profile.clcc_alpha else "")


def _flag(name: str, field: str, span: str = "(0,1)") -> Handler:
    def handle(machine: Machine, request: Request, _now: Now) -> list[str]:
        if request.form == "test":
            return [f"{name}: {span}"]
        if request.form == "read":
            also = ",1" if name == "+CLIP" else ""
            return [f"{name}: {int(getattr(machine.settings, field))}{also}"]
        setattr(machine.settings, field, request.number(0, 0) == 1)
        return []

    return handle


def _cvhu(machine: Machine, request: Request, _now: Now) -> list[str]:
    if request.form == "test":
        return ["+CVHU: (0,1)"]
    if request.form == "read":
        return [f"+CVHU: {int(machine.settings.hangup_needs_chup)}"]
    machine.settings.hangup_needs_chup = request.number(0, 1) != 0
    return []


def _accepted(_machine: Machine, _request: Request, _now: Now) -> list[str]:
    return []


def _free_id(machine: Machine) -> int:
    used = {call.id for call in machine.calls}
    return next(number for number in range(1, 8) if number not in used)


def _ccfc(machine: Machine, request: Request, _now: Now) -> list[str]:
    """Call forwarding (27.007 §7.11): reason, mode, number; 2 asks, 3 registers, 0 and 4 end it."""
    if request.form == "test":
        return ["+CCFC: (0,1,2,3)"]
    reason, mode, kept = request.number(0, -1), request.number(1, -1), machine.sim.forwards
    if reason not in range(4) or mode not in range(5):
        raise AtError("CME", 50)
    if mode == 2:
        number = kept.get(reason)
        if number is None:
            return ["+CCFC: 0,7"]
        return [f'+CCFC: 1,1,"{number}",{_type(number)}']
    if mode == 3:
        kept[reason] = request.arguments[2]
    elif mode in (0, 4):
        kept.pop(reason, None)
    return []


COMMANDS: dict[str, Handler] = {
    "A": _answer,
    "H": _hang_up,
    "+CHUP": _hang_up,
    "+CHLD": _chld,
    "D": _dial,
    "+CLCC": _clcc,
    "+CLIP": _flag("+CLIP", "clip"),
    "+CRC": _flag("+CRC", "extended_ring"),
    "+CCWA": _flag("+CCWA", "call_waiting"),
    "+CVHU": _cvhu,
    "+CCFC": _ccfc,
    "+CLIR": _accepted,
    "+COLP": _accepted,
    "+VTS": _accepted,
}
