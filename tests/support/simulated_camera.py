"""Simulated cameras in their own process, as a technician would start them."""

import contextlib
import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from siaga_edge.simulate.camera.control import CameraControl, SimulatorGone
from support.waiting import free_port, until

USER, PASSWORD = "viewer", "rahasia:@/ 1"  # signs that a URL must quote


@dataclass(frozen=True, slots=True)
class SimulatedCameras:
    """Where they are and how to direct them."""

    port: int
    onvif_port: int
    password_file: Path
    control_file: Path
    control: CameraControl
    process: subprocess.Popen[bytes]

    def rtsp_url(self, camera: str) -> str:
        """Without user and password."""
        return f"rtsp://127.0.0.1:{self.port}/{camera}"

    def make_well(self, *names: str) -> None:
        """End whatever trouble a test has made for these cameras."""
        for name in names:
            self.control.switch(name, "normal")
            self.control.onvif(name, "none", 0.0)

    def onvif_url(self, camera: str) -> str:
        """The device service."""
        return f"http://127.0.0.1:{self.onvif_port}/onvif/{camera}/device_service"


@functools.cache
def scene_dir() -> Path:
    """One folder of coded scenes for all tests of a user, because encoding costs a second each."""
    folder = Path(tempfile.gettempdir()) / f"siaga-test-scenes-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@contextlib.contextmanager
def simulated_cameras(
    directory: Path, *names: str, options: tuple[str, ...] = ()
) -> Iterator[SimulatedCameras]:
    """Start the named cameras; ended afterwards."""
    password_file, control_file = directory / "camera-password", directory / "cameras.sock"
    password_file.write_text(f"{PASSWORD}\n")
    port, onvif_port = free_port(), free_port()
    command = [sys.executable, "-m", "siaga_edge.simulate.camera", "--port", str(port)]
    command += ["--onvif-port", str(onvif_port), "--control", str(control_file), "--cameras", ",".join(names)]
    command += ["--user", USER, "--password-file", str(password_file), "--scene-dir", str(scene_dir())]
    process = subprocess.Popen([*command, "--size", "320x180", *options], stderr=subprocess.DEVNULL)
    control = CameraControl(control_file)

    def answers() -> bool:
        assert process.poll() is None, "the simulated cameras did not start"
        try:
            return bool(control.state())
        except SimulatorGone:
            return False

    try:
        until(answers, 240, because="the simulated cameras answer")
        yield SimulatedCameras(port, onvif_port, password_file, control_file, control, process)
    finally:
        process.terminate()
        process.wait(10)
