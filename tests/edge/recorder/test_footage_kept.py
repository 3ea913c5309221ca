"""The keeper over real files: holds, space, clocks, and a disk that fills up, dies and comes back."""

import os
from pathlib import Path

import pytest

from powercut import disk as recorded_disk
from siaga_edge.node import Camera
from siaga_edge.recorder.canary import Canary
from siaga_edge.recorder.holding import LocalRequest, ask
from siaga_edge.recorder.keeping import Keeper
from siaga_edge.recorder.salvage import link_of
from support.clock import FakeClock
from support.kept_footage import KeptFootage, kept_footage
from support.small_disk import SmallDisk, small_disk
from support.waiting import until

S = 10**9
needs_loop = pytest.mark.skipif(bool(recorded_disk.missing()), reason=recorded_disk.missing())


def _span(kept: KeptFootage, since_s: float, lasts_s: float) -> tuple[int, int]:
    start = kept.clock.wall_ns() - int(since_s * S)
    return start, start + int(lasts_s * S)


def test_a_hold_is_told_waiting_then_held_with_what_is_missing_and_once(tmp_path: Path) -> None:
    clock = FakeClock()
    with kept_footage(tmp_path, clock=clock) as kept:
        kept.record(10)
        start, end = _span(kept, 5, 10)
        kept.wish(1, ("h1", "gate", start, end))
        kept.record(2)
        assert [one["state"] for one in kept.records("recording.hold")] == ["waiting"]
        assert kept.records("want.state")[-1]["state"] == "applied"
        kept.writers["gate"].close()
        clock.advance(3)  # the camera is away
        kept.writers["gate"] = kept.writer("gate")
        kept.record(30)
        told = kept.records("recording.hold")
        assert [one["state"] for one in told] == ["waiting", "held"]
        assert told[1]["start_wall_ns"] == start
        assert told[1]["size_bytes"] > 0
        [(lost_from, lost_to)] = told[1]["missing"]
        assert lost_to - lost_from == pytest.approx(3 * S, abs=0.6 * S)
    with kept_footage(tmp_path, clock=clock) as kept:
        kept.record(10)
        assert len(kept.records("recording.hold")) == 2, "nothing new after a restart"
        kept.wish(2)
        kept.record(2)
        assert kept.records("recording.hold")[-1]["state"] == "released"


def test_a_hold_of_a_span_without_footage_is_lost_and_said_so(tmp_path: Path) -> None:
    with kept_footage(tmp_path) as kept:
        kept.wish(1, ("h1", "gate", *_span(kept, 5000, 60)))
        kept.record(8)
        assert kept.records("recording.hold")[-1]["state"] == "lost"


def test_holds_outlive_the_loss_of_the_inbox(tmp_path: Path) -> None:
    clock = FakeClock()
    with kept_footage(tmp_path, clock=clock) as kept:
        kept.record(10)
        kept.wish(3, ("h1", "gate", *_span(kept, 5, 3)))
        kept.record(2)
    for path in (tmp_path / "data").glob("inbox.db*"):
        path.unlink()
    with kept_footage(tmp_path, clock=clock) as kept:
        kept.record(2)
        assert [hold.id for hold in kept.keeper.index.holds()] == ["h1"]
        assert kept.records("recording.hold")[-1]["state"] != "released"


def test_holds_that_cannot_be_read_are_refused_and_the_old_ones_stay(tmp_path: Path) -> None:
    with kept_footage(tmp_path) as kept:
        kept.wish(1, ("h1", "gate", *_span(kept, 5, 3)))
        kept.record(2)
        kept.wish(2, *((f"h{n}", "gate", 1, 2) for n in range(501)))
        kept.record(2)
        assert kept.records("want.state")[-1]["state"] == "refused"
        assert [hold.id for hold in kept.keeper.index.holds()] == ["h1"]


def test_a_technicians_hold_is_kept_beside_the_hubs(tmp_path: Path) -> None:
    with kept_footage(tmp_path) as kept:
        kept.record(12)
        start, end = _span(kept, 10, 3)
        ask(
            kept.config.node.data_dir,
            LocalRequest(id="local-1", camera="gate", start_wall_ns=start, end_wall_ns=end),
        )
        kept.wish(1, ("h1", "gate", start, end))
        kept.record(8)
        assert [hold.id for hold in kept.keeper.index.holds()] == ["h1", "local-1"]
        assert {one["id"] for one in kept.records("recording.hold")} == {"h1", "local-1"}
        ask(kept.config.node.data_dir, LocalRequest(id="local-1", release=True))
        kept.record(2)
        assert [hold.id for hold in kept.keeper.index.holds()] == ["h1"]


def test_a_clock_that_is_behind_after_a_boot_does_not_make_the_newest_the_oldest(tmp_path: Path) -> None:
    clock = FakeClock()
    with kept_footage(tmp_path, clock=clock) as kept:
        kept.record(12)
    clock.jump_wall(-86400 * 365)
    with kept_footage(tmp_path, clock=clock, reserve=1 << 60) as kept:
        kept.state = ("unknown", None)
        oldest = kept.stored()[0].name
        kept.record(8)
        left = kept.stored()
        assert oldest not in {one.name for one in left}
        assert left[-1].number == kept.keeper.flusher.head.links, "the newest stays"


