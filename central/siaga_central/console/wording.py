"""Words, times and numbers as people in Batam read them, in Indonesian or English."""

import gettext
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

from siaga_core.errors import SiagaError

LANGUAGES = ("id", "en")
# Batam keeps UTC+7 the year round; a fixed offset needs no time zone files on the machine.
WIB = timezone(timedelta(hours=7), "WIB")
_LOCALE = Path(__file__).parent / "locale"


def N_(message: str) -> str:
    """Mark `message` for the catalogues; it is translated where it is shown."""
    return message


class CatalogueMissing(SiagaError):
    """The compiled catalogue is not there."""


def catalogue(language: str) -> gettext.NullTranslations:
    """Return the compiled catalogue of `language`; English needs none. Raises CatalogueMissing."""
    if language == "en":
        return gettext.NullTranslations()
    path = _LOCALE / language / "LC_MESSAGES" / "console.mo"
    try:
        with path.open("rb") as stream:
            return gettext.GNUTranslations(stream)
    except FileNotFoundError as error:
        raise CatalogueMissing(f"catalogue {language} is not compiled; run script/frontend") from error


def clock_time(at_us: int | None) -> str:
    """`14.03.07`, in WIB."""
    return "–" if at_us is None else _wib(at_us).strftime("%H.%M.%S")


def day(at_us: int | None) -> str:
    """`23-11-2026`, in WIB."""
    return "–" if at_us is None else _wib(at_us).strftime("%d-%m-%Y")


def moment(at_us: int | None) -> str:
    """`23-11-2026 14.03.07 WIB`."""
    return "–" if at_us is None else f"{day(at_us)} {clock_time(at_us)} WIB"


# A wider interval is no time of day any more.
CERTAIN_WITHIN_NS = 60 * 10**9


def happened(low_ns: int, high_ns: int, translate: Callable[[str], str]) -> str:
    """`23-11-2026 14.03.07 WIB ±0,4 dtk`, or between which moments; what is shown contains what is known."""
    if high_ns - low_ns > CERTAIN_WITHIN_NS:
        low, high = moment(low_ns // 1000), moment(-(-high_ns // 10**9) * 10**6)
        return translate(N_("uncertain: between {low} and {high}")).format(low=low, high=high)
    shown_s = round((low_ns + high_ns) / 2e9)
    reach_ns = max(high_ns - shown_s * 10**9, shown_s * 10**9 - low_ns)
    reach = f"{-(-reach_ns // 10**8) / 10:.1f}".replace(".", ",")
    return f"{moment(shown_s * 10**6)} ±{reach} {_unit(N_('s ago|s'), translate)}"


def form_moment(at_us: int) -> str:
    """What a datetime-local field takes: `2026-11-23T14:03:07`, in WIB."""
    return _wib(at_us).strftime("%Y-%m-%dT%H:%M:%S")


def parse_form_moment(text: str) -> int | None:
    """Unix microseconds of a datetime-local field's WIB value, None when it is none."""
    try:
        naive = datetime.fromisoformat(text)
    except ValueError:
        return None
    if naive.tzinfo is not None:
        return None
    return int(naive.replace(tzinfo=WIB).timestamp()) * 1_000_000


def parse_moment(text: str) -> int | None:
    """Unix microseconds of an ISO 8601 moment with its zone, None when it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else int(moment.timestamp()) * 1_000_000


def age(since_us: int | None, now_us: int, translate: Callable[[str], str]) -> str:
    """How long ago in one unit: `42 dtk`, `3 mnt`, `5 jam`, `2 hari`; a future moment is `0 dtk`."""
    if since_us is None:
        return translate("never")
    seconds = max(0, (now_us - since_us) // 1_000_000)
    for unit, size in ((N_("d ago|d"), 86_400), (N_("h ago|h"), 3_600), (N_("min ago|min"), 60)):
        if seconds >= size:
            return f"{seconds // size} {_unit(unit, translate)}"
    return f"{seconds} {_unit(N_('s ago|s'), translate)}"


def lasting(seconds: int, translate: Callable[[str], str]) -> str:
    """How long something takes, in one unit and never too short: `40 dtk`, `3 mnt`, `2 jam`."""
    for unit, size in ((N_("h ago|h"), 3_600), (N_("min ago|min"), 60)):
        if seconds > size:
            return f"{-(-seconds // size)} {_unit(unit, translate)}"
    return f"{seconds} {_unit(N_('s ago|s'), translate)}"


def masked(number: str | None) -> str:
    """A phone number of which only the last three digits show."""
    return "" if not number else f"…{number[-3:]}"


def size(count: int | None) -> str:
    """Bytes as people read them, decimal comma: `12,3 MB`."""
    if count is None:
        return "–"
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}".replace(".", ",")


def distance(metres: float | None) -> str:
    """`50 m`, `1,2 km`, `12 km`; a dash when nobody knows."""
    if metres is None:
        return "–"
    if metres < 950:
        return f"{round(metres, -1) if metres >= 100 else round(metres):.0f} m"
    return f"{metres / 1000:.{1 if metres < 9950 else 0}f} km".replace(".", ",")


def coordinates(latitude: float, longitude: float) -> str:
    """`1,12010; 104,05000`, decimal commas; to a metre."""
    return f"{latitude:.5f}; {longitude:.5f}".replace(".", ",")


def bound(error_ns: int, translate: Callable[[str], str]) -> str:
    """How wrong a time may be, rounded up: `±0,4 dtk`, `±3 mnt`, `±2 jam`."""
    seconds = error_ns / 1e9
    if seconds < 60:
        return f"±{-(-error_ns // 10**8) / 10:.1f} {_unit(N_('s ago|s'), translate)}".replace(".", ",")
    unit, size = (N_("min ago|min"), 60) if seconds < 3600 else (N_("h ago|h"), 3600)
    return f"±{int(-(-seconds // size))} {_unit(unit, translate)}"


def _unit(message: str, translate: Callable[[str], str]) -> str:
    return translate(message).rpartition("|")[2]


def _wib(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us / 1e6, WIB)
