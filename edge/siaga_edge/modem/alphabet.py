"""The GSM 7-bit default alphabet and its extension (3GPP TS 23.038 §6.2.1). Pure."""

from siaga_core.wire.gsm7 import DEFAULT, ESCAPE, EXTENSION, TYPOGRAPHY
from siaga_edge.modem import national

_CODES = {letter: code for code, letter in enumerate(DEFAULT) if code != ESCAPE}
_EXTENDED = {letter: code for code, letter in EXTENSION.items()}


def plain(text: str) -> str:
    """Typographic quotes, dashes and spaces as the alphabet has them, so that a text stays one part."""
    return text.translate(TYPOGRAPHY)


def encode(text: str) -> list[int] | None:
    """Septets of `text`, None if it has a letter outside the alphabet."""
    septets: list[int] = []
    for letter in text:
        if letter in _CODES:
            septets.append(_CODES[letter])
        elif letter in _EXTENDED:
            septets += [ESCAPE, _EXTENDED[letter]]
        else:
            return None
    return septets


def decode(septets: list[int], locking: int = 0, single: int = 0) -> str:
    """The text of `septets`, read by the national tables that a header named (0: the default ones).

    An escape before an unknown code is the code's plain letter (§6.2.1.1).
    """
    letters: list[str] = []
    base, extension = national.LOCKING.get(locking, DEFAULT), national.SINGLE.get(single, EXTENSION)
    escaped = False
    for code in septets:
        if escaped:
            letters.append(extension.get(code, " " if code == ESCAPE else base[code]))
            escaped = False
        elif code == ESCAPE:
            escaped = True
        else:
            letters.append(base[code])
    return "".join(letters)


def pack(septets: list[int], fill_bits: int = 0) -> bytes:
    """Octets of `septets`, beginning after `fill_bits` zero bits (§6.1.2.1.1)."""
    number, width = 0, fill_bits
    for code in septets:
        number |= code << width
        width += 7
    return number.to_bytes((width + 7) // 8, "little")


def unpack(octets: bytes, count: int, fill_bits: int = 0) -> list[int]:
    """`count` septets from `octets` after `fill_bits`; missing octets read as zero bits."""
    number = int.from_bytes(octets, "little") >> fill_bits
    return [number >> 7 * place & 0x7F for place in range(count)]
