"""Where an incident is: the better source wins, an operator's word stays."""

import itertools
import random

import pytest

from siaga_central.domain.place import RANK, Spot, contradicts, replaces

PIN = Spot(1.1301, 104.0529, 50, "coordinates", "1.1301, 104.0529")
NAMED = Spot(1.145, 104.012, 1500, "listed", "Nagoya")
SAID = Spot(1.12, 104.05, 50, "operator", "1.12, 104.05")


@pytest.mark.parametrize(
    ("new", "old", "wins"),
    [
        (NAMED, None, True),
        (PIN, NAMED, True),
        (NAMED, PIN, False),
        (Spot(1.146, 104.011, 500, "listed", "Nagoya Hill"), NAMED, True),
        (Spot(1.2, 104.1, 50, "coordinates"), PIN, False),
        (Spot(1.2, 104.1, 20, "phone"), PIN, True),
        (SAID, PIN, True),
        (Spot(1.1, 104.0, 50, "operator"), SAID, True),
        (SAID, SAID, False),
    ],
)
def test_the_better_source_wins(new: Spot, old: Spot | None, wins: bool) -> None:
    assert replaces(new, old) == wins


def test_nothing_but_an_operator_ever_overrules_an_operator() -> None:
    rng = random.Random(112)
    for source, _ in itertools.product(sorted(set(RANK) - {"operator"}), range(200)):
        new = Spot(rng.uniform(-90, 90), rng.uniform(-180, 180), rng.uniform(0, 1e5), source)
        assert not replaces(new, SAID)


def test_a_place_of_the_list_does_not_contradict_a_pin_within_it() -> None:
    assert not contradicts(Spot(1.1460, 104.0110, 50, "coordinates"), NAMED)
    assert contradicts(PIN, NAMED)
