"""The seal around what node and hub say: who says it, on which topic, and that nobody changed it.

The broker carries messages and is not believed: a record, an acknowledgement or a command counts only with
the signature of its author. A sealed message is, in this order:

`S` `1`        2 bytes  mark and version
flags          1 byte   bit 0: the content is deflated (RFC 1950)
key id         8 bytes  first 8 of the SHA-256 of the author's public key (SubjectPublicKeyInfo)
signature     64 bytes  ECDSA P-256 with SHA-256 (r and s, 32 bytes each, big-endian) over `signed_octets`
content                 JSON, UTF-8

The topic is signed too, so that a message cannot be played on another node's or stream's topic.
"""

import zlib
from dataclasses import dataclass

from siaga_core.wire.envelope import BadRecord

MARK = b"S1"
KEY_ID_BYTES = 8
SIGNATURE_BYTES = 64
HEAD_BYTES = len(MARK) + 1 + KEY_ID_BYTES + SIGNATURE_BYTES
_DEFLATED = 1
# Below this deflate's own bytes eat what it saves.
_WORTH_BYTES = 200
_CONTEXT = b"siaga sealed message 1\0"


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed message, taken apart but not verified."""

    key_id: bytes
    signature: bytes
    deflated: bool
    content: bytes


def prepare(message: bytes) -> tuple[bool, bytes]:
    """Whether `message` travels deflated, and its content as it travels."""
    if len(message) < _WORTH_BYTES:
        return False, message
    shorter = zlib.compress(message, 6)
    return (True, shorter) if len(shorter) < len(message) else (False, message)


def signed_octets(topic: str, content: bytes, *, deflated: bool) -> bytes:
    """What the signature is made over."""
    return b"".join((_CONTEXT, topic.encode(), b"\0", bytes([_DEFLATED * deflated]), content))


def pack(sealed: Sealed) -> bytes:
    """The message as it travels."""
    flags = bytes([_DEFLATED * sealed.deflated])
    return b"".join((MARK, flags, sealed.key_id, sealed.signature, sealed.content))


def unpack(payload: bytes, most_bytes: int) -> Sealed:
    """Take a payload apart. Raises BadRecord with reason `oversized`, `seal` or `version`."""
    if len(payload) > most_bytes:
        raise BadRecord("oversized", f"{len(payload)} bytes, at most {most_bytes}")
    if payload[:1] != MARK[:1] or len(payload) < HEAD_BYTES:
        raise BadRecord("seal", f"{len(payload)} bytes that are not sealed")
    if payload[1:2] != MARK[1:2]:
        raise BadRecord(
            "version", f"seal version {payload[1:2]!r} is not understood here, only {MARK[1:2]!r}"
        )
    flags, rest = payload[2], payload[3:]
    if flags & ~_DEFLATED:
        raise BadRecord("version", f"seal flags {flags:#04x} are not understood here")
    key_id, rest = rest[:KEY_ID_BYTES], rest[KEY_ID_BYTES:]
    return Sealed(key_id, rest[:SIGNATURE_BYTES], bool(flags & _DEFLATED), rest[SIGNATURE_BYTES:])


def expand(sealed: Sealed, most_bytes: int) -> bytes:
    """The message inside; never more than `most_bytes` are made. Raises BadRecord `oversized` or `seal`."""
    if not sealed.deflated:
        return sealed.content
    inflater = zlib.decompressobj()
    try:
        message = inflater.decompress(sealed.content, most_bytes + 1)
    except zlib.error as error:
        raise BadRecord("seal", f"the content does not inflate: {error}") from error
    if len(message) > most_bytes:
        raise BadRecord("oversized", f"inflates to more than {most_bytes} bytes")
    if not inflater.eof or inflater.unused_data:
        raise BadRecord("seal", "the content is cut short or has bytes behind its end")
    return message
