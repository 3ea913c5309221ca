"""A real recorder on a real ext4 that fills up, turns read-only, fails, is pulled out: it goes on."""

from collections.abc import Iterator

import pytest

from powercut import disk as recorded_disk
from support.recorder_service import Recorder
from support.simulated_camera import simulated_cameras
from support.small_disk import SmallDisk, small_disk
from support.waiting import until

pytestmark = [
    pytest.mark.skipif(bool(recorded_disk.missing()), reason=recorded_disk.missing()),
    pytest.mark.timeout(180),
]


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDisk]:
    with small_disk(tmp_path_factory.mktemp("disk")) as made:
        yield made


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory, disk: SmallDisk) -> Iterator[Recorder]:
    folder = tmp_path_factory.mktemp("node")
    with simulated_cameras(folder, "cam-a") as cameras:
        made = Recorder(folder, cameras, disk.folder)
        made.start()
        until(made.closed, 25, because="a segment is closed")
        yield made
        made.process.kill()
        made.process.wait()


def _gaps(recorder: Recorder) -> list[dict[str, object]]:
    return [one for one in recorder.records("recording") if one["event"] == "gap"]


def _lost_and_back(recorder: Recorder, before: int) -> dict[str, object]:
    """The gap that has been told since, and recording that goes on after it, in the same process."""
    until(lambda: len(_gaps(recorder)) > before, 40, because="the gap is told")
    newest = max(one.number for one in recorder.closed())
    until(lambda: max(one.number for one in recorder.closed()) > newest, 25, because="segments close again")
    assert recorder.process.poll() is None
    return _gaps(recorder)[-1]


def _until_refused(recorder: Recorder, before: int) -> None:
    def refused() -> bool:
        said = [one for one in recorder.records("service") if one["code"] == "gap.cam-a"]
        return len([one for one in said if one["level"] == "warn"]) > before

    until(refused, 30, because="the refusal is told")


def test_a_disk_that_fills_up_costs_old_footage_and_no_new(recorder: Recorder, disk: SmallDisk) -> None:
    until(lambda: len(recorder.closed()) >= 3, 25)
    oldest = recorder.closed()[0].name
    filler = disk.fill(100_000)
    until(lambda: oldest not in {one.name for one in recorder.closed()}, 25, because="the oldest goes")
    newest = max(one.number for one in recorder.closed())
    until(lambda: max(one.number for one in recorder.closed()) > newest, 25, because="segments close")
    assert not _gaps(recorder)
    assert recorder.process.poll() is None
    filler.unlink()


def test_recording_goes_on_by_itself_after_the_disk_turned_read_only_failed_and_was_pulled_out(
    recorder: Recorder, disk: SmallDisk
) -> None:
    disk.turn_read_only()
    _until_refused(recorder, 0)
    disk.unmount()
    disk.mount()
    assert "ead-only" in str(_lost_and_back(recorder, 0)["reason"])
    disk.break_off()
    _until_refused(recorder, 1)
    disk.unmount()
    _put_back_later(recorder, disk)
    assert _lost_and_back(recorder, 1)["reason"]


def _put_back_later(recorder: Recorder, disk: SmallDisk) -> None:
    """Away while key pictures come; nothing may be written where the disk is not."""
    live = recorder.folder / "run" / "live" / "cam-a"
    known, before = set(live.glob("*.m4s")), len(recorder.closed())
    until(lambda: len(set(live.glob("*.m4s")) - known) >= 2, 15, because="pictures come")
    assert not list(disk.folder.rglob("*.mp4"))
    assert len(recorder.closed()) >= before, "nothing is forgotten while the disk is away"
    disk.mount()
