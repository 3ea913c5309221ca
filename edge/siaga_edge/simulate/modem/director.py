"""Carries out the orders of the control socket on the modem."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from siaga_edge.simulate.modem import orders, tpdu, voice
from siaga_edge.simulate.modem.dialogue import Dialogue
from siaga_edge.simulate.modem.faults import Faults
from siaga_edge.simulate.modem.general import WESTERN_INDONESIA
from siaga_edge.simulate.modem.machine import Citizen, Now, Sent
from siaga_edge.simulate.modem.orders import BadOrder
from siaga_edge.simulate.modem.reach import Reach
from siaga_edge.simulate.modem.store import Delivery

Answer = dict[str, Any]


class Director:
    """`unplug` and `later` are the port's: they outlast one order."""

    def __init__(
        self, dialogue: Dialogue, unplug: Callable[[float, Now], None], later: Callable[[float], None]
    ) -> None:
        """`later` asks for a power-on after so many seconds."""
        self._dialogue, self._unplug, self._later = dialogue, unplug, later
        self._next_reference = 1
        self.reach = Reach()

    def carry_out(self, order: orders.Order, now: Now) -> Answer:
        """Do it; the answer's own keys. Raises BadOrder."""
        match order:
            case orders.Sms():
                return self._sms(order, now)
            case orders.Pdu():
                return {"parts": [_shown(self._dialogue.receive(_octets(order.hex), now))]}
            case orders.Say():
                self._dialogue.machine.line.put(_octets(order.hex), now.mono_s)
                return {"mono_s": now.mono_s}
            case orders.Ring():
                return self._ring(order, now)
            case orders.HangUp():
                return {"calls": self._dialogue.hang_up(now, order.number)}
            case orders.Answer():
                return {"calls": self._pick_up(now)}
            case orders.Report():
                return {"reported": self._dialogue.report(order.reference, order.status, now)}
            case orders.Fault():
                return {"faults": self._fault(order)}
            case orders.Peers():
                self.reach.number = order.number
                self.reach.peers = {number: Path(way) for number, way in order.peers.items()}
                return {"peers": sorted(order.peers)}
            case orders.Hang() | orders.Reset() | orders.Unplug():
                return self._disturb(order, now)
            case _:
                return self._tell(order)

    def _sms(self, order: orders.Sms, now: Now) -> Answer:
        parts: list[Answer] = []
        for turn in range(order.repeat):
            pdus = self._parts(order, now)
            sequence = order.order or list(range(1, len(pdus) + 1))
            if not all(1 <= number <= len(pdus) for number in sequence):
                raise BadOrder(f"the text has {len(pdus)} parts; `order` names another")
            for place, number in enumerate(sequence):
                after_s = order.delay_s * (place + turn * len(sequence))
                delivery = self._dialogue.receive(pdus[number - 1], now, after_s=after_s)
                parts.append(_shown(delivery) | {"part": number, "of": len(pdus)})
        return {"parts": parts}

    def _parts(self, order: orders.Sms, now: Now) -> list[bytes]:
        reference = order.reference
        if reference is None:
            reference, self._next_reference = self._next_reference, self._next_reference % 255 + 1
        try:
            return tpdu.deliver(
                order.sender,
                order.text,
                datetime.fromtimestamp(now.wall_s, UTC).astimezone(WESTERN_INDONESIA),
                smsc=self._dialogue.machine.sim.smsc,
                coding=order.coding,
                reference=reference,
                wide=order.wide,
            )
        except (tpdu.BadPdu, KeyError) as error:
            raise BadOrder(f"cannot be coded as SMS: {error}") from error

    def _ring(self, order: orders.Ring, now: Now) -> Answer:
        call = self._dialogue.ring(
            order.sender,
            now,
            rings=order.rings,
            withheld=order.withheld or not order.sender,
            every_s=order.every_s,
        )
        if call is None:
            return {"call": None, "why": "busy, or the network cannot reach the modem"}
        if order.says or order.hears:
            says = Path(order.says).read_bytes() if order.says else b""
            self._dialogue.machine.citizens[call.id] = Citizen(says, order.hears)
        return {"call": call.id, "rang_mono_s": now.mono_s, "rang_wall_s": now.wall_s}

    def _pick_up(self, now: Now) -> int:
        dialled = [
            call for call in self._dialogue.machine.calls if call.direction == 0 and call.state != "active"
        ]
        for call in dialled:
            voice.pick_up(self._dialogue.machine, call, now)
        return len(dialled)

    def _fault(self, order: orders.Fault) -> Answer:
        current = Faults() if order.clear else self._dialogue.machine.faults
        wanted = msgspec.to_builtins(current) | order.settings
        try:
            checked = msgspec.convert(wanted, Faults)
        except msgspec.ValidationError as error:
            raise BadOrder(str(error)) from error
        for name, value in msgspec.structs.asdict(checked).items():
            setattr(self._dialogue.machine.faults, name, value)
        return msgspec.structs.asdict(checked)

    def _disturb(self, order: orders.Hang | orders.Reset | orders.Unplug, now: Now) -> Answer:
        if isinstance(order, orders.Unplug):
            self._unplug(order.seconds, now)
        elif isinstance(order, orders.Hang):
            self._dialogue.hang(order.seconds, now)
            if order.reset:
                self._later(order.seconds)
        else:
            self._dialogue.power_on(now)
        return {"mono_s": now.mono_s}

    def _tell(self, order: orders.Order) -> Answer:
        machine = self._dialogue.machine
        if isinstance(order, orders.ListDeliveries):
            return {"deliveries": [_shown(delivery) for delivery in machine.deliveries]}
        if isinstance(order, orders.ListSent):
            return {"sent": [_sent(sent) for sent in machine.sent]}
        return {
            "profile": machine.profile.name,
            "stores": {name: sorted(memory.slots) for name, memory in machine.memories.items()},
            "capacity": {name: memory.capacity for name, memory in machine.memories.items()},
            "held_by_smsc": len(machine.centre.waiting) + len(machine.centre.scheduled),
            "cnmi": list(machine.settings.cnmi),
            "auto_answer_rings": machine.settings.auto_answer_rings,
            "call_waiting": machine.settings.call_waiting,
            "echo": machine.settings.echo,
            "pin": machine.sim.state(),
            "calls": [asdict(call) for call in machine.calls],
            "finished_calls": machine.finished_calls,
            "counters": machine.counters,
            "faults": msgspec.structs.asdict(machine.faults),
        }


def _sent(sent: Sent) -> Answer:
    submit = sent.submit
    return {
        "reference": sent.reference,
        "to": submit.to,
        "text": submit.text,
        "part": submit.part,
        "wants_report": submit.wants_report,
        "reported": sent.reported,
        "at_mono_s": sent.at_mono_s,
        "at_wall_s": sent.at_wall_s,
        "tpdu": submit.octets.hex().upper(),
    }


def _shown(delivery: Delivery) -> Answer:
    shown = asdict(delivery)
    shown["pdu"] = delivery.pdu.hex().upper()
    return shown


def _octets(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise BadOrder(f"{text[:40]!r} is not hexadecimal") from error
