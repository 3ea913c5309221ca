"""What the mobile network says the time is: +CCLK (3GPP TS 27.007), as the modem has it from NITZ. Pure.

A modem without NITZ counts from a date of its own; some firmwares give universal time where the standard says
local. So what is read is believed only by a node on which it has once agreed with a disciplined clock.
"""

import re
from datetime import UTC, datetime, timedelta

from siaga_core.wire.anchor import ClockAnchor

# Whole seconds, and the network may pass them on late.
ERROR_MS = 2000
# Between a modem and a disciplined clock; a wrong zone is off by a quarter of an hour at least.
_AGREES_MS = 5000
_LINE = re.compile(r'\+CCLK: ?"(\d\d)/(\d\d)/(\d\d),(\d\d):(\d\d):(\d\d)([+-]\d\d)"')
# Where modems begin to count that were told nothing: 80/01/01, 70/01/01; 04/01/01 lies below any floor.
_UNTOLD_FROM_YEAR = 2070


def utc_ns(answer: list[str]) -> int | None:
    """Unix nanoseconds of an AT+CCLK? answer; None without zone or date, or of a modem's own beginning."""
    found = next(filter(None, map(_LINE.match, answer)), None)
    if found is None:
        return None
    year, month, day, hour, minute, second, quarters = (int(part) for part in found.groups())
    try:
        local = datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    if local.year >= _UNTOLD_FROM_YEAR or abs(quarters) > 56:  # UTC-12 to UTC+14
        return None
    return int((local - timedelta(minutes=15 * quarters)).timestamp()) * 10**9


def anchor(
    said_ns: int, boot_id: str, asked_boot_ns: int, told_boot_ns: int, floor_ns: int
) -> ClockAnchor | None:
    """The anchor of a reading between two moments of this boot; None when that time has long passed."""
    if said_ns < floor_ns:
        return None
    took_ns = told_boot_ns - asked_boot_ns
    return ClockAnchor(
        boot_id=boot_id,
        boot_ns=asked_boot_ns + took_ns // 2,
        utc_ns=said_ns + 500_000_000,
        source="modem",
        error_ms=ERROR_MS + took_ns // 1_000_000,
    )


def agrees(said_ns: int, wall_ns: int, error_ms: int) -> bool:
    """Whether a reading fits wall time that is good to `error_ms`."""
    return abs(said_ns - wall_ns) <= (_AGREES_MS + error_ms) * 10**6
