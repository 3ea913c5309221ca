"""What footage there is, camera by camera or of a span: how much, how certain, what is missing, why. Pure."""

import bisect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from siaga_edge.recorder.dating import Dated
from siaga_edge.recorder.holds import MISSING_LEAST_NS
from siaga_edge.recorder.retention import Stored

OFF = "the machine was off or started again"
GIVEN_UP = "overwritten: the room was needed"
TAKEN_AWAY = "segments are missing; run `siaga-node footage verify`"
NOT_NOTED = "not recorded; no reason was noted"
# A noted gap and the hole between two segments are told by the same clock, but not at the same moment.
_NEAR_NS = 5 * 10**9
_DAY_S = 86_400

Wall = Callable[[int, int], Dated]


@dataclass(frozen=True, slots=True)
class Piece:
    """A closed segment in the node's raw clocks."""

    number: int
    name: str
    boot_seq: int
    start_boot_ns: int
    end_boot_ns: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class NotedGap:
    """A gap as the recorder noted it when it ended, with its reason."""

    start_wall_ns: int
    end_wall_ns: int
    reason: str


@dataclass(frozen=True, slots=True)
class Hole:
    """A stretch of time without footage; `error_ms` bounds both ends, None: nothing does."""

    start_wall_ns: int
    end_wall_ns: int
    error_ms: int | None
    why: str


@dataclass(frozen=True, slots=True)
class CameraFootage:
    """Everything closed of one camera."""

    camera: str
    segments: int
    size_bytes: int
    start_wall_ns: int
    end_wall_ns: int
    error_ms: int | None
    holes: tuple[Hole, ...]
    held_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Outlook:
    """How long footage stays on this disk. None: nothing is known yet, or it is not being filled."""

    bytes_per_day: int
    kept_days: float | None  # what is recorded now stays so long
    first_lost_in_days: float | None  # the oldest that nobody holds goes after this


def of_camera(
    camera: str,
    pieces: Iterable[Piece],
    wall: Wall,
    noted: Sequence[NotedGap],
    is_given_up: Callable[[int], bool],
) -> CameraFootage | None:
    """A camera's footage; `pieces` in order of their boots and arrival. None: there is none."""
    count = size_bytes = 0
    first: Piece | None = None
    last: Piece | None = None
    holes: list[Hole] = []
    for piece in pieces:
        if last is None:
            first = piece
        elif (hole := _hole(last, piece, wall, noted, is_given_up)) is not None:
            holes.append(hole)
        if last is None or piece.boot_seq != last.boot_seq or piece.end_boot_ns > last.end_boot_ns:
            last = piece
        count, size_bytes = count + 1, size_bytes + piece.size_bytes
    if first is None or last is None:
        return None
    start, end = wall(first.boot_seq, first.start_boot_ns), wall(last.boot_seq, last.end_boot_ns)
    error_ms = _worse(start.error_ms, end.error_ms)
    return CameraFootage(camera, count, size_bytes, start.wall_ns, end.wall_ns, error_ms, tuple(holes))


def missing(
    stored: Sequence[Stored], start_wall_ns: int, end_wall_ns: int, noted: Sequence[NotedGap]
) -> tuple[Hole, ...]:
    """What of a span no segment covers; `stored` in any order."""
    found: list[Hole] = []
    reached_ns = start_wall_ns
    error_ms: int | None = 0
    edge = Stored(0, "", "", end_wall_ns, end_wall_ns, 0, 0)
    for one in (*sorted(stored, key=lambda one: one.start_wall_ns), edge):
        begin_ns = min(one.start_wall_ns, end_wall_ns)
        if begin_ns - reached_ns > MISSING_LEAST_NS:
            why = _noted(reached_ns, begin_ns, noted) or NOT_NOTED
            found.append(Hole(reached_ns, begin_ns, _worse(error_ms, one.error_ms), why))
        if one.end_wall_ns > reached_ns:
            reached_ns, error_ms = one.end_wall_ns, one.error_ms
    return tuple(found)


def outlook(newest: Sequence[Stored], unheld_bytes: int, free_bytes: int, reserve_bytes: int) -> Outlook:
    """From the newest segments of all cameras, how fast the disk fills and how long its footage lasts."""
    seconds: dict[str, float] = {}
    octets: dict[str, int] = {}
    for one in newest:
        seconds[one.camera] = seconds.get(one.camera, 0) + (one.end_wall_ns - one.start_wall_ns) / 1e9
        octets[one.camera] = octets.get(one.camera, 0) + one.size_bytes
    rate = sum(octets[name] / seconds[name] for name in octets if seconds[name] > 0)
    if not rate:
        return Outlook(0, None, None)
    room_bytes = max(0, free_bytes - reserve_bytes)
    per_day = rate * _DAY_S
    return Outlook(int(per_day), (unheld_bytes + room_bytes) / per_day, room_bytes / per_day)


def ranges(given_up: Sequence[tuple[int, int]]) -> Callable[[int], bool]:
    """Whether a number lies in one of the ranges (first, last), which are in order."""
    firsts = [first for first, _ in given_up]

    def known(number: int) -> bool:
        at = bisect.bisect_right(firsts, number) - 1
        return at >= 0 and number <= given_up[at][1]

    return known


def _hole(
    before: Piece,
    after: Piece,
    wall: Wall,
    noted: Sequence[NotedGap],
    is_given_up: Callable[[int], bool],
) -> Hole | None:
    same_boot = before.boot_seq == after.boot_seq
    if same_boot and after.start_boot_ns - before.end_boot_ns <= MISSING_LEAST_NS:
        return None
    end, begin = wall(before.boot_seq, before.end_boot_ns), wall(after.boot_seq, after.start_boot_ns)
    if begin.wall_ns - end.wall_ns <= MISSING_LEAST_NS:
        return None
    error_ms = _worse(end.error_ms, begin.error_ms)
    why = _noted(end.wall_ns, begin.wall_ns, noted) or _why(before, after, is_given_up)
    return Hole(end.wall_ns, begin.wall_ns, error_ms, why)


def _why(before: Piece, after: Piece, is_given_up: Callable[[int], bool]) -> str:
    if before.boot_seq != after.boot_seq:
        return OFF
    run, _, seq = before.name.rpartition("/")
    run_after, _, seq_after = after.name.rpartition("/")
    if run == run_after and seq.isdecimal() and seq_after.isdecimal() and int(seq_after) > int(seq) + 1:
        between = range(before.number + 1, after.number)
        return GIVEN_UP if any(is_given_up(number) for number in between) else TAKEN_AWAY
    return NOT_NOTED


def _noted(start_ns: int, end_ns: int, noted: Iterable[NotedGap]) -> str:
    reasons = [
        one.reason
        for one in noted
        if one.start_wall_ns < end_ns + _NEAR_NS and one.end_wall_ns > start_ns - _NEAR_NS
    ]
    return "; ".join(dict.fromkeys(reasons))


def _worse(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else max(one, other)
