"""Names of things on the wire, and how new ones are made."""

import re
from typing import NewType

from siaga_core.errors import SiagaError

NodeId = NewType("NodeId", str)
CameraId = NewType("CameraId", str)
ReportId = NewType("ReportId", str)
IncidentId = NewType("IncidentId", str)
CommandId = NewType("CommandId", str)
MessageId = NewType("MessageId", str)
ClientName = NewType("ClientName", str)

# One label of a DNS name (RFC 1035 §2.3.1), because a node id is also the CN of its certificate,
# its MQTT client id and one level of a topic.
_NAME = re.compile(r"[a-z][a-z0-9-]{1,38}[a-z0-9]\Z")
# `hub` is the hub's own certificate's name, `all` is the topic level that every node reads, and as `cutter`
# the hub ends the sessions of others.
_RESERVED = frozenset({"hub", "all", "cutter"})
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}\Z")


class BadId(SiagaError, ValueError):
    """A name that cannot be a topic level, a file name and a certificate's CN at once."""


def node_id(text: str) -> NodeId:
    """Return `text` as a node id: 3 to 40 of a-z, 0-9 and '-', beginning with a letter. Raises BadId."""
    if text in _RESERVED:
        raise BadId(f"node id {text!r} is the hub's own; choose another")
    return NodeId(_name("node", text))


def camera_id(text: str) -> CameraId:
    """Return `text` as a camera id, unique in the whole city; same alphabet as a node id. Raises BadId."""
    return CameraId(_name("camera", text))


def client_name(text: str) -> ClientName:
    """Return `text` as the name of an operator's own client; same alphabet as a node id. Raises BadId.

    It is user name, client id and one level of a topic at once.
    """
    if text in _RESERVED:
        raise BadId(f"client name {text!r} is the hub's own; choose another")
    return ClientName(_name("client", text))


def ulid(wall_ms: int, randomness: bytes) -> str:
    """Return a ULID: 26 characters, 48 bits of time and 80 random bits, sorting by time.

    Shape from the ULID specification (Crockford's base 32). `randomness` is 10 bytes.
    """
    if len(randomness) != 10:
        raise BadId(f"a ULID needs 10 random bytes, got {len(randomness)}")
    number = (wall_ms & (1 << 48) - 1) << 80 | int.from_bytes(randomness, "big")
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def is_ulid(text: str) -> bool:
    """Whether `text` has the shape of a ULID."""
    return _ULID.match(text) is not None


def _name(what: str, text: str) -> str:
    if not _NAME.match(text):
        raise BadId(f"{what} id {text!r}: use 3 to 40 of a-z, 0-9 and '-', a letter first, no '-' last")
    return text
