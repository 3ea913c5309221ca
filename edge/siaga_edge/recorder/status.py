"""How each camera is recorded now and what went wrong since the start: a file in the run directory.

Gone with the power; what must stay is in the journal.
"""

from pathlib import Path
from typing import Literal

from msgspec import Struct

from siaga_edge import run_file

FILE = "recorder.json"


class CameraStatus(Struct, frozen=True, kw_only=True):
    """One camera since the recorder started. `gaps` and `gap_s` are by reason (trouble.Kind), ended ones."""

    camera: str
    state: Literal["starting", "recording", "away"]
    since_wall_ns: int
    reason: str = ""
    gaps: dict[str, int] = {}
    gap_s: dict[str, float] = {}
    packets_missed: int = 0  # that never came
    engine: str = ""  # native or ffmpeg; empty: nothing was recorded yet
    engine_reason: str = ""  # why it is ffmpeg though the config leaves the choice
    handed_over: int = 0  # how often our own client gave the camera to ffmpeg
    pictures_left_out: int = 0  # not whole, or not to be decoded without those
    packets_strange: int = 0  # of another source or kind, late, or before PLAY


class RecorderStatus(Struct, frozen=True, kw_only=True):
    """All cameras of the node, in the config's order."""

    written_wall_ns: int
    cameras: list[CameraStatus]


def write_status(run_dir: Path, status: RecorderStatus) -> None:
    """Replace the file; a reader sees the old one or the new one."""
    run_file.replace(run_dir, FILE, status)


def read_status(run_dir: Path) -> RecorderStatus | None:
    """What the recorder said last; None if it has not run since the machine started."""
    return run_file.read(run_dir, FILE, RecorderStatus)
