"""`siaga-node doctor` on a real node: one page, and every broken thing is a failed line with what to do."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from siaga_core.service.clock import Boot, SystemClock
from siaga_core.wire import health
from siaga_core.wire.health import ServiceState
from siaga_core.wire.roster import Gateway, Roster
from siaga_core.wire.want import Want
from siaga_edge.cli.doctor import service_trouble
from siaga_edge.inbox import InboxWriter
from siaga_edge.journal import Journal
from siaga_edge.modem.status import ModemStatus, write_status
from support.pki import Authority
from support.uplink import NODE, Broker, write_config
from support.waiting import free_port

PROGRAM = str(Path(sys.executable).parent / "siaga-node")
# A machine without a time server is told so, rightly; the other lines do not depend on it.
CLOCK = "jam / clock"
ROSTER = "daftar jaga / duty roster"


@dataclass
class Site:
    """A node on which nothing is broken."""

    folder: Path
    config: Path
    broker: Broker
    authority: Authority
    camera: socket.socket

    def edit(self, old: str, new: str) -> None:
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new, 1))


def leave_roster(folder: Path, roster: Roster, version: int = 1) -> None:
    """As the uplink commits what the hub wants."""
    inbox = InboxWriter(folder / "data" / "inbox.db")
    body = msgspec.Raw(msgspec.json.encode(roster))
    inbox.put_want(Want(node=NODE, service="modem", name="roster", version=version, body=body))
    inbox.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    authority = Authority(tmp_path / "pki")
    broker = Broker(tmp_path, authority)
    url = f"https://127.0.0.1:{broker.port}"  # of the gateway only TLS is examined
    config = write_config(tmp_path, broker.port, authority, authority.issue(NODE, days=90), url)
    terminal = os.openpty()
    for modem in ("no-modem", "no-modemb"):
        (tmp_path / modem).symlink_to(os.ttyname(terminal[1]))
    leave_roster(tmp_path, Roster(gateways=[Gateway(node=NODE, number="+628111000112")]))
    (tmp_path / "footage").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as camera:
        port = camera.getsockname()[1]
        config.write_text(
            f'{config.read_text()}[[cameras]]\nid = "cam-a"\nrtsp_url = "rtsp://127.0.0.1:{port}/a"\n'
            f'[recorder]\nfootage_dir = "{tmp_path}/footage"\nffmpeg = "{sys.executable}"\n'
            f'[modemb]\nport = "{tmp_path}/no-modemb"\n'
        )
        yield Site(tmp_path, config, broker, authority, camera)
    broker.kill()
    for end in terminal:
        os.close(end)


def doctor(site: Site, *before: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit status and findings by name, as JSON says them."""
    command = [*before, PROGRAM, "doctor", "--json", "--config", str(site.config)]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert asked.stderr == ""
    findings = {finding["name"]: finding for finding in json.loads(asked.stdout)}
    assert asked.returncode == (0 if all(finding["passed"] for finding in findings.values()) else 1)
    return asked.returncode, findings


def failed(findings: dict[str, dict[str, Any]]) -> set[str]:
    return {name for name, finding in findings.items() if not finding["passed"]} - {CLOCK}


def test_a_node_on_which_nothing_is_broken_passes(site: Site) -> None:
    _, findings = doctor(site)
    assert failed(findings) == set(), findings
    assert len(findings) == 12
    assert "TANPA HP jaga" in findings[ROSTER]["seen"]
    assert {"broker", "gerbang / gateway", "kamera / camera cam-a", "modem", "ffmpeg"} < set(findings)


def certificate_is_missing(site: Site) -> None:
    (site.folder / "pki" / f"{NODE}.pem").unlink()


def certificate_is_anothers(site: Site) -> None:
    pair = site.authority.issue("node-two", days=90)
    shutil.copy(pair.certificate, site.folder / "pki" / f"{NODE}.pem")
    shutil.copy(pair.key, site.folder / "pki" / f"{NODE}.key")


def certificate_is_old(site: Site) -> None:
    site.authority.issue(NODE, days=5)


def certificate_is_refused_by_the_hub(site: Site) -> None:
    pair = Authority(site.folder / "other").issue(NODE, days=90)
    shutil.copy(pair.certificate, site.folder / "pki" / f"{NODE}.pem")
    shutil.copy(pair.key, site.folder / "pki" / f"{NODE}.key")


def hub_is_gone(site: Site) -> None:
    site.broker.kill()


def hub_is_not_ours(site: Site) -> None:
    (site.folder / "pki" / "ca.pem").write_bytes(Authority(site.folder / "other").ca_file.read_bytes())


def gateway_is_gone(site: Site) -> None:
    site.edit(f"https://127.0.0.1:{site.broker.port}", f"https://127.0.0.1:{free_port()}")


def data_folder_is_gone(site: Site) -> None:
    shutil.rmtree(site.folder / "data")


def camera_is_gone(site: Site) -> None:
    site.camera.close()


def second_modem_is_gone(site: Site) -> None:
    (site.folder / "no-modemb").unlink()


def modem_is_a_plain_file(site: Site) -> None:
    (site.folder / "no-modem").unlink()
    (site.folder / "no-modem").touch()


