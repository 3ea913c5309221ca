"""Where listed places are on the map, and how certain that makes a report that names one."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import msgspec

from siaga_core.reading.fold import words
from siaga_core.reading.tables import table


@dataclass(frozen=True, slots=True)
class Listed:
    """A place of the list: degrees WGS 84, and within `radius_m` of them lies what people mean by it."""

    name: str
    latitude: float
    longitude: float
    radius_m: float


class _Spots(msgspec.Struct, frozen=True):
    districts: dict[str, tuple[float, float, float]]
    places: dict[str, tuple[float, float, float]]


def listed(names: Iterable[str], district: str = "") -> Listed | None:
    """Return the smallest place of those `names`, else the kecamatan; None if none is on the map."""
    known = [_all()[key] for name in names if (key := _key(name)) in _all()]
    if not known and _key(district) in _all():
        known = [_all()[_key(district)]]
    return min(known, key=lambda one: one.radius_m, default=None)


def every() -> tuple[Listed, ...]:
    """Every place on the map, by name."""
    return tuple(sorted(_all().values(), key=lambda one: one.name))


@cache
def _all() -> dict[str, Listed]:
    spots = table("spots", _Spots)
    both = {**spots.places, **spots.districts}
    return {_key(name): Listed(name, *where) for name, where in both.items()}


def _key(name: str) -> str:
    return "".join(words(name))
