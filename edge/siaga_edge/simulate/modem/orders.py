"""The control protocol: one JSON object per line, its `do` names the order; one JSON object comes back."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from siaga_core.errors import SiagaError

Seconds = Annotated[float, Meta(ge=0, le=3600)]


class BadOrder(SiagaError, ValueError):
    """A line on the control socket that is no order."""


class _Order(Struct, forbid_unknown_fields=True, kw_only=True, tag_field="do"):
    """Every order; unknown keys are refused, so that a misspelled fault is not silently none."""


class Sms(_Order, tag="sms"):
    """The network has a text for the modem. `order` says in which sequence parts arrive (1-based)."""

    sender: str = field(name="from")
    text: str
    coding: Literal["auto", "gsm7", "ucs2"] = "auto"
    reference: Annotated[int, Meta(ge=0, le=65535)] | None = None
    wide: bool = False
    order: list[int] | None = None  # may leave parts out or repeat them
    delay_s: Seconds = 0.0  # between parts
    repeat: Annotated[int, Meta(ge=1, le=10_000)] = 1


class Pdu(_Order, tag="pdu"):
    """The network has these octets for the modem, with the SMSC address in front; they may be nonsense."""

    hex: str


class Ring(_Order, tag="call"):
    """Somebody calls."""

    sender: str = field(name="from", default="")
    rings: Annotated[int, Meta(ge=1, le=1000)] = 5
    every_s: Annotated[float, Meta(ge=0.01, le=60)] = 3.0
    withheld: bool = False
    says: str = ""  # file of raw PCM (8 kHz, s16le, mono): what the caller says when he is picked up
    hears: str = ""  # file to which what he has heard is written when the call is over


class HangUp(_Order, tag="hangup"):
    """Whoever is on the line gives up; with `number`, only the call of that number."""

    number: str = ""


class Answer(_Order, tag="answer"):
    """The other side of a call that the node dialled picks up."""


class ListSent(_Order, tag="sent"):
    """What the node has sent, decoded."""


class ListDeliveries(_Order, tag="deliveries"):
    """What became of every message given to the modem, with times."""


class Report(_Order, tag="report"):
    """The network tells what became of a sent message: TP-ST, 0 is delivered, 0x40 and up failed."""

    reference: Annotated[int, Meta(ge=0, le=255)]
    status: Annotated[int, Meta(ge=0, le=255)] = 0


class State(_Order, tag="state"):
    """Stores, settings, calls and counters."""


class Fault(_Order, tag="fault"):
    """Change what goes wrong; only the keys given. Key `clear` puts everything right first."""

    settings: dict[str, float | int | bool | str] = {}
    clear: bool = False


class Hang(_Order, tag="hang"):
    """The firmware hears and says nothing for a while; with `reset` it starts anew afterwards."""

    seconds: Seconds
    reset: bool = False


class Reset(_Order, tag="reset"):
    """The modem restarts by itself: settings forgotten, banner, echo on."""


class Say(_Order, tag="say"):
    """The line carries these octets (hexadecimal), whatever they are: noise, a word of an unknown model."""

    hex: str


class Peers(_Order, tag="peers"):
    """From now on texts to these numbers arrive at those modems: control sockets by number."""

    number: str
    peers: dict[str, str]


class Unplug(_Order, tag="unplug"):
    """The USB plug is pulled and put back after `seconds`."""

    seconds: Seconds


Order = (
    Sms
    | Pdu
    | Ring
    | HangUp
    | Answer
    | ListSent
    | ListDeliveries
    | Report
    | State
    | Fault
    | Hang
    | Reset
    | Say
    | Unplug
    | Peers
)


def decode(line: bytes) -> Order:
    """The order on one line. Raises BadOrder."""
    try:
        order: Order = msgspec.json.decode(line, type=Order)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadOrder(str(error)) from error
    return order
