"""What people type folds to what they mean, and every token knows where it stood."""

import random
import string

import pytest

from siaga_core.reading.fold import tokens, words


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("TOLOOOONG!!! kbkrn d jln Raden Patah", "tolong kebakaran di jalan raden patah"),
        ("s4k1t p3rut", "sakit perut"),
        ("4mbulance t0l0ng", "ambulan tolong"),
        ("anak2nya orang2 pd takut", "anak orang pada takut"),
        ("rt03/rw05 no12 blok c7", "rt 03 rw 05 no 12 blok c7"),
        ("yg dr dpn gg. mawar", "yang dari depan gang mawar"),
        ("kébakaràn", "kebakaran"),
        ("to'long", "tolong"),
        ("ga bs didalam", "tidak bisa di dalam"),
        ("kebakaran\u200b", "kebakaran"),
        ("ＫＥＢＡＫＡＲＡＮ", "kebakaran"),
        ("motor,mobil;truk", "motor mobil truk"),
        ("3org 10menit 5rumah", "3 orang 10 menit 5 rumah"),
        ("1100 meter km8", "1100 meter km 8"),
    ],
)
def test_a_typed_text_folds_to_what_is_meant(typed: str, meant: str) -> None:
    assert " ".join(words(typed)) == meant


def test_a_token_points_at_the_characters_it_was_read_from() -> None:
    text = "Pak, ada KEBAKARAAAN di Jl. Sudirman"
    [fire] = [token for token in tokens(text) if token.word == "kebakaran"]
    assert text[fire.start : fire.end] == "KEBAKARAAAN"


def test_any_characters_fold_without_an_error_and_inside_the_text() -> None:
    rng = random.Random(11)
    letters = string.printable + "é\u200bßİ火🔥\ud800٣²Ⅷ\x00"
    for _ in range(3000):
        text = "".join(rng.choices(letters, k=rng.randrange(60)))
        for token in tokens(text):
            assert token.word
            assert 0 <= token.start < token.end <= len(text)


def test_a_very_long_text_is_read_in_bounded_time_from_its_beginning() -> None:
    assert words("kebakaran " + "a1" * 500_000)[0] == "kebakaran"
