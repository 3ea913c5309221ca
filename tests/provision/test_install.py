"""The roles make a node and a hub of a blank Debian 12; a second run changes nothing; the services run."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.container import Container, blank_root, booted
from support.waiting import until

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="a container needs root"),
    pytest.mark.timeout(580),
    pytest.mark.slow,
]

COUNT_RECORDS = """
import sqlite3
journal = sqlite3.connect("file:/var/lib/siaga/journal-health.db?mode=ro", uri=True)
print(journal.execute("select count(*) from record").fetchone()[0] > 0)
"""
SIMULATED_CAMERA = (
    "/opt/siaga/current/bin/python",
    *("-m", "siaga_edge.simulate.camera", "--port", "8554", "--control", "/run/camera.sock"),
    *("--cameras", "cam-a", "--user", "siaga", "--password-file", "/etc/siaga/camera-cam-a.password"),
    *("--scene-dir", "/run"),
)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One release bundle of each extra."""
    folder = tmp_path_factory.mktemp("bundles")
    for extra in ("edge", "central"):
        subprocess.run(
            [ROOT / "script/bundle", extra, str(folder)], check=True, capture_output=True, timeout=300
        )
    return folder


def play(
    group: str, root: Path, bundle: Path, variables: dict[str, object], leader: int = 0
) -> dict[str, int]:
    """Run the site's roles over one root; return the recap's numbers."""
    inventory = {
        group: {
            "hosts": {
                str(root): {
                    "ansible_connection": "siaga_root",
                    "siaga_bundle": str(bundle),
                    "siaga_version": re.findall(r"siaga-([\d.]+)-", bundle.name)[0],
                    **variables,
                }
            }
        }
    }
    path = root.with_suffix(".inventory.yml")
    path.write_text(json.dumps(inventory))
    result = subprocess.run(
        [BIN / "ansible-playbook", "-i", path, "site.yml"],
        cwd=ROOT / "ansible",
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible/ansible.cfg"), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
    recap = result.stdout.rpartition("PLAY RECAP")[2]
    return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", recap)}


def test_a_node_is_installed_from_the_wheel_and_its_services_run(tmp_path: Path, bundles: Path) -> None:
    root = blank_root(tmp_path / "node")
    [bundle] = bundles.glob("*-edge-*.tar")
    variables: dict[str, object] = {
        "siaga_node_id": "btm-017",
        "siaga_site": "BTM-017",
        "siaga_hub_host": "192.0.2.1",
        "siaga_services": ["recorder", "cameras", "modem", "health"],
        "siaga_pin_factory": "none",
        "siaga_cameras": [
            {"id": "cam-a", "rtsp_url": "rtsp://127.0.0.1:8554/cam-a", "user": "siaga", "password": "x"}
        ],
    }
    assert play("nodes", root, bundle, variables)["changed"] > 5
    assert play("nodes", root, bundle, variables)["changed"] == 0
    with booted(root) as container:
        for service in ("health", "modem", "cameras", "recorder", "uplink"):
            _is_running(container, f"siaga-{service}.service")
        for service in ("health", "modem", "cameras", "recorder", "uplink"):
            restarts = container.run("systemctl", "show", "-P", "NRestarts", f"siaga-{service}.service")
            assert restarts.stdout.strip() == "0", service
        password = container.run("stat", "-c", "%U %G %a", "/etc/siaga/camera-cam-a.password")
        assert password.stdout.strip() == "root siaga 640"
        as_uplink = (
            "runuser",
            "-u",
            "siaga-uplink",
            "-g",
            "siaga",
            "--",
            "/usr/bin/python3",
            "-c",
            COUNT_RECORDS,
        )
        until(lambda: container.run(*as_uplink).stdout.strip() == "True", 30, because="journal is readable")
        # One ffmpeg for each camera is the recorder's child, in its sandbox.
        started = container.run("systemd-run", "--unit=camera", *SIMULATED_CAMERA)
        assert started.returncode == 0, started.stderr
        footage = root / "srv/siaga/footage/cam-a"
        recorded = lambda: any(path.stat().st_size > 100_000 for path in footage.rglob("*.mp4"))  # noqa: E731
        try:
            until(recorded, 60)
        except AssertionError:
            raise AssertionError(_said(container, "siaga-recorder") + _said(container, "camera")) from None
        doctor = container.run("siaga-node", "doctor", "--config", "/etc/siaga/node.toml", "--json")
        assert doctor.returncode == 1  # no hub, no camera, no modem here: it must say so
        assert json.loads(doctor.stdout)


def test_a_hub_is_installed_from_the_wheel_and_answers(tmp_path: Path, bundles: Path) -> None:
    root = blank_root(tmp_path / "hub")
    [bundle] = bundles.glob("*-central-*.tar")
    assert play("hub", root, bundle, {})["changed"] > 5
    assert play("hub", root, bundle, {})["changed"] == 0
    with booted(root) as container:
        _is_running(container, "siaga-central.service")
        page = (
            "import ssl, urllib.request as u;"
            "trust = ssl.create_default_context(cafile='/var/lib/siaga-central/authority/ca.pem');"
            "print(u.urlopen('https://localhost:8080/masuk', context=trust).read().decode()[:4000])"
        )
        # The broker is its child, in its sandbox; a hub without one answers browsers as well.
        until(lambda: "broker connected" in _said(container, "siaga-central"), 20, because="hub on its bus")
        answer = until(lambda: container.run("/usr/bin/python3", "-c", page).stdout, 30, because="console")
        assert "Siaga" in answer


def _said(container: Container, unit: str) -> str:
    return container.run("journalctl", "--no-pager", "-u", unit).stdout


def _is_running(container: Container, unit: str) -> None:
    def active() -> bool:
        return container.run("systemctl", "is-active", unit).stdout.strip() == "active"

    try:
        until(active, 40)
    except AssertionError:
        log = container.run("journalctl", "--no-pager", "-u", unit, "-n", "30").stdout
        raise AssertionError(f"{unit} is not active:\n{log}") from None
