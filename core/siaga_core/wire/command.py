"""Commands from the hub, and `command`: what a node says became of one."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from siaga_core.wire.envelope import BadRecord

KIND = "command"

Service = Literal["recorder", "cameras", "modem", "modemb", "health", "uplink"]
OutcomeState = Literal["received", "started", "done", "failed", "expired"]


class SendSms(Struct, frozen=True, kw_only=True, tag="sms.send"):
    """Send `text` to `to` (E.164). `at_least_once` marks an alert; a courtesy reply is sent at most once."""

    to: str
    text: str
    at_least_once: bool = False


class FetchClip(Struct, frozen=True, kw_only=True, tag="clip.fetch"):
    """Cut camera's footage between two UTC instants and hand it to the hub over HTTPS.

    `tight`: nothing from before the start may be in the file, for a copy that leaves the house.
    """

    camera: str
    start_wall_ns: int
    end_wall_ns: int
    tight: bool = False


class SoundSiren(Struct, frozen=True, kw_only=True, tag="siren.sound"):
    """Sound the siren for `duration_s` (0 silences it) because of `incident`."""

    incident: str
    duration_s: Annotated[int, Meta(ge=0, le=600)]


Order = SendSms | FetchClip | SoundSiren


class Command(Struct, frozen=True, kw_only=True):
    """One order to one service of one node; run at most once, never after `expires_ms` (Unix, UTC)."""

    v: Literal[1] = 1
    id: str
    node: str
    service: Service
    order: Order
    issued_ms: int
    expires_ms: int
    issuer: str


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of command `id`; `result` holds what the order yields (a clip's size and SHA-256)."""

    id: str
    state: OutcomeState
    detail: str = ""
    result: dict[str, Any] = {}


def decode_command(payload: bytes) -> Command:
    """Return the command in `payload`. Raises BadRecord."""
    try:
        return msgspec.json.decode(payload, type=Command)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRecord("schema", str(error)) from error
