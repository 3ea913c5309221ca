"""What the quarantine page says of one refused message: from whom, why, and what it looks like."""

from dataclasses import dataclass
from typing import Any

from siaga_central.console.wording import N_
from siaga_core.wire.topics import BadTopic, parse_up

PREVIEW_BYTES = 256
_HEX_BYTES_IN_LINE = 16

REASONS = {
    "topic": N_("no topic of ours"),
    "unknown-node": N_("the node is not registered"),
    "oversized": N_("larger than allowed"),
    "seal": N_("not sealed, or the seal is broken"),
    "stranger": N_("sealed with a key that is not known"),
    "forged": N_("the signature is wrong: forged"),
    "fork": N_("one number came twice with different words"),
    "json": N_("not readable as JSON"),
    "version": N_("another version of the protocol"),
    "schema": N_("a field is missing or wrong"),
    "impersonation": N_("says it is another node"),
    "unknown-kind": N_("a kind that this hub does not know"),
    "foreign-camera": N_("camera of another node"),
    "foreign-text": N_("about a text that was not ordered here"),
    "foreign-hold": N_("a hold that was not asked of this node"),
    "ack-rate": N_("a client acknowledges far too much"),
    "ack-client": N_("acknowledged by a client that is not registered, or whose account is closed"),
    "ack-role": N_("acknowledged by somebody whose role may not"),
    "ack-incident": N_("acknowledges an incident that there is not"),
    "ack-closed": N_("acknowledges an incident that is closed"),
    "ack-taken": N_("acknowledges an incident that somebody else has"),
    "sms-forged": N_("a text in a node's name that it has not signed: forged"),
    "sms-repeated": N_("an urgent text whose record is here already"),
    "sms-incomplete": N_("an urgent text of which parts did not come"),
    "sms-unreadable": N_("an urgent text that cannot be read"),
    "foreign-report": N_("about a report that is not known here"),
    "failed": N_("the hub failed on it"),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refused message; `hex` are lines of 16 bytes, `text` the same bytes with every control visible."""

    row: Any
    node: str
    hex: list[str]
    text: str
    left_out_bytes: int


def refusal(row: Any) -> Refusal:
    """Look at one row of the quarantine; no bytes and no topic raise anything."""
    octets = bytes(row.payload)[:PREVIEW_BYTES]
    lines = [octets[at : at + _HEX_BYTES_IN_LINE] for at in range(0, len(octets), _HEX_BYTES_IN_LINE)]
    shown = [line.hex(" ") for line in lines]
    return Refusal(row, _node(row.topic), shown, _visible(octets), row.size_bytes - len(octets))


def _node(topic: str) -> str:
    try:
        return parse_up(topic).node
    except BadTopic:
        return ""


def _visible(octets: bytes) -> str:
    text = octets.decode(errors="replace")
    return "".join(letter if letter.isprintable() else "·" for letter in text)
