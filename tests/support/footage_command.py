"""`siaga-node footage` over the footage of a keeper: its config as a file, its answers as JSON."""

import json
from pathlib import Path
from typing import Any

import pytest

from siaga_core.errors import SiagaError
from siaga_edge.cli.__main__ import parser
from siaga_edge.node import NodeConfig


class FootageCommand:
    """Runs the command as a technician does."""

    def __init__(self, config: NodeConfig, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        node, settings = config.node, config.recorder
        assert settings is not None
        self.path = node.data_dir.parent / "node.toml"
        cameras = "".join(f'[[cameras]]\nid = "{one.id}"\nrtsp_url = "rtsp://x"\n' for one in config.cameras)
        self.path.write_text(
            f'[node]\nid = "{node.id}"\nsite = "s"\n'
            f'data_dir = "{node.data_dir}"\nrun_dir = "{node.run_dir}"\n'
            '[hub]\nbroker_host = "127.0.0.1"\ngateway_url = "https://127.0.0.1:1"\n'
            f'ca_file = "{config.hub.ca_file}"\ncertificate_file = "x"\nkey_file = "x"\n'
            f'[recorder]\nfootage_dir = "{settings.footage_dir}"\nfree_reserve_bytes = 0\n{cameras}'
        )

    def run(self, *words: object) -> tuple[int, str, str]:
        """Status, standard output and standard error."""
        self._capsys.readouterr()
        arguments = [str(word) for word in words]
        if arguments[0] != "salvage":
            arguments += ["--config", str(self.path)]
        args = parser().parse_args(["footage", *arguments])
        try:
            status = int(args.deed(args))
        except SiagaError as error:  # as siaga_core.service.main does it, which takes over a whole process
            return 1, "", str(error)
        said = self._capsys.readouterr()
        return status, said.out, said.err

    def json(self, *words: object) -> tuple[int, dict[str, Any]]:
        """Status and answer."""
        status, out, err = self.run(*words, "--json")
        assert out, err
        return status, json.loads(out)


def iso(wall_ns: int) -> str:
    """A time as it may be typed, to the microsecond."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(wall_ns // 1000 / 1e6, UTC).isoformat()


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file with its octets and the time of its last change."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
