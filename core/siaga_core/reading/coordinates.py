"""Positions in a text: decimal pairs, degrees-minutes-seconds, map links, plus codes. Nothing is fetched.

No place on earth, 0,0 (a phone without a fix) and a short link without numbers give no position.
Plus codes follow the Open Location Code specification; short ones are completed from the middle of Batam.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

# The municipality with its islands, generously; outside it a position is kept and marked.
_BATAM = (0.5, 1.35, 103.5, 104.6)
CENTRE = (1.11, 104.04)
_MOST_CHARACTERS = 4000

_NUMBER = r"[+-]?\d{1,3}[.]\d{3,17}"
_PAIR = re.compile(
    rf"(?<![\d.])({_NUMBER})°?\s*([NSUL])?\s*(?:[,;/]|\s|%2C|\+)\s*({_NUMBER})°?\s*([EWTB])?(?![\d.])", re.I
)
_COMMA_PAIR = re.compile(r"(?<![\d.,])(-?\d{1,2},\d{4,8})[\s;/,]+(-?\d{2,3},\d{4,8})(?![\d,])")
_LABELLED = re.compile(
    rf"\b(?:lat|latitude|lintang)\b\W{{0,4}}({_NUMBER})\W{{0,6}}(?:lon|lng|long|longitude|bujur)\b\W{{0,4}}({_NUMBER})",
    re.I,
)
_BANG = re.compile(rf"!3d({_NUMBER})!4d({_NUMBER})")
_WHOLE_SECONDS = (
    r"(\d{1,3})\s*(?:°|º|˚|derajat|d|deg)\s*(\d{1,2}(?:[.,]\d+)?)\s*(?:['’′`]|menit|m)\s*"
    r"(?:(\d{1,2}(?:[.,]\d+)?)\s*(?:\"|”|″|''|’’|detik|s)?)?\s*"
)
_DMS = re.compile(rf"{_WHOLE_SECONDS}(LU|LS|N|S|U)\b[\s,;/]*{_WHOLE_SECONDS}(BT|BB|E|W|T|B)\b", re.I)
_SOUTH, _WEST = ("s", "ls"), ("w", "bb", "b")
_DIGITS = "23456789CFGHJMPQRVWX"
_PLUS = re.compile(rf"(?<![\w+])((?:[{_DIGITS}]{{2}}){{1,4}})\+([{_DIGITS}]{{2,3}})?(?![\w+])", re.I)


@dataclass(frozen=True, slots=True)
class Position:
    """Degrees WGS 84, six decimals; `is_outside` Batam is told, not dropped; `words` are the text's own."""

    latitude: float
    longitude: float
    words: str
    is_outside: bool


def positions(text: str) -> tuple[Position, ...]:
    """Return every position `text` names, in the order of the notations; total for every string."""
    plain = unquote(text[:_MOST_CHARACTERS]) if "%" in text else text[:_MOST_CHARACTERS]
    found: dict[tuple[float, float], Position] = {}
    for notation in (_pinned, _labelled, _seconds, _decimal, _decimal_comma, _plus_codes):
        for latitude, longitude, words in notation(plain):
            if (made := _position(latitude, longitude, words)) is not None:
                found.setdefault((made.latitude, made.longitude), made)
    return tuple(found.values())


def is_outside(latitude: float, longitude: float) -> bool:
    """Whether a position lies outside the municipality of Batam."""
    south, north, west, east = _BATAM
    return not (south <= latitude <= north and west <= longitude <= east)


def _position(latitude: float, longitude: float, words: str) -> Position | None:
    if not (abs(latitude) <= 90 and abs(longitude) <= 180) or (
        abs(latitude) < 1e-4 and abs(longitude) < 1e-4
    ):
        return None
    return Position(round(latitude, 6), round(longitude, 6), words, is_outside(latitude, longitude))


def _pinned(text: str) -> Iterator[tuple[float, float, str]]:
    for match in _BANG.finditer(text):
        yield float(match[1]), float(match[2]), match[0]


def _labelled(text: str) -> Iterator[tuple[float, float, str]]:
    for match in _LABELLED.finditer(text):
        yield float(match[1]), float(match[2]), match[0]


def _decimal(text: str) -> Iterator[tuple[float, float, str]]:
    for match in _PAIR.finditer(text):
        south = -1 if (match[2] or "").lower() == "s" else 1
        west = -1 if (match[4] or "").lower() in _WEST else 1
        yield float(match[1]) * south, float(match[3]) * west, match[0]


def _decimal_comma(text: str) -> Iterator[tuple[float, float, str]]:
    for match in _COMMA_PAIR.finditer(text):
        yield float(match[1].replace(",", ".")), float(match[2].replace(",", ".")), match[0]


def _seconds(text: str) -> Iterator[tuple[float, float, str]]:
    for match in _DMS.finditer(text):
        latitude, longitude = _degrees(*match.group(1, 2, 3)), _degrees(*match.group(5, 6, 7))
        south = -1 if match[4].lower() in _SOUTH else 1
        west = -1 if match[8].lower() in _WEST else 1
        yield latitude * south, longitude * west, match[0]


def _degrees(degrees: str, minutes: str, seconds: str | None) -> float:
    """Minutes or seconds of sixty and more are no angle: told as a position that is none."""
    minute, second = float(minutes.replace(",", ".")), float((seconds or "0").replace(",", "."))
    return float(degrees) + minute / 60 + second / 3600 if minute < 60 and second < 60 else 999.0


def _plus_codes(text: str) -> Iterator[tuple[float, float, str]]:
    for match in _PLUS.finditer(text):
        before, after = match[1].upper(), (match[2] or "").upper()
        if len(before) == 8:
            yield *_middle(before + after), match[0]
        elif len(before) in (4, 6) and after:
            yield *_nearest(before + after, 8 - len(before)), match[0]


def _middle(code: str) -> tuple[float, float]:
    """The middle of a code's area: five pairs of digits, each a twentieth of the last, then 5 by 4."""
    latitude, longitude, step = -90.0, -180.0, 20.0
    for at in range(0, min(len(code), 10), 2):
        latitude += _DIGITS.index(code[at]) * step
        longitude += _DIGITS.index(code[at + 1]) * step if at + 1 < len(code) else 0
        step /= 20
    high, wide = step * 20, step * 20
    for digit in code[10:]:
        high, wide = high / 5, wide / 4
        latitude += _DIGITS.index(digit) // 4 * high
        longitude += _DIGITS.index(digit) % 4 * wide
    return latitude + high / 2, longitude + wide / 2


def _nearest(short: str, missing: int) -> tuple[float, float]:
    """Complete a short code from the middle of Batam, and take the neighbour that is nearest to it."""
    area = 20.0 ** (2 - missing / 2)
    latitude, longitude = _middle(_prefix(*CENTRE)[:missing] + short)
    return _closer(latitude, CENTRE[0], area), _closer(longitude, CENTRE[1], area)


def _closer(value: float, reference: float, area: float) -> float:
    if value - reference > area / 2:
        return value - area
    return value + area if reference - value > area / 2 else value


def _prefix(latitude: float, longitude: float) -> str:
    north, east, step, code = latitude + 90, longitude + 180, 20.0, ""
    for _ in range(4):
        code += _DIGITS[int(north // step)] + _DIGITS[int(east // step)]
        north, east, step = north % step, east % step, step / 20
    return code
