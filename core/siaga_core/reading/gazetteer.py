"""Batam's place names, found however they are written: together, abbreviated, with one slip."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import msgspec

from siaga_core.reading.fold import Token, words
from siaga_core.reading.stems import one_edit_apart
from siaga_core.reading.tables import table

_MOST_WORDS = 5
_FUZZY_FROM = 6
_SHORT_WORD = 2
_LONGEST_NAME = 40


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


# What a run of words is a name of: the name as shown and its kecamatan.
_Known = Callable[[Sequence[Token]], tuple[str, str] | None]


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


def name_words() -> frozenset[str]:
    """Return the listed names, folded and written together, and the words they are made of."""
    return frozenset(_names()) | {word for name in _shown() for word in words(name)}


def named(read: Sequence[Token], plain: frozenset[str]) -> list[Named]:
    """Return the listed names in `read`, the longest at each place; `plain` words are no slips of a name.

    What is written as listed comes first: `pulau bulang lintang` is no slip of another island.
    """
    found = _longest(read, frozenset(), lambda said: _names().get(_together(said)))
    taken = frozenset(at for one in found for at in range(one.first, one.last + 1))
    found += _longest(read, taken, lambda said: _slip(said, plain))
    return sorted(found, key=lambda one: one.first)


def _longest(read: Sequence[Token], taken: frozenset[int], known: _Known) -> list[Named]:
    found: list[Named] = []
    at = 0
    while at < len(read):
        one = _named_at(read, at, taken, known)
        found += [one] if one is not None else []
        at = at + 1 if one is None else one.last + 1
    return found


def _named_at(
    read: Sequence[Token],
    at: int,
    taken: frozenset[int],
    known: _Known,
) -> Named | None:
    for length in range(min(_MOST_WORDS, len(read) - at), 0, -1):
        if not taken.isdisjoint(range(at, at + length)):
            continue
        name = known(read[at : at + length])
        if name is not None:
            return Named(*name, at, at + length - 1)
    return None


def _together(said: Sequence[Token]) -> str:
    return "".join(token.word for token in said)


def _slip(said: Sequence[Token], plain: frozenset[str]) -> tuple[str, str] | None:
    together = _together(said)
    if (
        not _FUZZY_FROM <= len(together) <= _LONGEST_NAME
        or together in plain
        or len(said[0].word) <= _SHORT_WORD
    ):
        return None
    keys = {together} | {together[:at] + together[at + 1 :] for at in range(1, len(together))}
    for key in sorted(keys):
        for name in _near().get(key, ()):
            if name[0] == together[0] and one_edit_apart(name, together):
                return _names()[name]
    return None


def _shown() -> set[str]:
    return {name for name, _ in _names().values()}


def _around(name: str) -> str:
    """The kecamatan of `Simpang Kabil`; estates are named after places far from them and tell none."""
    kind, _, after = name.partition(" ")
    known = {"".join(words(one)): district for district, names in places().kelurahan.items() for one in names}
    known |= {"".join(words(one)): one for one in places().districts}
    of = ("junction", "sight")
    is_sight = any(kind.casefold() in places().before[one] for one in of)
    return known.get("".join(words(after)), "") if is_sight else ""


@cache
def _names() -> dict[str, tuple[str, str]]:
    """Name as folded and written together → name as shown, district."""
    listed = [(name, _around(name)) for names in places().landmarks.values() for name in names]
    listed += [(name, district) for district, names in places().kelurahan.items() for name in names]
    listed += [(name, name) for name in places().districts]
    # `jembatan2` would be folded as a word said twice.
    unnumbered = [(name, district) for name, district in listed if not name[-1].isdigit()]
    together = {"".join(words(name.replace(" ", ""))): (name, district) for name, district in unnumbered}
    return together | {"".join(words(name)): (name, district) for name, district in listed}


@cache
def _near() -> dict[str, tuple[str, ...]]:
    near: dict[str, tuple[str, ...]] = {}
    for name in _names():
        if len(name) >= _FUZZY_FROM and not name[-1].isdigit():
            for key in {name} | {name[:at] + name[at + 1 :] for at in range(1, len(name))}:
                near[key] = (*near.get(key, ()), name)
    return near
