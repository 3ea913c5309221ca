"""Whether a grant lets a span of footage be copied out now. Pure."""

from dataclasses import dataclass

from siaga_core.wire.envelope import ClockState
from siaga_core.wire.grant import Grant

# Two honest clocks differ by this much and more.
_TOLERANCE_NS = 60 * 10**9


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody at the node wants to copy."""

    camera: str
    start_wall_ns: int
    end_wall_ns: int


@dataclass(frozen=True, slots=True)
class Now:
    """The node's clock, and what has certainly passed whatever that clock says."""

    wall_ns: int
    state: ClockState
    floor_ns: int


def refusal(grant: Grant, asked: Asked, node: str, used: int, now: Now) -> str:
    """Why not; empty: it may be copied. A clock that is not certain opens nothing."""
    if grant.node != node:
        return f"the grant is for node {grant.node}, not for {node}"
    if grant.camera != asked.camera:
        return f"the grant is for camera {grant.camera}, not for {asked.camera}"
    if not grant.start_wall_ns <= asked.start_wall_ns < asked.end_wall_ns <= grant.end_wall_ns:
        return "the span is not within the granted one"
    if (why := _untimely(grant, now)) != "":
        return why
    if used >= grant.uses:
        return f"the grant has been used {used} times already, which is all it allows"
    return ""


def _untimely(grant: Grant, now: Now) -> str:
    expires_ns, issued_ns = grant.expires_ms * 1_000_000, grant.issued_ms * 1_000_000
    if max(now.wall_ns, now.floor_ns) >= expires_ns:
        return "the grant has expired; ask the hub for another one"
    if now.state not in ("synced", "holdover"):
        return "this node's clock is not set, so nobody knows whether the grant counts; connect it first"
    if now.wall_ns < issued_ns - _TOLERANCE_NS or now.wall_ns < now.floor_ns:
        return "this node's clock is wrong: it is before the grant was made; connect the node first"
    return ""
