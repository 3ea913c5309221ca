"""A masked number never says who it is: at most six characters of it are shown and four are hidden."""

import random
from collections.abc import Callable

import pytest

from siaga_central.domain.mask import masked


def leaks(mask: Callable[[str], str]) -> list[str]:
    """Numbers of which `mask` shows too much, among those of all lengths people have."""
    rng, found = random.Random(112), []
    for length in range(7, 17):
        for lead in ("+62", "08", "0778", ""):
            number = (lead + "".join(rng.choice("0123456789") for _ in range(16)))[:length]
            shown = mask(number).replace("…", "")
            hidden = length - len(shown)
            if hidden < 4 or len(shown) > 6 or number in mask(number):
                found.append(number)
    return found


def shows_six_of_any(number: str) -> str:
    """The mutant: of a number with seven digits it hides one."""
    return f"{number[:3]}…{number[-3:]}"


def test_no_number_shows_more_than_it_may() -> None:
    assert leaks(masked) == []


@pytest.mark.parametrize("mutant", [str, shows_six_of_any, lambda number: f"{number[:3]}…{number[4:]}"])
def test_the_same_look_catches_masks_that_show_more(mutant: Callable[[str], str]) -> None:
    assert leaks(mutant) != []


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+6281234567890", "+62…890"),
        ("081234567890", "081…890"),
        ("7654321", "765…"),
        ("07781234", "077…4"),
        ("112", "112"),
        ("123456", "123456"),
        ("", ""),
        (None, ""),
    ],
)
def test_what_people_see(number: str | None, shown: str) -> None:
    assert masked(number) == shown


def test_two_people_may_look_alike_and_one_always_looks_the_same() -> None:
    assert masked("+6281234567890") == masked("+6281200000890") == masked("+6281234567890")
