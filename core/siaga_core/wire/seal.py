"""The seal around what node and hub say: who says it, on which topic, and that nobody changed it.

The broker carries messages and is not believed: a record, an acknowledgement or a command counts only with
the signature of its author. A sealed message is, in this order:

`S` `1`        2 bytes  mark and version
flags          1 byte   the content is 0: as it is; 1: deflated (RFC 1950); 2: LZMA2, raw (`LZMA2`)
key id         8 bytes  first 8 of the SHA-256 of the author's public key (SubjectPublicKeyInfo)
signature     64 bytes  ECDSA P-256 with SHA-256 (r and s, 32 bytes each, big-endian) over `signed_octets`
content                 JSON, UTF-8

The topic is signed too, so that a message cannot be played on another node's or stream's topic.
"""

import lzma
import zlib
from dataclasses import dataclass
from typing import Protocol

from siaga_core.wire.envelope import BadRecord

MARK = b"S1"
KEY_ID_BYTES = 8
SIGNATURE_BYTES = 64
HEAD_BYTES = len(MARK) + 1 + KEY_ID_BYTES + SIGNATURE_BYTES
PLAIN, DEFLATED, LZMA2 = 0, 1, 2
# Below this deflate's own bytes eat what it saves.
_WORTH_BYTES = 200
# 140 health records: 22.4 octets each deflated (0.3 ms), 15.8 with LZMA2 (5.8 ms); both inflate in 0.05 ms.
# Only a backlog makes batches this long, and a backlog waits for the line.
_LONG_BYTES = 8 * 1024
_INFLATES = {DEFLATED: 7, LZMA2: 40}
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 17, "lc": 3, "lp": 0, "pb": 0}]
_CONTEXT = b"siaga sealed message 1\0"


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed message, taken apart but not verified."""

    key_id: bytes
    signature: bytes
    flags: int
    content: bytes


def prepare(message: bytes) -> tuple[int, bytes]:
    """How `message` travels (PLAIN, DEFLATED or LZMA2), and its content as it travels."""
    if len(message) < _WORTH_BYTES:
        return PLAIN, message
    if len(message) < _LONG_BYTES:
        flags, shorter = DEFLATED, zlib.compress(message, 6)
    else:
        flags, shorter = LZMA2, lzma.compress(message, format=lzma.FORMAT_RAW, filters=_FILTERS)
    return (flags, shorter) if len(shorter) < len(message) else (PLAIN, message)


def signed_octets(topic: str, content: bytes, flags: int) -> bytes:
    """What the signature is made over."""
    return b"".join((_CONTEXT, topic.encode(), b"\0", bytes([flags]), content))


def pack(sealed: Sealed) -> bytes:
    """The message as it travels."""
    return b"".join((MARK, bytes([sealed.flags]), sealed.key_id, sealed.signature, sealed.content))


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
    if flags not in (PLAIN, DEFLATED, LZMA2):
        raise BadRecord("version", f"seal flags {flags:#04x} are not understood here")
    key_id, rest = rest[:KEY_ID_BYTES], rest[KEY_ID_BYTES:]
    return Sealed(key_id, rest[:SIGNATURE_BYTES], flags, rest[SIGNATURE_BYTES:])


def about_inflated_bytes(payload: bytes) -> int:
    """What a payload of a node may come to, by its flags alone: measured with batches of samples."""
    return len(payload) * _INFLATES.get(payload[2] if len(payload) > 2 else PLAIN, 1)


def expand(sealed: Sealed, most_bytes: int) -> bytes:
    """The message inside; never more than `most_bytes` are made. Raises BadRecord `oversized` or `seal`."""
    if sealed.flags == PLAIN:
        return sealed.content
    try:
        message, whole = _inflated(sealed, most_bytes + 1)
    except (zlib.error, lzma.LZMAError, EOFError) as error:
        raise BadRecord("seal", f"the content does not inflate: {error}") from error
    if len(message) > most_bytes:
        raise BadRecord("oversized", f"inflates to more than {most_bytes} bytes")
    if not whole:
        raise BadRecord("seal", "the content is cut short or has bytes behind its end")
    return message


def _inflated(sealed: Sealed, most_bytes: int) -> tuple[bytes, bool]:
    """At most so many octets of the message, and whether they end where the content does."""
    inflater: _Inflater
    if sealed.flags == DEFLATED:
        inflater = zlib.decompressobj()
    else:
        inflater = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS)
    message = inflater.decompress(sealed.content, most_bytes)
    return message, inflater.eof and not inflater.unused_data


class _Inflater(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...
