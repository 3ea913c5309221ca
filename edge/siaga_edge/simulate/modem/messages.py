"""Commands about SMS, and the network's side of them (3GPP TS 27.005)."""

from datetime import UTC, datetime

from siaga_edge.simulate.modem import alphabet, tpdu
from siaga_edge.simulate.modem.general import WESTERN_INDONESIA
from siaga_edge.simulate.modem.lacks import EMPTY_LISTING
from siaga_edge.simulate.modem.machine import AtError, Handler, Machine, Now, Sent
from siaga_edge.simulate.modem.request import Request
from siaga_edge.simulate.modem.store import Delivery, Memory, Slot

CMS_BAD_PDU, CMS_BAD_TEXT, CMS_BAD_INDEX, CMS_FULL, CMS_NOT_ALLOWED = 304, 305, 321, 322, 302
CMS_NOTHING_TO_CONFIRM = 340
CONFIRM_S = 15.0  # TR2M of 3GPP TS 24.011 is 12 to 20 s
RETRY_S = 2.0  # a real SMSC waits minutes; a technician will not
_STATUS_WORDS = {"REC UNREAD": 0, "REC READ": 1, "STO UNSENT": 2, "STO SENT": 3, "ALL": 4}
_STATUS_NAMES = ("REC UNREAD", "REC READ", "STO UNSENT", "STO SENT")
_DELETED_BY_FLAG: dict[int, tuple[int, ...]] = {1: (1,), 2: (1, 3), 3: (1, 3, 2), 4: (0, 1, 2, 3)}


def hand_over(machine: Machine, now: Now) -> None:
    """Let the service centre give the modem what it can take now; the rest waits."""
    centre = machine.centre
    centre.release(now.mono_s)
    _give_up_unconfirmed(machine, now)
    if not centre.waiting or now.mono_s < centre.retry_at_mono_s:
        return
    while centre.waiting and machine.on_air:
        if not _receive(machine, centre.waiting[0], now):
            break
        centre.waiting.popleft()
    centre.retry_at_mono_s = now.mono_s + RETRY_S if centre.waiting else 0.0


def memory_available(machine: Machine, now: Now) -> None:
    """A slot was freed: the modem tells the service centre, which tries again at once (RP-SMMA)."""
    machine.centre.retry_at_mono_s = now.mono_s


def _receive(machine: Machine, delivery: Delivery, now: Now) -> bool:
    mode, mt = machine.settings.cnmi[:2]
    if (mt == 2 and mode > 0) or _is_direct(machine, delivery.pdu):
        return _hand_over_directly(machine, delivery, now)
    name = machine.settings.stores[2]
    memory = machine.memories[name]
    if memory.is_full:
        machine.count("refused_full")
        return False
    delivery.index, delivery.memory = memory.put(Slot(delivery.pdu, 0, delivery)), name
    delivery.state, delivery.stored_mono_s = "stored", now.mono_s
    machine.count("stored")
    if mt == 1 and mode > 0:
        machine.announce(f'+CMTI: "{name}",{delivery.index}', delivery, now)
    else:
        delivery.announcement = "off"
    return True


def _is_direct(machine: Machine, pdu: bytes) -> bool:
    how = machine.faults.direct
    return how == "all" or (how == "flash" and tpdu.message_class(pdu) == 0)


def _hand_over_directly(machine: Machine, delivery: Delivery, now: Now) -> bool:
    """Say it once and store it nowhere; with +CSMS=1 one at a time, and each has to be confirmed."""
    if machine.unconfirmed is not None:
        return False
    if machine.settings.service == 1:
        machine.unconfirmed = (now.mono_s + CONFIRM_S, delivery)
    delivery.state = "direct"
    if machine.settings.text_mode:
        sender, when, text = tpdu.read_deliver(delivery.pdu)
        said = f'+CMT: "{sender}",,"{when}"\r\n{text}'
    else:
        said = f"+CMT: ,{Slot(delivery.pdu, 0).tpdu_length}\r\n{_hex(delivery.pdu)}"
    machine.announce(said, delivery, now)
    return True


def _give_up_unconfirmed(machine: Machine, now: Now) -> None:
    """Not confirmed: the network keeps the message, nothing is handed over any more (27.005 §3.4.4)."""
    if machine.unconfirmed is None or now.mono_s < machine.unconfirmed[0]:
        return
    take_back_unconfirmed(machine)
    machine.count("unconfirmed")
    mode, _mt, bm, _ds, bfr = machine.settings.cnmi
    machine.settings.cnmi = (mode, 0, bm, 0, bfr)


