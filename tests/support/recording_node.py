"""A recorder in its own process, and what it leaves behind: footage, journal, status."""

import contextlib
import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench import recorder_node

from siaga_edge.recorder.status import CameraStatus, read_status
from support.simulated_camera import USER


def camera_table(name: str, url: str, more: str = "") -> str:
    """One `[[cameras]]` table."""
    return recorder_node.camera_table(name, url, f'user = "{USER}"\n{more}')


class RecordingNode:
    """Starts at once."""

    def __init__(self, folder: Path, cameras: str, more: str = "") -> None:
        """`more` are keys of `[recorder]`."""
        self.folder, self.footage, self.config = folder, folder / "footage", folder / "node.toml"
        data, run = folder / "data", folder / "run"
        recorder_node.write(self.config, data, run, self.footage, cameras, segment_s=600, more=more)
        self.log = (folder / "log").open("wb")
        command = [sys.executable, "-m", "siaga_edge.recorder", "--config", str(self.config)]
        self.process = subprocess.Popen(command, stderr=self.log)

    def status(self, camera: str) -> CameraStatus:
        """What a technician reads of a camera."""
        status = read_status(self.folder / "run")
        assert status is not None
        return next(one for one in status.cameras if one.camera == camera)

    def is_recording(self, *cameras: str) -> bool:
        """Whether each is recorded now."""
        return read_status(self.folder / "run") is not None and all(
            self.status(camera).state == "recording" for camera in cameras
        )

    def gaps(self, camera: str) -> list[dict[str, Any]]:
        """Journaled gaps of a camera."""
        path = self.folder / "data" / "journal-recorder.db"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            rows = connection.execute("SELECT body FROM record WHERE kind = 'recording' ORDER BY lane, seq")
            found = [json.loads(row[0]) for row in rows]
        return [body for body in found if body["event"] == "gap" and body["camera"] == camera]

    def segments(self, camera: str) -> list[Path]:
        """Its files, oldest first."""
        return sorted(self.footage.glob(f"{camera}/*/*.mp4"))

    def sizes(self, camera: str) -> list[tuple[str, set[str]]]:
        """(size in the header, sizes of the decoded pictures) of each segment, by ffprobe."""
        found = []
        for path in self.segments(camera):
            header = probed(path, "-select_streams", "v", "stream=width,height")
            if header:
                frames = probed(path, "-select_streams", "v", "frame=width,height")
                found.append((header[0], set(frames)))
        return found

    def codecs(self, camera: str) -> list[list[str]]:
        """Codecs of the tracks of each segment, by ffprobe."""
        return [probed(path, "stream=codec_name") for path in self.segments(camera)]

    def end(self) -> None:
        """End it."""
        self.process.terminate()
        assert self.process.wait(20) == 0
        self.log.close()


def probed(path: Path, *words: str) -> list[str]:
    """What ffprobe finds, a row for each entry; the last word is the entries."""
    command = ["ffprobe", "-v", "error", "-of", "csv=p=0", *words[:-1], "-show_entries", words[-1], str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout
    return [line.strip(",") for line in said.split()]
