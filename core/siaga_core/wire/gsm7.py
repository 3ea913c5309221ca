"""The GSM 7-bit default alphabet (3GPP TS 23.038 §6.2.1): what fits into one part of an SMS. Pure."""

import unicodedata
from collections.abc import Sequence

SINGLE_SEPTETS = 160
DEFAULT = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}
ESCAPE = 0x1B
_SINGLE = frozenset(DEFAULT) - {chr(ESCAPE)}
_DOUBLE = frozenset(EXTENSION.values())
# What phones and word processors put in place of plain signs.
TYPOGRAPHY = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "\u00a0": " ", "\t": " "}
)


def septets(text: str) -> int | None:
    """How many septets `text` takes, None if it has a letter outside the alphabet."""
    count = 0
    for letter in text:
        if letter in _SINGLE:
            count += 1
        elif letter in _DOUBLE:
            count += 2
        else:
            return None
    return count


def costs() -> dict[str, int]:
    """Septets of every letter that a text may have and still stay in the alphabet, typographic ones too."""
    plain = dict.fromkeys(_SINGLE, 1) | dict.fromkeys(_DOUBLE, 2)
    return plain | {chr(code): septets(instead) or 0 for code, instead in TYPOGRAPHY.items()}


def transliterated(text: str) -> str:
    """`text` in letters of the alphabet: marks that it lacks are dropped, what stays foreign becomes `?`."""
    return "".join(_letter(letter) for letter in text.translate(TYPOGRAPHY))


def clipped(text: str, most: int = SINGLE_SEPTETS) -> str:
    """The beginning of `text`, transliterated, in at most `most` septets; a cut shows as `...`."""
    plain = transliterated(text)
    if (septets(plain) or 0) <= most:
        return plain
    while plain and (septets(plain) or 0) + 3 > most:
        plain = plain[:-1]
    return f"{plain.rstrip()}..."


def named(codes: Sequence[str], shown: int) -> str:
    """The first `shown` codes, and how many more there are."""
    rest = len(codes) - shown
    return ", ".join(codes[:shown]) + (f" dan {rest} lain" if rest else "")


def fits(text: str) -> bool:
    """Whether one part holds `text`."""
    count = septets(text)
    return count is not None and count <= SINGLE_SEPTETS


def with_codes(text: str, codes: Sequence[str]) -> str:
    """`text` with as many codes for `{codes}` as one part holds, one at least; the others are counted."""
    made = [transliterated(text.format(codes=named(codes, shown))) for shown in range(len(codes), 0, -1)]
    return next((one for one in made if fits(one)), made[-1])


def _letter(letter: str) -> str:
    if letter in _SINGLE or letter in _DOUBLE:
        return letter
    bare = [one for one in unicodedata.normalize("NFKD", letter) if one in _SINGLE]
    return "".join(bare) or "?"
