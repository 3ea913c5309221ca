"""What keeps footage from being lost, each with a keeper that is broken on purpose and is found out."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from powercut import disk as recorded_disk
from siaga_edge.node import Camera
from siaga_edge.recorder.canary import Canary
from siaga_edge.recorder.dating import Observation
from siaga_edge.recorder.flushing import Flusher, Tail
from siaga_edge.recorder.keeping import Keeper
from siaga_edge.recorder.salvage import link_of
from support.clock import FakeClock
from support.kept_footage import kept_footage
from support.small_disk import small_disk

S = 10**9
YEAR_S = 365 * 86400
needs_loop = pytest.mark.skipif(bool(recorded_disk.missing()), reason=recorded_disk.missing())


class _NoFolders(Flusher):
    def _make_durable(self, descriptor: int, folders: tuple[Path, ...]) -> None:
        super()._make_durable(descriptor, ())


class _GoesOn(Flusher):
    def _attempt(self, tail: Tail, deed: Callable[[int], None]) -> bool:
        super()._attempt(tail, deed)
        tail.failure = None
        return True


class NoFolders(Keeper):
    """A new name is not made durable."""

    make_flusher = _NoFolders


class GoesOn(Keeper):
    """A file whose flush failed is continued, as if the next flush made it good."""

    make_flusher = _GoesOn


class NoGap(Keeper):
    """What was not recorded is not told."""

    def gap(self, camera: str, start_wall_ns: int, end_wall_ns: int, reason: str) -> None:
        self.say("ok", f"gap.{camera}", "recording again")


class FirstClock(Keeper):
    """The clock is believed as it was at the start."""

    def _note_clock(self) -> None:
        if not self._due.get("seen"):
            super()._note_clock()
            self._due["seen"] = 1.0


class OwnClock(Keeper):
    """Whatever the clock says is the time."""

    def _look_at_clock(self) -> Observation:
        seen = super()._look_at_clock()
        return Observation(seen.boot_seq, seen.boot_ns, seen.wall_ns, "synced", 10)


class PaperAlone(Keeper):
    """A disk without a readable paper is away."""

    def _is_there(self) -> bool:
        paper = self._settings.footage_dir / "META.json"
        return paper.exists() and paper.read_bytes() == msgspec.json.encode(self._meta)

    def _keep_paper(self) -> None:
        pass


class AnyFolder(Keeper):
    """A disk without a readable paper is ours."""

    def _is_there(self) -> bool:
        return super()._is_there() or not (self._settings.footage_dir / "META.json").read_bytes().strip(b"\0")


class CachedCanary(Canary):
    """Reads what the kernel still holds in memory."""

    def _read_back(self) -> bytes:
        return self._path.read_bytes()


def _names_not_durable(folder: Path, keeper: type[Keeper]) -> str:
    synced: list[Path] = []
    with kept_footage(folder, keeper=keeper) as kept:
        kept.keeper.flusher.sync_directory = synced.append
        kept.writers["gate"].close()
        kept.writers["gate"] = kept.writer("gate")
        kept.record(1)
        [segment] = kept.place.folder.glob("gate/*/*.mp4")
        wanted = [segment.parent, segment.parent.parent, kept.place.folder]
    return "" if synced == wanted else f"synced: {synced}"


def _failed_flush_trusted(folder: Path, keeper: type[Keeper]) -> str:
    with kept_footage(folder, keeper=keeper) as kept:
        kept.record(3)
        asked: list[int] = []

        def fails_once(descriptor: int) -> None:
            asked.append(descriptor)
            kept.keeper.flusher.fdatasync = os.fdatasync
            raise OSError(5, "Input/output error")

        kept.keeper.flusher.fdatasync = fails_once
        kept.record(5)
        gaps = [one for one in kept.records("recording") if one["event"] == "gap"]
        files = len(list(kept.place.folder.glob("gate/*/*.mp4")))
    if len(asked) != 1 or files != 2:
        return f"{files} files"
    if len(gaps) != 1 or "Input/output" not in gaps[0]["reason"] or gaps[0]["duration_ms"] > 2000:
        return f"gaps: {gaps}"
    return ""


def _years_confused(folder: Path, keeper: type[Keeper]) -> str:
    """Steps of the clock by a year there and back, while nobody vouches for it."""
    clock, cameras = FakeClock(), [Camera(id="gate", rtsp_url="rtsp://x", keep_most_h=24)]
    with kept_footage(folder, clock=clock, cameras=cameras, keeper=keeper) as kept:
        kept.record(12)
        began_ns = clock.wall_ns() - 12 * S
        for step_s in (YEAR_S, -2 * YEAR_S, YEAR_S):
            kept.state = ("synced", 10) if step_s == YEAR_S and clock.now_s > 20 else ("unknown", None)
            clock.jump_wall(step_s)
            kept.record(11)
        stored = kept.stored()
        gaps = [one for one in kept.records("recording") if one["event"] == "gap"]
        found = kept.keeper.index.between("gate", began_ns, clock.wall_ns())
    strayed = [one for one in stored if not began_ns - S <= one.start_wall_ns <= clock.wall_ns()]
    if strayed or gaps:
        return f"dated {[one.start_wall_ns - began_ns for one in strayed]}, gaps {gaps}"
    return "" if len(found) == len(stored) >= 6 else f"{len(found)} found of {len(stored)}"


def _late_time_ignored(folder: Path, keeper: type[Keeper]) -> str:
    """A boot with a clock 30 days behind, set while it records: what came before gets its true times."""
    clock = FakeClock()
    true_ns = clock.wall_ns()
    clock.jump_wall(-30 * 86400)
    with kept_footage(folder, clock=clock, keeper=keeper, state=("unknown", None)) as kept:
        kept.record(12)
        before = {path: path.read_bytes() for path in kept.place.folder.glob("*/*/*.mp4") if link_of(path)}
        clock.jump_wall(30 * 86400)
        kept.state = ("synced", 10)
        kept.record(2)
        found = kept.keeper.index.between("gate", true_ns, true_ns + 6 * S)
    if not before or any(path.read_bytes() != octets for path, octets in before.items()):
        return "files were touched"
    if not found or abs(found[0].start_wall_ns - true_ns) > S:
        return f"found {found}"
    return "" if (found[0].error_ms or 1 << 60) < 50 else f"error {found[0].error_ms} ms"


def _stops_without_its_paper(folder: Path, keeper: type[Keeper]) -> str:
    """META.json is removed, torn or overwritten while recording goes on: not a picture is lost."""
    with kept_footage(folder, keeper=keeper) as kept:
        kept.record(6)
        paper = kept.place.folder / "META.json"
        before = paper.read_bytes()
        for left in (None, b"", before[:9], b"\0" * 4096):
            paper.unlink()
            if left is not None:
                paper.write_bytes(left)
            kept.record(6)
            if not paper.exists() or paper.read_bytes() != before:
                return f"the paper is not written again after {left!r}"
        lost = [one["reason"] for one in kept.records("recording") if one["event"] == "gap"]
        said = [one["code"] for one in kept.records("service")]
    return "" if not lost and said.count("disk.paper") == 4 else f"gaps {lost}, said {said}"


def _writes_on_anothers_disk(folder: Path, keeper: type[Keeper]) -> str:
    """In the place of the disk lies another one, whose paper is torn too; then ours comes back."""
    (folder / "elsewhere").mkdir()
    with kept_footage(folder / "elsewhere", footage=folder / "other") as kept:
        kept.record(11)
    (folder / "other" / "META.json").write_bytes(b"\0" * 40)
    ours, aside, other = folder / "footage", folder / "aside", folder / "other"
    with kept_footage(folder, keeper=keeper) as kept:
        kept.record(11)
        ours.rename(aside)
        other.rename(ours)
        before = sorted(ours.glob("*/*/*.mp4"))
        kept.record(8)
        if sorted(ours.glob("*/*/*.mp4")) != before or (ours / "META.json").read_bytes().strip(b"\0"):
            return "something was written on it"
        ours.rename(other)
        aside.rename(ours)
        kept.record(8)
        gaps = [one["reason"] for one in kept.records("recording") if one["event"] == "gap"]
    return "" if gaps == ["the footage disk is away"] else f"gaps {gaps}"


Check = Callable[[Path, type[Keeper]], str]
CHECKS: tuple[tuple[Check, type[Keeper]], ...] = (
    (_names_not_durable, NoFolders),
    (_failed_flush_trusted, GoesOn),
    (_failed_flush_trusted, NoGap),
    (_years_confused, OwnClock),
    (_late_time_ignored, FirstClock),
    (_stops_without_its_paper, PaperAlone),
    (_writes_on_anothers_disk, AnyFolder),
)


@pytest.mark.parametrize("check", dict.fromkeys(check for check, _ in CHECKS), ids=lambda one: one.__name__)
def test_the_keeper_does_none_of_this(tmp_path: Path, check: Check) -> None:
    assert check(tmp_path, Keeper) == ""


@pytest.mark.parametrize(
    ("check", "mutant"), CHECKS, ids=[f"{check.__name__}-{mutant.__name__}" for check, mutant in CHECKS]
)
def test_a_keeper_broken_on_purpose_is_found_out(tmp_path: Path, check: Check, mutant: type[Keeper]) -> None:
    assert check(tmp_path, mutant)


@needs_loop
@pytest.mark.parametrize(("canary", "found_out"), [(Canary, True), (CachedCanary, False)])
def test_a_card_that_forgot_is_found_by_reading_past_the_cache(
    tmp_path: Path, canary: type[Canary], found_out: bool
) -> None:
    with small_disk(tmp_path) as disk:
        sings = canary(disk.folder)
        assert sings.check() == ""
        kept = (disk.folder / ".canary").read_bytes()
        with disk.image.open("r+b") as image:
            at = image.read().index(kept[:4096])
            image.seek(at)
            image.write(bytes(4096))
        assert ("not there any more" in sings.check()) is found_out
