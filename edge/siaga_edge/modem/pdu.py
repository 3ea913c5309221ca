"""SMS as a modem hands them over: TPDUs read and written (3GPP TS 23.040 §9.2, 23.038 §4). Pure."""

import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Literal

from siaga_core.errors import SiagaError
from siaga_core.wire.gsm7 import ESCAPE
from siaga_edge.modem import alphabet

Coding = Literal["gsm7", "data", "ucs2"]

SINGLE_SEPTETS, PART_SEPTETS = 160, 153
SINGLE_OCTETS = 140
DAY_MIN = 24 * 60
_ALPHANUMERIC = 5  # type of number, bits 6-4 of the address type (§9.1.2.5)
_CONCATENATION, _CONCATENATION_WIDE = 0x00, 0x08  # information elements (§9.2.3.24)
_PORTS_NARROW, _PORTS = 0x04, 0x05
_SINGLE_SHIFT, _LOCKING_SHIFT = 0x24, 0x25
_ZONE_MOST_QUARTERS = 14 * 4  # no place on earth is further from UTC
_SENDER_DIGITS = range(3, 16)  # from 112 to the longest number there is (ITU-T E.164 §6.2.1)
_FIRST_YEAR = 90  # the first SMS was sent in 1992


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
class Scheme:
    """A data coding scheme (3GPP TS 23.038 §4).

    `message_class` is 0 (shown at once, not stored) to 3, None if not given; `waiting` is None unless the
    message speaks of waiting voice mail and the like: then whether some is waiting.
    """

    coding: Coding
    compressed: bool = False
    message_class: int | None = None
    waiting: bool | None = None


