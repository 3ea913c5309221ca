"""Footage that retention may not delete. Pure."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from siaga_core.wire.recording import HoldState
from siaga_edge.recorder.retention import Stored

# Of a boot whose clock was never set nobody knows how wrong it is; a machine that kept its time over a short
# power cut is minutes away. What may touch a hold by so much is held.
UNDATED_SLACK_NS = 600 * 10**9
# Less between two segments is the jitter of arrival.
MISSING_LEAST_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Hold:
    """A span of one camera, UTC nanoseconds. `origin`: `hub` (desired state) or `local` (a technician).

    `note`: of a local one, who asked for it and why.
    """

    id: str
    camera: str
    start_wall_ns: int
    end_wall_ns: int
    origin: str = "hub"
    note: str = ""


def slack_ns(segment: Stored) -> int:
    """How far a segment's true times may lie from its wall times."""
    return UNDATED_SLACK_NS if segment.error_ms is None else segment.error_ms * 1_000_000


def touches(segment: Stored, hold: Hold) -> bool:
    """Whether a segment may hold a picture of the span, by the error of its times."""
    slack = slack_ns(segment)
    return (
        segment.camera == hold.camera
        and segment.start_wall_ns - slack < hold.end_wall_ns
        and segment.end_wall_ns + slack > hold.start_wall_ns
    )


def held(segments: Iterable[Stored], holds: Iterable[Hold]) -> frozenset[str]:
    """Names of segments that touch a hold."""
    spans = list(holds)
    return frozenset(one.name for one in segments if any(touches(one, span) for span in spans))


def standing(hold: Hold, segments: Sequence[Stored], now_wall_ns: int, settle_ns: int) -> HoldState:
    """What is held of `hold`; `segments` are closed and touch it, in order of time.

    It waits until its span is over and `settle_ns` later the last segment that may belong to it is closed.
    """
    over = now_wall_ns >= hold.end_wall_ns + settle_ns
    closed_beyond = any(one.end_wall_ns >= hold.end_wall_ns for one in segments)
    spans = _within(hold, segments)
    size_bytes = sum(one.size_bytes for one in segments)
    if not over and not (closed_beyond and now_wall_ns >= hold.end_wall_ns):
        return HoldState(id=hold.id, state="waiting")
    if not spans:
        return HoldState(id=hold.id, state="lost", reason="there is no footage of this span")
    return HoldState(
        id=hold.id,
        state="held",
        start_wall_ns=spans[0][0],
        end_wall_ns=spans[-1][1],
        size_bytes=size_bytes,
        missing=_missing(hold, spans),
    )


def _within(hold: Hold, segments: Sequence[Stored]) -> list[tuple[int, int]]:
    """The spans of the hold that segments cover; those that only may touch it do not count."""
    spans = [
        (max(one.start_wall_ns, hold.start_wall_ns), min(one.end_wall_ns, hold.end_wall_ns))
        for one in segments
    ]
    return sorted(span for span in spans if span[0] < span[1])


def _missing(hold: Hold, spans: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    edges = [(hold.start_wall_ns, hold.start_wall_ns), *spans, (hold.end_wall_ns, hold.end_wall_ns)]
    reached, found = hold.start_wall_ns, list[tuple[int, int]]()
    for (_, end_ns), (begin_ns, _) in itertools.pairwise(edges):
        reached = max(reached, end_ns)
        if begin_ns - reached > MISSING_LEAST_NS:
            found.append((reached, begin_ns))
    return tuple(found)
