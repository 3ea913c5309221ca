"""Wall time of footage, derived from observations of the clock; what is learned later dates what came before.

Footage itself is kept in the node's raw clocks (boot, nanoseconds since boot). Pure.
"""

import bisect
import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from siaga_core.wire.envelope import ClockState

# Their places are written into files (chain.Link): append only.
STATES: tuple[ClockState, ...] = ("unknown", "floor", "holdover", "synced")
_TRUSTED = ("holdover", "synced")
# An ordinary crystal, uncorrected, stays within it (the hub's timeline counts on the same).
DRIFT_PPM = 100
# A wall clock that leaves the line through its last observation by more is observed again.
STEP_MS = 50
OBSERVE_EVERY_NS = 3600 * 10**9


@dataclass(frozen=True, slots=True)
class Observation:
    """What the wall clock said at one moment of the boot clock, and how far that could be trusted."""

    boot_seq: int
    boot_ns: int
    wall_ns: int
    state: ClockState
    error_ms: int | None

    @property
    def trusted(self) -> bool:
        """Whether its error has a bound."""
        return self.state in _TRUSTED and self.error_ms is not None


@dataclass(frozen=True, slots=True)
class Dated:
    """A wall time; `error_ms` bounds its error, None: the clock had not been set in this boot."""

    wall_ns: int
    error_ms: int | None


def is_news(last: Observation | None, now: Observation) -> bool:
    """Whether an observation is to be kept: an hour passed, the clock was stepped, or its state changed."""
    if last is None or last.boot_seq != now.boot_seq or now.trusted != last.trusted:
        return True
    elapsed_ns = now.boot_ns - last.boot_ns
    strayed_ns = abs(now.wall_ns - last.wall_ns - elapsed_ns)
    if strayed_ns > STEP_MS * 1_000_000 or elapsed_ns >= OBSERVE_EVERY_NS:
        return True
    better = now.error_ms is not None and last.error_ms is not None and now.error_ms * 2 + 20 < last.error_ms
    return now.trusted and better


class _Line:
    """One boot: wall time over boot time, straight between trusted observations."""

    def __init__(self, observations: Sequence[Observation]) -> None:
        trusted = [one for one in observations if one.trusted]
        self.trusted = bool(trusted)
        self._seen = trusted or list(observations)
        self._boots = [one.boot_ns for one in self._seen]
        walls = [one.wall_ns for one in self._seen]
        self._walls = walls
        offsets = [wall - boot for boot, wall in zip(self._boots, walls, strict=True)]
        self._offsets = min(offsets), max(offsets)
        self._rising = self.trusted and all(a < b for a, b in itertools.pairwise(walls))

    def wall(self, boot_ns: int) -> Dated:
        after = bisect.bisect_right(self._boots, boot_ns)
        before = self._seen[max(0, after - 1)]
        if not self.trusted:
            return Dated(before.wall_ns + boot_ns - before.boot_ns, None)
        following = self._seen[min(after, len(self._seen) - 1)]
        near = min((before, following), key=lambda one: abs(one.boot_ns - boot_ns))
        drift_ms = abs(near.boot_ns - boot_ns) * DRIFT_PPM // 10**12
        wall_ns = near.wall_ns + boot_ns - near.boot_ns
        error_ms = near.error_ms or 0
        length_ns = following.boot_ns - before.boot_ns
        if before.boot_ns <= boot_ns <= following.boot_ns and length_ns:
            rise_ns = following.wall_ns - before.wall_ns
            wall_ns = before.wall_ns + (boot_ns - before.boot_ns) * rise_ns // length_ns
            error_ms = max(before.error_ms or 0, following.error_ms or 0)
        return Dated(wall_ns, error_ms + drift_ms)

    def boot_span(self, start_wall_ns: int, end_wall_ns: int) -> tuple[int, int]:
        """Boot times that cover the wall times asked for, or a little more."""
        if self._rising:
            return self._boot(start_wall_ns), self._boot(end_wall_ns)
        return start_wall_ns - self._offsets[1], end_wall_ns - self._offsets[0]

    def _boot(self, wall_ns: int) -> int:
        after = bisect.bisect_right(self._walls, wall_ns)
        low, high = max(0, after - 1), min(after, len(self._walls) - 1)
        length_ns = self._walls[high] - self._walls[low]
        if not length_ns or not self._walls[low] <= wall_ns <= self._walls[high]:
            return self._boots[low] + wall_ns - self._walls[low]
        rise_ns = self._boots[high] - self._boots[low]
        return self._boots[low] + (wall_ns - self._walls[low]) * rise_ns // length_ns


class Dating:
    """What every observation together says; a boot that nobody observed has no wall time."""

    def __init__(self, observations: Iterable[Observation]) -> None:
        boots: defaultdict[int, list[Observation]] = defaultdict(list)
        for one in observations:
            boots[one.boot_seq].append(one)
        self._lines = {
            boot: _Line(sorted(seen, key=lambda one: one.boot_ns)) for boot, seen in sorted(boots.items())
        }

    def wall(self, boot_seq: int, boot_ns: int) -> Dated:
        """When it was. A boot that nobody observed counts from 1970, without a bound."""
        line = self._lines.get(boot_seq)
        return Dated(boot_ns, None) if line is None else line.wall(boot_ns)

    def boot_spans(self, start_wall_ns: int, end_wall_ns: int) -> list[tuple[int, int, int]]:
        """(boot, from, to) in which footage of a span of wall time lies, oldest boot first."""
        return [(boot, *line.boot_span(start_wall_ns, end_wall_ns)) for boot, line in self._lines.items()]
