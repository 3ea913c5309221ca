"""A clip on its way: how far, how fast, until when, and why it waits. Pure."""

from dataclasses import dataclass
from typing import Literal

Waits = Literal["", "stopped", "offline", "sending", "cutting", "line"]
# A slice takes about four seconds of the site's line; urgent records and pictures go in between.
QUIET_US = 30_000_000
# The last slices count for most: a line changes.
_NEW_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Way:
    """How far a clip has come; `left_s` is None when nobody can say."""

    percent: int
    left_s: int | None
    waits: Waits


def speed(before: int | None, grown_bytes: int, since_us: int) -> int | None:
    """Bytes a second after one more slice; None after a pause, when the last speed says nothing."""
    if grown_bytes <= 0 or not 0 < since_us <= QUIET_US:
        return None
    now = grown_bytes * 1_000_000 / since_us
    return round(now if before is None else before + (now - before) * _NEW_SHARE)


def way(
    *,
    got_bytes: int,
    size_bytes: int | None,
    rate_bytes_s: int | None,
    got_us: int | None,
    is_stopped: bool,
    is_online: bool,
    order_state: str,
    now_us: int,
) -> Way:
    """Of a clip that is asked for or coming."""
    percent = min(99, got_bytes * 100 // size_bytes) if size_bytes else 0
    moves = got_us is not None and now_us - got_us <= QUIET_US
    if is_stopped:
        return Way(percent, None, "stopped")
    if not is_online:
        return Way(percent, None, "offline")
    if order_state in ("queued", "sent"):
        return Way(percent, None, "sending")
    if order_state in ("received", "started"):
        return Way(percent, None, "cutting")
    if not moves:
        return Way(percent, None, "line")
    left_s = None if not rate_bytes_s or not size_bytes else -(-(size_bytes - got_bytes) // rate_bytes_s)
    return Way(percent, left_s, "")
