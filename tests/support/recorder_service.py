"""The recorder's service as its own process, its folders, and what it has journaled."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench import recorder_node

from siaga_core.service.database import StoreMissing
from siaga_core.wire.command import Command, FetchClip
from siaga_edge.inbox import InboxWriter, wake
from siaga_edge.recorder.finder import open_finder
from siaga_edge.recorder.retention import Stored
from support.simulated_camera import USER, SimulatedCameras

_TESTS = str(Path(__file__).parent.parent)


class Recorder:
    """The process, its folders, and what it has journaled."""

    def __init__(
        self,
        folder: Path,
        cameras: SimulatedCameras,
        footage: Path | None = None,
        *,
        segment_s: float = 3,
        module: str = "siaga_edge.recorder",
        engine: str = "auto",
    ) -> None:
        self.folder = folder
        self.footage = footage or folder / "footage"
        self.module = module
        more = f'user = "{USER}"\npassword_file = "{cameras.password_file}"\nengine = "{engine}"\n'
        table = recorder_node.camera_table("cam-a", cameras.rtsp_url("cam-a"), more)
        data, run = folder / "data", folder / "run"
        recorder_node.write(folder / "node.toml", data, run, self.footage, table, segment_s=segment_s)

    def start(self) -> None:
        """Start it."""
        command = [sys.executable, "-m", self.module, "--config", str(self.folder / "node.toml")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log, env=os.environ | {"PYTHONPATH": _TESTS})

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it and wait."""
        self.process.send_signal(number)
        self.process.wait(15)

    def records(self, kind: str) -> list[dict[str, object]]:
        """Bodies of one kind."""
        path = self.folder / "data" / "journal-recorder.db"
        try:
            with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
                query = "SELECT body FROM record WHERE kind = ? ORDER BY lane, seq"
                rows = connection.execute(query, (kind,))
                return [json.loads(row[0]) for row in rows]
        except sqlite3.OperationalError:
            return []

    def closed(self) -> list[Stored]:
        """Segments that the index has."""
        try:
            with open_finder(self.folder / "data" / "footage.db") as finder:
                return finder.oldest_first()
        except (StoreMissing, sqlite3.OperationalError):
            return []

    def coverage(self) -> list[dict[str, Any]]:
        """What was told of the footage."""
        return [dict(body) for body in self.records("recording.coverage")]

    def ask(self, id: str, camera: str, start_wall_ns: int, end_wall_ns: int) -> None:
        """Ask for a clip, as the uplink does."""
        writer = InboxWriter(self.folder / "data" / "inbox.db")
        order = FetchClip(camera=camera, start_wall_ns=start_wall_ns, end_wall_ns=end_wall_ns)
        writer.put(
            Command(
                id=id,
                node="btm-017",
                service="recorder",
                order=order,
                issued_ms=0,
                expires_ms=1 << 45,
                issuer="rina",
            )
        )
        writer.close()
        wake(self.folder / "run" / "recorder.sock")

    def outcome(self, id: str) -> dict[str, object]:
        """The final outcome of a command, empty while there is none."""
        final = [b for b in self.records("command") if b["id"] == id and b["state"] in ("done", "failed")]
        return final[0] if final else {}
