"""Times as a technician types and reads them: WIB (Asia/Jakarta, UTC+7, no daylight saving). Pure."""

import re
from datetime import UTC, datetime, timedelta, timezone

from siaga_core.errors import SiagaError

WIB = timezone(timedelta(hours=7), "WIB")
DAY = timedelta(days=1)
FORMS = '14.03 | 14.03.10 | "24-11 14.03" | "24-11-2026 14.03.10" | 2026-11-24T14:03:10[Z|+07:00]'
_CLOCK = re.compile(r"(\d{1,2})[.:](\d{2})(?:[.:](\d{2})(?:[.,](\d{1,9}))?)?\Z")
_DAY = re.compile(r"(\d{1,2})[-/](\d{1,2})(?:[-/](\d{4}))?\Z")


class BadTime(SiagaError, ValueError):
    """A time that cannot be understood."""


def instant_ns(text: str, now_ns: int) -> int:
    """UTC nanoseconds of what was typed; without a day or a year the last one that was. Raises BadTime."""
    moment, step = _read(text.strip(), _moment(now_ns))
    if step is not None and moment > _moment(now_ns):
        moment = _earlier(moment, step)
    return _ns(moment)


def span_ns(start: str, end: str, now_ns: int) -> tuple[int, int]:
    """(from, to): an end without a day is the first one after the begin. Raises BadTime."""
    start_ns = instant_ns(start, now_ns)
    moment, step = _read(end.strip(), _moment(start_ns))
    if step == DAY and _ns(moment) <= start_ns:
        moment += DAY
    if _ns(moment) <= start_ns:
        raise BadTime(f"{end} is not after {start}; say first when it begins, then when it ends")
    return start_ns, _ns(moment)


def shown(wall_ns: int, error_ms: int | None = 0, *, day: bool = True) -> str:
    """`24-11-2026 14.03.07 WIB ±0,4 s`; a time without a bound says that it has none."""
    moment = _moment(wall_ns)
    text = moment.strftime("%d-%m-%Y %H.%M.%S" if day else "%H.%M.%S") + " WIB"
    if error_ms is None:
        return f"{text} ±?"
    return text if error_ms < 100 else text + f" ±{error_ms / 1000:.1f} s".replace(".", ",")


def _read(text: str, near: datetime) -> tuple[datetime, timedelta | None]:
    """The moment nearest to `near`'s day, and by how much it may be moved: a day, a year or not at all."""
    day_text, _, clock_text = text.rpartition(" ")
    clock, day = _CLOCK.match(clock_text), _DAY.match(day_text) if day_text else None
    try:
        if clock is None or (day_text and day is None):
            return _iso(text), None
        hour, minute, second = (int(part or 0) for part in clock.groups()[:3])
        micros = int((clock[4] or "0").ljust(6, "0")[:6])
        date = (
            near
            if day is None
            else near.replace(day=int(day[1]), month=int(day[2]), year=int(day[3] or near.year))
        )
        moment = date.replace(hour=hour, minute=minute, second=second, microsecond=micros)
    except ValueError as error:
        raise BadTime(f"{text!r} is no time; write it as {FORMS}") from error
    return moment, DAY if day is None else None if day[3] else timedelta(days=365)


def _iso(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=WIB)


def _earlier(moment: datetime, step: timedelta) -> datetime:
    return moment - DAY if step == DAY else moment.replace(year=moment.year - 1)


def _moment(wall_ns: int) -> datetime:
    return datetime.fromtimestamp(wall_ns // 10**9, UTC).astimezone(WIB)


def _ns(moment: datetime) -> int:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000
