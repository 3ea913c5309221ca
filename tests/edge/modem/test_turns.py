"""Whose turn it is to be swept."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from siaga_edge.modem import turns
from siaga_edge.modem.turns import Turns

STORES = ["SM", "ME", "SR"]


def order(turn: Turns, most: int = 10) -> list[str]:
    """The stores as they are swept when nothing comes in between."""
    found: list[str] = []
    while (store := turn.next) is not None and len(found) < most:
        found.append(store)
        turn, _ = turns.swept(turn, store)
    return found


def test_the_announced_store_goes_before_a_sweep_of_all_that_is_due() -> None:
    assert order(turns.announce(turns.begin(Turns(), STORES), ["ME"])) == ["ME", "SM", "SR"]


def test_a_message_that_comes_during_a_sweep_of_all_waits_for_no_more_than_one_other_store() -> None:
    turn, _ = turns.swept(turns.begin(Turns(), STORES), "SM")
    assert order(turns.announce(turn, ["SM"])) == ["SM", "ME", "SR"]


def test_after_a_restart_every_store_has_news() -> None:
    assert order(turns.announce(Turns(), STORES)) == STORES


def never_owed(turn: Turns, store: str) -> tuple[Turns, bool]:
    """The mutant: what is announced always goes first."""
    turn, finished = turns.swept(turn, store)
    return replace(turn, owed=False), finished


@pytest.mark.parametrize(("swept", "ends"), [(turns.swept, True), (never_owed, False)])
def test_a_sweep_of_all_stores_ends_though_one_is_announced_without_end(
    swept: Callable[[Turns, str], tuple[Turns, bool]], ends: bool
) -> None:
    turn, finished = turns.begin(Turns(), STORES), False
    for _ in range(2 * len(STORES)):
        turn = turns.announce(turn, ["SM"])
        assert turn.next is not None
        turn, done = swept(turn, turn.next)
        finished = finished or done
    assert finished is ends


def test_without_a_sweep_that_is_due_none_is_finished() -> None:
    turn, finished = turns.swept(turns.announce(Turns(), ["SM"]), "SM")
    assert (turn.next, finished) == (None, False)
