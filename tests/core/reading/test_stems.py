"""A typed word means the roots it is built on or the word it is a slip of, never an ordinary word."""

import pytest

from siaga_core.reading.stems import Vocabulary, one_edit_apart

VOCABULARY = Vocabulary(
    ["bakar", "tabrak", "curi", "tikam", "sakit", "kebakaran", "kecelakaan", "tenggelam", "api", "longsor"],
    plain=["banjar", "tanggal"],
)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("terbakar", "bakar"),
        ("dibakarin", "bakar"),
        ("menabrak", "tabrak"),
        ("nabrak", "tabrak"),
        ("ketabrak", "tabrak"),
        ("pencurian", "curi"),
        ("ditikam", "tikam"),
        ("sakitnya", "sakit"),
        ("kebakarn", "kebakaran"),
        ("kebkaran", "kebakaran"),
        ("tenggelem", "tenggelam"),
        ("kecelakan", "kecelakaan"),
        ("longsr", "longsor"),
        ("tbrk", "tabrak"),
        ("lngsor", "longsor"),
        ("apinya", "api"),
    ],
)
def test_a_typed_word_means_its_root(typed: str, meant: str) -> None:
    assert meant in VOCABULARY.senses(typed)


@pytest.mark.parametrize("typed", ["apik", "banjar", "tanggal", "sakti", "a", "", "12", "kapir"])
def test_an_ordinary_word_means_none_of_them(typed: str) -> None:
    assert not VOCABULARY.senses(typed) & {"api", "tenggelam", "sakit", "bakar"}


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("banjir", "banjri", True),
        ("banjir", "banji", True),
        ("banjir", "bbanjir", True),
        ("banjir", "banjor", True),
        ("banjir", "banjir", False),
        ("banjir", "bnajri", False),
        ("banjir", "ban", False),
        ("", "a", True),
    ],
)
def test_one_edit_is_a_letter_wrong_missing_too_many_or_swapped(one: str, other: str, near: bool) -> None:
    assert one_edit_apart(one, other) is near
