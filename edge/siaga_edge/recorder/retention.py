"""Which segments give way for space, and which cameras when nothing may. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stored:
    """A closed segment on the disk. `error_ms` bounds the error of its wall times; None: no bound known."""

    number: int  # its place in the chain: the order of arrival, whatever any clock said
    name: str
    camera: str
    start_wall_ns: int
    end_wall_ns: int
    size_bytes: int
    error_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """The footage disk's space."""

    free_bytes: int
    total_bytes: int
    reserve_bytes: int


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a camera's footage stays: at least while there is other, at most in any case. 0: none."""

    least_s: float = 0
    most_s: float = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """What to delete; `short` are cameras that lose footage they should have kept at least."""

    delete: tuple[Stored, ...]
    short: frozenset[str]
    left_bytes: int  # free after that


_NONE = Limits()


def choose(
    segments: Sequence[Stored],
    room: Room,
    limits: Mapping[str, Limits],
    is_held: Callable[[Stored], bool],
    now_wall_ns: int | None,
) -> Choice:
    """Segments, in order of arrival, to delete until the reserve is free; then those older than may be kept.

    Never one that `is_held`. No wall time decides the order, so that a clock which is behind after a boot
    does not take the newest for the oldest. `now_wall_ns` is None while the clock cannot be trusted: then
    no age is known and only space counts.
    """
    free_bytes, chosen, spared = room.free_bytes, list[Stored](), list[Stored]()
    short: set[str] = set()
    for one in segments:
        mine = limits.get(one.camera, _NONE)
        if _certainly_older(one, mine.most_s, now_wall_ns):
            wanted = not is_held(one)
        elif free_bytes >= room.reserve_bytes or is_held(one):
            continue
        elif _perhaps_younger(one, mine.least_s, now_wall_ns):
            spared.append(one)
            continue
        else:
            wanted = True
        if wanted:
            chosen.append(one)
            free_bytes += one.size_bytes
    for one in spared:
        if free_bytes >= room.reserve_bytes:
            break
        chosen.append(one)
        short.add(one.camera)
        free_bytes += one.size_bytes
    return Choice(tuple(chosen), frozenset(short), free_bytes)


def paused(cameras: Sequence[str], room: Room, *, may_delete: bool) -> frozenset[str]:
    """Cameras, given least important first, that may not record now: more of them the less room is left.

    Nobody pauses while something may be deleted. They come back by themselves when room does.
    """
    if may_delete or room.free_bytes >= room.reserve_bytes or not cameras:
        return frozenset()
    lacking = (room.reserve_bytes - room.free_bytes) * len(cameras)
    return frozenset(cameras[: min(len(cameras), -(-lacking // room.reserve_bytes))])


def budget_level(held_bytes: int, total_bytes: int, most_percent: float) -> str:
    """`ok`, `warn` from four fifths of the budget of held footage on, `crit` at it."""
    budget = total_bytes * most_percent / 100
    if held_bytes >= budget:
        return "crit"
    return "warn" if held_bytes >= 0.8 * budget else "ok"


def _certainly_older(one: Stored, most_s: float, now_wall_ns: int | None) -> bool:
    if not most_s or now_wall_ns is None or one.error_ms is None:
        return False
    return now_wall_ns - one.end_wall_ns - one.error_ms * 1_000_000 > most_s * 1e9


def _perhaps_younger(one: Stored, least_s: float, now_wall_ns: int | None) -> bool:
    if not least_s:
        return False
    if now_wall_ns is None or one.error_ms is None:
        return True
    return now_wall_ns - one.end_wall_ns - one.error_ms * 1_000_000 < least_s * 1e9
