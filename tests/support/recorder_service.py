"""The recorder's service as its own process, its folders, and what it has journaled."""

import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from siaga_core.service.database import StoreMissing
from siaga_core.wire.command import Command, FetchClip
from siaga_edge.inbox import InboxWriter, wake
from siaga_edge.recorder.index import open_finder
from siaga_edge.recorder.retention import Stored
from support.simulated_camera import USER, SimulatedCameras


class Recorder:
    """The process, its folders, and what it has journaled."""

    def __init__(self, folder: Path, cameras: SimulatedCameras, footage: Path | None = None) -> None:
        self.folder = folder
        self.footage = footage or folder / "footage"
        tables = "".join(
            f'[[cameras]]\nid = "{name}"\nrtsp_url = "{cameras.rtsp_url(name)}"\nuser = "{USER}"\n'
            f'password_file = "{cameras.password_file}"\n'
            for name in ("cam-a",)
        )
        (folder / "node.toml").write_text(
            f"""
[node]
id = "btm-017"
site = "BTM-017"
data_dir = "{folder}/data"
run_dir = "{folder}/run"
[hub]
broker_host = "127.0.0.1"
gateway_url = "https://127.0.0.1"
ca_file = "x"
certificate_file = "x"
key_file = "x"
[recorder]
footage_dir = "{self.footage}"
segment_s = 3
free_reserve_bytes = 1000000
{tables}
"""
        )

    def start(self) -> None:
        """Start it."""
        command = [sys.executable, "-m", "siaga_edge.recorder", "--config", str(self.folder / "node.toml")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log)

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
