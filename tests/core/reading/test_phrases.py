"""Phrases are found where they begin, over a gap of two words, and never twice for one meaning."""

from siaga_core.reading.fold import tokens
from siaga_core.reading.phrases import Phrases, phrase

PHRASES = Phrases(
    [
        phrase("PHN", 5, "pohon tumbang"),
        phrase("PHN", 2, "pohon"),
        phrase("KBR", 5, "kebakaran"),
        phrase("jest", 3, '"kebakaran jenggot"'),
    ]
)


def found(text: str) -> list[tuple[str, int, int]]:
    return [(hit.phrase.label, hit.first, hit.last) for hit in PHRASES.find(tokens(text))]


def test_the_longer_phrase_of_a_label_speaks_for_the_shorter() -> None:
    assert found("ada pohon tumbang") == [("PHN", 1, 2)]


def test_a_phrase_reaches_over_two_words_and_no_further() -> None:
    assert found("pohon akasia besar tumbang") == [("PHN", 0, 3)]
    assert found("pohon satu dua tiga tumbang") == [("PHN", 0, 0)]


def test_a_quoted_phrase_has_no_gap() -> None:
    assert ("jest", 0, 1) in found("kebakaran jenggot")
    assert found("kebakaran dekat jenggot") == [("KBR", 0, 0)]


def test_another_label_on_the_same_words_hides_nothing() -> None:
    assert ("KBR", 0, 0) in found("kebakaran jenggot")


def test_slips_and_affixes_are_found_too() -> None:
    assert found("phon2 tmbang") == [("PHN", 0, 1)]
    assert found("kbkaran") == [("KBR", 0, 0)]
