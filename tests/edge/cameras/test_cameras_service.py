"""The whole service in its own process, against simulated cameras."""

import contextlib
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from siaga_core.service.database import StoreMissing
from siaga_edge.cameras.picture import with_credentials
from siaga_edge.journal import JournalReader
from siaga_edge.transfers import Ticket, waiting
from support.simulated_camera import PASSWORD, USER, SimulatedCameras, simulated_cameras
from support.waiting import until

QUICK = {
    "judge_every_s": 0.3,
    "picture_every_s": 1.0,
    "onvif_every_s": 1.0,
    "down_after_s": 2.0,
    "frozen_after_s": 3.0,
    "black_after_s": 1.0,
}


@dataclass(frozen=True, slots=True)
class Service:
    """The running service and what it has said so far."""

    process: subprocess.Popen[bytes]
    directory: Path

    def said(self) -> list[dict[str, object]]:
        """Bodies of its camera records, oldest first."""
        try:
            reader = JournalReader(self.directory / "data" / "journal-cameras.db", "cameras")
        except (StoreMissing, sqlite3.OperationalError):  # not there, or made this very moment
            return []
        with contextlib.closing(reader):
            return [json.loads(record.body) for record in reader.after("urgent", 0, 10_000)]

    def status(self, camera: str = "cam-a") -> object:
        """The last status it gave."""
        assert self.process.poll() is None, self.log()
        states = [state["status"] for state in self.said() if state["camera"] == camera]
        return states[-1] if states else None

    def changes(self, camera: str = "cam-a") -> list[object]:
        """Its statuses from the first `up` on, repeats left out; before it the stream is still opening."""
        statuses = [state["status"] for state in self.said() if state["camera"] == camera]
        known = statuses[statuses.index("up") :]
        return [now for before, now in zip([None, *known], known, strict=False) if now != before]

    def becomes(self, status: str, camera: str = "cam-a", limit_s: float = 20) -> None:
        """Wait for a status."""
        until(lambda: self.status(camera) == status, limit_s, because=f"{camera} is judged {status}")

    def pictures(self) -> list[Ticket]:
        """What waits to go up."""
        return waiting(self.directory / "data" / "transfers")

    def log(self) -> str:
        """What it wrote to stderr."""
        return (self.directory / "log").read_text()


def write_config(directory: Path, cameras: SimulatedCameras, *, with_recorder: bool, **more: float) -> Path:
    lines = [
        *("[node]", 'id = "node-one"', 'site = "Simpang"'),
        *(f'data_dir = "{directory}/data"', f'run_dir = "{directory}/run"'),
        *("[hub]", 'broker_host = "127.0.0.1"', 'gateway_url = "https://127.0.0.1:1"'),
        *('ca_file = "ca"', 'certificate_file = "c"', 'key_file = "k"', "[picture]"),
        *(f"{key} = {value}" for key, value in {**QUICK, **more}.items()),
    ]
    if with_recorder:
        lines += ["[recorder]", f'footage_dir = "{directory}/footage"']
    for name in ("cam-a", "cam-b"):
        lines += ["[[cameras]]", f'id = "{name}"', f'rtsp_url = "{cameras.rtsp_url(name)}"']
        lines += [f'onvif_url = "{cameras.onvif_url(name)}"', f'user = "{USER}"']
        lines += [f'password_file = "{cameras.password_file}"']
    path = directory / "node.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


@contextlib.contextmanager
def service(directory: Path, config: Path) -> Iterator[Service]:
    with (directory / "log").open("wb") as log:
        command = [sys.executable, "-m", "siaga_edge.cameras", "--config", str(config)]
        process = subprocess.Popen(command, stderr=log, stdout=log)
    running = Service(process, directory)
    try:
        yield running
    finally:
        process.terminate()
        assert process.wait(15) == 0, running.log()


@contextlib.contextmanager
def fragments(directory: Path, cameras: SimulatedCameras, camera: str) -> Iterator[None]:
    """The recorder's side of the live folder, played by ffmpeg."""
    live = directory / "run" / "live" / camera
    live.mkdir(parents=True)
    command = ["ffmpeg", "-nostdin", "-loglevel", "quiet", "-rtsp_transport", "tcp"]
    command += ["-i", with_credentials(cameras.rtsp_url(camera), USER, PASSWORD), "-c", "copy"]
    command += ["-f", "hls", "-hls_segment_type", "fmp4", "-hls_time", "0.5", "-hls_list_size", "3"]
    command += ["-hls_flags", "delete_segments+temp_file", "-hls_fmp4_init_filename", "init.mp4"]
    command += ["-hls_segment_filename", str(live / "%08d.m4s"), str(live / "list.m3u8")]
    process = subprocess.Popen(command)
    try:
        yield
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedCameras]:
    options = ("--gop", "5")
    with simulated_cameras(tmp_path_factory.mktemp("cameras"), "cam-a", "cam-b", options=options) as running:
        yield running


@pytest.fixture(autouse=True)
def _normal_again(cameras: SimulatedCameras) -> Iterator[None]:
    yield
    cameras.make_well("cam-a", "cam-b")


