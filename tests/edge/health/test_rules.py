"""Every limit at its edge, and that a reading near its limit does not flicker."""

import random

import pytest

from siaga_core.wire.health import Level
from siaga_edge.health import rules

RANK = {"ok": 0, "warn": 1, "crit": 2}


def outside(limit: rules.Limit, bound: float, by: float) -> float:
    """A value that is better than `bound` by `by`."""
    return bound + by if limit.low else bound - by


@pytest.mark.parametrize("name", rules.LIMITS)
def test_a_reading_is_bad_at_its_limit_and_well_a_hair_before(name: str) -> None:
    limit = rules.LIMITS[name]
    assert rules.judge(name, limit.crit, "ok").level == "crit"
    assert rules.judge(name, outside(limit, limit.warn, 0.001), "ok").level == "ok"
    if limit.warn != limit.crit:
        assert rules.judge(name, limit.warn, "ok").level == "warn"
        assert rules.judge(name, outside(limit, limit.crit, 0.001), "ok").level == "warn"


@pytest.mark.parametrize("name", rules.LIMITS)
def test_what_was_bad_stays_bad_within_its_margin_and_no_further(name: str) -> None:
    limit = rules.LIMITS[name]
    margin = outside(limit, limit.crit, limit.back)
    assert rules.judge(name, margin, "crit").level == "crit"
    assert rules.judge(name, outside(limit, limit.crit, limit.back + 0.001), "crit").level != "crit"
    eased = outside(limit, limit.warn, limit.back + 0.001)
    for before in ("ok", "warn", "crit", "unknown"):
        assert rules.judge(name, eased, before).level == "ok"


@pytest.mark.parametrize("name", rules.LIMITS)
def test_worse_is_never_judged_better(name: str) -> None:
    limit, rng = rules.LIMITS[name], random.Random(112)
    for before in ("ok", "warn", "crit"):
        values = sorted((rng.uniform(0, 100) for _ in range(300)), reverse=limit.low)
        ranks = [RANK[rules.judge(name, value, before).level] for value in values]
        assert ranks == sorted(ranks)


def changes(margin: bool) -> int:
    """How often a CPU that trembles around its limit changes its level; a mutant has no margin."""
    rng, level, count = random.Random(7), "ok", 0
    for _ in range(500):
        value = 70 + rng.uniform(-1, 1)
        now: Level = rules.judge("temperature_c", value, level if margin else "ok").level  # type: ignore[arg-type]
        count += now != level
        level = now
    return count


def test_a_reading_that_trembles_around_its_limit_is_news_once() -> None:
    assert changes(margin=True) == 1
    assert changes(margin=False) > 100, "the mutant is seen"


def test_a_reading_without_a_limit_is_told_and_never_bad() -> None:
    reading = rules.judge("fans", 1e9, "ok")
    assert (reading.value, reading.level) == (1e9, "ok")


def test_the_detail_says_which_limit_was_passed() -> None:
    assert rules.judge("temperature_c", 80, "ok").detail == ">= 79"
    assert rules.judge("disk_free_percent.data", 2, "ok").detail == "<= 3"
    assert rules.judge("temperature_c", 20, "ok").detail == ""


def test_what_cannot_be_measured_makes_the_whole_no_worse_and_alone_is_unknown() -> None:
    assert rules.worst(["unknown", "ok"]) == "ok"
    assert rules.worst(["unknown", "warn", "ok"]) == "warn"
    assert rules.worst(["unknown"]) == rules.worst([]) == "unknown"