def take_back_unconfirmed(machine: Machine) -> None:
    """The network still has what nobody confirmed."""
    _, delivery = machine.unconfirmed or (0.0, None)
    machine.unconfirmed = None
    if delivery is not None:
        delivery.state = "queued"
        machine.centre.waiting.appendleft(delivery)


def _cnma(machine: Machine, request: Request, now: Now) -> list[str]:
    """Confirm a direct delivery."""
    if request.form == "test":
        return ["+CNMA: (0-2)"]
    if machine.unconfirmed is None:
        raise AtError("CMS", CMS_NOTHING_TO_CONFIRM)
    machine.unconfirmed = None
    machine.count("confirmed")
    memory_available(machine, now)
    return []


def report(machine: Machine, sent: Sent, status: int, now: Now) -> bool:
    """The network tells what became of a sent message; False if the modem has no room for it."""
    pdu = tpdu.status_report(
        sent.reference, sent.submit.to, _local(sent.at_wall_s), _local(now.wall_s), status, machine.sim.smsc
    )
    ds = machine.settings.cnmi[3]
    if ds == 1:
        if machine.unconfirmed is not None:
            return False
        if machine.settings.service == 1:
            machine.unconfirmed = (now.mono_s + CONFIRM_S, None)
        machine.say(f"+CDS: {Slot(pdu, 0).tpdu_length}\r\n{_hex(pdu)}", now)
    elif ds == 2:
        memory = machine.memories["SR"]
        if memory.is_full:
            return False
        index = memory.put(Slot(pdu, 0))
        name, shown = ("SM", 0) if machine.profile.report_index_zero else ("SR", index)
        machine.say(f'+CDSI: "{name}",{shown}', now)
    sent.reported, sent.report_due_mono_s = status, None
    return True


def submit(machine: Machine, octets: bytes, now: Now) -> list[str]:
    """Give a TPDU to the network. Raises AtError; the answer is +CMGS with the reference."""
    try:
        parsed = tpdu.decode_submit(octets)
    except tpdu.BadPdu as error:
        raise AtError("CMS", CMS_BAD_PDU) from error
    if machine.faults.send_count:
        machine.faults.send_count -= 1
        raise AtError("CMS", machine.faults.send_code or 500)
    if not machine.on_air:
        raise AtError("CMS", 331)  # no network service
    reference = machine.next_reference
    machine.next_reference = (reference + 1) % 256
    due = now.mono_s + machine.faults.report_after_ms / 1000
    wanted = parsed.wants_report and machine.faults.report != "none"
    machine.sent.append(Sent(reference, parsed, now.mono_s, now.wall_s, due if wanted else None))
    machine.count("sent")
    return [f"+CMGS: {reference}"]


def submit_pdu(machine: Machine, text: str, length: int, now: Now) -> list[str]:
    """AT+CMGS in PDU mode: `length` counts the TPDU's octets, without the service centre's address."""
    try:
        octets = bytes.fromhex(text.strip())
    except ValueError as error:
        raise AtError("CMS", CMS_BAD_PDU) from error
    if not octets or len(octets) - 1 - octets[0] != length:
        raise AtError("CMS", CMS_BAD_PDU)
    return submit(machine, octets[1 + octets[0] :], now)


def submit_text(machine: Machine, to: str, text: str, now: Now) -> list[str]:
    """AT+CMGS in text mode, in the terminal's character set."""
    if machine.settings.character_set == "UCS2":
        to, text = _from_ucs2(to), _from_ucs2(text)
    if not alphabet.fits(text) or len(text) > tpdu.SINGLE_SEPTETS:
        raise AtError("CMS", CMS_BAD_TEXT)
    codes = [code for character in text for code in alphabet.septets(character)]
    head = bytes([0x01, 0x00]) + tpdu.address(to) + bytes([0x00, 0x00, len(codes)])
    return submit(machine, head + alphabet.pack(codes), now)


def store(machine: Machine, pdu: bytes, status: int) -> list[str]:
    """AT+CMGW: keep a message without sending it."""
    name = machine.settings.stores[1]
    if machine.memories[name].is_full:
        raise AtError("CMS", CMS_FULL)
    return [f"+CMGW: {machine.memories[name].put(Slot(pdu, 3 if status == 3 else 2))}"]


