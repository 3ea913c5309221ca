"""An urgent record as an SMS, from a node without internet to the hub's own modem.

`SIAGA1:` and base64 (RFC 4648, no padding: every sign of it is one septet) of, in this order:

key id        4 bytes  first 4 of the SHA-256 of the node's public key, as in wire/seal
signature    64 bytes  ECDSA P-256 with SHA-256 over `signed_octets`
service       1 byte   place in SERVICES; the lane is always urgent
epoch         8 bytes  of the journal
seq           4 bytes  big-endian
made          4 bytes  wall time of the node, Unix seconds
content                kind, a zero byte and the body's JSON, deflated raw (RFC 1951) with the dictionary

The record keeps its key (node, stream, epoch, seq), so that what comes by SMS and what comes over the link
later are one. The PDUs of a citizen's SMS stay behind: they come over the link.
"""

import base64
import binascii
import re
import struct
import zlib
from dataclasses import dataclass

from siaga_core.wire.envelope import BadRecord

MARK = "SIAGA1:"
SERVICES = ("modem", "cameras", "health", "recorder", "uplink", "modemb")
KEY_ID_BYTES, SIGNATURE_BYTES = 4, 64
# Five parts; a longer record waits for the link. Every part is money and a chance to be lost.
CONTENT_MOST_BYTES = 450
INFLATED_MOST_BYTES = 4096
_TORN = re.compile(r"[A-Za-z0-9+/]{60,}[\s=]*")
_HEAD = struct.Struct(">B8sII")
_CONTEXT = b"siaga carried record 1\0"
# What most bodies begin and go on with; deflate refers to it, so it is part of the version in MARK.
_DICTIONARY = (
    b'tidak ada di jalan dekat tolong kebakaran kecelakaan"state":"identified","rings":,"withheld":false'
    b'"state":"missed","service":"health","level":"crit","code":"node","detail":"disk_free_percent.'
    b'service\0{"service":"recorder","level":"crit","code":"footage.","detail":"'
    b'camera\0{"camera":"cam-","status":"black","status":"frozen","status":"up","status":"down","reason":"'
    b'no picture for ","model":"","firmware":"","clock_offset_ms":"onvif":"unreachable"}"onvif":"ok"}'
    b'"onvif":"unconfigured"}{"number":2,"pdu":""},'
    b'report\0{"report_id":"01K","revision":2,"source":"call","modem":"modem","reporter":"+628'
    b'"reporter_e164":"+628","call":{"state":"missed","rings":4,"withheld":false}}'
    b'report\0{"report_id":"01K","revision":1,"source":"sms","modem":"modem","reporter":"+628","reporter_e164"'
    b':"+628","sms":{"text":","parts_total":1,"parts":[{"number":1,"pdu":""}]}}'
)


@dataclass(frozen=True, slots=True)
class Carried:
    """One urgent record; `made_s` is the node's wall clock in Unix seconds."""

    service: str
    epoch: str
    seq: int
    made_s: int
    kind: str
    body: bytes

    @property
    def stream(self) -> str:
        """The record's stream."""
        return f"{self.service}.urgent"


@dataclass(frozen=True, slots=True)
class Signed:
    """A carried record as it came: not verified."""

    key_id: bytes
    signature: bytes
    content: bytes


def is_carried(text: str) -> bool:
    """Whether an SMS says that it is one; nothing is verified."""
    return MARK in text[:16]


def is_torn(text: str) -> bool:
    """Whether a text that cannot be taken apart was a record all the same: nobody writes such long words."""
    return _TORN.fullmatch(text.partition(MARK)[2]) is not None


def content_of(record: Carried) -> bytes | None:
    """What is signed and sent of a record; None if it is too long for SMS."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=_DICTIONARY)
    body = record.kind.encode() + b"\0" + record.body
    packed = deflater.compress(body) + deflater.flush()
    head = _HEAD.pack(
        SERVICES.index(record.service),
        bytes.fromhex(record.epoch),
        record.seq,
        min(max(0, record.made_s), (1 << 32) - 1),
    )
    return head + packed if len(head) + len(packed) <= CONTENT_MOST_BYTES else None


def signed_octets(content: bytes) -> bytes:
    """What the signature is made over."""
    return _CONTEXT + content


def text_of(signed: Signed) -> str:
    """The text of the SMS."""
    octets = signed.key_id + signed.signature + signed.content
    return MARK + base64.b64encode(octets).decode().rstrip("=")


def parse(text: str) -> Signed:
    """Take a text apart; blanks are of no account. Raises BadRecord `carried`."""
    packed = "".join(text.partition(MARK)[2].split())
    try:
        octets = base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRecord("carried", f"no base64 after the mark: {error}") from error
    start = KEY_ID_BYTES + SIGNATURE_BYTES
    if len(octets) <= start + _HEAD.size:
        raise BadRecord("carried", f"{len(octets)} octets are too few")
    return Signed(octets[:KEY_ID_BYTES], octets[KEY_ID_BYTES:start], octets[start:])


def opened(content: bytes) -> Carried:
    """The record in a content whose signature has been verified. Raises BadRecord `carried`."""
    service, epoch, seq, made_s = _HEAD.unpack_from(content)
    inflater = zlib.decompressobj(-15, zdict=_DICTIONARY)
    try:
        body = inflater.decompress(content[_HEAD.size :], INFLATED_MOST_BYTES)
    except zlib.error as error:
        raise BadRecord("carried", f"the content does not inflate: {error}") from error
    kind, zero, rest = body.partition(b"\0")
    if not inflater.eof or not zero or service >= len(SERVICES) or not seq:
        raise BadRecord("carried", "the content is cut short, or of another version")
    return Carried(SERVICES[service], epoch.hex(), seq, made_s, kind.decode("ascii", "replace"), rest)
