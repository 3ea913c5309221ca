"""What the hub lets a technician copy out of a node by hand: one span of one camera, sealed, in a file."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from siaga_core.wire.envelope import BadRecord

USE_KIND = "recording.grant"
USES_MOST = 10
# Records of its uses stay on the node for thirty days, and they count the uses.
LASTS_MOST_S = 14 * 86_400


class Grant(Struct, frozen=True, kw_only=True):
    """Footage of `camera` between two UTC instants may be copied `uses` times before `expires_ms`."""

    v: Literal[1] = 1
    id: str
    node: str
    camera: str
    start_wall_ns: int
    end_wall_ns: int
    issued_ms: int
    expires_ms: int
    by: str  # the account that answers for it
    reason: Annotated[str, Meta(min_length=1)]
    uses: Annotated[int, Meta(ge=1, le=USES_MOST)] = 1


class GrantFile(Struct, frozen=True, kw_only=True):
    """What the technician carries: the hub's announcement, as nodes hear it, and the grant, both sealed.

    The announcement is there for a node that has not heard of the hub's present key.
    """

    v: Literal[1] = 1
    announcement: bytes
    grant: bytes


class GrantUse(Struct, frozen=True, kw_only=True):
    """A node's word on one use. `begun` is on record before an octet is copied; `refused` says why not."""

    grant: str
    use: str
    state: Literal["begun", "done", "failed", "refused"]
    camera: str
    start_wall_ns: int
    end_wall_ns: int
    who: str = ""  # the account on the node that asked
    by: str = ""
    reason: str = ""  # of the grant
    detail: str = ""
    tight: bool = False
    size_bytes: int = 0
    sha256: str = ""


def decode_grant(message: bytes) -> Grant:
    """Return the grant in `message`. Raises BadRecord."""
    try:
        return msgspec.json.decode(message, type=Grant)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRecord("schema", str(error)) from error


def decode_file(octets: bytes) -> GrantFile:
    """Return what a grant's file holds, nothing of it believed yet. Raises BadRecord."""
    try:
        return msgspec.json.decode(octets, type=GrantFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRecord("schema", str(error)) from error
