"""What else may lie on the footage disk never keeps the recorder from starting, and is never touched."""

import os
import subprocess
from pathlib import Path

import pytest

from support.clock import FakeClock
from support.kept_footage import kept_footage


def _strew(folder: Path) -> set[Path]:
    """Things that people, other programs and failing cards leave behind."""
    run = folder / "gate" / "1-1"
    run.mkdir(parents=True, exist_ok=True)
    (run / "000091.mp4").mkdir()
    os.mkfifo(run / "000092.mp4")
    (run / "000093.mp4").symlink_to("/etc/hostname")
    (run / "000094.mp4").symlink_to("nowhere")
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
