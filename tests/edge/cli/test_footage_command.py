"""`siaga-node footage` as a new technician runs it: the installed program beside a recorder with a camera."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from siaga_core.wib import shown
from support.simulated_camera import USER, simulated_cameras
from support.waiting import until

PROGRAM = Path(sys.executable).parent / "siaga-node"


class Node:
    """A camera node's config, its recorder, and the program."""

    def __init__(self, folder: Path, rtsp_url: str, password_file: Path) -> None:
        self.folder, self.path = folder, folder / "node.toml"
        self.path.write_text(
            f"""
[node]
id = "btm-017"
site = "BTM-017"
data_dir = "{folder}/data"
run_dir = "{folder}/run"
[hub]
broker_host = "127.0.0.1"
gateway_url = "https://127.0.0.1:1"
ca_file = "x"
certificate_file = "x"
key_file = "x"
[recorder]
footage_dir = "{folder}/footage"
segment_s = 2
free_reserve_bytes = 1000000
[[cameras]]
id = "cam-a"
rtsp_url = "{rtsp_url}"
user = "{USER}"
password_file = "{password_file}"
"""
        )

    def run(self, *words: object) -> "subprocess.CompletedProcess[str]":
        config = [] if words[0] == "salvage" else ["--config", str(self.path)]
        command = [str(PROGRAM), "footage", *map(str, words), *config]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def json(self, *words: object) -> dict[str, Any]:
        ended = self.run(*words, "--json")
        assert ended.stdout, ended.stderr
        return dict(json.loads(ended.stdout))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with simulated_cameras(tmp_path, "cam-a") as cameras:
        made = Node(tmp_path, cameras.rtsp_url("cam-a"), cameras.password_file)
        command = [sys.executable, "-m", "siaga_edge.recorder", "--config", str(made.path)]
        with (
            (tmp_path / "log").open("wb") as log,
            subprocess.Popen(command, stderr=log) as recorder,
        ):
            try:
                until(lambda: len(list((tmp_path / "footage").glob("cam-a/*/*.mp4"))) >= 4, 30)
                yield made
            finally:
                recorder.terminate()
                recorder.wait(20)


def test_a_technician_looks_keeps_verifies_and_copies_what_is_whole(node: Node) -> None:
    listed = node.run("list")
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.startswith("cam-a")
    [camera] = node.json("list")["cameras"]
    begun = datetime.fromtimestamp(camera["start_wall_ns"] / 1e9, UTC) + timedelta(seconds=1)
    # As it is read off the page, and typed again.
    day, _, clock = shown(int(begun.timestamp() * 1e9)).partition(" ")
    start = f"{day} {clock.partition(' ')[0]}"
    end = (begun + timedelta(seconds=3)).isoformat()
    found = node.run("find", "cam-a", start, end)
    assert (found.returncode, "lengkap / complete" in found.stdout) == (0, True), found.stdout + found.stderr
    held = node.run("hold", "cam-a", start, end, "--reason", "laporan polisi 7")
    assert held.returncode == 0, held.stdout + held.stderr
    assert "laporan polisi 7" in node.run("hold").stdout
    [one] = node.json("hold")["holds"]
    assert one["segments"] >= 2
    assert node.run("hold", "--release", one["hold"]["id"]).returncode == 0
    assert node.json("hold")["holds"] == []
    verified = node.run("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "NOT compared with the hub" in verified.stdout
    refused = node.run("rebuild")
    assert (refused.returncode, "another process" in refused.stderr) == (1, True)
    out = node.folder / "x.mp4"
    refused = node.run("clip", "cam-a", start, end, "--grant", node.folder / "none", "--out", out)
    assert (refused.returncode, out.exists()) == (1, False)
    assert "siaga-central footage grant" in refused.stderr
    saved = node.run("salvage", node.folder / "footage", "--into", node.folder / "saved")
    assert saved.returncode in (0, 3), saved.stderr  # the one that is being written is not whole
    assert list((node.folder / "saved").glob("cam-a/*/*.mp4"))
    assert "Traceback" not in "".join((listed.stderr, found.stderr, held.stderr, verified.stderr))


def test_a_recorder_does_not_write_on_the_disk_of_another_node(tmp_path: Path) -> None:
    made = Node(tmp_path, "rtsp://127.0.0.1:1/x", tmp_path / "none")
    made.path.write_text(made.path.read_text().replace("password_file", "# password_file"))
    (tmp_path / "footage").mkdir()
    paper = '{"node":"btm-018","disk":"00112233445566ff","own_device":false}'
    (tmp_path / "footage" / "META.json").write_text(paper)
    command = [sys.executable, "-m", "siaga_edge.recorder", "--config", str(made.path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert "is the footage disk of btm-018, not of btm-017" in ended.stderr
    assert [path.name for path in (tmp_path / "footage").iterdir()] == ["META.json"]
    refused = made.run("list")
    assert (refused.returncode, "not of btm-017" in refused.stderr) == (1, True)