@dataclass(frozen=True, slots=True)
class Deliver:
    """A message from the network. `sender` is `+62…` for international numbers, else as it came.

    `data` are the user data's octets, for coding `gsm7` one per septet; `elements` is its whole header,
    known or not, in the order it came.
    """

    sender: str
    alphanumeric: bool
    sent_at: str | None
    text: str
    coding: Coding
    part: Part | None
    data: bytes = b""
    message_class: int | None = None
    waiting: bool | None = None
    elements: tuple[tuple[int, bytes], ...] = ()

    @property
    def ports(self) -> tuple[int, int] | None:
        """Destination and origin of a message meant for an application (§9.2.3.24.3, .4)."""
        found = None
        for element, value in self.elements:
            if (element, len(value)) in ((_PORTS_NARROW, 2), (_PORTS, 4)):
                half = len(value) // 2
                found = int.from_bytes(value[:half], "big"), int.from_bytes(value[half:], "big")
        return found


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What became of a message of ours; `status` as in §9.2.3.15, times ISO 8601 with zone or None."""

    reference: int
    recipient: str
    status: int
    sent_at: str | None = None
    ended_at: str | None = None

    @property
    def outcome(self) -> Literal["DELIVERED", "PENDING", "FAILED"]:
        """Delivered, still tried by the network, or given up."""
        if self.status <= 0x1F:
            return "DELIVERED"
        return "PENDING" if self.status <= 0x3F else "FAILED"


class _Reader:
    """Takes octets one after the other; `forgiving` reads missing ones as zero (for best efforts only)."""

    def __init__(self, octets: bytes, *, forgiving: bool = False) -> None:
        self._octets, self._at, self._forgiving = octets, 0, forgiving

    def take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._octets) and not self._forgiving:
            raise BadPdu(f"ends after {len(self._octets)} octets, {end} are needed")
        taken, self._at = self._octets[self._at : end], end
        return taken.ljust(count, b"\0")

    def octet(self) -> int:
        return self.take(1)[0]

    def rest(self) -> bytes:
        return self._octets[self._at :]


def decode(pdu: str) -> Deliver | StatusReport:
    """Read what +CMGL, +CMGR or +CDS gave in hexadecimal, SMSC address included. Raises BadPdu."""
    reader = _Reader(_octets(pdu))
    reader.take(reader.octet())
    first = reader.octet()
    kind = first & 0x03
    if kind == 2:
        return _status_report(reader)
    if kind == 1:
        raise BadPdu("is a message of our own that the modem has stored, not one it received")
    # A reserved type is to be processed like SMS-DELIVER (§9.2.3.1).
    return _deliver(reader, has_header=bool(first & 0x40))


def best_effort(pdu: str) -> str:
    """The text that can be guessed from what `decode` refuses; empty if there is nothing to read.

    What calls itself a message of our own is read as that, and as one received: a wrong bit makes it either.
    """
    try:
        reader = _Reader(_octets(pdu))
        reader.take(reader.octet())
        first, rest = reader.octet(), reader.rest()
    except BadPdu:
        return ""
    bodies = [rest]
    if first & 0x03 == 1:
        with contextlib.suppress(BadPdu):
            bodies.insert(0, _as_received(first, rest))
    return next((text for body in bodies if (text := _guess(body, has_header=bool(first & 0x40)))), "")


def guessed_sender(pdu: str) -> str:
    """The number that a message which `decode` refuses came from; empty unless it looks like one in whole."""
    with contextlib.suppress(BadPdu):
        reader = _Reader(_octets(pdu))
        reader.take(reader.octet())
        if reader.octet() & 0x03 in (0, 3):
            sender, alphanumeric = _address(reader)
            digits = sender.removeprefix("+")
            if not alphanumeric and digits.isdecimal() and len(digits) in _SENDER_DIGITS:
                return sender
    return ""


def _as_received(first: int, rest: bytes) -> bytes:
    """An SMS-SUBMIT (§9.2.2.2) as an SMS-DELIVER: without reference, a time in place of the validity."""
    reader = _Reader(rest[1:])
    digits, kind = reader.octet(), reader.octet()
    address = bytes((digits, kind)) + reader.take((digits + 1) // 2)
    coding = reader.take(2)
    reader.take((0, 7, 1, 7)[first >> 3 & 3])
    return address + coding + bytes(7) + reader.rest()


def _guess(rest: bytes, *, has_header: bool) -> str:
    try:
        message = _deliver(_Reader(rest, forgiving=True), has_header=has_header, strict=False)
    except BadPdu:
        return ""
    text = message.text.rstrip("@\0\ufffd ")
    readable = sum(sign.isalnum() or sign in " .,!?\n" for sign in text)
    return text if readable * 4 >= len(text) * 3 else ""


def _octets(pdu: str) -> bytes:
    try:
        return bytes.fromhex(pdu)
    except ValueError as error:
        raise BadPdu(f"is not hexadecimal: {error}") from error


def _deliver(reader: _Reader, *, has_header: bool, strict: bool = True) -> Deliver:
    sender, alphanumeric = _address(reader)
    reader.octet()  # protocol identifier
    scheme = coding_scheme(reader.octet())
    if scheme.compressed and strict:
        raise BadPdu("is compressed (3GPP TS 23.042), which no phone sends")
    sent_at = time_stamp(reader.take(7))
    length, body = reader.octet(), reader.rest()
    if not strict:
        length = min(length, len(body) * 8 // 7 if scheme.coding == "gsm7" else len(body))
    header_octets, elements = _header(body) if has_header else (0, ())
    if scheme.coding == "gsm7":
        data = _septets(body, length, header_octets)
        text = alphabet.decode(list(data), *shift_tables(elements))
    else:
        if not header_octets <= length <= len(body):
            raise BadPdu(f"says {length} octets of text and has {len(body)}, {header_octets} of them header")
        data = body[header_octets:length]
        text = data.decode("utf-16-be", "replace") if scheme.coding == "ucs2" else _plain_octets(data)
    return Deliver(
        sender,
        alphanumeric,
        sent_at,
        text,
        scheme.coding,
        _part(elements),
        data,
        scheme.message_class,
        scheme.waiting,
        elements,
    )


def shift_tables(elements: tuple[tuple[int, bytes], ...]) -> tuple[int, int]:
    """The national tables a header names: locking and single shift, 0 for the default ones (§9.2.3.24.15)."""
    tables = {element: value[0] for element, value in elements if len(value) == 1}
    return tables.get(_LOCKING_SHIFT, 0), tables.get(_SINGLE_SHIFT, 0)


def _septets(body: bytes, length: int, header_octets: int) -> bytes:
    skipped = (header_octets * 8 + 6) // 7
    if (length * 7 + 7) // 8 > len(body) or skipped > length:
        raise BadPdu(f"says {length} septets of text and has {len(body)} octets")
    fill_bits = skipped * 7 - header_octets * 8
    return bytes(alphabet.unpack(body[header_octets:], length - skipped, fill_bits))


def _plain_octets(data: bytes) -> str:
    """8-bit data as an operator may read it; what is no sign shows as a dot."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return "".join(sign if sign.isprintable() or sign in "\r\n\t" else "·" for sign in text)


