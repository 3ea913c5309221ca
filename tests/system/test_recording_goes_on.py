"""Cameras with a trouble each, and one without: a counted gap with a reason, and recording goes on.

One recorder, one simulator; all troubles happen at once, so that one could delay another camera. By default
our own client takes the streams over TCP, real ffmpeg the others; `-m slow` has ffmpeg do everything.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.recording_node import RecordingNode, camera_table
from support.simulated_camera import PASSWORD, SimulatedCameras, simulated_cameras
from support.waiting import free_port, until

_SPECIAL = {"steady": "sub", "clock": "aac", "change": "aac", "hevc": "h265+aac"}
_SPECIAL |= {"alaw": "pcma+basic", "mulaw": "pcmu"}
_CAMERAS = (
    *("steady", "change", "hevc", "alaw", "mulaw", "jump", "mute", "reset", "refuse", "stopped", "flood"),
    *("garbage", "locked", "foreign", "back", "clock"),
)
# Troubles of an ffmpeg child: these cameras are always recorded by one.
_CHILDREN = ("flood", "garbage", "stopped")
# The config's program: ffmpeg, but for two cameras that it fails the first time.
_PROGRAM = """#!/bin/sh
list=$(cat)
case "$list" in
  */flood\\'*) mkdir "$0.flood" 2>/dev/null && exec yes '[rtsp @ 0x1] [error] woe' 3>&1 >&2 ;;
  */stopped\\'*) echo $$ >"$0.stopped.pid" ;;
  */garbage\\'*) mkdir "$0.garbage" 2>/dev/null && exec cat /dev/urandom ;;
esac
exec ffmpeg "$@" <<END
$list
END
"""


def tables(folder: Path, cameras: SimulatedCameras, engine: str) -> str:
    """The cameras of the node's config."""
    wrong = folder / "wrong-password"
    wrong.write_text("not this\n")
    made = []
    for name in _CAMERAS:
        more = f'password_file = "{wrong if name == "locked" else cameras.password_file}"\n'
        more += f'engine = "{"ffmpeg" if name in _CHILDREN else engine}"\n'
        if name == "steady":
            more += f'sub_rtsp_url = "{cameras.rtsp_url(name)}/sub"\nrecord = "sub"\ntransport = "udp"\n'
        made.append(camera_table(name, cameras.rtsp_url(name), more))
    return "".join((*made, camera_table("nobody", f"rtsp://127.0.0.1:{free_port()}/nobody")))


def program(folder: Path) -> Path:
    """The config's ffmpeg."""
    path = folder / "program"
    path.write_text(_PROGRAM)
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module", params=["auto", pytest.param("ffmpeg", marks=pytest.mark.slow)])
def engine(request: pytest.FixtureRequest) -> str:
    """As the config says it."""
    return str(request.param)


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Iterator[SimulatedCameras]:
    """Anew for each engine: they count what was refused, and stay as they were changed."""
    assert engine
    names = [f"{name}={_SPECIAL[name]}" if name in _SPECIAL else name for name in _CAMERAS]
    with simulated_cameras(tmp_path_factory.mktemp("c"), *names) as running:
        yield running


@pytest.fixture(scope="module")
def node(
    tmp_path_factory: pytest.TempPathFactory, cameras: SimulatedCameras, engine: str
) -> Iterator[RecordingNode]:
    """All troubles have happened, and everything that can be recorded is recorded again."""
    folder = tmp_path_factory.mktemp("n")
    made = RecordingNode(
        folder, tables(folder, cameras, engine), f'silent_most_s = 3\nffmpeg = "{program(folder)}"'
    )
    well = [name for name in _CAMERAS if name != "locked"]
    try:
        until(lambda: made.is_recording(*well), 60, because="every camera but one is recorded")
        for name in ("change", "hevc", "alaw", "mulaw"):
            cameras.control.fail(name, "change")
        cameras.control.fail("jump", "jump", 3600)
        cameras.control.fail("back", "jump", -3600)
        cameras.control.fail("clock", "clock", 3600)
        cameras.control.fail("reset", "reset")
        cameras.control.fail("foreign", "foreign", 1)
        cameras.control.switch("mute", "mute", 5)
        cameras.control.switch("refuse", "refuse", 2)
        os.kill(int((folder / "program.stopped.pid").read_text()), signal.SIGSTOP)
        troubled = ["jump", "back", "reset", "mute", "refuse", *_CHILDREN]
        troubled += ["clock"] if engine == "ffmpeg" else []
        until(
            lambda: all(made.gaps(name) for name in troubled) and made.is_recording(*well),
            60,
            because="each trouble is a gap and over",
        )
        yield made
    finally:
        made.end()


