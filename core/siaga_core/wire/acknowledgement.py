"""What an operator's own client says of an alert, and what the hub answers."""

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from siaga_core.wire.envelope import VERSION, BadRecord

# A hundred bytes say it; whatever is longer was not written by a client of ours.
ACKNOWLEDGEMENT_MAX_BYTES = 1024

# Shape of a ULID (ids.ulid); whoever cannot make one may send the incident's own.
Ulid = Annotated[str, Meta(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]

# Why an acknowledgement was refused; one stable word each.
Reason = Literal[
    "", "oversized", "json", "version", "schema", "rate", "client", "role", "incident", "closed", "taken"
]


class Acknowledgement(Struct, frozen=True, kw_only=True):
    """Somebody answers for the incident. `id` makes it one however often it comes.

    `at_ms` is by the client's clock. The name of the client is in the topic, where the broker has checked it.
    """

    v: Literal[1] = 1
    id: Ulid
    incident: Ulid
    at_ms: Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]


class Answer(Struct, frozen=True, kw_only=True):
    """What became of acknowledgement `id`, after the hub's commit. Not retained.

    A repetition is answered alike. `id` and `incident` are empty when they could not be read;
    `acknowledged_by` is who has the incident now.
    """

    v: Literal[1] = 1
    id: str = ""
    incident: str = ""
    outcome: Literal["taken", "refused"]
    reason: Reason = ""
    detail: str = ""
    acknowledged_by: str = ""
    acknowledged_ms: int | None = None


class _Head(Struct):
    v: Any = None


def decode_acknowledgement(message: bytes) -> Acknowledgement:
    """Return the acknowledgement in `message`; unknown fields are ignored.

    Raises BadRecord with reason `oversized`, `json`, `version` or `schema`.
    """
    if len(message) > ACKNOWLEDGEMENT_MAX_BYTES:
        raise BadRecord("oversized", f"more than {ACKNOWLEDGEMENT_MAX_BYTES} bytes")
    try:
        head = msgspec.json.decode(message, type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRecord("json", _plain(error)) from error
    if head.v != VERSION:
        raise BadRecord("version", f"version {head.v!r:.40} is not understood here, only {VERSION}")
    try:
        return msgspec.json.decode(message, type=Acknowledgement)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRecord("schema", _plain(error)) from error


def _plain(error: Exception) -> str:
    return re.sub(r"[^ -~]", "?", str(error))[:200]
