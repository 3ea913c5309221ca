"""SMS as a modem hands them over: TPDUs read and written (3GPP TS 23.040 §9.2, 23.038 §4). Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Literal

from siaga_core.errors import SiagaError
from siaga_edge.modem import alphabet

Coding = Literal["gsm7", "data", "ucs2"]

SINGLE_SEPTETS, PART_SEPTETS = 160, 153
SINGLE_UNITS, PART_UNITS = 70, 67
_ALPHANUMERIC = 5  # type of number, bits 6-4 of the address type (§9.1.2.5)


class BadPdu(SiagaError, ValueError):
    """Octets that are no SMS; the only error this module raises."""


@dataclass(frozen=True, slots=True)
class Part:
    """Where a message stands in a longer one: reference, of how many, which (from 1), 16-bit reference."""

    reference: int
    total: int
    number: int
    wide: bool


@dataclass(frozen=True, slots=True)
class Deliver:
    """A message from the network. `sender` is `+62…` for international numbers, else as it came."""

    sender: str
    alphanumeric: bool
    sent_at: str | None
    text: str
    coding: Coding
    part: Part | None
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What became of a message of ours; `status` as in §9.2.3.15."""

    reference: int
    recipient: str
    status: int

    @property
    def outcome(self) -> Literal["DELIVERED", "PENDING", "FAILED"]:
        """Delivered, still tried by the network, or given up."""
        if self.status <= 0x1F:
            return "DELIVERED"
        return "PENDING" if self.status <= 0x3F else "FAILED"


class _Reader:
    def __init__(self, octets: bytes) -> None:
        self._octets, self._at = octets, 0

    def take(self, count: int) -> bytes:
        end = self._at + count
        if count < 0 or end > len(self._octets):
            raise BadPdu(f"ends after {len(self._octets)} octets, {end} are needed")
        taken, self._at = self._octets[self._at : end], end
        return taken

    def octet(self) -> int:
        return self.take(1)[0]

    def rest(self) -> bytes:
        return self.take(len(self._octets) - self._at)


def decode(pdu: str) -> Deliver | StatusReport:
    """Read what +CMGL, +CMGR or +CDS gave in hexadecimal, SMSC address included. Raises BadPdu."""
    try:
        reader = _Reader(bytes.fromhex(pdu))
    except ValueError as error:
        raise BadPdu(f"is not hexadecimal: {error}") from error
    reader.take(reader.octet())
    first = reader.octet()
    kind = first & 0x03
    if kind == 0:
        return _deliver(reader, has_header=bool(first & 0x40))
    if kind == 2:
        return _status_report(reader)
    raise BadPdu(f"message type {kind} is not one a modem receives")


def _deliver(reader: _Reader, *, has_header: bool) -> Deliver:
    sender, alphanumeric = _address(reader)
    reader.octet()  # protocol identifier
    coding, compressed = _coding(reader.octet())
    if compressed:
        raise BadPdu("is compressed (3GPP TS 23.042), which no phone sends")
    sent_at = _time_stamp(reader.take(7))
    length, body = reader.octet(), reader.rest()
    part, header_octets = _header(body) if has_header else (None, 0)
    if coding == "gsm7":
        text = _septets(body, length, header_octets)
        return Deliver(sender, alphanumeric, sent_at, text, coding, part)
    if length > len(body):
        raise BadPdu(f"says {length} octets of text and has {len(body)}")
    data = body[header_octets:length]
    text = data.decode("utf-16-be", "replace") if coding == "ucs2" else data.decode("latin-1")
    return Deliver(sender, alphanumeric, sent_at, text, coding, part, data if coding == "data" else b"")


def _septets(body: bytes, length: int, header_octets: int) -> str:
    skipped = (header_octets * 8 + 6) // 7
    if (length * 7 + 7) // 8 > len(body) or skipped > length:
        raise BadPdu(f"says {length} septets of text and has {len(body)} octets")
    fill_bits = skipped * 7 - header_octets * 8
    return alphabet.decode(alphabet.unpack(body[header_octets:], length - skipped, fill_bits))


def _status_report(reader: _Reader) -> StatusReport:
    reference = reader.octet()
    recipient, _ = _address(reader)
    reader.take(14)  # when it was sent, when that happened
    return StatusReport(reference, recipient, reader.octet())


