"""What footage a node has; the footage itself stays on the node until somebody asks for a part of it.

Spans in a record are UTC nanoseconds as the node dated them when it wrote the record; the hub corrects them
with the record's own correction. Ages (`_ago_`) count back from the record's own time.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

KIND = "recording"
COVERAGE_KIND = "recording.coverage"
HOLD_KIND = "recording.hold"

Count = Annotated[int, Meta(ge=0)]
# One desired state `holds` is one MQTT message; a node that is asked for more says so and keeps the old ones.
HOLDS_MOST = 500


class Segment(Struct, frozen=True, kw_only=True):
    """A gap, or (from nodes before `recording.coverage`) one segment."""

    event: Literal["closed", "deleted", "gap"]
    camera: str
    segment: str  # `<boot>-<run>/<seq>`: no wall time in names
    start_wall_ns: int
    duration_ms: Count
    size_bytes: Count = 0
    sha256: str = ""
    reason: str = ""  # for a gap: why nothing was recorded


class CameraCoverage(Struct, frozen=True, kw_only=True):
    """One camera's footage that is durable at the record's time."""

    camera: str
    upto_ago_ms: Count  # it reaches this close to the record's time
    since_ago_ms: Count | None = None  # it began here; absent: it goes on where the last coverage ended
    kept_ago_s: Count  # the oldest footage that retention has left, what is held aside


class Coverage(Struct, frozen=True, kw_only=True):
    """Once a minute: how far each recording camera has come, and the head of the chain of segments.

    Every closed segment is a link, `head' = SHA-256(head || name || NUL || SHA-256 of the file)`; before
    the first stand 32 zero octets. `links` counts them. The node signs the batch that carries the record.
    """

    cameras: tuple[CameraCoverage, ...]
    chain: str  # made with the first segment; another one after the footage disk was changed
    links: Count
    head: bytes


class HeadTold(Struct, frozen=True, kw_only=True):
    """Where a node's chain stood when it said so, as the hub keeps it."""

    chain: str
    links: Count
    head: bytes
    received_ms: int


class HeadsTold(Struct, frozen=True, kw_only=True):
    """What a node has told of its chains, sealed by the hub: footage is verified against it."""

    v: Literal[1] = 1
    node: str
    heads: tuple[HeadTold, ...]


class Hold(Struct, frozen=True, kw_only=True):
    """Footage that retention may not delete: a span of one camera."""

    id: str
    camera: str
    start_wall_ns: int
    end_wall_ns: int


class Holds(Struct, frozen=True, kw_only=True):
    """Desired state `holds` of the recorder: every hold there is. One that is not named is released."""

    holds: Annotated[tuple[Hold, ...], Meta(max_length=HOLDS_MOST)]


class HoldState(Struct, frozen=True, kw_only=True):
    """What a node holds of a hold that was asked of it.

    `waiting`: its span is not over. `held`: all there was; `missing` names what is not there.
    `lost`: nothing is there. `released`: retention may have it again. Of a hold made at the node (`local-`)
    `camera` and `note` (who asked, and why) say what the hub cannot know.
    """

    id: str
    state: Literal["waiting", "held", "lost", "released"]
    start_wall_ns: int = 0  # of what is held
    end_wall_ns: int = 0
    size_bytes: Count = 0
    missing: tuple[tuple[int, int], ...] = ()
    reason: str = ""
    camera: str = ""
    note: str = ""
