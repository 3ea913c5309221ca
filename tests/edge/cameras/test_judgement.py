"""Up, down, black, frozen: decided from looks alone."""

import random
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siaga_edge.cameras.judgement import Judgement, Limits, Look, Status

LIMITS = Limits(down_after_s=8, frozen_after_s=60, black_after_s=6)


def moving(at_s: float) -> Look:
    return Look(at_s, luma=120, spread=40, difference_mean=5.0, difference_worst=180)


def same(at_s: float) -> Look:
    return Look(at_s, luma=120, spread=40, difference_mean=0.0, difference_worst=0)


def dark(at_s: float) -> Look:
    return Look(at_s, luma=0, spread=0, difference_mean=0.0, difference_worst=0)


def fresh(kind: type[Judgement] = Judgement) -> Judgement:
    return kind(LIMITS, begun_mono_s=0)


def after(judged: Judgement, looks: Iterable[Look]) -> Judgement:
    for look in looks:
        judged = judged.see(look)
    return judged


def test_nothing_is_said_before_the_first_picture_or_the_limit() -> None:
    assert fresh().wait(7.9).status == "unknown"
    assert fresh().wait(8).status == "down"
    assert fresh().see(moving(1)).status == "up"


def test_an_unplugged_camera_is_down_after_its_limit_and_up_after_two_pictures() -> None:
    up = after(fresh(), [moving(0), moving(2)])
    assert up.wait(9.9).status == "up"
    down = up.wait(10.1, "recorder says nothing")
    assert (down.status, down.reason) == ("down", "no picture for 8 s: recorder says nothing")
    assert down.see(moving(30)).status == "down"
    assert after(down, [moving(30), moving(32)]).status == "up"


def test_a_single_stray_picture_now_and_then_never_makes_a_dead_camera_well() -> None:
    judged = fresh().wait(10)
    for at_s in range(20, 2000, 20):
        judged = judged.see(moving(at_s))
        assert judged.status == "down"
        judged = judged.wait(at_s + 9)


def test_black_needs_its_time_and_light_needs_two_pictures() -> None:
    judged = after(fresh(), [moving(0), dark(2), dark(4), dark(6)])
    assert judged.status == "up"
    judged = judged.see(dark(8))
    assert judged.status == "black"
    assert judged.see(moving(10)).status == "black"
    assert after(judged, [moving(10), moving(12)]).status == "up"


def test_a_picture_between_dark_and_lit_does_not_flap() -> None:
    between = Look(0, luma=12, spread=5, difference_mean=1, difference_worst=40)
    black = after(fresh(), [dark(at) for at in range(0, 10, 2)])
    assert black.status == "black"
    assert after(black, [replace(between, at_mono_s=10 + 2 * n) for n in range(20)]).status == "black"
    up = after(fresh(), [moving(0)])
    assert after(up, [replace(between, at_mono_s=2 + 2 * n) for n in range(20)]).status == "up"


def test_a_black_picture_that_stays_is_black_and_not_frozen() -> None:
    assert after(fresh(), [dark(at) for at in range(0, 300, 2)]).status == "black"


def says_frozen(kind: type[Judgement]) -> bool:
    """Whether a camera that repeats itself for its limit is called frozen, and not before."""
    judged = after(fresh(kind), [moving(0), *(same(at) for at in range(2, 60, 2))])
    early = judged.status
    return early == "up" and judged.see(same(60)).status == "frozen"


def test_the_same_picture_for_its_limit_is_frozen() -> None:
    assert says_frozen(Judgement)


class NeverFrozen(Judgement):
    """Mutant: believes every picture that arrives."""

    def _is_frozen(self, now: float) -> bool:
        return False


class FrozenAtOnce(Judgement):
    """Mutant: takes any repeat for a frozen picture."""

    def _is_frozen(self, now: float) -> bool:
        return self.repeats is not None and self.repeats.count > 1


@pytest.mark.parametrize("mutant", [NeverFrozen, FrozenAtOnce])
def test_the_proof_of_frozen_notices_a_broken_judgement(mutant: type[Judgement]) -> None:
    assert not says_frozen(mutant)


def test_frozen_ends_with_two_moving_pictures_and_not_with_a_jump_to_another_still() -> None:
    frozen = after(fresh(), [moving(0), *(same(at) for at in range(2, 70, 2))])
    assert frozen.status == "frozen"
    assert after(frozen, [moving(70), same(72), same(74)]).status == "frozen"
    assert after(frozen, [moving(70), moving(72)]).status == "up"


