"""The nodes' door, through real TLS with real certificates."""

import hashlib
import http.client
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from siaga_central.authority.certificates import Key, new_key
from siaga_central.gateway.app import create_app
from siaga_central.gateway.server import Server, mutual_tls
from siaga_central.store import certificates, claims, clips
from siaga_central.store.writer import Store
from support.clock import FakeClock
from support.hub import Identity, Place, make_place, running
from support.waiting import free_port, until

CLIP = "01J0000000000000000000CL1P"
FOOTAGE = bytes(range(256)) * 40
SHA256 = hashlib.sha256(FOOTAGE).hexdigest()
Answer = tuple[int, str | None, bytes]


@dataclass
class Door:
    """The gateway's address, and what a node shows there."""

    place: Place
    port: int

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        identity: Identity | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request on its own connection: status, Upload-Offset, body."""
        context = ssl.create_default_context(cafile=str(self.place.authority.ca_file))
        if identity is not None:
            context.load_cert_chain(identity.certificate_file, identity.key_file)
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=10)
        try:
            connection.request(method, path, body or None, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.getheader("Upload-Offset"), answer.read()
        finally:
            connection.close()

    def put(
        self, identity: Identity | None, start: int, piece: bytes, sha256: str = SHA256, clip: str = CLIP
    ) -> Answer:
        """One slice of the clip."""
        span = f"bytes {start}-{start + len(piece) - 1}/{len(FOOTAGE)}"
        headers = {"Content-Range": span, "X-Siaga-Sha256": sha256}
        return self.ask("PUT", f"/v1/transfers/clip/{clip}", piece, identity, headers)

    def claim(self, token: str, key: Key, node: str = "btm-017") -> Answer:
        """A claim as a node makes it."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, node)])
        csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
        pem = csr.public_bytes(serialization.Encoding.PEM).decode()
        return self.ask("POST", "/v1/claim", json.dumps({"token": token, "csr_pem": pem}).encode())


@pytest.fixture
def door(store: Store, tmp_path: Path, clock: FakeClock) -> Iterator[Door]:
    clock.jump_wall(datetime.now(UTC).timestamp() - clock.wall_ns() / 1e9)
    place, port = make_place(tmp_path / "hub"), free_port()
    chain, key = place.authority.own("server", datetime.now(UTC), ["127.0.0.1", "localhost"])
    app = create_app(store, place.authority, tmp_path / "media", clock)
    server = uvicorn.Server(mutual_tls(app, "127.0.0.1", port, chain, key, place.authority.bundle_file))
    now_us = clock.wall_ns() // 1000
    digest = hashlib.sha256(b"token").hexdigest()
    store.write(lambda c: claims.make(c, digest, "btm-017", "admin", now_us, now_us + 60_000_000))
    store.write(lambda c: clips.ask(c, CLIP, "cam-a", 1, 2, None, "laporan", "rina", now_us))
    with running(Server("gateway", server)):
        until(lambda: server.started)
        yield Door(place, port)


def identity(door: Door, store: Store, node: str) -> Identity:
    """A certificate that the hub has issued."""
    made = door.place.identity(node)
    store.write(lambda c: certificates.add(c, made.serial, node, "", "", 2**60, 1))
    return made


def test_a_claim_is_for_one_key_and_may_be_said_again(door: Door) -> None:
    key = new_key()
    status, _, body = door.claim("token", key)
    assert status == 200
    assert json.loads(body)["node"] == "btm-017"
    assert door.claim("token", key)[0] == 200
    assert door.claim("token", new_key())[0] == 403


def test_a_claim_that_is_late_for_another_or_nonsense_is_refused(door: Door, clock: FakeClock) -> None:
    assert door.claim("token", new_key(), "gsm-001")[0] == 400
    assert door.claim("guess", new_key())[0] == 403
    assert door.ask("POST", "/v1/claim", b"\xff{")[0] == 400
    assert door.ask("POST", "/v1/claim", b"x" * 20_000)[0] == 413
    clock.advance(61)
    assert door.claim("token", new_key())[0] == 403


def test_a_clip_goes_on_where_it_was_cut(door: Door, store: Store) -> None:
    node = identity(door, store, "btm-017")
    assert door.put(node, 0, FOOTAGE[:4000])[:2] == (200, "4000")
    assert door.ask("HEAD", f"/v1/transfers/clip/{CLIP}", b"", node)[:2] == (200, "4000")
    assert door.put(node, 0, FOOTAGE[:4000])[:2] == (409, "4000")
    assert door.put(node, 4000, FOOTAGE[4000:])[0] == 201
    with store.read() as connection:
        row = clips.find(connection, CLIP)
    assert row is not None
    assert (row.state, row.sha256) == ("ready", SHA256)


def test_a_clip_with_another_hash_begins_again(door: Door, store: Store) -> None:
    node = identity(door, store, "btm-017")
    assert door.put(node, 0, FOOTAGE, "0" * 64)[:2] == (422, "0")
    assert door.ask("HEAD", f"/v1/transfers/clip/{CLIP}", b"", node)[1] == "0"
    assert door.put(node, 0, FOOTAGE)[0] == 201


def test_a_body_that_is_not_as_long_as_its_range_is_refused(door: Door, store: Store) -> None:
    node = identity(door, store, "btm-017")
    headers = {"Content-Range": f"bytes 0-9/{len(FOOTAGE)}", "X-Siaga-Sha256": SHA256}
    assert door.ask("PUT", f"/v1/transfers/clip/{CLIP}", FOOTAGE[:50], node, headers)[0] == 400
    assert door.ask("HEAD", f"/v1/transfers/clip/{CLIP}", b"", node)[1] == "0"


def test_nobody_else_sends_or_sees_a_clip(door: Door, store: Store) -> None:
    assert door.put(identity(door, store, "gsm-001"), 0, FOOTAGE)[0] == 404
    assert door.put(None, 0, FOOTAGE)[0] == 403
    gone = identity(door, store, "btm-017")
    store.write(lambda c: certificates.revoke(c, "btm-017", "admin", 2))
    assert door.put(gone, 0, FOOTAGE)[0] == 403


def test_a_picture_is_of_ones_own_camera_whole_and_bounded(door: Door, store: Store, tmp_path: Path) -> None:
    node, picture = identity(door, store, "btm-017"), b"\xff\xd8 picture"
    headers = {"X-Siaga-Taken-Wall-Ns": "1000", "X-Siaga-Sha256": hashlib.sha256(picture).hexdigest()}
    path = "/v1/transfers/picture/cam-a"
    assert door.ask("PUT", path, picture, node, headers)[0] == 201
    assert (tmp_path / "media/pictures/cam-a.jpg").read_bytes() == picture
    assert door.ask("PUT", path, picture + b"!", node, headers)[0] == 422
    assert door.ask("PUT", "/v1/transfers/picture/cam-b", picture, node, headers)[0] == 404
    assert door.ask("PUT", path, picture, identity(door, store, "gsm-001"), headers)[0] == 404
