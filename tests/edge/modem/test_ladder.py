"""What is tried on a modem that is not well, and when."""

import itertools
from collections.abc import Mapping

import pytest

from siaga_edge.modem import ladder
from siaga_edge.modem.ladder import Ladder, Rung

ALL: Mapping[Rung, float] = {
    "drain": 0, "reopen": 0, "restart": 25, "usb": 10, "power": 30, "second": 0,
}  # fmt: skip


def climbed(
    seconds: float, waits_s: Mapping[Rung, float] = ALL, *, missing: bool = False, takes_s: float = 3.0
) -> list[tuple[float, Rung]]:
    """The rungs of a modem that nothing helps, each step taking a while as a silent modem makes it."""
    now_s, found = 0.0, list[tuple[float, Rung]]()
    state = ladder.failed(Ladder(), now_s)
    while now_s < seconds:
        state, step = ladder.step(state, now_s, waits_s, missing=missing)
        if step is None:
            now_s += 0.1
            continue
        if step.anew:
            found.append((now_s, step.rung))
        now_s += takes_s
    return found


def test_the_gentlest_comes_first_and_the_power_is_off_within_a_minute() -> None:
    found = climbed(90)[:6]
    assert [rung for _, rung in found] == ["drain", "reopen", "restart", "usb", "power", "second"]
    at_s = {rung: at for at, rung in found}
    assert at_s["restart"] <= 10, "soft means are tried at once"
    assert at_s["power"] + 5 + 25 <= 90, "and the power cycle can have helped within 90 s"


def test_it_never_stops_and_the_power_is_not_switched_again_and_again() -> None:
    found = climbed(4 * 3600)
    power = [at for at, rung in found if rung == "power"]
    assert len(power) > 5
    assert min(later - sooner for sooner, later in itertools.pairwise(power)) >= 600
    assert found[-1][0] > 4 * 3600 - 300
    assert [rung for _, rung in found].count("second") == 1


def test_what_this_node_does_not_have_is_passed_over() -> None:
    assert {rung for _, rung in climbed(600, {"drain": 0, "reopen": 0, "restart": 25})} == {
        "drain", "reopen", "restart",
    }  # fmt: skip


def test_a_device_that_is_not_there_is_looked_for_every_second_or_two_and_not_spoken_to() -> None:
    assert not {"drain", "restart"} & {rung for _, rung in climbed(600, missing=True, takes_s=0.1)}
    state, looks = ladder.failed(Ladder(), 0), list[float]()
    for tenth in range(20_000):
        state, step = ladder.step(state, tenth / 10, {"reopen": 0, "power": 30}, missing=True)
        if step is not None:
            looks.append(tenth / 10)
    assert max(b - a for a, b in itertools.pairwise(looks)) <= 2.1


def test_a_plug_that_is_being_changed_costs_nobody_the_power() -> None:
    assert climbed(9, missing=True, takes_s=0.1) == []


def test_a_sweep_that_succeeds_ends_the_trouble() -> None:
    assert ladder.healthy() == Ladder()
    with pytest.raises(AssertionError):
        ladder.step(ladder.healthy(), 101, ALL, missing=False)