def _address(reader: _Reader) -> tuple[str, bool]:
    digits, kind = reader.octet(), reader.octet()
    octets = reader.take((digits + 1) // 2)
    if kind >> 4 & 7 == _ALPHANUMERIC:
        return alphabet.decode(alphabet.unpack(octets, digits * 4 // 7)), True
    signs = "".join("0123456789*#abc "[octet & 15] + "0123456789*#abc "[octet >> 4] for octet in octets)
    number = signs[:digits].rstrip()
    return (f"+{number}" if kind >> 4 & 7 == 1 else number), False


def _coding(scheme: int) -> tuple[Coding, bool]:
    """The alphabet of a data coding scheme, and whether the text is compressed (3GPP TS 23.038 §4)."""
    group = scheme >> 4
    if group < 8:
        codings: tuple[Coding, ...] = ("gsm7", "data", "ucs2", "gsm7")
        return codings[scheme >> 2 & 3], bool(scheme & 0x20)
    if group == 14:
        return "ucs2", False
    if group == 15:
        return ("data" if scheme & 4 else "gsm7"), False
    return "gsm7", False


def _time_stamp(octets: bytes) -> str | None:
    """ISO 8601 with zone, None when the centre sent nonsense (§9.2.3.11)."""
    year, month, day, hour, minute, second = ((octet & 15) * 10 + (octet >> 4) for octet in octets[:6])
    quarters = (octets[6] & 7) * 10 + (octets[6] >> 4)
    zone = timedelta(minutes=15 * quarters) * (-1 if octets[6] & 8 else 1)
    try:
        return datetime(2000 + year, month, day, hour, minute, second, tzinfo=timezone(zone)).isoformat()
    except ValueError:
        return None


def _header(body: bytes) -> tuple[Part | None, int]:
    """The concatenation of a user data header and the header's octets (§9.2.3.24)."""
    reader = _Reader(body)
    header = _Reader(reader.take(reader.octet()))
    octets = body[0] + 1
    part: Part | None = None
    while True:
        try:
            element = header.octet()
        except BadPdu:
            return part, octets
        value = header.take(header.octet())
        if element == 0x00 and len(value) == 3:
            part = Part(value[0], value[1], value[2], wide=False)
        elif element == 0x08 and len(value) == 4:
            part = Part(int.from_bytes(value[:2], "big"), value[2], value[3], wide=True)


@dataclass(frozen=True, slots=True)
class Submit:
    """One TPDU to be sent; `length` is what +CMGS is told: octets without the SMSC address."""

    pdu: str
    length: int


def encode(to: str, text: str, reference: int) -> list[Submit]:
    """Write a message as SMS-SUBMITs that ask for a status report, in few parts. Raises BadPdu."""
    septets = alphabet.encode(alphabet.plain(text))
    if septets is not None:
        pieces = _cut_septets(septets)
        bodies = [_gsm7_body(piece, _part_header(reference, len(pieces), place)) for place, piece in pieces]
        return [_submit(to, 0x00, body, len(pieces) > 1) for body in bodies]
    units = _cut_units(text)
    made = [_part_header(reference, len(units), place) + unit for place, unit in enumerate(units, 1)]
    return [_submit(to, 0x08, bytes([len(body)]) + body, len(units) > 1) for body in made]


def _cut_septets(septets: list[int]) -> list[tuple[int, list[int]]]:
    if len(septets) <= SINGLE_SEPTETS:
        return [(1, septets)]
    pieces: list[tuple[int, list[int]]] = []
    at = 0
    while at < len(septets):
        end = min(at + PART_SEPTETS, len(septets))
        if end < len(septets) and septets[end - 1] == alphabet.ESCAPE:
            end -= 1
        pieces.append((len(pieces) + 1, septets[at:end]))
        at = end
    return pieces


def _cut_units(text: str) -> list[bytes]:
    encoded = text.encode("utf-16-be", "replace")
    if len(encoded) <= 2 * SINGLE_UNITS:
        return [encoded]
    pieces, at = [], 0
    while at < len(encoded):
        end = min(at + 2 * PART_UNITS, len(encoded))
        if end < len(encoded) and 0xD8 <= encoded[end - 2] <= 0xDB:  # never between two surrogates
            end -= 2
        pieces.append(encoded[at:end])
        at = end
    return pieces


def _part_header(reference: int, total: int, number: int) -> bytes:
    if total > 255:
        raise BadPdu("the text is longer than 255 parts")
    return b"" if total == 1 else bytes((5, 0, 3, reference & 0xFF, total, number))


def _gsm7_body(septets: list[int], header: bytes) -> bytes:
    skipped = (len(header) * 8 + 6) // 7
    fill_bits = skipped * 7 - len(header) * 8
    return bytes([skipped + len(septets)]) + header + alphabet.pack(septets, fill_bits)


def _submit(to: str, scheme: int, body: bytes, has_header: bool) -> Submit:
    digits = to.lstrip("+")
    if not digits.isdecimal() or len(digits) > 20:
        raise BadPdu(f"{to!r} is no number one can send to")
    padded = digits + "F" * (len(digits) % 2)
    swapped = "".join(padded[at + 1] + padded[at] for at in range(0, len(padded), 2))
    # SMS-SUBMIT, status report asked for, relative validity; a header if there are more parts (§9.2.2.2).
    first = 0x01 | 0x20 | 0x10 | (0x40 if has_header else 0)
    kind = 0x91 if to.startswith("+") else 0x81
    head = bytes((first, 0, len(digits), kind)) + bytes.fromhex(swapped)
    tpdu = head + bytes((0, scheme, 0xA7)) + body  # valid for a day (§9.2.3.12.1)
    return Submit("00" + tpdu.hex().upper(), len(tpdu))