@pytest.mark.sop("R03")
def test_an_unplugged_camera_is_shown_down_and_up_again_and_its_neighbour_stays_well(
    tmp_path: Path, cameras: SimulatedCameras
) -> None:
    config = write_config(tmp_path, cameras, with_recorder=False)
    with service(tmp_path, config) as running:
        running.becomes("up")
        running.becomes("up", "cam-b")
        cameras.control.switch("cam-a", "drop")
        running.becomes("down")
        until(lambda: running.said()[-1]["onvif"] == "unreachable", 10, because="ONVIF is gone too")
        cameras.control.switch("cam-a", "normal")
        running.becomes("up")
        until(lambda: running.said()[-1]["onvif"] == "ok", 10, because="ONVIF answers again")
    assert running.changes("cam-b") == ["up"]
    assert PASSWORD not in running.log()
    assert quote(PASSWORD, safe="") not in running.log()


def test_pictures_go_up_one_at_a_time_with_their_hash(tmp_path: Path, cameras: SimulatedCameras) -> None:
    config = write_config(tmp_path, cameras, with_recorder=True)
    with fragments(tmp_path, cameras, "cam-a"), service(tmp_path, config) as running:
        running.becomes("up")
        first = until(running.pictures, because="a picture waits")[0]
        until(lambda: [ticket for ticket in running.pictures() if ticket.name != first.name], because="newer")
        running.becomes("down", "cam-b")
    tickets = running.pictures()
    assert [ticket.camera for ticket in tickets] == ["cam-a"]
    content = (tmp_path / "data" / "transfers" / tickets[0].name).read_bytes()
    assert content.startswith(b"\xff\xd8\xff")
    assert hashlib.sha256(content).hexdigest() == tickets[0].sha256
    assert tickets[0].taken_wall_ns > first.taken_wall_ns > 1_700_000_000 * 10**9
    down = next(state for state in running.said() if state["camera"] == "cam-b")
    assert "recorder" in str(down["reason"])


def test_black_and_frozen_are_seen_in_the_recorders_fragments(
    tmp_path: Path, cameras: SimulatedCameras
) -> None:
    config = write_config(tmp_path, cameras, with_recorder=True)
    with fragments(tmp_path, cameras, "cam-a"), service(tmp_path, config) as running:
        running.becomes("up")
        for fault in ("black", "frozen"):
            cameras.control.switch("cam-a", "freeze" if fault == "frozen" else fault)
            running.becomes(fault)
            cameras.control.switch("cam-a", "normal")
            running.becomes("up")
    assert running.changes() == ["up", "black", "up", "frozen", "up"]


def test_onvif_tells_what_the_camera_is_and_how_wrong_its_clock(
    tmp_path: Path, cameras: SimulatedCameras
) -> None:
    cameras.control.onvif("cam-a", clock_offset_s=4000.0)
    config = write_config(tmp_path, cameras, with_recorder=False)
    with service(tmp_path, config) as running:
        until(
            lambda: [state for state in running.said() if state["camera"] == "cam-a" and state["model"]],
            because="the camera has told its model",
        )
        state = [state for state in running.said() if state["camera"] == "cam-a"][-1]
    assert (state["model"], state["firmware"], state["onvif"]) == ("Siaga Simulated camera", "1.0.0", "ok")
    assert abs(int(str(state["clock_offset_ms"])) - 4_000_000) < 1500


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["blackhole", "drip", "huge", "bomb"])
def test_a_hostile_camera_delays_no_judgement(tmp_path: Path, cameras: SimulatedCameras, fault: str) -> None:
    cameras.control.onvif("cam-a", fault)
    config = write_config(tmp_path, cameras, with_recorder=False)
    with service(tmp_path, config) as running:
        running.becomes("up")
        cameras.control.switch("cam-a", "black")
        running.becomes("black", limit_s=6)
        until(lambda: running.said()[-1]["onvif"] == "unreachable", 30, because="the fault is noticed")


@pytest.mark.slow
def test_a_night_in_which_nothing_moves_stays_up(tmp_path: Path, cameras: SimulatedCameras) -> None:
    cameras.control.switch("cam-a", "night")
    config = write_config(tmp_path, cameras, with_recorder=False)
    with service(tmp_path, config) as running:
        running.becomes("up")
        with pytest.raises(AssertionError, match="frozen"):
            running.becomes("frozen", limit_s=12)
        assert running.status() == "up"


@pytest.mark.slow
def test_a_stalled_stream_is_down_and_a_kill_costs_nothing_but_the_moment(
    tmp_path: Path, cameras: SimulatedCameras
) -> None:
    config = write_config(tmp_path, cameras, with_recorder=False)
    process = subprocess.Popen(
        [sys.executable, "-m", "siaga_edge.cameras", "--config", str(config)], stderr=subprocess.DEVNULL
    )
    killed = Service(process, tmp_path)
    (tmp_path / "log").touch()
    killed.becomes("up")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = killed.said()
    with service(tmp_path, config) as running:
        until(lambda: len(running.said()) > len(before), 20, because="it says the state again")
        cameras.control.switch("cam-a", "stall")
        running.becomes("down")
        cameras.control.switch("cam-a", "normal")
        running.becomes("up", limit_s=30)
    assert running.said()[: len(before)] == before


def test_a_missing_password_file_is_named(tmp_path: Path, cameras: SimulatedCameras) -> None:
    config = write_config(tmp_path, cameras, with_recorder=False)
    config.write_text(config.read_text().replace(str(cameras.password_file), str(tmp_path / "absent")))
    command = [sys.executable, "-m", "siaga_edge.cameras", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 78
    assert "cameras[0].password_file" in done.stderr
