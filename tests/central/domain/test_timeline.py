"""The true time lies in the interval that is told, whatever a node's clocks and its modem say."""

import random
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import pytest

from siaga_central.domain.timeline import Anchor, Interval, Receipt, Timeline
from siaga_central.ingest.timing import anchor_of
from siaga_core.wire.envelope import Stamp
from support.histories import Crystal, History, history

_S, _H = 10**9, 3600 * 10**9
_T0 = 1_795_000_000 * _S
Tell = Callable[[History], list[Interval]]


def told(life: History) -> list[Interval]:
    """What the hub says of each record of a life."""
    own = filter(None, (anchor_of(one.stamp) for one in life.made))
    return _ask(life, Timeline([*life.anchors, *own], life.receipts))


def _ask(life: History, timeline: Timeline) -> list[Interval]:
    return [timeline.at(one.stamp.boot_seq, one.stamp.boot_ns) for one in life.made]


def lies(life: History, intervals: Sequence[Interval]) -> str:
    """What is wrong with the intervals of a life; empty when nothing is."""
    last: dict[int, Interval] = {}
    for one, interval in zip(life.made, intervals, strict=True):
        if not interval.low_ns <= one.true_ns <= interval.high_ns:
            return f"{one.true_ns} is not in {interval}"
        before = last.get(one.stamp.boot_seq)
        if before and (before.low_ns > interval.low_ns or before.high_ns > interval.high_ns):
            return f"{interval} runs behind {before}"
        last[one.stamp.boot_seq] = interval
    return ""


def _histories(count: int, first: int = 0) -> Iterable[tuple[int, History]]:
    return ((seed, history(random.Random(seed))) for seed in range(first, first + count))


def _hold(count: int, first: int) -> None:
    for seed, life in _histories(count, first):
        wrong = lies(life, told(life))
        assert not wrong, f"seed {seed}: {wrong}"


def test_the_true_time_is_inside_in_10000_histories() -> None:
    _hold(10_000, 0)


@pytest.mark.slow
def test_the_true_time_is_inside_in_100000_histories() -> None:
    _hold(100_000, 100_000)


def _with_less_drift(life: History) -> list[Interval]:
    own = filter(None, (anchor_of(one.stamp) for one in life.made))
    return _ask(life, Timeline([*life.anchors, *own], life.receipts, drift_ppm=10))


def _believing_wall_time(life: History) -> list[Interval]:
    own = [Anchor(s.boot_seq, s.boot_ns, s.wall_ns, "ntp", 10**6) for s in (one.stamp for one in life.made)]
    return _ask(life, Timeline([*life.anchors, *own], life.receipts))


def _believing(source: str) -> Tell:
    def tell(life: History) -> list[Interval]:
        anchors = [replace(one, source="ntp") if one.source == source else one for one in life.anchors]
        return _ask(life, Timeline(anchors, life.receipts))

    return tell


def _without_errors(life: History) -> list[Interval]:
    return _ask(life, Timeline([replace(one, error_ns=0) for one in life.anchors], life.receipts))


def _boots_in_any_order(life: History) -> list[Interval]:
    anchors = [replace(one, boot_seq=7 - one.boot_seq) for one in life.anchors if one.boot_seq in (3, 4)]
    return _ask(life, Timeline(anchors, life.receipts))


@pytest.mark.parametrize(
    "mutant",
    [
        _with_less_drift,
        _believing_wall_time,
        _believing("modem"),
        _believing("camera"),
        _without_errors,
        _boots_in_any_order,
    ],
)
def test_the_histories_catch_a_broken_variant(mutant: Tell) -> None:
    assert any(lies(life, mutant(life)) for _, life in _histories(300))


def _widths_s(timeline: Timeline, moments: Iterable[int]) -> float:
    return statistics.median(timeline.at(1, boot_ns).width_ns / 1e9 for boot_ns in moments)


