"""Words typed without spaces are taken apart, words of the language are not."""

import pytest

from siaga_core.reading.fold import tokens
from siaga_core.reading.joined import Joined
from siaga_core.reading.text import read

JOINED = Joined(
    ["tolong", "ada", "maling", "masuk", "rumah", "kebakaran", "cepat", "kota"],
    ["tiban", "bengkonglaut", "sagulung"],
)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("adamalingmasukrumahsagulung", "ada maling masuk rumah sagulung"),
        ("TOLONGADAKEBAKARAN", "tolong ada kebakaran"),
        ("kebakaranditiban cepat", "kebakaran di tiban cepat"),
        ("ditiban", "di tiban"),
        ("kebengkonglaut", "ke bengkonglaut"),
        ("tolonggadakebakaran", "tolong ada kebakaran"),
        ("masukxqzvrumah", "masukxqzvrumah"),
        ("pertanggungjawaban", "pertangungjawaban"),
        ("kota", "kota"),
        ("ditxban", "ditxban"),
        ("", ""),
    ],
)
def test_a_run_of_known_words_is_taken_apart(typed: str, meant: str) -> None:
    assert " ".join(token.word for token in JOINED.apart(typed, tokens(typed))) == meant


def test_every_piece_says_where_it_stands() -> None:
    text = "!! ToloonggAdaMaling !"
    pieces = JOINED.apart(text, tokens(text))
    assert [text[one.start : one.end] for one in pieces] == ["Toloongg", "Ada", "Maling"]


def test_a_text_without_spaces_is_a_report_with_its_place() -> None:
    reading = read("TOLONGADAKEBAKARANDIBENGKONGLAUT")
    assert (reading.kind, reading.priority, reading.place.words) == ("KBR", "P1", "BENGKONGLAUT")


def test_control_without_known_words_nothing_is_found_in_such_a_text() -> None:
    text = "adamalingmasukrumahsagulung"
    assert Joined([], []).apart(text, tokens(text)) == tokens(text)


@pytest.mark.parametrize("text", ["a" * 4000, "tolong" * 600, "ditiban" * 500, "di" * 2000])
def test_a_run_of_any_length_is_read(text: str) -> None:
    assert JOINED.apart(text, tokens(text))
