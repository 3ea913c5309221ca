"""Positions in a text: decimal pairs, degrees-minutes-seconds, map links, plus codes. Nothing is fetched.

No place on earth, 0,0 (a phone without a fix) and a short link without numbers give no position; such a link
is told by itself. Longitude before latitude is turned round where it can only be meant so.
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
# What stands between two numbers of one position: `1.1,104.0`, `1.1 dan 104.0`, `1.1~104.0`, `1.1-104.0`.
_BETWEEN = r"(?:[,;/_~|]|\s|%2C|\+|-(?=\d)|\s(?:dan|and|&)\s)\s*"
_PAIR = re.compile(
    rf"(?<![\d.])(?:\b([NSUL])\s?)?({_NUMBER})°?\s*([NSUL](?![a-z]))?\s*{_BETWEEN}"
    rf"(?:\b([EWTB])\s?)?({_NUMBER})°?(?:\s*([EWTB])\b)?(?![\d.])",
    re.I,
)
_COMMA_PAIR = re.compile(r"(?<![\d.,])(-?\d{1,2},\d{4,8})[\s;/,]+(-?\d{2,3},\d{4,8})(?![\d,])")
# Two decimals are a kilometre: only numbers that lie in Batam and stand in no price or time are such a pair.
_COARSE = re.compile(r"(?<![\d.,])([01][.]\d\d)\s*[,;/\s]\s*(10[34][.]\d\d)(?![\d.,])")
_LATITUDE, _LONGITUDE = r"\b(?:m?lat|latitude|lintang|y)\b", r"\b(?:m?lon|lng|long|longitude|bujur|x)\b"
_LABELLED = re.compile(rf"{_LATITUDE}\W{{0,4}}({_NUMBER})\W{{0,6}}{_LONGITUDE}\W{{0,4}}({_NUMBER})", re.I)
_LABELLED_TURNED = re.compile(
    rf"{_LONGITUDE}\W{{0,4}}({_NUMBER})\W{{0,6}}{_LATITUDE}\W{{0,4}}({_NUMBER})", re.I
)
_BANG = re.compile(rf"!3d({_NUMBER})!4d({_NUMBER})")
_SECONDS = (
    r"(\d{1,3})\s*(?:°|º|˚|derajat|d|deg)\s*(\d{1,2}(?:[.,]\d+)?)\s*(?:['’′`]|menit|m)\s*"
    r"(?:(\d{1,2}(?:[.,]\d+)?)\s*(?:\"|”|″|''|’’|detik|s)?)?\s*"
)
# A skipper's notation: `1 06 15.8 N 104 02 07.4 E`, `01 06.263 N 104 02.123 E`.
_SPACED = r"(\d{1,3})[ -](\d{1,2}(?:[.,]\d+)?)(?:[ -](\d{1,2}(?:[.,]\d+)?))?\s*"
_NORTH, _EAST = r"(LU|LS|N|S|U)\b", r"(BT|BB|E|W|T|B)\b"
_DMS = re.compile(rf"{_SECONDS}{_NORTH}[\s,;/+]*{_SECONDS}{_EAST}", re.I)
_DMS_SPACED = re.compile(rf"(?<![\d.,]){_SPACED}{_NORTH}[\s,;/+]*{_SPACED}{_EAST}", re.I)
_DMS_BEFORE = re.compile(rf"\b(LU|LS|N|S|U)\s*{_SECONDS}[\s,;/+]*(BT|BB|E|W|T|B)\s*{_SECONDS}", re.I)
_SOUTH, _WEST = ("s", "ls"), ("w", "bb", "b")
# Links that only a server can resolve; the operator opens them.
_SHORT_LINK = re.compile(
    r"(?:https?://)?(?:maps\.app\.goo\.gl|goo\.gl/maps|g\.co/kgs|osm\.org/go|waze\.com/ul|ul\.waze\.com"
    r"|maps\.apple(?:\.com)?/p|what3words\.com|w3w\.co)/[\w.~=!?&%-]{3,80}",
    re.I,
)
_DIGITS = "23456789CFGHJMPQRVWX"
_PLUS = re.compile(rf"(?<![\w+])((?:[{_DIGITS}]{{2}}){{1,4}})\+([{_DIGITS}]{{2,3}})?(?!\w|\+\d)", re.I)


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
    for notation in (_pinned, _labelled, _seconds, _decimal, _decimal_comma, _coarse, _plus_codes):
        for latitude, longitude, words in notation(plain):
            if (made := _position(latitude, longitude, words)) is not None:
                found.setdefault((made.latitude, made.longitude), made)
    return tuple(found.values())


def links(text: str) -> tuple[str, ...]:
    """Return the short map links in `text`: somebody says where, but only a browser can tell it."""
    return tuple(dict.fromkeys(match[0] for match in _SHORT_LINK.finditer(text[:_MOST_CHARACTERS])))


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
    for match in _LABELLED_TURNED.finditer(text):
        yield float(match[2]), float(match[1]), match[0]


def _decimal(text: str) -> Iterator[tuple[float, float, str]]:
    for match in _PAIR.finditer(text):
        latitude = float(match[2]) * _sign(match[1] or match[3], _SOUTH)
        longitude = float(match[5]) * _sign(match[4] or match[6], _WEST)
        if abs(latitude) > 90 >= abs(longitude):
            latitude, longitude = longitude, latitude
        if not (_is_price(match[2]) and _is_price(match[5]) and _is_far(latitude, longitude)):
            yield latitude, longitude, match[0]


def _is_far(latitude: float, longitude: float) -> bool:
    """Beyond Indonesia and its seas (6° N to 11° S, 95° to 141° E): nobody asks Batam for help from there."""
    return not (-11 <= latitude <= 6 and 95 <= longitude <= 141)


def _is_price(number: str) -> bool:
    """`12.500-15.000`: thousands have three digits behind the point, a position has mostly more."""
    return len(number.partition(".")[2]) == 3


def _decimal_comma(text: str) -> Iterator[tuple[float, float, str]]:
    for match in _COMMA_PAIR.finditer(text):
        yield float(match[1].replace(",", ".")), float(match[2].replace(",", ".")), match[0]


def _coarse(text: str) -> Iterator[tuple[float, float, str]]:
    for match in _COARSE.finditer(text):
        if not is_outside(float(match[1]), float(match[2])):
            yield float(match[1]), float(match[2]), match[0]


def _seconds(text: str) -> Iterator[tuple[float, float, str]]:
    for pattern in (_DMS, _DMS_SPACED):
        for match in pattern.finditer(text):
            yield _turned(match, (1, 2, 3), 4, (5, 6, 7), 8)
    for match in _DMS_BEFORE.finditer(text):
        yield _turned(match, (2, 3, 4), 1, (6, 7, 8), 5)


def _turned(
    match: re.Match[str], north: tuple[int, int, int], is_north: int, east: tuple[int, int, int], is_east: int
) -> tuple[float, float, str]:
    """Degrees with the sign of their hemisphere; the numbers say which groups of the match hold what."""
    latitude, longitude = _degrees(*match.group(*north)), _degrees(*match.group(*east))
    return latitude * _sign(match[is_north], _SOUTH), longitude * _sign(match[is_east], _WEST), match[0]


def _sign(hemisphere: str | None, negative: tuple[str, ...]) -> int:
    return -1 if (hemisphere or "").lower() in negative else 1


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
