"""When a reading is worth a look and when somebody has to go there. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from siaga_core.wire.health import Level, Reading

_RANK: dict[Level, int] = {"ok": 0, "unknown": 1, "warn": 2, "crit": 3}


@dataclass(frozen=True, slots=True)
class Limit:
    """Limits of one reading; with `low` small values are the bad ones. `back`: how far it must recover."""

    warn: float
    crit: float
    low: bool = False
    back: float = 0.0


# Disk and memory as node-exporter's mixin alerts; temperatures below the Pi's soft throttling at 80 °C.
LIMITS: Mapping[str, Limit] = {
    "cpu_percent": Limit(85, 98, back=5),
    "memory_percent": Limit(85, 95, back=3),
    "temperature_c": Limit(70, 79, back=3),
    "disk_free_percent.data": Limit(10, 3, low=True, back=2),
    "disk_free_percent.footage": Limit(3, 1, low=True, back=0.5),
    "read_only_mounts": Limit(1, 1),
    "under_voltage_now": Limit(1, 1),
    "under_voltage_since_boot": Limit(1, 2),
}


def judge(name: str, value: float | None, before: Level) -> Reading:
    """The reading with its level; one that was bad stays bad until it has recovered by `back`."""
    limit = LIMITS.get(name)
    if value is None or limit is None:
        return Reading(name=name, value=value, level="unknown" if value is None else "ok")
    for level, bound in (("crit", limit.crit), ("warn", limit.warn)):
        eased = limit.back if _RANK[before] >= _RANK[level] else 0.0  # type: ignore[index]
        bad = value <= bound + eased if limit.low else value >= bound - eased
        if bad:
            sign = "<=" if limit.low else ">="
            return Reading(name=name, value=value, level=level, detail=f"{sign} {bound:g}")  # type: ignore[arg-type]
    return Reading(name=name, value=value)


def worst(levels: Iterable[Level]) -> Level:
    """The level of the whole: the worst of its parts; what cannot be measured does not make it worse."""
    known = [level for level in levels if level != "unknown"]
    return max(known, key=_RANK.__getitem__, default="unknown")
