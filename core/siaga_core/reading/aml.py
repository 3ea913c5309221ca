"""Advanced Mobile Location, ETSI TS 103 625: where a phone says it is, as text or as a packed data SMS.

`A"ML=1;lt=+51.53321;lg=-0.12601;rd=14;top=20220131171748;lc=68;pm=W;si=…;ei=…;mcc=234;mnc=15;ml=126`.
Google's second example counts its length one short, so `ml` is soft: a wrong one is told, the position stays.
What makes a position itself doubtful (cut off, out of range) is told and not believed. A phone without a fix
sends noughts and `pm=N`: that is no place. `si` and `ei` name person and phone; they are never returned.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_START = re.compile(r'A"ML=(\d{1,2})(?=;|$)')
_COORDINATE = re.compile(r"[+-]?\d{1,3}(?:[.]\d{1,12})?")
_SIGNED = re.compile(r"[+-]?\d{1,12}(?:[.]\d{1,6})?")
_METHODS = {"W": "wifi", "G": "gnss", "C": "cell", "N": "none"}
_MOST_OFF = 1
_GSM7 = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)


@dataclass(frozen=True, slots=True)
class Fix:
    """Degrees WGS 84; `radius_m` holds the phone with `confidence_percent`; `at` is the fix's time, UTC."""

    latitude: float
    longitude: float
    radius_m: float | None = None
    confidence_percent: float | None = None
    method: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Location:
    """One AML message: its version, the fix if it is to be believed, and what is wrong with it."""

    version: int
    fix: Fix | None
    problems: tuple[str, ...] = ()


def from_text(text: str) -> Location | None:
    """Return the AML message in `text`, or None if there is none; total for every string."""
    start = _START.search(text)
    if start is None:
        return None
    body = text[start.start() :].strip()
    fields, problems = _fields(body[start.end() - start.start() :])
    problems += _length(body, fields.get("ml"))
    fix, wrong = _fix(int(start[1]), fields)
    return Location(int(start[1]), fix, (*problems, *wrong))


def from_data(payload: bytes) -> Location | None:
    """Return the AML message in a data SMS's user data, septets or plain octets; None if it is neither."""
    plain = from_text(payload.decode("latin-1"))
    return plain if plain is not None else from_text(unpacked(payload))


def unpacked(payload: bytes) -> str:
    """GSM 7 bit septets of whole octets, 3GPP TS 23.038; filling bits may look like an `@`."""
    bits = int.from_bytes(payload, "little")
    septets = [bits >> (7 * at) & 0x7F for at in range(len(payload) * 8 // 7)]
    return "".join(_GSM7[septet] for septet in septets).rstrip("@\r")


def _fields(body: str) -> tuple[dict[str, str], list[str]]:
    fields: dict[str, str] = {}
    problems = []
    parts = body.split(";")
    if not parts[-1].startswith("ml=") and parts.pop().strip():
        problems.append("cut off")
    for part in parts:
        name, equals, value = part.strip().partition("=")
        if name and not equals:
            problems.append("unfinished field")
        elif name in fields and fields[name] != value:
            problems.append(f"two different {name}" if name.isalnum() else "two different fields")
        elif name:
            fields[name] = value
    return fields, problems


def _length(body: str, said: str | None) -> list[str]:
    """One off is what phones really send; more means that something was lost or added."""
    if said is None:
        return ["no length"]
    digits = re.match(r"\d{1,4}", said)
    if digits is None:
        return ["length is no number"]
    counted = body.find(f"ml={said}") + 3 + len(digits[0])
    return [] if abs(counted - int(digits[0])) <= _MOST_OFF else [f"length {counted}, said to be {digits[0]}"]


def _fix(version: int, fields: dict[str, str]) -> tuple[Fix | None, list[str]]:
    if version not in (1, 2):
        return None, [f"version {version} is not known"]
    latitude, longitude, radius = _where(version, fields)
    if fields.get("pm") == "N" or (latitude == 0 and longitude == 0):
        return None, []
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        return None, ["no valid position"]
    confidence = _number(fields.get("lc"))
    problems = (
        ["level of confidence is no percentage"] if _is_no_percentage(fields.get("lc"), confidence) else []
    )
    sure = confidence if not problems else None
    method = _METHODS.get(fields.get("pm", ""), "")
    return Fix(latitude, longitude, radius, sure, method, _time(version, fields)), problems


def _where(version: int, fields: dict[str, str]) -> tuple[float | None, float | None, float | None]:
    """Version 1 has `lt`, `lg`, `rd`; version 2 has them as `lo=latitude,longitude,accuracy`."""
    if version == 1:
        return _degrees(fields.get("lt")), _degrees(fields.get("lg")), _radius(fields.get("rd"))
    parts = [*fields.get("lo", "").split(","), "", "", ""]
    return _degrees(parts[0]), _degrees(parts[1]), _radius(parts[2])


def _degrees(value: str | None) -> float | None:
    return float(value) if value is not None and _COORDINATE.fullmatch(value) else None


def _number(value: str | None) -> float | None:
    return float(value) if value is not None and _SIGNED.fullmatch(value) else None


def _radius(value: str | None) -> float | None:
    radius = _number(value)
    return radius if radius is not None and radius > 0 else None


def _is_no_percentage(said: str | None, read: float | None) -> bool:
    return said is not None and (read is None or not 0 <= read <= 100)


def _time(version: int, fields: dict[str, str]) -> datetime | None:
    """`top=20220131171748`; version 2 has the call's moment `et`, Unix seconds, and `lt`, seconds from it."""
    try:
        if version == 1:
            return datetime.strptime(fields["top"], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        seconds = int(fields["et"]) + int(fields.get("lt", "0"))
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except (KeyError, ValueError, OverflowError):
        return None
