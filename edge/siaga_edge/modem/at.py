"""The AT dialogue: what a line from the modem is, and what it says (3GPP TS 27.005, 27.007). Pure."""

import contextlib
import re
from dataclasses import dataclass
from typing import Literal

from siaga_core.errors import SiagaError
from siaga_edge.modem import pdu

Kind = Literal["answer", "final", "event", "echo"]

_OK = frozenset({"OK"})
ERRORS = ("ERROR", "+CME ERROR", "+CMS ERROR")
# Huawei's older firmware has words of its own (python-gsmmodem's E1752), Android's emulator gives a reason.
_FAILED = re.compile(
    r"ERROR(?:: ?.*)?\Z|\+CM[ES] ERROR: ?(.+)\Z|COMMAND NOT SUPPORT\Z|TOO MANY PARAMETERS\Z"
    r"|NO CARRIER\Z|NO DIALTONE\Z|BUSY\Z|NO ANSWER\Z"
)
# Refusals of one that does not know the command, or this form of it: CME 4 and 50, CMS 303 and 304 are not
# supported, wrong parameters (27.007 §9.2, 27.005 §3.2.5). CME 3 and CMS 302, not allowed, may pass.
_UNKNOWN = frozenset({"4", "50", "303", "304", "COMMAND NOT SUPPORT", "TOO MANY PARAMETERS"})
_UNKNOWN_WORDS = ("ERROR", "operation not supported", "unknown", "invalid", "incorrect")
# CMS 321, invalid memory index: what some say of a store that has no message (oFono's phonesim).
NOTHING_LISTED = "321"
# Unsolicited result codes of the standards, never part of an answer; families add their own (profile.events).
_EVENTS = (
    "RING",
    "+CRING:",
    "+CLIP:",
    "+CCWA:",
    "+CMTI:",
    "+CDSI:",
    "+CDS:",
    "+CMT:",
    "+CBM:",
    "+CBMI:",
)
# Of a text that the network has accepted; it may come late (sending.py).
REFERENCE = "+CMGS:"
# These are both: an answer when their own command asks, an event otherwise.
_EITHER = (
    REFERENCE,
    "+CREG:",
    "+CEREG:",
    "+CGREG:",
    "+CPIN:",
    "+CFUN:",
    "+CUSD:",
    "+CLCC:",
    "NO CARRIER",
    "BUSY",
)
# Handed over without being stored: a message, a status report, a cell broadcast (27.005 §3.4.1).
DIRECT = ("+CMT:", "+CDS:", "+CBM:")
# In PDU mode what follows is octets; in text mode a text, and +CDS says all of itself in one line.
# Some leave the sender's name out with its comma, and Android's simulated modem says 0 for any length.
_BEFORE_OCTETS = re.compile(r'(?:\+CMT: ?(?:(?:"[^"]*")?, ?)?|\+C(?:DS|BM): ?)(\d+)\s*\Z')
# The only questions whose answers are bare octets.
_READING = ("AT+CMGL", "AT+CMGR")
# Of the shortest message: no service centre, type, empty address, protocol, coding, time stamp, length
# (23.040 §9.2.2.1).
SHORTEST_DIGITS = 2 * 14
_BOOT = ("RDY", "Call Ready", "SMS Ready", "SMS DONE", "PB DONE", "^SYSSTART", "+QIND: SMS DONE")


class BadAnswer(SiagaError, ValueError):
    """An answer that is not what its command gives."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something the modem says by itself."""

    line: str
    pdu: str = ""


@dataclass(frozen=True, slots=True)
class Direct:
    """What the modem hands over without storing it.

    `memory` is CMT, CDS or CBM and stands where a store's name would. `pdu` is hexadecimal: its octets, or,
    when it came in text mode or lacks its second line, the lines as they came (see `lines_of`).
    """

    memory: str
    pdu: str


@dataclass(frozen=True, slots=True)
class Stored:
    """One message in a store, as +CMGL lists it in PDU mode.

    `whole`: the octets are as many as the modem said. One that is not has lost some on the way and is read
    again; on the SIM it may still be right.
    """

    index: int
    pdu: str
    whole: bool = True


def classify(line: str, pending: str, events: tuple[str, ...] = ()) -> Kind:
    """What `line` is while `pending` (the command sent, empty if none) waits for its result.

    `events` are the words that this family says by itself beside the standard's. One that its own command
    asks for (`^CPIN:` of AT^CPIN?) is an answer.
    """
    if pending and line.strip() == pending.strip():
        return "echo"
    if line.startswith(_EVENTS):
        return "event"
    if line.startswith((*_EITHER, *events)) and not _asks_for(pending, line):
        return "event"
    if not pending or (is_octets(line) and not pending.startswith(_READING)):
        return "event"
    return "final" if line in _OK or _FAILED.match(line) else "answer"


