"""The service as its own process: orders come through the inbox, the panel's state is read back."""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from siaga_core.wire.command import Command, SoundSiren
from siaga_edge.inbox import InboxWriter, siren, wake
from support.waiting import until


class Service:
    """The process, and what it shows and journals."""

    def __init__(self, folder: Path, factory: str = "mock") -> None:
        self.folder = folder
        (folder / "run").mkdir()
        self.config = folder / "node.toml"
        self.config.write_text(
            f'[node]\nid = "node-one"\nsite = "x"\ndata_dir = "{folder}/data"\nrun_dir = "{folder}/run"\n'
            '[hub]\nbroker_host = "x"\ngateway_url = "x"\nca_file = "x"\ncertificate_file = "x"\n'
            f'key_file = "x"\n[health]\nevery_s = 1\npin_factory = "{factory}"\n'
        )
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "siaga_edge.health", "--config", str(self.config)]
        self.process = subprocess.Popen(command)
        until(lambda: self.bodies("health"), because="the first sample")

    def sound(self, id: str, duration_s: int) -> None:
        writer = InboxWriter(self.folder / "data/inbox.db")
        order = SoundSiren(incident="I-1", duration_s=duration_s)
        writer.put(
            Command(
                id=id, node="node-one", service="health", order=order,
                issued_ms=0, expires_ms=1 << 45, issuer="rina",
            )
        )  # fmt: skip
        writer.close()
        wake(self.folder / "run/health.sock")

    def sounds(self) -> bool:
        path = self.folder / "run/panel.json"
        return path.exists() and bool(json.loads(path.read_text())["siren"])

    def bodies(self, kind: str) -> list[dict[str, object]]:
        path = self.folder / "data/journal-health.db"
        if not path.exists():
            return []
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            rows = connection.execute("SELECT body FROM record WHERE kind = ? ORDER BY seq", (kind,))
            return [json.loads(row[0]) for row in rows]
        except sqlite3.OperationalError:
            return []
        finally:
            connection.close()

    def states(self, id: str) -> list[object]:
        return [body["state"] for body in self.bodies("command") if body["id"] == id]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path)
    yield made
    made.kill()


def test_a_siren_sounds_for_its_time_and_is_done(service: Service) -> None:
    service.sound("one", 1)
    until(service.sounds)
    until(lambda: not service.sounds())
    assert service.states("one") == ["started", "done"]


def test_silence_ends_a_siren(service: Service) -> None:
    service.sound("one", 600)
    until(service.sounds)
    service.sound("two", 0)
    until(lambda: not service.sounds())
    assert (service.states("one")[-1], service.states("two")[-1]) == ("done", "done")


def test_killed_while_sounding_it_comes_back_silent_and_says_so(service: Service) -> None:
    service.sound("one", 600)
    until(service.sounds)
    service.kill()
    service.start()
    until(lambda: service.states("one") == ["started", "failed"])
    until(lambda: not service.sounds())


def test_a_node_without_a_panel_does_not_claim_to_have_sounded(tmp_path: Path) -> None:
    bare = Service(tmp_path, "none")
    try:
        bare.sound("one", 1)
        until(lambda: bare.states("one") == ["failed"])
    finally:
        bare.kill()


def test_the_siren_sounds_for_another_services_lease_and_ends_with_it(tmp_path: Path) -> None:
    service = Service(tmp_path)
    try:
        now_s = time.monotonic()
        siren.ask(tmp_path / "run", siren.SirenLease(until_mono_s=now_s + 1.5, reason="4F7K"))
        wake(tmp_path / "run/health.sock")
        until(service.sounds, because="the siren sounds")
        until(lambda: not service.sounds(), because="nobody renews the lease")
        assert time.monotonic() >= now_s + 1.5
    finally:
        service.process.terminate()
        service.process.wait()
