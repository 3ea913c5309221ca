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

SIMULATED_MODEM = ("/opt/siaga/current/bin/python", "-m", "siaga_edge.simulate.modem")
# What a modem's service may do to /sys, tried in its own sandbox by its own user.
WRITE_SWITCH = """
import sys
from pathlib import Path
for name in ("authorized", "power"):
    try:
        Path("/sys/devices/usb9/9-1", name).write_text("0")
        print(name, "written")
    except OSError as error:
        print(name, error.strerror)
"""
MODEMS = ("modem", "modemb")
AS_UPLINK = ("runuser", "-u", "siaga-uplink", "-g", "siaga", "--", "/usr/bin/python3", "-c")
# What fails on a node whose hub is not there and whose kernel's clock is its host's.
NOT_HERE = {
    "jam / clock",
    "sertifikat / certificate",
    "broker",
    "gerbang / gateway",
    "daftar jaga / duty roster",  # the hub leaves it
}


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
        "siaga_services": ["recorder", "cameras", *MODEMS, "health"],
        "siaga_pin_factory": "none",
        "siaga_cameras": [
            {"id": "cam-a", "rtsp_url": "rtsp://127.0.0.1:8554/cam-a", "user": "siaga", "password": "x"}
        ],
    }
    assert play("nodes", root, bundle, variables)["changed"] > 5
    assert play("nodes", root, bundle, variables)["changed"] == 0
    with booted(root) as container:
        for service in ("health", *MODEMS, "cameras", "recorder", "uplink"):
            _is_running(container, f"siaga-{service}.service")
            enabled = container.run("systemctl", "is-enabled", f"siaga-{service}.service")
            assert enabled.stdout.strip() == "enabled", service
        password = container.run("stat", "-c", "%U %G %a", "/etc/siaga/camera-cam-a.password")
        assert password.stdout.strip() == "root siaga 640"
        until(
            lambda: container.run(*AS_UPLINK, COUNT_RECORDS).stdout.strip() == "True", 30, because="journal"
        )
        _records(container, root)
        for modem in MODEMS:
            _plug_in(container, modem)
            _sends(container, modem)
        doctor = container.run("siaga-node", "doctor", "--config", "/etc/siaga/node.toml", "--json")
        failed = {one["name"] for one in json.loads(doctor.stdout) if not one["passed"]}
        assert doctor.returncode == 1  # no hub here: it must say so, and nothing else
        assert failed - {"jam / clock"} == NOT_HERE - {"jam / clock"}, doctor.stdout
        # Not at once after they are active: a service that fails is tried again after 2 s (RestartSec=). The
        # uplink of a node that was never enrolled has no key and goes on trying.
        for service in ("health", *MODEMS, "cameras", "recorder"):
            restarts = container.run("systemctl", "show", "-P", "NRestarts", f"siaga-{service}.service")
            assert restarts.stdout.strip() == "0", _said(container, f"siaga-{service}")
        for modem in MODEMS:
            _may_write_its_switch_alone(container, modem)


def _records(container: Container, root: Path) -> None:
    """One ffmpeg for each camera is the recorder's child, in its sandbox."""
    started = container.run("systemd-run", "--unit=camera", *SIMULATED_CAMERA)
    assert started.returncode == 0, started.stderr
    footage = root / "srv/siaga/footage/cam-a"
    try:
        until(lambda: any(path.stat().st_size > 100_000 for path in footage.rglob("*.mp4")), 60)
    except AssertionError:
        raise AssertionError(_said(container, "siaga-recorder") + _said(container, "camera")) from None


def _sends(container: Container, modem: str) -> None:
    """A text that root leaves is sent, and taken away by a service that is not root."""
    send = ("siaga-node", "modem", "send", *(["--second"] if modem == "modemb" else []), "--wait", "45")
    text = ("--to", "+6281270001234", "--text", "coba")
    sent = container.run(*send, *text, "--config", "/etc/siaga/node.toml")
    assert sent.returncode == 0, sent.stdout + sent.stderr + _said(container, f"siaga-{modem}")
    left = container.run("ls", f"/var/lib/siaga/relay-{modem}")
    assert (left.returncode, left.stdout) == (0, ""), left.stderr


def _plug_in(container: Container, modem: str) -> None:
    """Give a modem's service a simulated one under its device's name, and wait until it serves."""
    device, control = f"/dev/siaga-{modem}", f"/run/{modem}-control.sock"
    started = container.run(
        "systemd-run", f"--unit=simulated-{modem}", *SIMULATED_MODEM, "--link", device, "--control", control
    )
    assert started.returncode == 0, started.stderr
    until(lambda: container.run("test", "-e", device).returncode == 0, 30, because=device)
    container.run("chgrp", "dialout", device)
    container.run("chmod", "660", device)
    second = ["--second"] if modem == "modemb" else []
    status = ["siaga-node", "modem", "status", *second, "--config", "/etc/siaga/node.toml", "--json"]

    def ready() -> bool:
        said = json.loads(container.run(*status).stdout)
        return bool(said["running"] and said["status"] and said["status"]["ready"])

    try:
        until(ready, 60)
    except AssertionError:
        raise AssertionError(_said(container, f"siaga-{modem}")) from None


def _may_write_its_switch_alone(container: Container, modem: str) -> None:
    """In the unit, `authorized` can be written once udev has given it away, its neighbour never.

    A container shares its host's /sys, read-only: a file system of its own stands for a USB device there, and
    the command of 70-siaga.rules is run by hand.
    """
    unit = f"siaga-{modem}.service"
    usb = "/sys/devices/usb9/9-1"
    if container.run("test", "-d", usb).returncode:
        container.run("mount", "-t", "tmpfs", "none", "/sys/devices")
        container.run("mkdir", "-p", usb)
        container.run("sh", "-c", f"for name in authorized power; do echo 1 > {usb}/$name; done")
    rules = container.run("cat", "/etc/udev/rules.d/70-siaga.rules").stdout
    given = {line.replace("$devpath", "/devices/usb9/9-1") for line in re.findall(r'RUN\+="([^"]+)"', rules)}
    [chown] = given
    assert container.run(*chown.split()).returncode == 0
    assert container.run("systemctl", "restart", unit).returncode == 0
    _is_running(container, unit)
    pid = container.run("systemctl", "show", "-P", "MainPID", unit).stdout.strip()
    inside = ("nsenter", "--target", pid, "--mount", "--", "runuser", "-u", "siaga-modem", "--")
    tried = container.run(*inside, "/usr/bin/python3", "-c", WRITE_SWITCH)
    assert tried.stdout.splitlines() == ["authorized written", "power Permission denied"], tried.stderr


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
