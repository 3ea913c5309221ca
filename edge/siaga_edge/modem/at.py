"""The AT dialogue: what a line from the modem is, and what it says (3GPP TS 27.005, 27.007). Pure."""

import re
from dataclasses import dataclass
from typing import Literal

from siaga_core.errors import SiagaError

Kind = Literal["answer", "final", "event", "echo"]

_OK = frozenset({"OK"})
_FAILED = re.compile(r"ERROR\Z|\+CM[ES] ERROR: ?(.+)\Z|NO CARRIER\Z|NO DIALTONE\Z|BUSY\Z|NO ANSWER\Z")
# Unsolicited result codes that are never part of an answer, whatever command is pending.
_EVENTS = (
    "RING",
    "+CRING:",
    "+CLIP:",
    "+CCWA:",
    "+CMTI:",
    "+CDSI:",
    "+CDS:",
    "+CBM:",
    "MISSED_CALL:",
    "VOICE CALL:",
    "RDY",
    "Call Ready",
    "SMS Ready",
    "SMS DONE",
    "PB DONE",
    "+QIND:",
    "^BOOT:",
    "^RSSI:",
    "^SYSSTART",
    "^DSCI:",
    "^CEND:",
    "UNDER-VOLTAGE",
    "OVER-VOLTAGE",
    "POWER DOWN",
    "NORMAL POWER DOWN",
)
# These are both: an answer when their own command asks, an event otherwise.
_EITHER = ("+CREG:", "+CEREG:", "+CGREG:", "+CPIN:", "+CFUN:", "+CUSD:", "+CLCC:", "NO CARRIER", "BUSY")
# A second line follows that belongs to it (+CDS gives its PDU there).
_WITH_PDU = ("+CDS:",)
_BOOT = ("RDY", "Call Ready", "SMS Ready", "SMS DONE", "PB DONE", "^SYSSTART", "+QIND: SMS DONE", "^BOOT:")


class BadAnswer(SiagaError, ValueError):
    """An answer that is not what its command gives."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something the modem says by itself."""

    line: str
    pdu: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """One message in a store, as +CMGL lists it in PDU mode."""

    index: int
    pdu: str


def classify(line: str, pending: str) -> Kind:
    """What `line` is while `pending` (the command sent, empty if none) waits for its result."""
    if pending and line.strip() == pending.strip():
        return "echo"
    if any(line.startswith(event) for event in _EVENTS):
        return "event"
    if any(line.startswith(either) for either in _EITHER) and not _asks_for(pending, line):
        return "event"
    if not pending:
        return "event"
    return "final" if line in _OK or _FAILED.match(line) else "answer"


def has_pdu(line: str) -> bool:
    """Whether the next line is this event's PDU."""
    return line.startswith(_WITH_PDU)


def failure(final: str) -> str | None:
    """What a final result says went wrong, None for OK."""
    if final in _OK:
        return None
    found = _FAILED.match(final)
    return (found[1] if found and found[1] else final).strip()


def is_boot(line: str) -> bool:
    """Whether the modem has just started and forgotten its settings."""
    return line.startswith(_BOOT)


def stored(answer: list[str]) -> list[Stored]:
    """The messages of an AT+CMGL answer: pairs of a `+CMGL: index,…` line and a PDU line.

    A line between them that is no PDU (noise, an event swallowed by the modem) costs only its own message.
    """
    found: list[Stored] = []
    index: int | None = None
    for line in answer:
        if head := re.match(r"\+CMGL: ?(\d+),", line):
            index = int(head[1])
        elif index is not None and line.strip():
            found.append(Stored(index, re.sub(r"\s", "", line)))
            index = None
    return found


def read_message(answer: list[str]) -> str | None:
    """The PDU of an AT+CMGR answer; None for an empty slot."""
    for place, line in enumerate(answer):
        if line.startswith("+CMGR:") and place + 1 < len(answer):
            return re.sub(r"\s", "", answer[place + 1])
    return None


def memories(answer: list[str]) -> list[str]:
    """The stores one can read from, of an AT+CPMS=? answer; `SM` if the modem does not say."""
    for line in answer:
        if line.startswith("+CPMS:"):
            first = line.partition("(")[2].partition(")")[0]
            names = re.findall(r'"(\w+)"', first)
            return [name for name in dict.fromkeys(names) if name in ("SM", "ME", "SR", "MT")] or ["SM"]
    return ["SM"]


def sent_reference(answer: list[str]) -> int:
    """The message reference of an AT+CMGS answer. Raises BadAnswer."""
    for line in answer:
        if found := re.match(r"\+CMGS: ?(\d+)", line):
            return int(found[1])
    raise BadAnswer(f"+CMGS gave no reference but {answer!r}")


def caller(line: str) -> str | None:
    """The number in a +CLIP line; None when it is withheld. UCS-2 in hexadecimal is read too."""
    found = re.match(r'\+(?:CLIP|CCWA): ?"([^"]*)",? ?(\d*)', line)
    if found is None or not found[1]:
        return None
    number, kind = found[1], found[2]
    if re.fullmatch(r"(?:00[23][0-9A-Ba-b])+", number):
        number = bytes.fromhex(number).decode("utf-16-be", "replace")
    if kind == "145" and not number.startswith("+"):
        number = f"+{number}"
    return number if re.search(r"\d", number) else None


def has_incoming_call(answer: list[str]) -> bool:
    """Whether an AT+CLCC answer lists a call that comes in and is not over."""
    calls = (re.match(r"\+CLCC: ?\d+,(\d),(\d)", line) for line in answer)
    return any(call is not None and call[1] == "1" for call in calls)


def answers_a_call(command: str) -> bool:
    """Whether `command` picks up a call, now (ATA) or after so many rings (ATS0=1), or swaps to one."""
    plain = re.sub(r"\s", "", command).upper()
    swaps = re.search(r"\+CHLD=[12]", plain)
    return bool(re.match(r"AT(?:.*;)?A(?:;|\Z)", plain) or re.search(r"S0=0*[1-9]", plain) or swaps)


def call_ended(line: str) -> bool:
    """Whether a line says that a call is over."""
    return line.startswith(("NO CARRIER", "MISSED_CALL", "VOICE CALL: END", "^CEND", "BUSY"))


def _asks_for(pending: str, line: str) -> bool:
    name = line.partition(":")[0]
    if name in ("NO CARRIER", "BUSY"):
        return pending.startswith(("ATD", "ATA"))
    return pending.upper().startswith("AT" + name.upper())