def _ntp(crystal: Crystal, rng: random.Random, boot_ns: int) -> Anchor:
    error_ns = rng.randint(1, 100) * 10**6
    return Anchor(1, boot_ns, crystal.true_ns(boot_ns) + rng.randint(-error_ns, error_ns), "ntp", error_ns)


def test_with_ntp_the_median_is_within_a_second_and_in_a_day_without_it_within_ten() -> None:
    rng = random.Random(1)
    crystal = Crystal(rng, _T0, 72 * _H)
    everywhere = [_ntp(crystal, rng, minutes * 600 * _S) for minutes in range(6 * 72)]
    moments = [rng.randrange(24 * _H, 48 * _H) for _ in range(500)]
    assert _widths_s(Timeline(everywhere), moments) < 1.0
    before = [one for one in everywhere if one.boot_ns <= 24 * _H]
    after = [one for one in everywhere if one.boot_ns >= 48 * _H]
    assert _widths_s(Timeline(before), moments) < 10.0
    assert _widths_s(Timeline([*before, *after]), moments) < 6.0


def test_a_boot_without_an_anchor_lies_between_its_neighbours() -> None:
    anchors = [Anchor(1, 50 * _S, _T0, "ntp", _S), Anchor(3, 100 * _S, _T0 + _H, "hub", _S)]
    interval = Timeline(anchors).at(2, 10 * _S)
    assert interval.source == "boots"
    assert abs(interval.low_ns - (_T0 - _S + 10 * _S - 10**6)) <= 10_000
    assert abs(interval.high_ns - (_T0 + _H - 100 * _S + _S + 10**7)) <= 10_000


def test_a_false_anchor_among_true_ones_is_left_out_and_of_two_nobody_knows() -> None:
    true = [Anchor(1, n * 60 * _S, _T0 + n * 60 * _S, "ntp", 10**7) for n in range(4)]
    false = Anchor(1, 100 * _S, _T0 + 10 * _H, "ntp", 10**7)
    assert Timeline([*true, false]).at(1, 90 * _S).width_ns < _S
    torn = Timeline([true[0], false]).at(1, 90 * _S)
    assert torn.low_ns < _T0 + 90 * _S < torn.high_ns
    assert torn.width_ns > 9 * _H


def test_forged_ntp_however_much_of_it_does_not_outvote_the_hub() -> None:
    forged = [Anchor(1, n * 60 * _S, _T0 + _H + n * 60 * _S, "ntp", 10**7) for n in range(9)]
    interval = Timeline([*forged, Anchor(1, 30 * _S, _T0 + 30 * _S, "hub", _S)]).at(1, 60 * _S)
    assert interval.low_ns <= _T0 + 60 * _S <= interval.high_ns


def test_one_reading_of_the_modem_alone_says_nothing_two_that_agree_do() -> None:
    one, other = (Anchor(1, n * _H, _T0 + n * _H, "modem", 2 * _S) for n in (1, 2))
    received = [Receipt(1, 3 * _H, _T0 + 90 * _H)]
    assert Timeline([one], received).at(1, 2 * _H).source == "boots"
    interval = Timeline([one, other], received).at(1, 2 * _H)
    assert interval.source == "modem"
    assert interval.low_ns <= _T0 + 2 * _H <= interval.high_ns
    assert interval.width_ns < 6 * _S


def test_what_the_hub_had_had_happened() -> None:
    interval = Timeline([], [Receipt(1, 5 * _S, _T0)]).at(1, 5 * _S)
    assert interval.high_ns - (_T0 + 2 * _S) < 10_000
    assert interval.low_ns < _T0


@pytest.mark.parametrize("clock", ["unknown", "floor"])
def test_a_stamp_of_an_undisciplined_clock_is_no_anchor(clock: str) -> None:
    stamp = Stamp(boot_seq=1, boot_id="b", boot_ns=1, wall_ns=_T0, clock=clock, error_ms=5)  # type: ignore[arg-type]
    assert anchor_of(stamp) is None
