"""What the network says and hears in SMS: SMS-DELIVER and SMS-STATUS-REPORT out, SMS-SUBMIT in.

3GPP TS 23.040 §9.2. This is the network's own codec, written apart from the node's: where both are
wrong in the same way no test would see it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from siaga_core.errors import SiagaError
from siaga_edge.simulate.modem import alphabet

SINGLE_SEPTETS, SINGLE_OCTETS = 160, 140
GSM7, EIGHT_BIT, UCS2 = 0x00, 0x04, 0x08
CLASS_GIVEN = 0x10  # bits 1 and 0 are a class then, 0 for what is shown at once (3GPP TS 23.038 §4)
Coding = Literal["auto", "gsm7", "ucs2"]


class BadPdu(SiagaError, ValueError):
    """Octets that are no SMS-SUBMIT, or a text that does not fit its coding."""


@dataclass(frozen=True, slots=True)
class Submit:
    """An SMS-SUBMIT taken apart. `part` is (reference, total, number) of a concatenated message."""

    to: str
    text: str
    coding: int
    wants_report: bool
    part: tuple[int, int, int] | None
    octets: bytes


@dataclass(frozen=True, slots=True)
class _Piece:
    """User data of one part: header without its length, and text already coded."""

    header: bytes
    septets: tuple[int, ...] | None
    octets: bytes

    def encode(self) -> bytes:
        head = bytes([len(self.header)]) + self.header if self.header else b""
        if self.septets is None:
            return bytes([len(head) + len(self.octets)]) + head + self.octets
        fill_bits = -len(head) * 8 % 7
        head_septets = (len(head) * 8 + fill_bits) // 7
        return bytes([head_septets + len(self.septets)]) + head + alphabet.pack(self.septets, fill_bits)


def deliver(
    sender: str,
    text: str,
    when: datetime,
    *,
    smsc: str = "",
    coding: Coding = "auto",
    reference: int = 1,
    wide: bool = False,
    flash: bool = False,
) -> list[bytes]:
    """The PDUs (SMSC address first) in which the network hands over `text`: one, or one per part.

    `when` is aware. `wide` uses the 16-bit concatenation element (§9.2.3.24.8), `flash` makes it class 0.
    Raises BadPdu.
    """
    use_gsm7 = alphabet.fits(text) if coding == "auto" else coding == "gsm7"
    if use_gsm7 and not alphabet.fits(text):
        raise BadPdu("the text has characters outside the GSM alphabet; use coding ucs2")
    pieces = _pieces(text, reference, gsm7=use_gsm7, wide=wide)
    head = _smsc(smsc)
    dcs = (GSM7 if use_gsm7 else UCS2) | (CLASS_GIVEN if flash else 0)
    return [
        head
        + bytes([0x04 | (0x40 if piece.header else 0)])  # MMS bit set: no more messages to send
        + address(sender)
        + bytes([0x00, dcs])
        + timestamp(when)
        + piece.encode()
        for piece in pieces
    ]


def status_report(reference: int, to: str, sent: datetime, ended: datetime, status: int, smsc: str) -> bytes:
    """An SMS-STATUS-REPORT with its SMSC address (§9.2.2.3); status 0 is delivered (§9.2.3.15)."""
    return (
        _smsc(smsc)
        + bytes([0x06, reference])
        + address(to)
        + timestamp(sent)
        + timestamp(ended)
        + bytes([status])
    )


def address(number: str) -> bytes:
    """TP-OA, TP-DA, TP-RA: length in semi-octets, type, semi-octets or packed letters (§9.1.2.5)."""
    digits = number.removeprefix("+")
    if digits.isdecimal():
        return bytes([len(digits), 0x91 if number.startswith("+") else 0x81]) + _swap(digits)
    codes = [code for character in number for code in alphabet.septets(character)]
    packed = alphabet.pack(codes)
    return bytes([(len(codes) * 7 + 3) // 4, 0xD0]) + packed


def timestamp(when: datetime) -> bytes:
    """TP-SCTS: local time in swapped semi-octets, zone in quarter hours, bit 3 its sign (§9.2.3.11)."""
    offset = when.utcoffset()
    if offset is None:
        raise BadPdu("a time without a zone")
    quarters = round(offset.total_seconds() / 900)
    zone = int(f"{abs(quarters):02d}"[::-1], 16) | (0x08 if quarters < 0 else 0)
    return _swap(when.strftime("%y%m%d%H%M%S")) + bytes([zone])


def decode_submit(octets: bytes) -> Submit:
    """Take an SMS-SUBMIT apart. Raises BadPdu, as a modem answers +CMS ERROR: 304."""
    try:
        return _decode_submit(octets)
    except IndexError as error:
        raise BadPdu("the TPDU ends too early") from error


def _decode_submit(octets: bytes) -> Submit:
    first = octets[0]
    if first & 0x03 != 0x01:
        raise BadPdu(f"first octet {first:02X} is no SMS-SUBMIT")
    digits, kind = octets[2], octets[3]
    end = 4 + (digits + 1) // 2
    to = _digits(octets[4:end], digits, kind)
    coding = octets[end + 1]
    position = end + 2 + {0: 0, 2: 1}.get(first >> 3 & 0x03, 7)
    length, data = octets[position], octets[position + 1 :]
    expected = (length * 7 + 7) // 8 if _is_gsm7(coding) else length
    if len(data) != expected:
        raise BadPdu(f"user data has {len(data)} octets, its length field says {expected}")
    header_octets = data[0] + 1 if first & 0x40 else 0
    text = _text(data, length, header_octets, coding)
    part = _part(data[1:header_octets]) if header_octets else None
    return Submit(to, text, coding, bool(first & 0x20), part, octets)


def _is_gsm7(coding: int) -> bool:
    return (coding & 0xC0 == 0 and coding & 0x0C == 0) or coding & 0xF4 == 0xF0


def _text(data: bytes, length: int, header_octets: int, coding: int) -> str:
    if _is_gsm7(coding):
        fill_bits = -header_octets * 8 % 7
        head_septets = (header_octets * 8 + fill_bits) // 7
        codes = alphabet.unpack(data[header_octets:], length - head_septets, fill_bits)
        return alphabet.to_text(codes)
    body = data[header_octets:]
    if coding & 0x0C == 0x08:
        return body.decode("utf-16-be", errors="replace")
    return body.decode("latin-1")


def _part(header: bytes) -> tuple[int, int, int] | None:
    """Concatenation element of a user data header (§9.2.3.24.1 and .8)."""
    position = 0
    while position + 1 < len(header):
        name, size = header[position], header[position + 1]
        value = header[position + 2 : position + 2 + size]
        if name == 0x00 and size == 3:
            return value[0], value[1], value[2]
        if name == 0x08 and size == 4:
            return value[0] << 8 | value[1], value[2], value[3]
        position += 2 + size
    return None


def _pieces(text: str, reference: int, *, gsm7: bool, wide: bool) -> list[_Piece]:
    units = [_unit(character, gsm7=gsm7) for character in text]
    total = sum(len(unit) for unit in units)
    if total <= (SINGLE_SEPTETS if gsm7 else SINGLE_OCTETS):
        return [_piece(b"", units, gsm7=gsm7)]
    header_octets = 8 if wide and gsm7 else 7 if wide or gsm7 else 6
    room = SINGLE_SEPTETS - header_octets if gsm7 else (SINGLE_OCTETS - header_octets) // 2 * 2
    groups = _fill(units, room)
    if len(groups) > 255:
        raise BadPdu(f"{len(groups)} parts; a message has at most 255")
    return [
        _piece(_element(reference, len(groups), number, wide=wide), group, gsm7=gsm7)
        for number, group in enumerate(groups, 1)
    ]


def _unit(character: str, *, gsm7: bool) -> bytes:
    """What must stay together in one part: an escape pair, or a surrogate pair."""
    if gsm7:
        return bytes(alphabet.septets(character))
    return character.encode("utf-16-be", errors="surrogatepass")


def _fill(units: Sequence[bytes], room: int) -> list[list[bytes]]:
    groups: list[list[bytes]] = [[]]
    used = 0
    for unit in units:
        if used + len(unit) > room:
            groups.append([])
            used = 0
        groups[-1].append(unit)
        used += len(unit)
    return groups


def _piece(header: bytes, units: Sequence[bytes], *, gsm7: bool) -> _Piece:
    joined = b"".join(units)
    return _Piece(header, tuple(joined), b"") if gsm7 else _Piece(header, None, joined)


def _element(reference: int, total: int, number: int, *, wide: bool) -> bytes:
    if wide:
        return bytes([0x08, 4]) + (reference & 0xFFFF).to_bytes(2, "big") + bytes([total, number])
    return bytes([0x00, 3, reference & 0xFF, total, number])


def _smsc(number: str) -> bytes:
    digits = number.removeprefix("+")
    if not digits:
        return b"\x00"
    octets = _swap(digits)
    return bytes([len(octets) + 1, 0x91 if number.startswith("+") else 0x81]) + octets


def _swap(digits: str) -> bytes:
    padded = digits + "F" * (len(digits) % 2)
    return bytes.fromhex("".join(padded[i + 1] + padded[i] for i in range(0, len(padded), 2)))


def _digits(octets: bytes, count: int, kind: int) -> str:
    if kind & 0x70 == 0x50:
        return alphabet.to_text(alphabet.unpack(octets, count * 4 // 7))
    text = "".join(f"{octet & 0x0F:X}{octet >> 4:X}" for octet in octets)[:count]
    if not text.isdecimal():
        raise BadPdu(f"address {text!r} has digits that are none")
    return "+" + text if kind & 0x70 == 0x10 else text


def read_deliver(pdu: bytes) -> tuple[str, str, str]:
    """Sender, time as AT text mode writes it, and text of a stored PDU; empty where it cannot be read."""
    try:
        octets = pdu[1 + pdu[0] :]
        digits, kind = octets[1], octets[2]
        end = 3 + (digits + 1) // 2
        coding = octets[end + 1]
        stamp = "".join(f"{octet & 15}{octet >> 4}" for octet in octets[end + 2 : end + 8])
        length, data = octets[end + 9], octets[end + 10 :]
        header_octets = data[0] + 1 if octets[0] & 0x40 else 0
        date, time = stamp[:6], stamp[6:]
        when = "/".join((date[:2], date[2:4], date[4:])) + "," + ":".join((time[:2], time[2:4], time[4:]))
        return _digits(octets[3:end], digits, kind), when + "+28", _text(data, length, header_octets, coding)
    except (IndexError, BadPdu):
        return "", "", ""


def message_class(pdu: bytes) -> int | None:
    """The class that a message gives itself, None if it gives none or cannot be read."""
    try:
        octets = pdu[1 + pdu[0] :]
        coding = octets[4 + (octets[1] + 1) // 2]
    except IndexError:
        return None
    given = (coding & 0x90 == CLASS_GIVEN) or coding & 0xF0 == 0xF0
    return coding & 3 if given else None