def _csca(machine: Machine, request: Request, _now: Now) -> list[str]:
    if request.form == "test":
        return []
    if request.form == "read":
        return [f'+CSCA: "{machine.sim.smsc}",145']
    machine.sim.smsc = request.arguments[0]
    return []


def _csms(machine: Machine, request: Request, _now: Now) -> list[str]:
    if request.form == "test":
        return ["+CSMS: (0,1)"]
    if request.form == "read":
        return [f"+CSMS: {machine.settings.service},1,1,1"]
    machine.settings.service = request.number(0, 0)
    return ["+CSMS: 1,1,1"]


def _cmgf(machine: Machine, request: Request, _now: Now) -> list[str]:
    if request.form == "test":
        return ["+CMGF: (0,1)"]
    if request.form == "read":
        return [f"+CMGF: {int(machine.settings.text_mode)}"]
    mode = request.number(0, 0)
    if mode not in (0, 1):
        raise AtError("CMS", CMS_BAD_TEXT)
    machine.settings.text_mode = mode == 1
    return []


def _csdh(machine: Machine, request: Request, _now: Now) -> list[str]:
    if request.form == "read":
        return [f"+CSDH: {int(machine.settings.text_details)}"]
    if request.form == "set":
        machine.settings.text_details = request.number(0, 0) == 1
    return ["+CSDH: (0,1)"] if request.form == "test" else []


def _csmp(machine: Machine, request: Request, _now: Now) -> list[str]:
    if request.form == "read":
        return ["+CSMP: " + machine.settings.values.get("+CSMP", "17,167,0,0")]
    machine.settings.values["+CSMP"] = ",".join(request.arguments)
    return []


def _cpms(machine: Machine, request: Request, _now: Now) -> list[str]:
    names = [name for name in machine.memories if name != "SR"]
    if request.form == "test":
        plain = ",".join(f'"{name}"' for name in names)
        return [f'+CPMS: ({plain},"SR"),({plain}),({plain})']
    stores = list(machine.settings.stores)
    if request.form == "read":
        return ["+CPMS: " + ",".join(f'"{name}",{_fill(machine, name)}' for name in stores)]
    for place in range(3):
        if request.given(place):
            if request.arguments[place] not in (names if place else [*names, "SR"]):
                raise AtError("CMS", CMS_NOT_ALLOWED)
            stores[place] = request.arguments[place]
    machine.settings.stores = (stores[0], stores[1], stores[2])
    return ["+CPMS: " + ",".join(_fill(machine, name) for name in stores)]


def _fill(machine: Machine, name: str) -> str:
    memory = machine.memories[name]
    return f"{len(memory.slots)},{memory.capacity}"


def _cnmi(machine: Machine, request: Request, _now: Now) -> list[str]:
    if request.form == "test":
        return ["+CNMI: (0,1,2),(0,1,2,3),(0,2,3),(0,1,2),(0,1)"]
    if request.form == "read":
        return ["+CNMI: " + ",".join(map(str, machine.settings.cnmi))]
    mode, mt, bm, ds, bfr = (request.number(place, machine.settings.cnmi[place]) for place in range(5))
    if (
        mode not in (0, 1, 2)
        or mt not in range(4)
        or bm not in (0, 2, 3)
        or ds not in (0, 1, 2)
        or bfr not in (0, 1)
    ):
        raise AtError("CMS", CMS_NOT_ALLOWED)
    machine.settings.cnmi = (mode, mt, bm, ds, bfr)
    return []


def _cmgl(machine: Machine, request: Request, _now: Now) -> list[str]:
    text_mode = machine.settings.text_mode
    if request.form == "test":
        words = ",".join(f'"{word}"' for word in _STATUS_WORDS)
        return [f"+CMGL: ({words if text_mode else '0-4'})"]
    wanted = _wanted(request, text_mode=text_mode)
    lines: list[str] = []
    for index, slot in sorted(_reading(machine).slots.items()):
        if wanted in (4, slot.status) and index != machine.faults.unlisted:
            lines += _shown(machine, "+CMGL: " + str(index) + ",", slot)
            slot.status = 1 if slot.status == 0 else slot.status
    if not lines and machine.profile.lacks.empty_listing:
        raise AtError("CMS", EMPTY_LISTING)
    return lines


