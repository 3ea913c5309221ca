"""What a page shows of a clip."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Row

from siaga_central.domain.fetching import Way, way
from siaga_central.store import views


class Cut(msgspec.Struct, frozen=True):
    """What the node said of a clip that it cut (the result of `clip.fetch`)."""

    start_wall_ns: int = 0
    end_wall_ns: int = 0
    pictures: int = 0
    gaps: list[tuple[int, int]] = []
    error_ms: int | None = None
    hidden: int = 0
    silent: list[tuple[int, int]] = []


@dataclass(frozen=True, slots=True)
class Missing:
    """A part of the asked span that is not in the clip, and why if the node has said so."""

    start_us: int
    end_us: int
    reason: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A clip with its way to the hub, and what its node said of it."""

    row: Row[Any]
    way: Way | None
    cut: Cut | None
    missing: tuple[Missing, ...]


def shown(connection: Connection, rows: Sequence[Row[Any]], now_us: int) -> list[Shown]:
    """What a page shows of clips."""
    return [_shown(connection, row, now_us) for row in rows]


def _shown(connection: Connection, row: Row[Any], now_us: int) -> Shown:
    order = views.order_of_clip(connection, row.id)
    on_its_way = None
    if row.state in ("asked", "coming"):
        on_its_way = way(
            got_bytes=row.got_bytes,
            size_bytes=row.size_bytes,
            rate_bytes_s=row.rate_bytes_s,
            got_us=row.got_us,
            is_stopped=row.wish == "stop",
            is_online=bool(order.online) if order else False,
            order_state=order.state if order else "queued",
            now_us=now_us,
        )
    cut = _cut(order.result) if order else None
    missing: tuple[Missing, ...] = ()
    if cut is not None:
        reasons = views.gaps_of(connection, row.camera, row.start_us, row.end_us)
        missing = tuple(_missing(row.start_us, row.end_us, cut, reasons))
    return Shown(row, on_its_way, cut, missing)


# A picture is never exactly at the asked moment; at five pictures a second it is this far off.
_EDGE_US = 300_000


def _missing(start_us: int, end_us: int, cut: Cut, reasons: Sequence[Row[Any]]) -> list[Missing]:
    begin, end = cut.start_wall_ns // 1000, cut.end_wall_ns // 1000
    spans = [(low // 1000, high // 1000) for low, high in cut.gaps]
    if begin - start_us > _EDGE_US:
        spans.insert(0, (start_us, begin))
    if end_us - end > _EDGE_US:
        spans.append((end, end_us))
    return [Missing(low, high, _reason(low, high, reasons)) for low, high in spans]


def _reason(low: int, high: int, gaps: Sequence[Row[Any]]) -> str:
    """Of the recorded gap that overlaps most."""

    def overlap(gap: Row[Any]) -> int:
        return int(min(high, gap.start_us + gap.duration_ms * 1000) - max(low, gap.start_us))

    best = max(gaps, key=overlap, default=None)
    return str(best.reason) if best is not None and overlap(best) > 0 else ""


def _cut(text: str) -> Cut | None:
    try:
        found = msgspec.json.decode(text, type=Cut)
    except msgspec.DecodeError:
        return None
    return found if found.pictures else None
