"""What is shown of a text neither turns nor hides anything."""

import sys
import unicodedata

import pytest

from siaga_core.reading.legible import legible

_JOINERS = "\u200c\u200d"


@pytest.mark.parametrize(
    "letter", ["\u202e", "\u2066", "\u200f", "\u061c", "\u200b", "\ufeff", "\x1b", "\u2028"]
)
def test_what_turns_or_hides_letters_is_named(letter: str) -> None:
    assert legible(f"kiri{letter}kanan") == f"kiri⟦U+{ord(letter):04X}⟧kanan"


def test_no_control_of_unicode_is_left_but_tab_line_ends_and_joiners() -> None:
    kinds = ("Cc", "Cf", "Zl", "Zp")
    unseen = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in kinds]
    # Signs above numbers in Arabic, Syriac, Kaithi, Egyptian and shorthand, which are seen, or shape what is.
    signs = [*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD]
    seen = {chr(code) for code in (*signs, *range(0x13430, 0x13440), *range(0x1BCA0, 0x1BCA4))}
    left = {letter for letter in unseen if legible(letter) == letter}
    assert left == {"\t", "\n", "\r", *_JOINERS} | (seen & set(unseen))


@pytest.mark.parametrize(
    "text", ["Kebakaran di Jl. Raja Ali Haji\r\n2 korban", "نار في السوق", "👨\u200d👩\u200d👧 🏚️", "é ñ 火"]
)
def test_peoples_own_letters_stay(text: str) -> None:
    assert legible(text) == text