def test_footage_of_another_disk_is_taken_in_when_that_disk_is_put_back(tmp_path: Path) -> None:
    clock = FakeClock()
    with kept_footage(tmp_path, clock=clock, footage=tmp_path / "one") as kept:
        kept.record(12)
        kept.writers["gate"].close()
        kept.settle()
        kept.keeper.tend()
        before = kept.stored()
    with kept_footage(tmp_path, clock=clock, footage=tmp_path / "two") as kept:
        assert kept.stored() == []
    with kept_footage(tmp_path, clock=clock, footage=tmp_path / "one") as kept:
        assert [one.name for one in kept.stored()] == [one.name for one in before]


@needs_loop
def test_on_a_full_disk_the_oldest_unheld_goes_and_nothing_is_lost(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk, kept_footage(tmp_path, footage=disk.folder, reserve=400_000) as kept:
        kept.record(10)
        kept.wish(1, ("h1", "gate", *_span(kept, 10, 4)))
        kept.record(40)
        held = {one.name for one in kept.stored()[:1]}
        disk.fill(300_000)
        kept.record(20)
        names = {one.name for one in kept.stored()}
        assert held <= names
        assert not [one for one in kept.records("recording") if one["event"] == "gap"], (
            "not one fragment lost"
        )
        assert kept.keeper.index.given_up()


@needs_loop
def test_when_only_held_footage_is_left_the_least_important_stops_loudly_and_comes_back(
    tmp_path: Path,
) -> None:
    cameras = [Camera(id="gate", rtsp_url="x"), Camera(id="yard", rtsp_url="x")]
    with (
        small_disk(tmp_path) as disk,
        kept_footage(tmp_path, footage=disk.folder, cameras=cameras, reserve=3_000_000) as kept,
    ):
        every = _span(kept, 100, 10_000)
        kept.wish(1, ("h1", "gate", *every), ("h2", "yard", *every))
        kept.record(12)
        filler = disk.fill(2_000_000)
        kept.record(6)
        told = [(one["level"], one["code"]) for one in kept.records("service")]
        assert ("crit", "paused.yard") in told
        assert ("crit", "disk") in told
        assert ("crit", "paused.gate") not in told
        assert ("warn", "gap.yard") in told
        stored = {one.name for one in kept.stored()}
        filler.unlink()
        os.sync()
        kept.record(8)
        assert stored <= {one.name for one in kept.stored()}
        [gap] = [one for one in kept.records("recording") if one["event"] == "gap"]
        assert gap["camera"] == "yard"
        assert "only held footage" in gap["reason"]
        assert ("ok", "paused.yard") in [(one["level"], one["code"]) for one in kept.records("service")]


@needs_loop
def test_recording_comes_back_by_itself_after_the_disk_died_and_was_put_back(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk, kept_footage(tmp_path, footage=disk.folder) as kept:
        kept.record(12)
        disk.break_off()
        kept.record(6)
        assert kept.records("service")[-1]["code"] == "gap.gate"
        disk.unmount()
        kept.record(4)
        assert not list(disk.folder.rglob("*.mp4")), "nothing is written into the empty folder"
        kept.keeper.flusher.adopt()  # its turn may come while the disk is away
        _put_back(disk)
        kept.record(10)
        [gap] = [one for one in kept.records("recording") if one["event"] == "gap"]
        assert gap["reason"]
        assert 8_000 <= gap["duration_ms"] <= 16_000
        assert kept.records("service")[-1]["level"] == "ok"
        until(lambda: kept.keeper.flusher.clock.advance(6) or not kept.keeper.flusher._orphans, 5)  # type: ignore[attr-defined]
        kept.keeper.tend()
        # The flusher may be at the last link just now.
        until(
            lambda: sum(link_of(path) is None for path in disk.folder.glob("*/*/*.mp4")) == 1,
            5,
            because="what was let go of was taken in; one is being written",
        )


def _put_back(disk: SmallDisk) -> None:
    disk.mount()


def test_a_card_that_lies_is_found_and_a_good_one_is_left_alone(tmp_path: Path) -> None:
    good = Canary(tmp_path)
    assert [good.check(), good.check()] == ["", ""]
    (tmp_path / ".canary").write_bytes(b"something else")
    assert "not there any more" in good.check()
    assert "does not give back" in Canary(tmp_path, read=lambda _fd, size, _at: bytes(size)).check()
    assert Canary(tmp_path / "away").check()


def test_what_comes_is_durable_within_half_a_second(tmp_path: Path) -> None:
    with kept_footage(tmp_path) as kept:
        kept.record(5)
        [camera] = kept.keeper._coverage.tell(kept.clock.boot_ns(), {})
        assert camera.upto_ago_ms == 0, "all that came was flushed before the next fragment"


class Quiet(Keeper):
    """Says its head only when some camera has recorded."""

    def _tell_coverage(self) -> None:
        if self._coverage.tell(self._clock.boot_ns(), {}):
            super()._tell_coverage()


def _heads_of_idle_minutes(folder: Path, keeper: type[Keeper]) -> list[int]:
    with kept_footage(folder, keeper=keeper) as kept:
        kept.record(12)
        kept.writers["gate"].close()
        kept.settle()
        for _ in range(240):
            kept.clock.advance(1)
            kept.keeper.tend()
        return [one["links"] for one in kept.records("recording.coverage")]


def test_the_head_of_the_chain_is_told_each_minute_also_while_no_camera_records(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    told = _heads_of_idle_minutes(tmp_path / "one", Keeper)
    assert len(told) == 5
    assert told[-3:] == [3, 3, 3]
    assert len(_heads_of_idle_minutes(tmp_path / "two", Quiet)) < 5, "a recorder that says none is noticed"
