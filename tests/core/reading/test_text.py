"""A text read as a whole: kind, priority, place and position together, and no text is ever refused."""

import random
import string
import time

import pytest

from siaga_core.reading.text import read

AML = 'A"ML=1;lt=+1.13010;lg=+104.05290;rd=14;top=20220131171748;lc=68;pm=G;mcc=510;mnc=10;ml=84'


def test_a_report_is_read_whole() -> None:
    reading = read("TOLOOONG kbkrn rmh d tj uncang blok C7, 1.0456,103.9731")
    assert (reading.kind, reading.priority, reading.emergency) == ("KBR", "P1", True)
    assert reading.place.district == "Batu Aji"
    assert "blok C7" in reading.place.words
    assert (reading.positions[0].latitude, reading.positions[0].longitude) == (1.0456, 103.9731)
    assert {"tolong", "kebakaran"} <= set(reading.words)


@pytest.mark.parametrize(
    "text",
    [
        "bukan kebakaran cuma asap sate",
        "promo kebakaran klik",
        "wkwk prank ada kebakaran",
        "latihan kebakaran",
    ],
)
def test_doubt_lowers_the_hint_and_hides_nothing(text: str) -> None:
    reading = read(text)
    assert reading.emergency
    assert reading.kind == "KBR"
    assert reading.doubts
    assert reading.priority > "P1"


@pytest.mark.parametrize("doubt", ["wkwk", "promo", "tes", "salah sambung", "lagu", "parkiran"])
def test_a_doubt_beside_undoubted_danger_leaves_the_report_among_the_urgent(doubt: str) -> None:
    assert read(f"{doubt} ada kebakaran").priority <= "P2"


def test_a_phones_own_location_is_a_report_of_its_own() -> None:
    reading = read(AML)
    assert reading.location is not None
    assert reading.location.fix is not None
    assert reading.location.fix.latitude == 1.1301
    assert (reading.kind, reading.priority, reading.emergency) == ("LAIN", "P1", True)


def test_words_before_a_phones_location_count() -> None:
    reading = read(f"kapal tenggelam {AML}")
    assert reading.kind == "SLM"
    assert reading.location is not None


@pytest.mark.parametrize("text", ["", "?", "p", "🔥", "\x00", "1.1301,104.0529 "])
def test_a_text_without_words_is_read_too(text: str) -> None:
    assert read(text).kind == "LAIN"
    assert read(text).priority <= "P2"


def test_mutated_reports_are_read_without_an_error_and_the_same_twice() -> None:
    rng = random.Random(17)
    seeds = [
        "kebakaran di tj uncang blok c7 no 5",
        AML,
        "tabrakan 1.1301, 104.0529",
        "ular 6PH57VP3+PR",
        "bukan banjir",
    ]
    for _ in range(2000):
        letters = list(rng.choice(seeds))
        for _ in range(rng.randrange(8)):
            at = rng.randrange(len(letters))
            letters[at] = rng.choice(
                (rng.choice(string.printable), "é", "\ud83d", "\u200b", "٣", "火", "", letters[at] * 40)
            )
        text = "".join(letters)
        assert read(text) == read(text)


@pytest.mark.parametrize("slip", ["polisi", "prmo", "wkwj", "susah", "hadjah", "simulsi"])
def test_a_slip_never_makes_a_doubt(slip: str) -> None:
    assert read(f"kebakaran {slip}").doubts == ()


@pytest.mark.parametrize("text", ["bapak tidak ada nafas", "korban tidak bernafas", "anak susah nafas"])
def test_what_is_worse_for_not_being_there_is_not_doubted(text: str) -> None:
    assert (read(text).kind, read(text).priority) == ("AMB", "P1")


def test_an_illness_behind_a_not_is_no_doubt() -> None:
    assert read("bayi belum ada nafas").doubts == ()


@pytest.mark.parametrize(
    "piece", ["rumah sakit ", "1°1'", "1.111 ", "22", "tolong bukan ", 'A"ML=1;', "blok c "]
)
def test_the_longest_text_of_any_pattern_is_read_in_time(piece: str) -> None:
    started = time.perf_counter()
    read(piece * 4000)
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    "text", ["bapak saya begini sejak tadi", "to long", "wes angel tenan iki", "abcd efgh"]
)
def test_no_word_has_to_be_known_for_a_report_to_be_one(text: str) -> None:
    assert read(text).emergency
    assert read(text).priority == "P2"


@pytest.mark.parametrize("text", ["p", "halo sayang", "promo murah", "tes tes"])
def test_a_single_word_and_idle_talk_are_no_emergency(text: str) -> None:
    assert not read(text).emergency


def test_one_sign_of_idle_talk_does_not_set_aside_a_text_that_names_a_place() -> None:
    assert read("nonton rame rame di bengkong").priority == "P2"
    assert read("nonton rame rame").priority == "P4"


def test_what_happened_is_the_kind_and_not_what_came_of_it() -> None:
    assert read("tabrakan, kepala pecah, pingsan, darah banyak").kind == "LKA"
    assert read("kapal terbakar, awak lompat ke laut").kind == "KBR"
    assert read("pingsan, kepala pecah, darah banyak").kind == "AMB"


def test_a_short_map_link_is_told_and_asks_for_somebody_there() -> None:
    reading = read("orang pingsan https://maps.app.goo.gl/AbCdEf")
    assert reading.links == ("https://maps.app.goo.gl/AbCdEf",)
    assert not reading.positions
    assert read("https://maps.app.goo.gl/AbCdEf").emergency
