"""`siaga-node doctor`: one page that says what is well, what is not, and what to do."""

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID

from siaga_core.service.clock import kernel_clock_state
from siaga_edge.cli import duty
from siaga_edge.cli.queue import queued
from siaga_edge.modem.status import OLD_S, read_status
from siaga_edge.node import NodeConfig

LIMIT_S = 3.0
JUDGED_WITHIN_S = 0.3  # besides the round trip, which the handshake has measured
FREE_LEAST_BYTES = 500 * 1024**2
RENEW_BEFORE_DAYS = 30
QUEUED_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. `advice` is what to do when it failed."""

    name: str
    passed: bool
    seen: str
    advice: str = ""


class Bad(Exception):
    """A check failed: what was seen, and what to do."""

    def __init__(self, seen: str, advice: str) -> None:
        super().__init__(seen)
        self.seen, self.advice = seen, advice


def examine(config: NodeConfig) -> list[Finding]:
    """Every check that fits this node, in the order a technician would follow."""
    checks: list[tuple[str, Callable[[], str]]] = [
        ("folder data / data folder", lambda: _folder(config.node.data_dir)),
        ("jam / clock", _clock),
        ("sertifikat / certificate", lambda: _certificate(config)),
        ("broker", lambda: _broker(config)),
        ("gerbang / gateway", lambda: _gateway(config)),
        ("antrean / queue", lambda: _queue(config)),
    ]
    if config.recorder is not None:
        footage, ffmpeg = config.recorder.footage_dir, config.recorder.ffmpeg
        checks += [("rekaman / footage", lambda: _folder(footage)), ("ffmpeg", lambda: _program(ffmpeg))]
    for camera in config.cameras:
        checks.append((f"kamera / camera {camera.id}", lambda url=camera.rtsp_url: _camera(url)))  # type: ignore[misc]
    for name, service, modem in (
        ("modem", "modem", config.modem),
        ("modem kedua / second modem", "modemb", config.modemb),
    ):
        if modem is not None:
            checks.append((name, lambda one=service, port=modem.port: _modem(config, one, port)))  # type: ignore[misc]
    if config.modem is not None:
        checks.append(("daftar jaga / duty roster", lambda: _roster(config)))
    return [_find(name, check) for name, check in checks]


def page(findings: list[Finding]) -> str:
    """The page: words and signs, no colour needed."""
    lines = []
    for finding in findings:
        lines.append(f"[{'LULUS' if finding.passed else 'GAGAL'}] {finding.name:34s} {finding.seen}")
        if finding.advice:
            lines.append(f"        -> {finding.advice}")
    failed = sum(not finding.passed for finding in findings)
    lines.append(f"{len(findings) - failed} lulus/passed, {failed} gagal/failed")
    return "\n".join(lines)


def _find(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except Bad as bad:
        return Finding(name, False, bad.seen, bad.advice)


def _folder(path: Path) -> str:
    if not path.is_dir():
        raise Bad(
            f"{path} tidak ada / is missing", "buat foldernya atau pasang disk / make it or mount the disk"
        )
    if not os.access(path, os.W_OK):
        raise Bad(
            f"{path} tidak dapat ditulis / not writable", "periksa pemilik dan mount / check owner and mount"
        )
    free = shutil.disk_usage(path).free
    if free < FREE_LEAST_BYTES:
        raise Bad(f"sisa/free {free // 1024**2} MB", "kosongkan disk / make room")
    return f"sisa/free {free // 1024**2} MB"


def _clock() -> str:
    state, _ = kernel_clock_state()
    if state != "synced":
        raise Bad(
            "tidak sinkron / not synchronised", "periksa chrony dan jaringan / check chrony and network"
        )
    return "sinkron / synchronised"


def _certificate(config: NodeConfig) -> str:
    path = config.hub.certificate_file
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        advice = "jalankan / run: siaga-node enrol --config … --token … --ca …"
        raise Bad(f"{path}: {error}", advice) from error
    names = [str(part.value) for part in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [config.node.id]:
        raise Bad(f"untuk / for {names}", "sertifikat simpul lain; daftar ulang / enrol again")
    days = (certificate.not_valid_after_utc - datetime.now(UTC)).days
    if days < RENEW_BEFORE_DAYS:
        raise Bad(f"sisa/left {days} hari/days", "daftar ulang / enrol again")
    return f"sisa/left {days} hari/days"


def _broker(config: NodeConfig) -> str:
    return _tls(config, config.hub.broker_host, config.hub.broker_port)


def _gateway(config: NodeConfig) -> str:
    url = urlsplit(config.hub.gateway_url)
    return _tls(config, url.hostname or "", url.port or 443)


def _tls(config: NodeConfig, host: str, port: int) -> str:
    advice = "periksa jaringan, alamat pusat, dan CA / check network, hub's address and CA"
    try:
        context = ssl.create_default_context(cafile=str(config.hub.ca_file))
        context.load_cert_chain(config.hub.certificate_file, config.hub.key_file)
        begun_s = time.monotonic()
        with (
            socket.create_connection((host, port), LIMIT_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            _not_turned_away(secured, time.monotonic() - begun_s)
            return f"{host}:{port} {secured.version()}"
    except (OSError, ValueError) as error:
        raise Bad(f"{host}:{port} {error}", advice) from error


def _not_turned_away(secured: ssl.SSLSocket, handshake_s: float) -> None:
    """Raise OSError if the hub refuses the node's certificate.

    In TLS 1.3 the node's handshake ends before the hub has judged its certificate (RFC 8446, 4.4.2): the
    refusal comes one round trip later. A hub that agrees stays silent until it is spoken to.
    """
    secured.settimeout(handshake_s + JUDGED_WITHIN_S)
    with contextlib.suppress(TimeoutError):
        if not secured.recv(1):
            raise ConnectionResetError("the hub closed the connection; is the certificate revoked?")


def _queue(config: NodeConfig) -> str:
    waiting = sum(one.waiting for one in queued(config))
    if waiting > QUEUED_MOST:
        raise Bad(
            f"{waiting} menunggu / waiting", "periksa broker dan siaga-uplink / check broker and siaga-uplink"
        )
    return f"{waiting} menunggu / waiting"


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Bad(f"{name} tidak ada / is missing", "apt install ffmpeg")
    return found


def _camera(url: str) -> str:
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 554), LIMIT_S):
            return f"{parts.hostname}:{parts.port or 554}"
    except OSError as error:
        advice = "periksa kabel, PoE, dan alamat / check cable, PoE and address"
        raise Bad(f"{parts.hostname}:{parts.port or 554} {error}", advice) from error


def _modem(config: NodeConfig, service: str, port: str) -> str:
    """The port, and its service: a device that answers nobody is there as well."""
    if not port.startswith("socket://"):
        _device(Path(port))
    status = read_status(config.node.run_dir, service)
    age_s = None if status is None else time.time() - status.at_wall_ns / 1e9
    if (trouble := service_trouble(_unit_state(service), age_s)) is not None:
        advice = f"baca / read: journalctl -u siaga-{service} -n 50; siaga-node modem status"
        raise Bad(f"{port}; siaga-{service}: {trouble}", advice)
    if port.startswith("socket://") and (age_s is None or age_s > OLD_S):
        _answers(port)  # a service that runs has the only connection that many converters allow
    return port


def _device(port: Path) -> None:
    if not port.exists():
        raise Bad(
            f"{port} tidak ada / is missing", "periksa kabel USB dan catu daya modem / check plug and supply"
        )
    if not port.is_char_device():
        advice = "hapus lalu cabut dan pasang modem, atau perbaiki port / remove it and replug, or mend port"
        raise Bad(f"{port} bukan perangkat / is no device", advice)


def _answers(port: str) -> None:
    parts = urlsplit(port)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 0), LIMIT_S):
            pass
    except (OSError, ValueError) as error:
        raise Bad(f"{port} {error}", "periksa jaringan ke modem / check the network to the modem") from error


def service_trouble(unit_state: str, age_s: float | None) -> str | None:
    """What is wrong with a modem's service, None if nothing is. Pure.

    `unit_state` is systemd's ActiveState, empty where there is no systemd; `age_s` that of the service's
    status, None without one. A unit that somebody has stopped is expected to say nothing.
    """
    if unit_state in ("failed", "activating"):  # `activating` also between two crashes (auto-restart)
        return f"tidak sampai berjalan / does not come up ({unit_state})"
    if unit_state == "active" and age_s is None:
        return "berjalan tanpa memberi kabar / runs and has told nothing"
    if unit_state in ("active", "") and age_s is not None and age_s > OLD_S:
        return f"tanpa kabar {age_s:.0f} detik / silent for {age_s:.0f} s"
    return None


def _unit_state(service: str) -> str:
    """systemd's ActiveState of the service's unit; empty where systemd does not run or does not know it."""
    command = ["systemctl", "show", "-p", "LoadState", "-p", "ActiveState", f"siaga-{service}.service"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)  # noqa: S603 - our own words
    except (OSError, subprocess.TimeoutExpired):
        return ""
    states = dict(line.split("=", 1) for line in told.stdout.splitlines() if "=" in line)
    return states.get("ActiveState", "") if states.get("LoadState") == "loaded" else ""


def _roster(config: NodeConfig) -> str:
    takes_part, seen = duty.standing(config)
    if not takes_part:
        raise Bad(seen, duty.advice(config))
    return seen