def _status_report(reader: _Reader) -> StatusReport:
    reference = reader.octet()
    recipient, _ = _address(reader)
    sent_at, ended_at = time_stamp(reader.take(7)), time_stamp(reader.take(7))
    return StatusReport(reference, recipient, reader.octet(), sent_at, ended_at)


def _address(reader: _Reader) -> tuple[str, bool]:
    """An address and whether it is a name; its length counts half octets (§9.1.2.5)."""
    digits, kind = reader.octet(), reader.octet()
    octets = reader.take((digits + 1) // 2)
    if kind >> 4 & 7 == _ALPHANUMERIC:
        count = digits * 4 // 7
        name = alphabet.decode(alphabet.unpack(octets, count))
        # Seven letters fill 49 bits: a centre that counts all 56 makes an eighth of the seven left over.
        return (name[:-1] if count % 8 == 0 and name.endswith("@") else name), True
    signs = "".join("0123456789*#abc "[octet & 15] + "0123456789*#abc "[octet >> 4] for octet in octets)
    number = signs[:digits].replace(" ", "")
    return (f"+{number}" if kind >> 4 & 7 == 1 and number else number), False


def coding_scheme(octet: int) -> Scheme:
    """What a data coding scheme says; reserved ones are the default alphabet (3GPP TS 23.038 §4)."""
    group, low = octet >> 4, octet & 15
    if group < 8:  # general, and the same with the wish to be deleted after reading
        codings: tuple[Coding, ...] = ("gsm7", "data", "ucs2", "gsm7")
        return Scheme(codings[low >> 2], bool(octet & 0x20), low & 3 if octet & 0x10 else None)
    if group in (12, 13, 14):
        return Scheme("ucs2" if group == 14 else "gsm7", waiting=bool(low & 8))
    if group == 15:
        return Scheme("data" if low & 4 else "gsm7", message_class=low & 3)
    return Scheme("gsm7")


def time_stamp(octets: bytes) -> str | None:
    """ISO 8601 with zone, None when the centre sent nonsense (§9.2.3.11).

    The century is not sent: years from 90 on are of the last one, in which SMS began.
    """
    tens = [octet & 15 for octet in octets[:6]]
    ones = [octet >> 4 for octet in octets]
    if max(tens + ones) > 9:
        return None
    year, month, day, hour, minute, second = (ten * 10 + one for ten, one in zip(tens, ones, strict=False))
    quarters = (octets[6] & 7) * 10 + ones[6]
    if quarters > _ZONE_MOST_QUARTERS:
        return None
    zone = timedelta(minutes=15 * quarters) * (-1 if octets[6] & 8 else 1)
    try:
        return datetime(
            year + (1900 if year >= _FIRST_YEAR else 2000),
            month,
            day,
            hour,
            minute,
            second,
            tzinfo=timezone(zone),
        ).isoformat()
    except ValueError:
        return None


def _header(body: bytes) -> tuple[int, tuple[tuple[int, bytes], ...]]:
    """Octets of a user data header with its length, and its elements.

    A header whose last element does not fit says nothing, but its octets are no text (§9.2.3.24).
    """
    octets = _Reader(body).octet()
    header = _Reader(_Reader(body[1:]).take(octets))
    elements: list[tuple[int, bytes]] = []
    try:
        while header.rest():
            element = header.octet()
            elements.append((element, header.take(header.octet())))
    except BadPdu:
        return octets + 1, ()
    return octets + 1, tuple(elements)


def _part(elements: tuple[tuple[int, bytes], ...]) -> Part | None:
    """The concatenation a header speaks of; of two, the last (§9.2.3.24)."""
    part: Part | None = None
    for element, value in elements:
        if element == _CONCATENATION and len(value) == 3:
            part = Part(value[0], value[1], value[2], wide=False)
        elif element == _CONCATENATION_WIDE and len(value) == 4:
            part = Part(int.from_bytes(value[:2], "big"), value[2], value[3], wide=True)
    return part


@dataclass(frozen=True, slots=True)
class Submit:
    """One TPDU to be sent; `length` is what +CMGS is told: octets without the SMSC address."""

    pdu: str
    length: int


def encode(
    to: str,
    text: str,
    reference: int,
    *,
    wide: bool = False,
    validity_min: int = DAY_MIN,
    wants_report: bool = True,
) -> list[Submit]:
    """Write a message as SMS-SUBMITs, in as few parts as it takes. Raises BadPdu.

    `wide` numbers the parts by a 16-bit reference; the network tries for `validity_min`, rounded up.
    """
    flags = 0x01 | 0x10 | (0x20 if wants_report else 0)  # relative validity (§9.2.2.2)
    tail = bytes([_validity(validity_min)])
    head_octets = 7 if wide else 6
    septets = alphabet.encode(alphabet.plain(text))
    if septets is not None:
        pieces = _cut_septets(septets, SINGLE_SEPTETS - (head_octets * 8 + 6) // 7)
        headers = [_part_header(reference, len(pieces), number, wide) for number in range(1, len(pieces) + 1)]
        bodies = [_gsm7_body(piece, header) for piece, header in zip(pieces, headers, strict=True)]
    else:
        units = _cut_units(text, (SINGLE_OCTETS - head_octets) // 2 * 2)
        headers = [_part_header(reference, len(units), number, wide) for number in range(1, len(units) + 1)]
        bodies = [
            bytes([len(header + unit)]) + header + unit for header, unit in zip(headers, units, strict=True)
        ]
    flags |= 0x40 if len(bodies) > 1 else 0
    scheme = 0x00 if septets is not None else 0x08
    return [_submit(flags, to, bytes((0, scheme)) + tail + body) for body in bodies]


def _cut_septets(septets: list[int], room: int) -> list[list[int]]:
    """Pieces of at most `room` septets, never cut behind an escape."""
    if len(septets) <= SINGLE_SEPTETS:
        return [septets]
    pieces: list[list[int]] = []
    at = 0
    while at < len(septets):
        end = min(at + room, len(septets))
        if end < len(septets) and septets[end - 1] == ESCAPE:
            end -= 1
        pieces.append(septets[at:end])
        at = end
    return pieces


def _cut_units(text: str, room: int) -> list[bytes]:
    """Pieces of at most `room` octets of UTF-16, never cut between two surrogates."""
    encoded = text.encode("utf-16-be", "replace")
    if len(encoded) <= SINGLE_OCTETS:
        return [encoded]
    pieces, at = [], 0
    while at < len(encoded):
        end = min(at + room, len(encoded))
        if end < len(encoded) and 0xD8 <= encoded[end - 2] <= 0xDB:
            end -= 2
        pieces.append(encoded[at:end])
        at = end
    return pieces


def _part_header(reference: int, total: int, number: int, wide: bool) -> bytes:
    if total > 255:
        raise BadPdu("the text is longer than 255 parts")
    if total == 1:
        return b""
    if wide:
        return bytes((6, 8, 4, reference >> 8 & 0xFF, reference & 0xFF, total, number))
    return bytes((5, 0, 3, reference & 0xFF, total, number))


def _gsm7_body(septets: list[int], header: bytes) -> bytes:
    skipped = (len(header) * 8 + 6) // 7
    fill_bits = skipped * 7 - len(header) * 8
    return bytes([skipped + len(septets)]) + header + alphabet.pack(septets, fill_bits)


def _validity(minutes: int) -> int:
    """The relative validity period that is not shorter than `minutes` (§9.2.3.12.1)."""
    if minutes <= 12 * 60:
        return max(0, -(-minutes // 5) - 1)
    if minutes <= DAY_MIN:
        return 143 - (-(minutes - 12 * 60) // 30)
    days = -(-minutes // DAY_MIN)
    return 166 + days if days <= 30 else min(255, 192 - (-days // 7))


def _submit(flags: int, to: str, rest: bytes) -> Submit:
    digits = to.removeprefix("+")
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 20:
        raise BadPdu(f"{to!r} is no number one can send to")
    padded = digits + "F" * (len(digits) % 2)
    swapped = "".join(padded[at + 1] + padded[at] for at in range(0, len(padded), 2))
    kind = 0x91 if to.startswith("+") else 0x81
    tpdu = bytes((flags, 0, len(digits), kind)) + bytes.fromhex(swapped) + rest
    return Submit("00" + tpdu.hex().upper(), len(tpdu))