def is_rest(line: str) -> bool:
    """Whether a line that nobody asked for is the rest of an answer, and no event."""
    return failure(line) is None or line.startswith((*ERRORS, "AT"))


def announced_store(line: str) -> str | None:
    """The store that a +CMTI or +CDSI names, empty if it is not readable; None for any other line."""
    if not line.startswith(("+CMTI:", "+CDSI:")):
        return None
    found = re.match(r'\+C(?:MTI|DSI): ?"(\w+)"', line)
    return found[1] if found and line.startswith("+CMTI:") else ""


def follows(line: str) -> Literal["octets", "text"] | None:
    """What the next line gives that belongs to this event, None if nothing does."""
    if _BEFORE_OCTETS.match(line):
        return "octets"
    return "text" if line.startswith(("+CMT:", "+CBM:")) else None


def is_octets(line: str) -> bool:
    """Whether a line is nothing but octets, enough of them for the shortest message."""
    return len(_hexadecimal(line)) >= SHORTEST_DIGITS


def stands_alone(line: str) -> bool:
    """Whether a line says something of its own: an event of the standards, or the end of an answer."""
    return line in _OK or _FAILED.match(line) is not None or line.startswith((*_EVENTS, *_EITHER))


def direct(event: Event) -> Direct | None:
    """What an event hands over without having it stored, None for any other.

    Octets that come without their announcement (it was damaged on the way) are taken for a message: nothing
    else that a modem says by itself looks like that.
    """
    if event.line.startswith(DIRECT):
        announced = _BEFORE_OCTETS.match(event.line)
        octets = _octets(event.pdu, int(announced[1])) if announced else ""
        if announced and (event.line.startswith("+CBM:") or announced[1] == "0"):
            octets = _hexadecimal(event.pdu)  # a page has no service centre to be left out of the count
        lines = f"{event.line}\n{event.pdu}".encode("latin-1", "replace")
        return Direct(event.line[1:4], octets or lines.hex().upper())
    return Direct("CMT", _hexadecimal(event.line)) if is_octets(event.line) else None


def lines_of(pdu: str) -> tuple[str, str] | None:
    """Announcement and text of what did not come as octets, None for a PDU.

    A PDU cannot begin like an announcement: `+` would be a service centre's address of 43 octets.
    """
    if not pdu.startswith(tuple(word.encode().hex().upper() for word in DIRECT)):
        return None
    line, _, text = bytes.fromhex(pdu).decode("latin-1").partition("\n")
    return line, _from_ucs2(text)


def text_sender(line: str) -> str | None:
    """The number that a +CMT in text mode names, None if it names none."""
    found = re.match(r'\+CMT: ?"([^"]+)"', line)
    number = _from_ucs2(found[1]) if found else ""
    return number if re.search(r"\d", number) else None


def failure(final: str) -> str | None:
    """What a final result says went wrong, None for OK."""
    if final in _OK:
        return None
    found = _FAILED.match(final)
    return (found[1] if found and found[1] else final).strip()


def is_unknown(code: str) -> bool:
    """Whether a refusal says that the command is not known or not supported, and not that it fails now."""
    return code in _UNKNOWN or code.startswith(_UNKNOWN_WORDS)


def is_boot(line: str, boot: tuple[str, ...] = _BOOT) -> bool:
    """Whether the modem has just started and forgotten its settings; `boot` are its family's words."""
    return line.startswith(boot)


def stored(answer: list[str]) -> list[Stored]:
    """The messages of an AT+CMGL answer: pairs of a `+CMGL: index,…` line and a PDU line.

    A length that cannot be, even one below nothing, is the modem's trouble with octets that are no message.
    A line between them that is no PDU (noise, an event of an unknown kind) is passed over: it must not be
    taken for the message, which would be deleted with it.
    """
    found: list[Stored] = []
    head: re.Match[str] | None = None
    for line in answer:
        if told := re.match(r"\+CMGL: ?(\d+),(?:.*,)? ?(-?\d+)\s*\Z", line):
            head = told
        elif head is not None and (octets := _octets(line, int(head[2]))):
            found.append(Stored(int(head[1]), octets, _fits(octets, int(head[2]))))
            head = None
    return found


