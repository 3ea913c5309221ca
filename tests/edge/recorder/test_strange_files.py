"""What else may lie on the footage disk stops neither recorder nor technician, and is never touched."""

import contextlib
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from siaga_edge.node import NodeConfig
from support.clock import FakeClock
from support.footage_command import FootageCommand
from support.kept_footage import kept_footage


def _strew(folder: Path) -> set[Path]:
    """Things that people, other programs and failing cards leave behind."""
    run = folder / "gate" / "1-1"
    run.mkdir(parents=True, exist_ok=True)
    (run / "000091.mp4").mkdir()
    os.mkfifo(run / "000092.mp4")
    (run / "000093.mp4").symlink_to("/etc/hostname")
    (run / "000094.mp4").symlink_to("nowhere")
    (run / "000095.mp4").symlink_to("000095.mp4")
    with contextlib.suppress(PermissionError):
        os.mknod(run / "000096.mp4", stat.S_IFCHR | 0o600, os.makedev(1, 5))  # /dev/zero
    (run / f"{'9' * 30}.mp4").write_bytes(b"")
    (run / "holiday.mp4").write_bytes(b"not ours")
    (folder / "gate" / f"1-{'9' * 30}").mkdir()
    (folder / "gate" / f"1-{'9' * 30}" / "000001.mp4").write_bytes(b"x")
    (folder / "gate" / "7-7").symlink_to("1-1")
    (folder / "round").symlink_to(".")
    (folder / "lost+found" / "1-1").mkdir(parents=True)
    return {path for path in folder.rglob("*") if path.name != "META.json"}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("index_lost", [False, True])
def test_strange_files_neither_stop_the_recorder_nor_are_touched(tmp_path: Path, index_lost: bool) -> None:
    clock = FakeClock()
    with kept_footage(tmp_path, clock=clock) as kept:
        kept.record(11)
        kept.writers["gate"].close()
        kept.settle()
        kept.keeper.tend()
        before = [one.name for one in kept.stored()]
    strange = _strew(tmp_path / "footage")
    if index_lost:
        for path in (tmp_path / "data").glob("footage.db*"):
            path.unlink()
    with kept_footage(tmp_path, clock=clock) as kept:
        assert [one.name for one in kept.stored()] == before
        kept.record(11)
        assert len(kept.stored()) > len(before)
    assert all(os.path.lexists(path) for path in strange)


@pytest.mark.timeout(60)
def test_a_file_that_cannot_be_read_or_linked_now_waits_for_the_next_start(tmp_path: Path) -> None:
    clock = FakeClock()
    with kept_footage(tmp_path, clock=clock) as kept:
        kept.record(3)
        kept.writers["gate"].abandon()
    [left] = (tmp_path / "footage").glob("gate/*/*.mp4")
    if subprocess.run(["chattr", "+i", str(left)], check=False).returncode:  # as a disk that refuses
        pytest.skip("this file system has no immutable files")
    try:
        with kept_footage(tmp_path, clock=clock) as kept:
            kept.record(11)
            assert kept.stored()
    finally:
        subprocess.run(["chattr", "-i", str(left)], check=True)
    with kept_footage(tmp_path, clock=clock) as kept:
        assert any(str(left).endswith(f"{one.name}.mp4") for one in kept.stored())


def _recorded(folder: Path) -> tuple[NodeConfig, list[str]]:
    """Closed segments among strange files, and the names of the segments."""
    with kept_footage(folder) as kept:
        kept.record(16)
        kept.writers["gate"].close()
        kept.settle()
        kept.keeper.tend()
        names = [one.name for one in kept.stored()]
    assert len(names) >= 3
    return kept.config, names


@pytest.mark.timeout(60)
def test_verify_rebuild_and_salvage_pass_by_what_is_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, names = _recorded(tmp_path)
    command, footage = FootageCommand(config, capsys), tmp_path / "footage"
    strange = _strew(footage)
    status, said = command.json("verify", "--offline")
    assert (status, {one["code"] for one in said["findings"]}) == (0, {"strange"})
    assert "gate/1-1/000092" in {one["segment"] for one in said["findings"]}
    status, said = command.json("rebuild")
    assert (status, said["segments"], said["unreadable"]) == (0, len(names), [])
    status, said = command.json("salvage", footage, "--into", tmp_path / "saved")
    assert {one["name"] for one in said["files"] if one["state"] == "whole"} == {f"{n}.mp4" for n in names}
    assert {one["name"] for one in said["files"] if one["state"] != "whole"} <= {
        f"gate/1-1/{'9' * 30}.mp4",
        "gate/1-1/holiday.mp4",
        f"gate/1-{'9' * 30}/000001.mp4",
    }
    assert all(os.path.lexists(path) for path in strange)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("becomes", ["pipe", "link to itself", "folder"])
def test_a_segment_whose_place_a_strange_thing_has_taken_is_bad_and_blocks_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], becomes: str
) -> None:
    config, names = _recorded(tmp_path)
    command, path = FootageCommand(config, capsys), tmp_path / "footage" / f"{names[1]}.mp4"
    path.unlink()
    make = {"pipe": os.mkfifo, "link to itself": lambda path: path.symlink_to(path), "folder": os.mkdir}
    make[becomes](path)
    status, said = command.json("verify", "--offline")
    bad = [(one["code"], one["segment"]) for one in said["findings"] if one["level"] == "bad"]
    assert (status, bad) == (6, [("unreadable", names[1])])
    (tmp_path / "footage" / names[0]).with_suffix(".mp4").write_bytes(b"its beginning is lost")
    status, said = command.json("salvage", tmp_path / "footage", "--into", tmp_path / "saved")
    assert status == 3
    assert f"{names[1]}.mp4" not in {one["name"] for one in said["files"]}
    shutil.rmtree(tmp_path / "saved")
    assert command.json("rebuild")[1]["segments"] == len(names) - 2
