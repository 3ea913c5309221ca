"""Finding a span of one camera in 14 days of 16 cameras, dated, against the bare look-up of its rows."""

import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from bench.measure import RUNS, Figure
from siaga_core.service.database import open_reader, transaction
from siaga_edge.recorder.chain import FIRST_HEAD, Link, Span
from siaga_edge.recorder.dating import OBSERVE_EVERY_NS, Observation
from siaga_edge.recorder.finder import ReadOnly
from siaga_edge.recorder.index import Index
from siaga_edge.recorder.salvage import Closed

GOAL = "p99 <= 1 ms"
CAMERAS, DAYS, SEGMENT_S = 16, 14, 60
BOOTS = 9  # power cuts in a fortnight
QUERIES = 2000
SPAN_S = 110
LIMIT_MS = 1.0
S = 10**9
P99 = tuple[float, float]  # on the clock, and of the thread's own time; milliseconds
T0_NS = 1_795_000_000 * S
# As the bare table answers when somebody has already worked out boot and boot time.
_BARE = (
    "SELECT * FROM segment WHERE camera = ? AND boot_seq = ? AND start_boot_ns BETWEEN ? AND ?"
    " ORDER BY start_boot_ns"
)


def run() -> list[Figure]:
    """99th percentile of one look-up in ms, in turn with the bare one; medians of the runs.

    On the clock, and of the thread's own time, which does not count what else the machine did.
    """
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = Path(folder) / "footage.db"
        rows = _fill(path)
        with closing(ReadOnly(open_reader(path))) as finder:
            began_s = time.perf_counter()
            _ = finder.dating
            dating_ms = (time.perf_counter() - began_s) * 1000
            connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
            try:
                pairs = [(_ours(finder, seed), _bare(connection, seed)) for seed in range(RUNS + 1)][1:]
            finally:
                connection.close()
    anchor = f"the bare SQL row look-up in the same {rows} rows; dating read once in {dating_ms:.1f} ms"
    return [
        _figure(pairs, clock, name, anchor)
        for clock, name in ((0, "p99"), (1, "p99 of the thread's own time"))
    ]


def _figure(pairs: list[tuple[P99, P99]], clock: int, name: str, anchor: str) -> Figure:
    ours, bare = (statistics.median(pair[side][clock] for pair in pairs) for side in (0, 1))
    figure = f"segments of {SPAN_S} s of one camera, {name}"
    ratio = round(ours / bare, 3)
    return Figure(
        "find", figure, "ms", round(ours, 4), round(bare, 4), anchor, ratio, GOAL, ours <= LIMIT_MS, RUNS
    )


def _fill(path: Path) -> int:
    """An index as 14 days leave it: several boots, hourly observations."""
    with closing(Index(path, path.parent)) as index:
        for boot in range(1, BOOTS + 1):
            index.add_all(_closed(boot))
        for boot in range(1, BOOTS + 1):
            with transaction(index._connection):
                for seen in _observations(boot):
                    index._observe(seen)
        return int(index._connection.execute("SELECT count(*) FROM segment").fetchone()[0])


def _minutes(boot: int) -> range:
    """The minutes of the fortnight in which a boot ran."""
    whole = DAYS * 24 * 60
    return range(whole * (boot - 1) // BOOTS, whole * boot // BOOTS)


def _closed(boot: int) -> Iterator[Closed]:
    minutes = _minutes(boot)
    seen = Observation(boot, 0, T0_NS + minutes.start * SEGMENT_S * S, "synced", 12)
    for minute in minutes:
        start_ns = (minute - minutes.start) * SEGMENT_S * S
        for camera in range(CAMERAS):
            span = Span(
                boot, start_ns + camera * 10**9, start_ns + SEGMENT_S * S + camera * 10**9, 60_000, 60
            )
            link = Link("ab" * 8, minute * CAMERAS + camera + 1, FIRST_HEAD, FIRST_HEAD, span, seen)
            name = f"cam-{camera:02d}/{boot}-1/{minute:06d}"
            yield Closed(name, f"cam-{camera:02d}", 30_000_000, link)


def _observations(boot: int) -> Iterator[Observation]:
    minutes = _minutes(boot)
    whole_ns = len(minutes) * SEGMENT_S * S
    for at_ns in range(0, whole_ns, OBSERVE_EVERY_NS):
        wall_ns = T0_NS + minutes.start * SEGMENT_S * S + at_ns
        yield Observation(boot, at_ns, wall_ns, "synced", 12)


def _spans(seed: int) -> Iterator[tuple[str, int]]:
    rng = random.Random(seed)
    for _ in range(QUERIES):
        at_ns = T0_NS + int(rng.uniform(0, DAYS * 86_400 - SPAN_S) * S)
        yield f"cam-{rng.randrange(CAMERAS):02d}", at_ns


def _ours(finder: ReadOnly, seed: int) -> P99:
    def look(camera: str, at_ns: int) -> int:
        return len(finder.between(camera, at_ns, at_ns + SPAN_S * S))

    return _p99_ms(look, seed)


def _bare(connection: sqlite3.Connection, seed: int) -> P99:
    starts = [_minutes(boot).start * SEGMENT_S * S for boot in range(1, BOOTS + 1)]

    def look(camera: str, at_ns: int) -> int:
        since_ns = at_ns - T0_NS
        boot = max(number for number, start in enumerate(starts, 1) if start <= since_ns)
        boot_ns = since_ns - starts[boot - 1]
        low_ns, high_ns = boot_ns - SEGMENT_S * S, boot_ns + SPAN_S * S
        return len(connection.execute(_BARE, (camera, boot, low_ns, high_ns)).fetchall())

    return _p99_ms(look, seed)


def _p99_ms(look: Callable[[str, int], int], seed: int) -> P99:
    wall: list[float] = []
    own: list[float] = []
    for camera, at_ns in _spans(seed):
        own_s, wall_s = time.thread_time(), time.perf_counter()
        found = look(camera, at_ns)
        wall.append((time.perf_counter() - wall_s) * 1000)
        own.append((time.thread_time() - own_s) * 1000)
        assert found, "footage that is there was not found"
    return sorted(wall)[QUERIES * 99 // 100], sorted(own)[QUERIES * 99 // 100]
