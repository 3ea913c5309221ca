"""When the node writes down what its disciplined clock says, for the hub to reckon with. Pure."""

from dataclasses import dataclass

from siaga_core.wire.anchor import ClockAnchor
from siaga_core.wire.envelope import ClockState, Stamp

# In that time a crystal of 100 ppm runs away by 60 ms.
EVERY_S = 600.0


@dataclass(frozen=True, slots=True)
class Noted:
    """The clock's state at the last look, and when an anchor was last written."""

    state: ClockState = "unknown"
    anchored_mono_s: float = float("-inf")


def look(noted: Noted, at: Stamp, now_mono_s: float) -> tuple[Noted, ClockAnchor | None]:
    """What to remember, and an anchor when one is due: every ten minutes, and when the state has changed.

    A clock whose error nobody knows gives none, however right it may look.
    """
    if at.error_ms is None or at.clock not in ("synced", "holdover"):
        return Noted(at.clock, noted.anchored_mono_s), None
    if at.clock == noted.state and now_mono_s - noted.anchored_mono_s < EVERY_S:
        return noted, None
    anchor = ClockAnchor(
        boot_id=at.boot_id, boot_ns=at.boot_ns, utc_ns=at.wall_ns, source="ntp", error_ms=at.error_ms
    )
    return Noted(at.clock, now_mono_s), anchor