def test_each_trouble_is_a_journaled_gap_and_counted_by_reason(node: RecordingNode, engine: str) -> None:
    expected = {"jump": "jump", "mute": "silent", "stopped": "silent", "flood": "flood", "garbage": "garbage"}
    expected |= {"reset": "away", "refuse": "away", "back": "jump"}
    expected |= {"clock": "jump"} if engine == "ffmpeg" else {}
    for name, kind in expected.items():
        assert kind in node.status(name).gaps, name
        assert sum(node.status(name).gaps.values()) == len(node.gaps(name)), name
        assert all(gap["reason"] for gap in node.gaps(name))
    assert "jumped forward by" in node.gaps("jump")[0]["reason"]
    assert 3590 < float(node.gaps("jump")[0]["reason"].split()[-2]) < 3610
    assert node.gaps("mute")[0]["duration_ms"] >= 3000


def test_a_camera_that_is_well_has_no_gap_whatever_the_others_do(node: RecordingNode) -> None:
    assert node.status("steady").gaps == {}
    assert node.gaps("steady") == []
    assert len(list(node.footage.glob("steady/*"))) == 1, "one run from the start"
    assert "160,90" in node.sizes("steady")[0], "its sub-stream is what is recorded"


def test_a_camera_that_is_not_there_and_one_that_refuses_are_said_and_not_hammered(
    node: RecordingNode, cameras: SimulatedCameras
) -> None:
    assert (node.status("nobody").state, node.status("nobody").reason) == ("away", "Connection refused")
    assert "401" in node.status("locked").reason
    assert cameras.control.state("locked")["refused"] <= 2


@pytest.mark.parametrize("name", ["change", "hevc", "alaw", "mulaw"])
def test_another_size_opens_a_segment_of_the_same_run(node: RecordingNode, name: str) -> None:
    until(lambda: len(node.sizes(name)) >= 2, because="the new segment has its header")
    assert [size for size, _ in node.sizes(name)] == ["320,180", "160,90"]
    assert all(frames == {size} for size, frames in node.sizes(name))
    assert node.gaps(name) == []
    assert len(list(node.footage.glob(f"{name}/*"))) == 1


@pytest.mark.parametrize(
    ("name", "codecs"),
    [
        ("steady", ["h264"]),
        ("change", ["h264", "aac"]),
        ("hevc", ["hevc", "aac"]),
        ("alaw", ["h264", "pcm_alaw"]),
        ("mulaw", ["h264", "pcm_mulaw"]),
    ],
)
def test_codecs_are_kept_as_they_came(node: RecordingNode, name: str, codecs: list[str]) -> None:
    assert node.codecs(name)[0] == codecs


def test_each_camera_is_recorded_by_the_engine_that_understands_it(node: RecordingNode, engine: str) -> None:
    for name in _CAMERAS:
        by_child = engine == "ffmpeg" or name in (*_CHILDREN, "steady")
        if name != "locked":
            assert node.status(name).engine == ("ffmpeg" if by_child else "native"), name
            assert node.status(name).engine_reason == "", name


def test_a_camera_whose_own_clock_jumps_is_recorded_on_by_our_client(
    node: RecordingNode, engine: str
) -> None:
    """Pictures are timed by their own times alone; ffmpeg believes the camera's reports."""
    if engine == "auto":
        assert (node.gaps("clock"), node.status("clock").gaps) == ([], {})
        assert len(list(node.footage.glob("clock/*"))) == 1


def test_strangers_packets_stop_nothing(node: RecordingNode, engine: str) -> None:
    if engine == "auto":
        assert node.status("foreign").packets_strange > 0
        assert node.status("foreign").pictures_left_out == 0
        assert node.status("foreign").packets_missed == 0
    assert node.gaps("foreign") == []
    assert node.is_recording("foreign")


def test_a_technician_reads_it_on_the_command_line(node: RecordingNode) -> None:
    command = [sys.executable, "-m", "siaga_edge.cli", "recorder", "--config", str(node.config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1, "not every camera is recorded"
    assert "mute  recording since" in done.stdout
    assert "sent nothing" in done.stdout
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=30, check=False)
    assert {one["camera"] for one in json.loads(done.stdout)["cameras"]} == {*_CAMERAS, "nobody"}


def test_no_password_is_seen_in_the_process_list(node: RecordingNode, engine: str) -> None:
    lines = [(Path("/proc") / str(node.process.pid) / "cmdline").read_bytes()]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes())
        except OSError:
            continue
    mine = [line for line in lines if b"ffmpeg" in line and b"concat" in line]
    assert len(mine) >= (len(_CAMERAS) - 2 if engine == "ffmpeg" else len(_CHILDREN) + 1)
    assert b"rahasia" not in lines[0]
    assert not [line for line in lines if b"ffmpeg" in line and b"rahasia" in line]
    assert "rahasia" in PASSWORD
    assert b"rahasia" not in (node.folder / "log").read_bytes()
