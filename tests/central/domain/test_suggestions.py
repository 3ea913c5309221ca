"""Places in texts, and contacts whose clock steps back."""

import random

import pytest

from siaga_central.domain import conversation
from siaga_central.domain.classification import DISTRICTS, classify, fold, place_in


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("kebakaran di Nagoya, cepat", "di Nagoya"),
        ("laka jl. Sudirman dekat halte. tolong", "jl. Sudirman dekat halte"),
        ("Kebakaran di Jl. Raden Patah No. 4. tolong", "di Jl. Raden Patah No. 4"),
        ("banjir SEKUPANG", "Sekupang"),
        ("banjir di batu aji", "di batu aji"),
        ("pohon tumbang blok C3, Sagulung", "blok C3, Sagulung"),
        ("api di km 7", "di km 7"),
        ("tolong", ""),
        ("api di   ", ""),
        ("", ""),
    ],
)
def test_a_text_names_its_place(text: str, place: str) -> None:
    assert place_in(text) == place


@pytest.mark.parametrize("district", DISTRICTS)
def test_every_district_is_found_however_it_is_written(district: str) -> None:
    for written in (district, district.upper(), district.lower()):
        assert district.casefold() in place_in(f"kebakaran {written} cepat").casefold()


def test_a_text_in_another_spelling_is_about_the_same() -> None:
    rng = random.Random(112)
    digits = {"o": "0", "i": "1", "e": "3", "a": "4", "s": "5"}
    for _ in range(300):
        word = "".join(
            digits.get(letter, letter) if rng.random() < 0.3 else letter * rng.choice((1, 1, 3))
            for letter in "kebakaran"
        )
        assert classify(rng.choice((word, word.upper()))).category == "KBR", word


def test_folding_twice_is_folding_once() -> None:
    for word in ("KEB4KARRAN", "7$010", "aaa", "Straße", "İstanbul", ""):
        assert fold(fold(word)) == fold(word), word


def test_a_long_text_is_judged_at_once() -> None:
    assert classify("di " * 5000 + "kebakaran").category == "KBR"


def test_a_contact_from_a_moment_before_still_joins_its_incident() -> None:
    """Records of an hour ago come late and the wall clock may step back."""
    known = [conversation.Open("i", 700_000_000)]
    assert conversation.belongs_to("+62", known, 100_000_000) == "i"
    assert conversation.belongs_to("+62", known, 99_999_999) is None