@pytest.mark.parametrize(("mean", "worst"), [(0.019, 24.0), (0.02, 3.0)])
def test_one_measure_alone_never_says_frozen(mean: float, worst: float) -> None:
    looks = [Look(at, 30, 8, mean, worst) for at in range(0, 3000, 2)]
    assert after(fresh(), looks).status == "up"


def test_few_looks_never_say_frozen_however_long_ago_the_first_was() -> None:
    limits = replace(LIMITS, down_after_s=300)
    judged = Judgement(limits, begun_mono_s=0)
    assert after(judged, [moving(0), same(100), same(200), same(299)]).status == "up"


def test_a_camera_whose_nights_repeat_themselves_is_given_twice_its_longest_still() -> None:
    night: list[Look] = [moving(0)]
    for begin in range(0, 500, 50):
        night += [same(at) for at in range(begin + 2, begin + 48, 2)] + [moving(begin + 48)]
    judged = after(fresh(), night)
    assert judged.status == "up"
    assert judged.frozen_limit_s > 80
    long_still = [same(at) for at in range(500, 580, 2)]
    assert after(judged, long_still).status == "up"
    assert after(judged, [*long_still, *(same(at) for at in range(580, 640, 2))]).status == "frozen"


def test_whatever_a_camera_has_taught_ten_times_the_limit_is_frozen() -> None:
    judged = replace(after(fresh(), [moving(0)]), innocent_s=100_000.0)
    assert after(judged, [same(at) for at in range(2, 600, 2)]).status == "up"
    assert after(judged, [same(at) for at in range(2, 604, 2)]).status == "frozen"


def test_a_camera_that_keeps_dropping_out_must_deliver_for_a_minute() -> None:
    judged, changes = after(fresh(), [moving(0)]), 0
    for begin in range(10, 3000, 14):  # 4 s of pictures, 10 s of nothing
        for look in (moving(begin), moving(begin + 2), moving(begin + 4)):
            changed = judged.see(look)
            changes += changed.status != judged.status
            judged = changed
        judged = judged.wait(begin + 13)
    assert judged.status == "down"
    assert changes <= 4
    end_s = 3010
    assert after(judged, [moving(end_s + at) for at in range(0, 58, 2)]).status == "down"
    assert after(judged, [moving(end_s + at) for at in range(0, 64, 2)]).status == "up"


def test_a_gap_ends_every_run() -> None:
    frozen_nearly = after(fresh(), [moving(0), *(same(at) for at in range(2, 58, 2))])
    again = after(frozen_nearly.wait(70), [same(80), same(82), same(84)])
    assert again.status == "up"


EVENTS = st.lists(
    st.tuples(st.floats(0.1, 20), st.sampled_from(["moving", "same", "dark", "nothing"])), max_size=120
)


@settings(max_examples=300, deadline=None)
@given(EVENTS)
def test_whatever_comes_the_verdict_keeps_its_promises(events: list[tuple[float, str]]) -> None:
    judged, now_s, last_s = fresh(), 0.0, 0.0
    recent: list[tuple[float, str]] = []
    for pause_s, what in events:
        now_s += pause_s
        before: Status = judged.status
        if what == "nothing":
            judged = judged.wait(now_s)
            if now_s - last_s >= LIMITS.down_after_s:
                assert judged.status == "down"
                recent.clear()
            continue
        if now_s - last_s >= LIMITS.down_after_s:
            recent.clear()
        last_s = now_s
        recent.append((now_s, what))
        judged = judged.see({"moving": moving, "same": same, "dark": dark}[what](now_s))
        assert judged.status != "unknown"
        if judged.status == "frozen" != before:
            still = [at for at, kind in recent if at >= now_s - LIMITS.frozen_after_s]
            assert len(still) >= 4
            assert all(kind != "moving" for at, kind in recent if at > now_s - LIMITS.frozen_after_s)
        if judged.status == "black" != before and before != "down":
            assert what == "dark"


def test_the_order_of_a_random_day_is_judged_the_same_twice() -> None:
    def day(seed: int) -> list[Status]:
        rng, judged, statuses = random.Random(seed), fresh(), []
        for step in range(2000):
            judged = judged.see(rng.choice([moving, same, same, dark])(step * 2.0))
            statuses.append(judged.status)
        return statuses

    assert day(7) == day(7)
