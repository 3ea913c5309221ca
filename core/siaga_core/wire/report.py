"""`report`: one citizen's contact through the GSM node: an SMS (of one or more parts) or a call.

The same `report_id` comes again with a higher `revision` when more is known: another part, the caller's
number, the end of the ringing. The first one alone is enough for an operator to act.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

KIND = "report"

CallState = Literal["ringing", "identified", "missed", "answered", "ended"]
CallPrompt = Literal["begun", "played", "mute"]


class SmsPart(Struct, frozen=True, kw_only=True):
    """One PDU as the modem gave it. `pdu` is hex, the SMSC address included."""

    number: Annotated[int, Meta(ge=0, le=255)]
    pdu: str


class Sms(Struct, frozen=True, kw_only=True):
    """The message as far as it has come. Missing parts show as `[2/3 …]` in `text`.

    `undecodable` says why a PDU could not be read; `text` is then the best effort, never empty of hope.
    """

    text: str
    parts_total: Annotated[int, Meta(ge=1, le=255)] = 1
    parts: list[SmsPart] = []
    sent_at: str | None = None  # the SMSC's own time stamp (3GPP TS 23.040 §9.2.3.11), ISO 8601 with zone
    undecodable: str | None = None

    @property
    def is_complete(self) -> bool:
        """Whether every part has come."""
        return len({part.number for part in self.parts}) >= self.parts_total


class CallRecording(Struct, frozen=True, kw_only=True):
    """What a caller said to the prompt: a WAV file (8 kHz, mono, 16 bit) that stays at the node.

    `file` is its name in the node's folder of recordings. `is_silent`: not one sample differs from silence.
    """

    file: str
    sha256: str
    duration_s: Annotated[float, Meta(ge=0)]
    is_silent: bool = False


class Call(Struct, frozen=True, kw_only=True):
    """A call as far as it is known. `rings` counts RING lines; nobody was answered unless state says so.

    `prompt` when the node itself picked up: it is going on (`begun`), was played (`played`), or no sound came
    and the line was dropped at once (`mute`). It never means that a person has heard the caller.
    """

    state: CallState
    rings: Annotated[int, Meta(ge=0)] = 0
    withheld: bool = False
    prompt: CallPrompt | None = None
    recording: CallRecording | None = None


class Report(Struct, frozen=True, kw_only=True):
    """One contact. `reporter` is the address as the network gave it; `reporter_e164` if it is a phone."""

    report_id: str
    revision: Annotated[int, Meta(ge=1)]
    source: Literal["sms", "call"]
    modem: str
    reporter: str | None = None
    reporter_e164: str | None = None
    sms: Sms | None = None
    call: Call | None = None
