"""Footage that retention may not delete. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from siaga_edge.recorder.retention import Stored


@dataclass(frozen=True, slots=True)
class Hold:
    """A span of one camera, UTC nanoseconds."""

    camera: str
    start_wall_ns: int
    end_wall_ns: int


def held(segments: Iterable[Stored], holds: Iterable[Hold]) -> frozenset[str]:
    """Names of segments that touch a hold."""
    spans = list(holds)
    return frozenset(
        segment.name
        for segment in segments
        for span in spans
        if segment.camera == span.camera
        and segment.start_wall_ns < span.end_wall_ns
        and segment.end_wall_ns > span.start_wall_ns
    )
