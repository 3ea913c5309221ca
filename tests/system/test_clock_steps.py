"""A recorder whose wall clock is wrong, steps by years and is set late: footage keeps its time."""

import time
from pathlib import Path

import pytest

from siaga_core.wire.envelope import ClockState
from siaga_edge.recorder.finder import open_finder
from siaga_edge.recorder.retention import Stored
from support.recorder_service import Recorder
from support.simulated_camera import simulated_cameras
from support.stepped_recorder import step
from support.waiting import until

S, DAY_S = 10**9, 86_400
YEAR_S = 365 * DAY_S


def _record_more(recorder: Recorder, seconds: int, state: ClockState) -> None:
    """Step the clock, then let another segment be closed."""
    step(recorder.folder, seconds, state)
    before = len(recorder.closed())
    until(lambda: len(recorder.closed()) >= before + 1, 20, because="recording goes on")


def _strayed(stored: list[Stored], began_ns: int) -> list[float]:
    """How far segments are dated outside of the time in which they were recorded, in seconds."""
    now_ns = time.time_ns()
    return [
        (one.start_wall_ns - began_ns) / S
        for one in stored
        if not began_ns - 2 * S <= one.start_wall_ns < one.end_wall_ns <= now_ns + S // 10
    ]


@pytest.mark.timeout(60)
def test_footage_keeps_its_time_while_the_clock_steps_by_years_and_is_set_late(tmp_path: Path) -> None:
    with simulated_cameras(tmp_path, "cam-a") as cameras:
        recorder = Recorder(tmp_path, cameras, segment_s=2, module="support.stepped_recorder")
        began_ns = time.time_ns()
        step(tmp_path, -30 * DAY_S, "unknown")
        recorder.start()
        try:
            _record_more(recorder, -30 * DAY_S, "unknown")
            early = recorder.closed()
            assert {one.error_ms for one in early} == {None}, "a boot whose clock was not set says so"
            assert len(_strayed(early, began_ns)) == len(early)
            _record_more(recorder, YEAR_S, "unknown")
            _record_more(recorder, -YEAR_S, "unknown")
            paths = [recorder.footage / f"{one.name}.mp4" for one in recorder.closed()]
            before = [path.read_bytes() for path in paths]
            _record_more(recorder, 0, "synced")
            dated = recorder.closed()
            assert _strayed(dated, began_ns) == []
            assert {one.name for one in early} < {one.name for one in dated}
            assert all(one.error_ms is not None and one.error_ms < 100 for one in dated)
            assert [path.read_bytes() for path in paths] == before, "no file was touched"
            recorder.end()
            step(tmp_path, YEAR_S, "unknown")
            recorder.start()
            _record_more(recorder, YEAR_S, "unknown")
            assert _strayed(recorder.closed(), began_ns) == [], "this boot's clock was set once"
            with open_finder(tmp_path / "data" / "footage.db") as finder:
                found = finder.between("cam-a", began_ns - S, time.time_ns())
            assert len(found) >= len(dated) + 1
            gaps = [one for one in recorder.records("recording") if one["event"] == "gap"]
            assert gaps == [], "steps of the clock are no gaps"
        finally:
            recorder.end()
