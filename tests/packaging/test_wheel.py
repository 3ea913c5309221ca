"""What is installed from the wheel is what the tree holds, and each extra brings what it promises."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SIDES = {"core": "siaga_core", "edge": "siaga_edge", "central": "siaga_central"}
# What a service imports beyond the standard library; importing its package must bring all of it.
PROMISED = {"edge": ["siaga_core", "siaga_edge"], "central": ["siaga_core", "siaga_central"]}

IMPORT_ALL = """
import importlib, pkgutil, sys
names = sys.argv[1:]
failed = []
for name in names:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        if module.name.endswith("__main__") or ".migrations." in module.name:
            continue
        try:
            importlib.import_module(module.name)
        except ImportError as error:
            failed.append(f"{module.name}: {error}")
print("\\n".join(failed))
raise SystemExit(bool(failed))
"""


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=100,
    )
    [made] = folder.glob("*.whl")
    return made


def environment(folder: Path, wheel: Path, extra: str | None) -> Path:
    """Make a fresh environment with the wheel and one extra's pinned requirements; return its Python."""
    uv = Path(sys.executable).with_name("uv")

    def run(*words: str | Path) -> None:
        subprocess.run([uv, *words], check=True, capture_output=True, timeout=110)

    run("venv", "--quiet", "--python", "/usr/bin/python3", folder)
    python = folder / "bin" / "python"
    if extra is None:
        run("pip", "install", "--quiet", "--python", python, wheel)
    else:
        requirements = ROOT / "requirements" / f"{extra}.txt"
        run("pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", requirements)
        run("pip", "install", "--quiet", "--python", python, "--no-deps", wheel)
    return python


def test_the_wheel_holds_every_module_and_data_file_of_the_tree(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    missing = [
        str(path.relative_to(ROOT / side))
        for side, package in SIDES.items()
        for path in (ROOT / side / package).rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and str(path.relative_to(ROOT / side)) not in names
    ]
    assert missing == []


@pytest.mark.parametrize("folder", ["systemd", "firmware-config", "hardware"])
def test_the_wheel_carries_what_a_machine_is_set_up_with(wheel: Path, folder: str) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert any(f"/share/siaga/{folder}/" in name for name in names)


@pytest.mark.parametrize("extra", PROMISED)
def test_an_extra_imports_all_it_promises(wheel: Path, tmp_path: Path, extra: str) -> None:
    python = environment(tmp_path / "env", wheel, extra)
    result = subprocess.run(
        [python, "-W", "ignore", "-c", IMPORT_ALL, *PROMISED[extra]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.stdout.strip() == ""
    assert result.returncode == 0


SERVICES = {
    "siaga_edge.modem": "edge",
    "siaga_edge.recorder": "edge",
    "siaga_edge.cameras": "edge",
    "siaga_edge.health": "edge",
    "siaga_edge.uplink": "edge",
    "siaga_central.cli": "central",
}


def test_without_its_extra_a_service_says_in_one_sentence_what_to_install(
    wheel: Path, tmp_path: Path
) -> None:
    python = environment(tmp_path / "env", wheel, None)
    for module, extra in SERVICES.items():
        result = subprocess.run(
            [python, "-m", module, "--config", "none.toml"]
            if extra == "edge"
            else [python, "-m", module, "run", "--config", "none.toml"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert result.returncode == 78, (module, result.stderr)
        assert result.stderr.count("\n") == 1, (module, result.stderr)
        assert f"pip install 'siaga[{extra}]'" in result.stderr
