"""`recording`: what footage a node has, told segment by segment; the footage itself stays on the node."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

KIND = "recording"


class Segment(Struct, frozen=True, kw_only=True):
    """One closed segment. Times are derived from the node's clock when it was recorded, UTC nanoseconds."""

    event: Literal["closed", "deleted", "gap"]
    camera: str
    segment: str  # `<boot>-<run>/<seq>`: no wall time in names
    start_wall_ns: int
    duration_ms: Annotated[int, Meta(ge=0)]
    size_bytes: Annotated[int, Meta(ge=0)] = 0
    sha256: str = ""
    reason: str = ""  # for a gap: why nothing was recorded
