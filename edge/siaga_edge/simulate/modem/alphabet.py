"""The GSM 7-bit default alphabet and its packing (3GPP TS 23.038 §6.1.2.1 and §6.2.1)."""

from collections.abc import Sequence

ESCAPE = 0x1B
BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = {
    "\f": 0x0A,
    "^": 0x14,
    "{": 0x28,
    "}": 0x29,
    "\\": 0x2F,
    "[": 0x3C,
    "~": 0x3D,
    "]": 0x3E,
    "|": 0x40,
    "€": 0x65,
}
_CODES = {character: code for code, character in enumerate(BASIC) if code != ESCAPE}
_EXTENDED = {code: character for character, code in EXTENSION.items()}


def fits(text: str) -> bool:
    """Whether every character of `text` is in the alphabet or its extension table."""
    return all(character in _CODES or character in EXTENSION for character in text)


def septets(character: str) -> list[int]:
    """The one or two septets of a character. Raises KeyError if it is not in the alphabet."""
    if character in EXTENSION:
        return [ESCAPE, EXTENSION[character]]
    return [_CODES[character]]


def to_text(codes: Sequence[int]) -> str:
    """The text of septets; an escape before an unknown code shows as the basic character (§6.2.1.1)."""
    text, escaped = "", False
    for code in codes:
        if escaped:
            text, escaped = text + _EXTENDED.get(code, BASIC[code]), False
        elif code == ESCAPE:
            escaped = True
        else:
            text += BASIC[code]
    return text


def pack(codes: Sequence[int], fill_bits: int = 0) -> bytes:
    """Septets as octets, the first one shifted by `fill_bits` so that it begins on a septet boundary."""
    number = 0
    for place, code in enumerate(codes):
        number |= code << (fill_bits + 7 * place)
    return number.to_bytes((fill_bits + 7 * len(codes) + 7) // 8, "little")


def unpack(octets: bytes, count: int, fill_bits: int = 0) -> list[int]:
    """`count` septets out of octets."""
    number = int.from_bytes(octets, "little") >> fill_bits
    return [number >> (7 * place) & 0x7F for place in range(count)]
