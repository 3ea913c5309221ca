"""`siaga-node run` as a real process: what it starts, starts again and ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from siaga_core.service.main import EXIT_CONFIG
from support.pki import Authority
from support.uplink import NODE, write_config
from support.waiting import free_port, until

PROGRAM = Path(sys.executable).parent / "siaga-node"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A node with a modem and health, whose hub does not answer."""
    authority = Authority(tmp_path / "pki")
    path = write_config(tmp_path, free_port(), authority, authority.issue(NODE))
    path.write_text(path.read_text() + '[health]\npin_factory = "mock"\npanel = false\n')
    return path


@contextmanager
def running(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The node's services as a person would start them; ended with the block."""
    with (config.parent / "run.log").open("ab") as log:
        process = subprocess.Popen([PROGRAM, "run", "--config", config], stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            until(lambda: not services(config), because="no service outlives siaga-node run")


def services(config: Path) -> dict[str, int]:
    """Living service processes with this config: name to process id."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if str(config) in words and "-m" in words and "-I" not in words:
            found[words[words.index("-m") + 1].removeprefix("siaga_edge.")] = int(entry.name)
    return found


def test_exactly_the_services_that_the_config_names_run_until_sigterm(config: Path) -> None:
    with running(config) as node:
        until(lambda: set(services(config)) == {"modem", "health", "uplink"})
        # A service that took SIGTERM before its handler stood would prove nothing.
        until(lambda: len(list((config.parent / "data").glob("journal-*.db"))) == 3)
        assert set(services(config)) == {"modem", "health", "uplink"}
        node.terminate()
        assert node.wait(15) == 0
        assert services(config) == {}


def test_a_service_that_is_killed_is_started_again_and_the_others_stay(config: Path) -> None:
    with running(config):
        before = until(lambda: found if len(found := services(config)) == 3 else None)
        assert before is not None
        os.kill(before["modem"], signal.SIGKILL)
        after = until(lambda: found if len(found := services(config)) == 3 and found != before else None)
        assert after is not None
        assert after["modem"] != before["modem"]
        assert (after["health"], after["uplink"]) == (before["health"], before["uplink"])


def test_no_service_outlives_a_kill_of_the_program(config: Path) -> None:
    with running(config) as node:
        until(lambda: len(services(config)) == 3)
        node.kill()
        node.wait()
        until(lambda: not services(config))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('site = "Batam"', "", "node.site: is missing"),
        ('site = "Batam"', 'site = "Batam"\nsight = 1', "node.sight: is not a key of this file"),
        ("broker_port = ", "broker_port = 1000000000 #", "hub.broker_port: Expected `int` <= 65535"),
        (f'id = "{NODE}"', 'id = "Not An Id"', "node.id: "),
        ("[modem]", "[modem", "is not TOML: "),
    ],
)
def test_a_wrong_config_ends_with_78_and_names_file_key_and_reason(
    config: Path, old: str, new: str, said: str
) -> None:
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new, 1))
    asked = subprocess.run(
        [PROGRAM, "run", "--config", config], capture_output=True, text=True, timeout=20, check=False
    )
    assert asked.returncode == EXIT_CONFIG
    assert f"{config}: {said}" in asked.stderr
    assert "Traceback" not in asked.stderr
    assert services(config) == {}


def test_a_config_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    asked = subprocess.run(
        [PROGRAM, "run", "--config", path], capture_output=True, text=True, timeout=20, check=False
    )
    assert asked.returncode == EXIT_CONFIG
    assert f"{path}: there is no such file" in asked.stderr
