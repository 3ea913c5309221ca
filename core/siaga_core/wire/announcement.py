"""What the hub says of itself to every node: its generation, and the key it signs with."""

from typing import Literal

import msgspec
from msgspec import Struct

from siaga_core.wire.envelope import BadRecord


class Announcement(Struct, frozen=True, kw_only=True):
    """Retained for all nodes, sealed with the announced key itself.

    A node believes it when `chain_pem` (signing certificate, then issuer) leads to the root it has pinned and
    the certificate is one for signing. `generation` changes when the hub's database was restored.
    """

    v: Literal[1] = 1
    generation: str
    since_ms: int
    chain_pem: str


def decode_announcement(message: bytes) -> Announcement:
    """Return the announcement in `message`. Raises BadRecord."""
    try:
        return msgspec.json.decode(message, type=Announcement)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRecord("schema", str(error)) from error
