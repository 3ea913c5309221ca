"""What tests of the footage commands share."""

import base64
import shutil
from pathlib import Path

import pytest

from siaga_edge.node import Camera, Hub, Node, NodeConfig, Recorder
from support.footage_card import Card, record_heads
from support.footage_command import FootageCommand
from support.kept_footage import kept_footage


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], list[str]]:
    """A recorder's folder after a good minute, the names of its segments, and the heads it has told."""
    folder = tmp_path_factory.mktemp("recorded")
    with kept_footage(folder) as kept:
        record_heads(kept)
        names = [one.name for one in kept.stored()]
        heads = [
            f"{one['links']}:{base64.b64decode(one['head']).hex()}"
            for one in kept.records("recording.coverage")
            if one["links"]
        ]
    assert len(names) >= 6
    assert len(heads) >= 2
    return folder, names, heads


@pytest.fixture
def card(
    recorded: tuple[Path, list[str], list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Card:
    folder, names, heads = recorded
    for part in ("footage", "data"):
        shutil.copytree(folder / part, tmp_path / part)
    none = Path("x")
    config = NodeConfig(
        node=Node(id="btm-017", site="s", data_dir=tmp_path / "data", run_dir=tmp_path / "run"),
        hub=Hub(broker_host="", gateway_url="", ca_file=none, certificate_file=none, key_file=none),
        cameras=[Camera(id="gate", rtsp_url="x")],
        recorder=Recorder(footage_dir=tmp_path / "footage"),
    )
    index = tmp_path / "data" / "footage.db"
    return Card(FootageCommand(config, capsys), tmp_path / "footage", index, names, heads)
