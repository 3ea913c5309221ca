"""The demonstration's city, whose camera node can be taken off the network and put back."""

import contextlib
import hashlib
import json
import sqlite3
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psutil
from demo.city import CAMERA_NODE, CAMERAS, City, Ports

from siaga_central.store import coverage
from siaga_central.store.dialect import reader_engine

CAMERA = next(iter(CAMERAS))
WIB = timezone(timedelta(hours=7))


class Town(City):
    """Everything is a process of its own: hub, broker, nodes, simulated cameras and modem."""

    def __init__(
        self, folder: Path, ports: Ports, say: Callable[[str], None], uplink_kbit_s: float = 0
    ) -> None:
        self._uplink_kbit_s = uplink_kbit_s
        super().__init__(folder, ports, say)

    def clip_state(self) -> str:
        """Of the only clip."""
        return str(self._one("SELECT state FROM clip"))

    def got_bytes(self) -> int:
        """How much of the only clip has come."""
        return int(self._one("SELECT got_bytes FROM clip"))

    def has_more_than(self, size_bytes: int) -> bool:
        """Whether more than that has come."""
        return self.got_bytes() > size_bytes

    def stated_hash(self) -> str:
        """SHA-256 of the only clip by its node."""
        return str(json.loads(self._one("SELECT result FROM command WHERE kind = 'clip.fetch'"))["sha256"])

    def clip_hash(self) -> str:
        """SHA-256 of what has come."""
        [path] = (self.folder / "hub" / "media" / "clips").glob("*.mp4")
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def kill_uplink(self) -> None:
        """As a crash would; it is started again."""
        for process in self._uplinks():
            process.kill()

    def kill_hub(self) -> None:
        """As a crash would; it is started again."""
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if "run" in words and str(self.folder / "hub.toml") in words:
                process.kill()

    def _node_toml(self, node: str) -> str:
        return (
            super()
            ._node_toml(node)
            .replace("\n[hub]\n", f"\n[hub]\nuplink_kbit_s = {self._uplink_kbit_s}\n", 1)
        )

    def _one(self, query: str) -> Any:
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchone()[0]

    def node_goes_away(self) -> None:
        """Its uplink ends and cannot begin again: its key is not there."""
        key = self.folder / CAMERA_NODE / "node.key"
        key.rename(key.with_suffix(".away"))
        for process in self._uplinks():
            process.kill()

    def node_comes_back(self) -> None:
        """The key is there again."""
        key = self.folder / CAMERA_NODE / "node.key"
        key.with_suffix(".away").rename(key)

    def is_online(self) -> bool:
        """What the hub thinks of it."""
        return bool(self._one(f"SELECT online FROM node WHERE id = '{CAMERA_NODE}'"))

    def recorded_upto(self, seconds: int) -> datetime | None:
        """The end of so many seconds that the hub knows to be recorded; None while there are fewer."""
        with reader_engine(f"sqlite:///{self.database}").begin() as connection:
            known = coverage.of_camera(connection, CAMERA, 0, time.time_ns())
        if not known or known[-1].end_ns - known[-1].start_ns < seconds * 10**9:
            return None
        return datetime.fromtimestamp(known[-1].end_ns // 10**9, WIB)

    def _uplinks(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if "siaga_edge.uplink" in words and str(self.node_file(CAMERA_NODE)) in words:
                found.append(process)
        return found
