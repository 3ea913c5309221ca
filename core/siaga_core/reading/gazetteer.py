"""Batam's place names, found however they are written: together, abbreviated, with one slip."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import msgspec

from siaga_core.reading.fold import Token, words
from siaga_core.reading.stems import one_edit_apart
from siaga_core.reading.tables import table

_MOST_WORDS = 5
_FUZZY_FROM = 6


class _Words(msgspec.Struct, frozen=True):
    words: frozenset[str]


class Places(msgspec.Struct, frozen=True):
    """places.toml."""

    districts: list[str]
    kelurahan: dict[str, list[str]]
    landmarks: dict[str, list[str]]
    before: dict[str, frozenset[str]]
    behind: _Words
    nowhere: _Words
    ends: _Words


@dataclass(frozen=True, slots=True)
class Named:
    """A listed name at the tokens `first` to `last`; `district` is known for kecamatan and kelurahan only."""

    name: str
    district: str
    first: int
    last: int


@cache
def places() -> Places:
    """The list as it ships."""
    return table("places", Places)


def named(read: Sequence[Token], plain: frozenset[str]) -> list[Named]:
    """Return the listed names in `read`, the longest at each place; `plain` words are no slips of a name."""
    found: list[Named] = []
    at = 0
    while at < len(read):
        one = _longest(read, at, plain)
        if one is not None:
            found.append(one)
        at = at + 1 if one is None else one.last + 1
    return found


def _longest(read: Sequence[Token], at: int, plain: frozenset[str]) -> Named | None:
    for length in range(min(_MOST_WORDS, len(read) - at), 0, -1):
        together = "".join(token.word for token in read[at : at + length])
        known = _names().get(together)
        if known is None and together not in plain and len(read[at].word) > 2:
            known = _slip(together)
        if known is not None:
            return Named(*known, at, at + length - 1)
    return None


def _slip(together: str) -> tuple[str, str] | None:
    if len(together) < _FUZZY_FROM:
        return None
    keys = {together} | {together[:at] + together[at + 1 :] for at in range(1, len(together))}
    for key in sorted(keys):
        for name in _near().get(key, ()):
            if name[0] == together[0] and one_edit_apart(name, together):
                return _names()[name]
    return None


@cache
def _names() -> dict[str, tuple[str, str]]:
    """Name as folded and written together → name as shown, district."""
    listed = [(name, "") for names in places().landmarks.values() for name in names]
    listed += [(name, district) for district, names in places().kelurahan.items() for name in names]
    listed += [(name, name) for name in places().districts]
    together = {"".join(words(name.replace(" ", ""))): (name, district) for name, district in listed}
    return together | {"".join(words(name)): (name, district) for name, district in listed}


@cache
def _near() -> dict[str, tuple[str, ...]]:
    near: dict[str, tuple[str, ...]] = {}
    for name in _names():
        if len(name) >= _FUZZY_FROM and not name[-1].isdigit():
            for key in {name} | {name[:at] + name[at + 1 :] for at in range(1, len(name))}:
                near[key] = (*near.get(key, ()), name)
    return near
