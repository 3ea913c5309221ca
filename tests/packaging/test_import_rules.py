"""Each import rule of the house holds, and breaks when somebody breaks it."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RULES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

# rule -> (module file to spoil, line to plant)
PLANTED = {
    "sides": ("edge/siaga_edge/node.py", "import siaga_central.domain"),
    "node-services": ("edge/siaga_edge/health/rules.py", "import siaga_edge.modem"),
    "hub-layers": ("central/siaga_central/store/schema/__init__.py", "import siaga_central.console"),
    "domain": ("central/siaga_central/domain/role.py", "import siaga_core.wire.envelope"),
    "pure": ("core/siaga_core/wire/topics.py", "import time"),
    "modem-library": ("edge/siaga_edge/modem/at.py", "import serial"),
    "mqtt-library": ("central/siaga_central/ingest/__init__.py", "import paho.mqtt.client"),
    "picture-library": ("edge/siaga_edge/recorder/__init__.py", "import cv2"),
    "onvif-library": ("edge/siaga_edge/cameras/picture.py", "import zeep"),
    "backup-library": ("central/siaga_central/backup/shipper.py", "import pyrage"),
    "gpio-library": ("edge/siaga_edge/health/panel.py", "import gpiozero"),
    "simulators": ("edge/siaga_edge/modem/__init__.py", "import siaga_edge.simulate"),
}


def lint(tree: Path, rule: str) -> subprocess.CompletedProcess[str]:
    """Check one rule over the packages in `tree`."""
    program = (
        "import sys; sys.path[:0] = ['core', 'edge', 'central'];"
        "from importlinter.cli import lint_imports_command; lint_imports_command()"
    )
    return subprocess.run(
        [sys.executable, "-c", program, "--contract", rule, "--no-cache"],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the packages that may be spoiled."""
    for side in ("core", "edge", "central"):
        shutil.copytree(
            ROOT / side, tmp_path / side, ignore=shutil.ignore_patterns("__pycache__", "static", "locale")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_rule_has_a_planted_violation() -> None:
    assert {rule["id"] for rule in RULES} == set(PLANTED)


@pytest.mark.parametrize("rule", PLANTED)
def test_a_planted_violation_breaks_its_rule(tree: Path, rule: str) -> None:
    file, line = PLANTED[rule]
    target = tree / file
    target.write_text(f"{target.read_text()}\n{line}\n")
    result = lint(tree, rule)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "BROKEN" in result.stdout


def test_the_tree_as_it_is_keeps_every_rule() -> None:
    result = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 0, result.stdout
