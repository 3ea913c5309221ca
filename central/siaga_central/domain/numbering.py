"""Numbers people say aloud: `K-20261123-0007`, counted per WIB day."""

from datetime import UTC, datetime, timedelta, timezone

# Batam keeps UTC+7 all year round (Keppres 41/1987 on time zones; no daylight saving).
WIB = timezone(timedelta(hours=7), "WIB")


def day_of(at_us: int) -> str:
    """Return the WIB calendar day of a moment as `YYYYMMDD`, whatever zone the machine is in."""
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).astimezone(WIB).strftime("%Y%m%d")


def incident_number(opened_us: int, count_of_day: int) -> str:
    """Return the number of the `count_of_day`-th incident (from 1) of the WIB day."""
    return f"K-{day_of(opened_us)}-{count_of_day:04d}"
