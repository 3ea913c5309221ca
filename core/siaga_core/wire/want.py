"""Desired state: what a node should hold to, whatever it missed. Retained, versioned, converging."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from siaga_core.wire.envelope import BadRecord

KIND = "want.state"

Service = Literal["recorder", "cameras", "modem", "modemb", "health", "uplink"]


class Want(Struct, frozen=True, kw_only=True):
    """The newest wish of the hub under `name`. A lower `version` than one that is known is not taken."""

    v: Literal[1] = 1
    node: str
    service: Service
    name: Annotated[str, Meta(pattern=r"^[a-z]{3,16}$")]
    version: Annotated[int, Meta(ge=1)]
    body: msgspec.Raw


class WantState(Struct, frozen=True, kw_only=True):
    """What became of version `version` of `name` at the node."""

    name: str
    version: int
    state: Literal["taken", "applied", "refused"]
    detail: str = ""


def decode_want(message: bytes) -> Want:
    """Return the desired state in `message`. Raises BadRecord."""
    try:
        return msgspec.json.decode(message, type=Want)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRecord("schema", str(error)) from error
