"""What records tell of time, in their stamps and as anchors, and what that changes of what is known."""

from siaga_central.domain.timeline import Anchor
from siaga_core.wire.envelope import Stamp


def anchor_of(stamp: Stamp) -> Anchor | None:
    """What a stamp says of time by itself: its wall time, if the node knew a bound for it."""
    if stamp.clock not in ("synced", "holdover") or stamp.error_ms is None:
        return None
    return Anchor(stamp.boot_seq, stamp.boot_ns, stamp.wall_ns, "ntp", stamp.error_ms * 10**6)
