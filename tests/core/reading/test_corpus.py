"""The goals over the labelled texts, each of its own, and what must not be bought with them."""

from collections.abc import Callable

import pytest
from bench import lexicon
from bench.corpus import Labelled, held_back, later, later_held_back, nuisance, reports

from siaga_core.reading.stems import stems
from siaga_core.reading.text import read


def test_no_report_is_overlooked() -> None:
    assert [one.text for one in reports() if not lexicon.is_recalled(one)] == []


def test_at_most_a_tenth_of_the_idle_texts_asks_for_everybody() -> None:
    assert sum(map(lexicon.is_raised, nuisance())) <= len(nuisance()) / 10


@pytest.mark.parametrize("half", [reports(), held_back()[0]], ids=["all", "held back"])
def test_nine_of_ten_kinds_are_right(half: list[Labelled]) -> None:
    assert sum(map(lexicon.is_right_kind, half)) >= 0.9 * len(half)


@pytest.mark.parametrize("half", [reports(), held_back()[0]], ids=["all", "held back"])
def test_seventeen_of_twenty_places_are_found(half: list[Labelled]) -> None:
    assert sum(map(lexicon.is_right_place, half)) >= 0.85 * len(half)


@pytest.mark.parametrize(
    "doubt", ["wkwk", "promo", "maaf salah sambung", "lagi nonton film", "jadwal parkir kapan"]
)
def test_no_doubt_beside_it_takes_a_report_out_of_sight(doubt: str) -> None:
    for one in reports():
        alone, doubted = read(one.text), read(f"{one.text} {doubt}")
        assert doubted.emergency or not alone.words
        assert doubted.priority < "P4" or not alone.words


@pytest.mark.parametrize("name", ["second", "third"])
def test_no_report_of_a_later_set_is_overlooked(name: str) -> None:
    assert [one.text for one in later(name)[0] if not lexicon.is_recalled(one)] == []


@pytest.mark.parametrize("of", [later, later_held_back])
@pytest.mark.parametrize("name", ["second", "third"])
def test_later_sets_meet_the_same_goals(
    name: str, of: Callable[[str], tuple[list[Labelled], list[str]]]
) -> None:
    held = of(name)
    told, idle = held
    assert sum(map(lexicon.is_right_kind, told)) >= 0.9 * len(told)
    assert sum(map(lexicon.is_right_place, told)) >= 0.85 * len(told)
    assert sum(map(lexicon.is_raised, idle)) <= len(idle) / 10


@pytest.mark.parametrize(
    ("typed", "meant"), [("hanyuik", "hanyut"), ("sakik", "sakit"), ("masuak", "masuk"), ("putuih", "putus")]
)
def test_minang_endings_are_malay_ones(typed: str, meant: str) -> None:
    assert meant in stems(typed)


def test_a_place_label_may_be_a_plus_code_or_a_number_with_a_word() -> None:
    assert lexicon.is_right_place(Labelled("KBR", "1.1225625, 104.0619375", "api di 43F6+2Q"))
    assert lexicon.is_right_place(Labelled("KBR", "43F6+2Q", "api di 43F6+2Q"))
    assert not lexicon.is_right_place(Labelled("KBR", "5 Ilir", "api di tiban"))