def modem_on_the_network_is_gone(site: Site) -> None:
    site.edit(f'port = "{site.folder}/no-modem"', f'port = "socket://127.0.0.1:{free_port()}"')


def modem_service_is_silent(site: Site) -> None:
    write_status(
        site.folder / "run", "modem", ModemStatus(at_wall_ns=time.time_ns() - 60 * 10**9, ready=True)
    )


def equipment_is_gone(site: Site) -> None:
    (site.folder / "footage").rmdir()
    (site.folder / "no-modem").unlink()
    site.edit(sys.executable, "ffmpeg-that-nobody-has")


def hub_has_no_entry_for_the_modem(site: Site) -> None:
    leave_roster(site.folder, Roster(gateways=[Gateway(node="gsm-001", number="+628111000112")]), 2)


def roster_never_came(site: Site) -> None:
    (site.folder / "data" / "inbox.db").unlink()


def test_the_line_about_the_roster_names_command_and_page(site: Site) -> None:
    roster_never_came(site)
    advice = doctor(site)[1][ROSTER]["advice"]
    assert f"siaga-central roster modem {NODE} --number" in advice
    assert "Daftar jaga" in advice


HUB = {"broker", "gerbang / gateway"}
CERTIFICATE = {"sertifikat / certificate"}


@pytest.mark.parametrize(
    ("trouble", "lines"),
    [
        (certificate_is_missing, CERTIFICATE | HUB),
        (certificate_is_anothers, CERTIFICATE),
        (certificate_is_old, CERTIFICATE),
        (certificate_is_refused_by_the_hub, HUB),
        (hub_is_gone, HUB),
        (hub_is_not_ours, HUB),
        (gateway_is_gone, {"gerbang / gateway"}),
        (data_folder_is_gone, {"folder data / data folder", ROSTER}),
        (hub_has_no_entry_for_the_modem, {ROSTER}),
        (roster_never_came, {ROSTER}),
        (camera_is_gone, {"kamera / camera cam-a"}),
        (modem_is_a_plain_file, {"modem"}),
        (modem_on_the_network_is_gone, {"modem"}),
        (modem_service_is_silent, {"modem"}),
        (second_modem_is_gone, {"modem kedua / second modem"}),
        (equipment_is_gone, {"rekaman / footage", "modem", "ffmpeg"}),
    ],
)
def test_a_broken_thing_is_a_failed_line_with_what_to_do(
    site: Site, trouble: Callable[[Site], None], lines: set[str]
) -> None:
    trouble(site)
    status, findings = doctor(site)
    assert status == 1
    assert failed(findings) == lines, findings
    assert all(findings[name]["advice"] and findings[name]["seen"] for name in lines)


@pytest.mark.parametrize(
    ("unit_state", "age_s", "is_trouble"),
    [
        ("active", 5.0, False),
        ("active", 60.0, True),
        ("active", None, True),
        ("activating", 1.0, True),
        ("failed", 1.0, True),
        ("inactive", 60.0, False),
        ("", None, False),
        ("", 5.0, False),
        ("", 60.0, True),
    ],
)
def test_a_service_that_crashes_or_says_nothing_is_trouble(
    unit_state: str, age_s: float | None, is_trouble: bool
) -> None:
    assert (service_trouble(unit_state, age_s) is not None) == is_trouble


@pytest.mark.parametrize(
    ("mount", "seen"),
    [("mount -t tmpfs -o size=1m none", "sisa/free"), ("mount -t tmpfs -o ro none", "tidak dapat ditulis")],
)
def test_a_disk_that_is_full_or_read_only_is_a_failed_line(site: Site, mount: str, seen: str) -> None:
    inside = f'{mount} {site.folder}/data && exec "$@"'
    unshare = ("unshare", "--map-root-user", "--mount", "sh", "-c", inside, "sh")
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount in a namespace of one's own")
    status, findings = doctor(site, *unshare)
    assert status == 1
    finding = findings["folder data / data folder"]
    assert not finding["passed"]
    assert seen in finding["seen"]
    assert finding["advice"]


def test_what_waits_for_the_hub_is_counted(site: Site) -> None:
    journal = Journal(site.folder / "data" / "journal-modem.db", SystemClock(), Boot(1, "boot"))
    for number in range(7):
        state = ServiceState(service="modem", level="ok", code="test", detail=str(number))
        journal.append(health.SERVICE_KIND, state, "urgent")
    journal.close()
    assert doctor(site)[1]["antrean / queue"]["seen"].startswith("7 ")


def test_the_page_shows_every_line_its_advice_and_the_count(site: Site) -> None:
    site.camera.close()
    _, findings = doctor(site)
    command = [PROGRAM, "doctor", "--config", str(site.config)]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert asked.returncode == 1
    lines = asked.stdout.splitlines()
    assert len(lines) <= 25, "one page"
    for name, finding in findings.items():
        sign = "[LULUS]" if finding["passed"] else "[GAGAL]"
        at = next(n for n, line in enumerate(lines) if line.startswith(f"{sign} {name} "))
        if finding["advice"]:
            assert lines[at + 1].endswith(f"-> {finding['advice']}")
    bad = sum(not finding["passed"] for finding in findings.values())
    assert lines[-1] == f"{len(findings) - bad} lulus/passed, {bad} gagal/failed"