def _wanted(request: Request, *, text_mode: bool) -> int:
    if not request.given(0):
        return 0
    word = request.arguments[0]
    wanted = _STATUS_WORDS.get(word, -1) if text_mode else int(word) if word.isdecimal() else -1
    if wanted not in range(5):
        raise AtError("CMS", CMS_NOT_ALLOWED)
    return wanted


def _cmgr(machine: Machine, request: Request, _now: Now) -> list[str]:
    if request.form == "test":
        return []
    index, memory = request.number(0, -1), _reading(machine)
    slot = memory.slots.get(index)
    if slot is None:
        if machine.profile.empty_slot_is_ok and 0 <= index <= memory.capacity:
            return []
        raise AtError("CMS", CMS_BAD_INDEX)
    lines = _shown(machine, "+CMGR: ", slot)
    slot.status = 1 if slot.status == 0 else slot.status
    return lines


def _cmgd(machine: Machine, request: Request, now: Now) -> list[str]:
    memory = _reading(machine)
    if request.form == "test":
        return [f"+CMGD: ({','.join(map(str, sorted(memory.slots)))}),(0-4)"]
    flag = request.number(1, 0)
    if flag not in range(5):
        raise AtError("CMS", CMS_NOT_ALLOWED)
    index = request.number(0, -1)
    if flag == 0 and not 0 < index <= memory.capacity:
        raise AtError("CMS", CMS_BAD_INDEX)
    gone = (
        [index] if flag == 0 else [i for i, s in memory.slots.items() if s.status in _DELETED_BY_FLAG[flag]]
    )
    _forget(memory, gone, now)
    memory_available(machine, now)
    return []


def _forget(memory: Memory, indices: list[int], now: Now) -> None:
    for index in indices:
        slot = memory.slots.pop(index, None)
        if slot is not None and slot.delivery is not None:
            slot.delivery.deleted_mono_s = now.mono_s


def _cmss(machine: Machine, request: Request, now: Now) -> list[str]:
    """Send a stored message."""
    slot = _reading(machine).slots.get(request.number(0, -1))
    if slot is None:
        raise AtError("CMS", CMS_BAD_INDEX)
    (answer,) = submit(machine, slot.pdu[1 + slot.pdu[0] :], now)
    slot.status = 3
    return [answer.replace("+CMGS", "+CMSS")]


def _reading(machine: Machine) -> Memory:
    return machine.memories[machine.settings.stores[0]]


def _shown(machine: Machine, head: str, slot: Slot) -> list[str]:
    if not machine.settings.text_mode:
        centre = 1 + slot.pdu[0] if machine.profile.lacks.centre else 0
        return [f"{head}{slot.status},,{slot.tpdu_length}", _hex(slot.pdu[centre:])]
    sender, when, text = tpdu.read_deliver(slot.pdu)
    if machine.settings.character_set == "UCS2":
        sender, text = _to_ucs2(sender), _to_ucs2(text)
    details = ",145,4,0,0,,145," + str(len(text)) if machine.settings.text_details else ""
    return [f'{head}"{_STATUS_NAMES[slot.status]}","{sender}",,"{when}"{details}', text]


def _hex(octets: bytes) -> str:
    return octets.hex().upper()


def _to_ucs2(text: str) -> str:
    return text.encode("utf-16-be", errors="surrogatepass").hex().upper()


def _from_ucs2(text: str) -> str:
    try:
        return bytes.fromhex(text).decode("utf-16-be")
    except ValueError as error:
        raise AtError("CMS", CMS_BAD_TEXT) from error


def _local(wall_s: float) -> datetime:
    return datetime.fromtimestamp(wall_s, UTC).astimezone(WESTERN_INDONESIA)


def _nothing(_machine: Machine, request: Request, _now: Now) -> list[str]:
    return [f"{request.name}: (0-3)"] if request.form == "test" else []


COMMANDS: dict[str, Handler] = {
    "+CSCA": _csca,
    "+CSMS": _csms,
    "+CMGF": _cmgf,
    "+CSDH": _csdh,
    "+CSMP": _csmp,
    "+CPMS": _cpms,
    "+CNMI": _cnmi,
    "+CMGL": _cmgl,
    "+CMGR": _cmgr,
    "+CMGD": _cmgd,
    "+CMSS": _cmss,
    "+CNMA": _cnma,
    "+CMMS": _nothing,
    "+CGSMS": _nothing,
}