def read_message(answer: list[str]) -> tuple[str, bool] | None:
    """The PDU of an AT+CMGR answer and whether it is whole; None for an empty slot."""
    length: int | None = None
    for line in answer:
        if told := re.match(r"\+CMGR:(?:.*,)?\s*(-?\d+)\s*\Z", line):
            length = int(told[1])
        elif length is not None and (octets := _octets(line, length)):
            return octets, _fits(octets, length)
    return None


def in_text_mode(answer: list[str]) -> bool:
    """Whether an AT+CMGL or AT+CMGR answer came in text mode: a modem that restarted without a word."""
    return any(re.match(r'\+CMG[LR]: ?(?:\d+, ?)?"(?:REC|STO) ', line) for line in answer)


def slots(answer: list[str]) -> tuple[int, int] | None:
    """Used and total of the first store, of an AT+CPMS answer; None if it does not say."""
    for line in answer:
        if told := re.match(r'\+CPMS: ?(?:"\w+", ?)?(\d+), ?(\d+)', line):
            return int(told[1]), int(told[2])
    return None


def memories(answer: list[str]) -> list[str]:
    """The stores one can read from, of an AT+CPMS=? answer; `SM` if the modem does not say."""
    for line in answer:
        if line.startswith("+CPMS:"):  # some put spaces after the commas (E3372)
            first = line.partition("(")[2].partition(")")[0]
            names = re.findall(r'"(\w+)"', first)
            known = [name for name in dict.fromkeys(names) if name in ("SM", "ME", "SR", "MT", "TA")]
            # MT is SM and ME in one (27.005 §3.1): what could not be deleted there would come again.
            return [name for name in known if name != "MT" or not {"SM", "ME"} <= {*known}] or ["SM"]
    return ["SM"]


def sent_reference(answer: list[str]) -> int:
    """The message reference of an AT+CMGS answer. Raises BadAnswer."""
    for line in answer:
        if found := re.match(r"\+CMGS: ?(\d+)", line):
            return int(found[1])
    raise BadAnswer(f"+CMGS gave no reference but {answer!r}")


def answers_a_call(command: str) -> bool:
    """Whether `command` picks up a call, now (ATA) or after so many rings (ATS0=1), or swaps to one."""
    plain = re.sub(r"\s", "", command).upper()
    swaps = re.search(r"\+CHLD=[12]", plain)
    return bool(re.match(r"AT(?:.*;)?A(?:;|\Z)", plain) or re.search(r"S0=0*[1-9]", plain) or swaps)


def _hexadecimal(line: str) -> str:
    """The octets of a line of hexadecimal digits, spaces left out; empty for any other."""
    plain = re.sub(r"\s", "", line)
    return plain.upper() if re.fullmatch(r"[0-9A-Fa-f]+", plain) else ""


def _from_ucs2(text: str) -> str:
    """A text as it is, unless the terminal's character set made hexadecimal UCS-2 of it (27.007 §5.5)."""
    plain = re.fullmatch(r"(?:[0-9A-F]{4})+", text)
    return bytes.fromhex(text).decode("utf-16-be", "replace") if plain and text.startswith("00") else text


def confirms(answer: list[str]) -> bool:
    """Whether an AT+CSMS? answer asks for +CNMA after each direct delivery: service 1 (27.005 §3.4.4)."""
    return any(re.match(r"\+CSMS: ?1\b", line) for line in answer)


def _octets(line: str, length: int) -> str:
    """The octets of a message's line, empty if it has none; always with a service centre's address.

    Some modems leave that away altogether (Kannel's `no-smsc`): then the octets are as many as the number
    that leaves the address out, and they read as a message only behind an empty one.
    """
    octets = _hexadecimal(line)
    if len(octets) != 2 * length or _is_message(octets) or not _is_message(f"00{octets}"):
        return octets
    return f"00{octets}"


def _is_message(octets: str) -> bool:
    with contextlib.suppress(pdu.BadPdu):
        pdu.decode(octets)
        return True
    return False


def _fits(octets: str, length: int) -> bool:
    """Whether a PDU has the octets announced: the number leaves the service centre's address out (27.005)."""
    return len(octets) % 2 == 0 and len(octets) // 2 - 1 - int(octets[:2], 16) == length >= 0


def _asks_for(pending: str, line: str) -> bool:
    name = line.partition(":")[0]
    if name in ("NO CARRIER", "BUSY"):
        return pending.startswith(("ATD", "ATA"))
    asked = re.match(r"AT([+^*]?[A-Z0-9]+)", pending.upper())
    return asked is not None and asked[1] == name.upper()
