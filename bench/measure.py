"""Alternating runs, medians, and the one JSON line that a benchmark prints."""

import json
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

RUNS = 5


@dataclass(frozen=True, slots=True)
class Figure:
    """One comparison; `ratio` is ours / anchor, and smaller is better unless `goal` says at least."""

    bench: str
    figure: str
    unit: str
    ours: float
    anchor: float
    anchor_is: str
    ratio: float
    goal: str
    met: bool
    runs: int

    def line(self) -> str:
        """The figure as one JSON line."""
        return json.dumps(asdict(self), ensure_ascii=False)


def at_most(
    bench: str,
    figure: str,
    unit: str,
    ours: Callable[[], float],
    anchor: Callable[[], float],
    *,
    anchor_is: str,
    limit: float,
    runs: int = RUNS,
) -> Figure:
    """Run both in turn, A B A B …, after one uncounted run of each; met when ratio <= `limit`."""
    ours(), anchor()
    pairs = [(ours(), anchor()) for _ in range(runs)]
    our_median = statistics.median(pair[0] for pair in pairs)
    anchor_median = statistics.median(pair[1] for pair in pairs)
    ratio = our_median / anchor_median
    return Figure(
        bench,
        figure,
        unit,
        round(our_median, 4),
        round(anchor_median, 4),
        anchor_is,
        round(ratio, 3),
        f"ratio <= {limit}",
        ratio <= limit,
        runs,
    )


def at_least(
    bench: str,
    figure: str,
    unit: str,
    ours: Callable[[], float],
    anchor: Callable[[], float],
    *,
    anchor_is: str,
    limit: float,
    runs: int = RUNS,
) -> Figure:
    """Like `at_most` for figures where more is better; met when ratio >= `limit`."""
    found = at_most(bench, figure, unit, ours, anchor, anchor_is=anchor_is, limit=limit, runs=runs)
    return replace(found, goal=f"ratio >= {limit}", met=found.ratio >= limit)
