"""A span is found by reading few rows; what is found is what reading all of them would find."""

import random
from contextlib import closing
from pathlib import Path

import pytest

from siaga_core.wire.envelope import ClockState
from siaga_edge.recorder.chain import FIRST_HEAD, Link, Span
from siaga_edge.recorder.dating import Observation
from siaga_edge.recorder.index import Index
from siaga_edge.recorder.salvage import Closed

S = 10**9
T0_NS = 1_795_000_000 * S


def _fill(index: Index, rng: random.Random) -> int:
    """Boots of different certainty, runs that jitter and overlap, holes; its end in seconds."""
    number, boot_wall_s = 0, 0.0
    for boot in range(1, 6):
        state: ClockState = rng.choice(("synced", "synced", "unknown"))
        error_ms = rng.choice((5, 900, 30_000)) if state == "synced" else None
        at_s = 0.0
        for _ in range(40):
            lasts_s = rng.uniform(2.5, 60)  # longer than what arrival jitters by
            for camera in ("a", "b"):
                jitter_s = rng.uniform(-1, 1)
                start_ns, end_ns = int(max(0, at_s + jitter_s) * S), int((at_s + lasts_s + 3) * S)
                seen = Observation(boot, start_ns, T0_NS + int(boot_wall_s * S) + start_ns, state, error_ms)
                number += 1
                link = Link(
                    "ab" * 8, number, FIRST_HEAD, FIRST_HEAD, Span(boot, start_ns, end_ns, 1, 1), seen
                )
                index.add(Closed(f"{camera}/{boot}-1/{number:06d}", camera, 10, link))
            at_s += lasts_s + rng.choice((0, 0, 0, 300))
        boot_wall_s += at_s + rng.uniform(5, 4000)
    return int(boot_wall_s)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_found_is_what_reading_everything_finds(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    with closing(Index(tmp_path / "footage.db", tmp_path)) as index:
        ends_s = _fill(index, rng)
        everything = index.oldest_first()
        for _ in range(200):
            start = T0_NS + int(rng.uniform(-100, ends_s) * S)
            end = start + int(rng.choice((1, 10, 110, 3000)) * S)
            camera = rng.choice(("a", "b"))
            found = index.between(camera, start, end)
            wanted = {
                one.name
                for one in everything
                if one.camera == camera
                and one.start_wall_ns - (one.error_ms or 0) * 10**6 < end
                and one.end_wall_ns + (one.error_ms or 0) * 10**6 > start
            }
            certain = {
                one.name
                for one in everything
                if one.name in wanted and one.start_wall_ns < end and one.end_wall_ns > start
            }
            assert certain <= {one.name for one in found} <= wanted
            order = [(one.name.partition("/")[2].partition("-")[0], one.start_wall_ns) for one in found]
            assert order == sorted(order)
