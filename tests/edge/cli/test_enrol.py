"""`siaga-node enrol` against the real gateway: whom it trusts, what it sends, what it leaves on disk."""

import hashlib
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from siaga_central.authority.authority import Authority
from siaga_central.gateway.app import create_app
from siaga_central.gateway.server import Server, mutual_tls
from siaga_central.store import claims, nodes
from siaga_core.service.clock import SystemClock
from support.hub import running
from support.hub_store import hub_store
from support.pki import Authority as Stranger
from support.waiting import free_port, until

PROGRAM = str(Path(sys.executable).parent / "siaga-node")
TOKEN = "once-and-for-one-node"


@dataclass
class Door:
    """The gateway, and every byte of a request that reached it."""

    folder: Path
    port: int
    ca_file: Path
    heard: list[bytes] = field(default_factory=list)

    def node(self, name: str) -> Path:
        """The config of a node that has neither key nor certificate."""
        home = self.folder / name
        home.mkdir()
        config = home / "node.toml"
        config.write_text(
            f'[node]\nid = "btm-017"\nsite = "Batam"\ndata_dir = "{home}/data"\n'
            f'[hub]\nbroker_host = "127.0.0.1"\ngateway_url = "https://127.0.0.1:{self.port}"\n'
            f'ca_file = "{self.ca_file}"\n'
            f'certificate_file = "{home}/tls/node.pem"\nkey_file = "{home}/private/node.key"\n'
        )
        return config

    def enrol(
        self, config: Path, token: str = TOKEN, ca: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """As a technician does it at the site, with the most careless umask."""
        command = [PROGRAM, "enrol", "--config", str(config), "--token", token]
        command += ["--ca", str(ca or self.ca_file)]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, umask=0, check=False)

    def recording(self, app: Any) -> Any:
        """The same ASGI app; path, headers and body are kept."""

        async def record(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":  # the server's own start and end
                await app(scope, receive, send)
                return
            self.heard.append(repr((scope["path"], scope["query_string"], scope["headers"])).encode())

            async def listen() -> Any:
                message = await receive()
                self.heard.append(message.get("body", b""))
                return message

            await app(scope, listen, send)

        return record


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    clock, now = SystemClock(), datetime.now(UTC)
    store = hub_store(tmp_path, clock)
    authority = Authority.create(tmp_path / "authority", "Uji", now)
    made = Door(tmp_path, free_port(), authority.ca_file)
    chain, key = authority.own("server", now, ["127.0.0.1", "localhost"])
    app = made.recording(create_app(store, authority, tmp_path / "media", clock))
    server = uvicorn.Server(mutual_tls(app, "127.0.0.1", made.port, chain, key, authority.bundle_file))
    now_us = clock.wall_ns() // 1000
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    store.write(lambda c: nodes.add_site(c, "BTM-017", "Simpang Kara", "Batam Kota", "admin", now_us))
    store.write(lambda c: nodes.add(c, "btm-017", "BTM-017", "btm-017", "admin", now_us))
    store.write(lambda c: claims.make(c, digest, "btm-017", "admin", now_us, now_us + 60_000_000))
    with running(Server("gateway", server)):
        until(lambda: server.started)
        yield made
    store.close()


def secrets_of(key_file: Path) -> list[bytes]:
    """What must never be on the wire: the private number in each usual spelling, and the file's own lines."""
    key: Any = serialization.load_pem_private_key(key_file.read_bytes(), None)
    number = key.private_numbers().private_value
    lines = [line for line in key_file.read_bytes().splitlines() if not line.startswith(b"--")]
    return [*lines, number.to_bytes(32, "big"), f"{number:x}".encode(), str(number).encode()]


def leaked(heard: list[bytes], key_file: Path) -> bool:
    sent = b"".join(heard)
    return b"PRIVATE" in sent or any(secret in sent for secret in secrets_of(key_file))


def test_a_claim_with_the_pinned_ca_leaves_a_certificate_that_opens_the_door(door: Door) -> None:
    config = door.node("one")
    asked = door.enrol(config)
    assert asked.returncode == 0, asked.stderr
    tls, key = config.parent / "tls" / "node.pem", config.parent / "private" / "node.key"
    certificate = x509.load_pem_x509_certificate(tls.read_bytes())
    name = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    assert name == "btm-017"
    assert certificate.not_valid_after_utc.isoformat() in asked.stdout
    assert len(x509.load_pem_x509_certificates(tls.read_bytes())) > 1, "its chain follows it"
    ssl.create_default_context(cafile=str(door.ca_file)).load_cert_chain(tls, key)


def test_the_private_key_is_its_owners_alone_and_never_sent(door: Door) -> None:
    config = door.node("one")
    assert door.enrol(config).returncode == 0
    key = config.parent / "private" / "node.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert TOKEN.encode() in b"".join(door.heard), "the recording hears what is sent"
    assert not leaked(door.heard, key)
    # The same check on a node that would send its key: it goes red.
    assert leaked([*door.heard, key.read_bytes()], key)
    assert leaked([*door.heard, secrets_of(key)[0]], key)


def test_a_gateway_that_the_pin_does_not_know_gets_neither_token_nor_request(door: Door) -> None:
    config, wrong = door.node("one"), Stranger(door.folder / "stranger").ca_file
    asked = door.enrol(config, ca=wrong)
    assert asked.returncode == 1
    assert "CERTIFICATE_VERIFY_FAILED" in asked.stderr
    assert "Traceback" not in asked.stderr
    assert door.heard == []
    assert not (config.parent / "tls" / "node.pem").exists()
    assert door.enrol(config).returncode == 0, "nothing was used up"


def test_a_used_token_is_refused_to_another_key_but_not_to_the_same_after_a_power_cut(door: Door) -> None:
    first, thief = door.node("one"), door.node("two")
    assert door.enrol(first).returncode == 0
    refused = door.enrol(thief)
    assert refused.returncode == 1
    assert "refused the claim" in refused.stderr
    assert not (thief.parent / "tls" / "node.pem").exists()
    key = first.parent / "private" / "node.key"
    before = key.read_bytes()
    (first.parent / "tls" / "node.pem").unlink()
    assert door.enrol(first).returncode == 0
    assert key.read_bytes() == before
    assert (first.parent / "tls" / "node.pem").exists()


def test_a_guessed_token_is_refused(door: Door) -> None:
    config = door.node("one")
    assert door.enrol(config, token="guess").returncode == 1
    assert not (config.parent / "tls" / "node.pem").exists()


@pytest.mark.parametrize("content", ["", "no key at all"])
def test_a_key_file_that_is_no_key_is_named_and_left_alone(door: Door, content: str) -> None:
    config = door.node("one")
    key = config.parent / "private" / "node.key"
    key.parent.mkdir()
    key.write_text(content)
    asked = door.enrol(config)
    assert asked.returncode == 1
    assert str(key) in asked.stderr
    assert "Traceback" not in asked.stderr
    assert key.read_text() == content
    assert door.heard == []


@pytest.mark.parametrize("ca", ["none.pem", "empty.pem"])
def test_a_ca_that_is_missing_or_empty_is_said_in_one_sentence(door: Door, ca: str) -> None:
    (door.folder / "empty.pem").touch()
    asked = door.enrol(door.node("one"), ca=door.folder / ca)
    assert asked.returncode == 1
    assert "Traceback" not in asked.stderr
    assert door.heard == []
