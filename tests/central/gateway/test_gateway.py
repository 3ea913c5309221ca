"""The nodes' door, through real TLS with real certificates."""

import hashlib
import http.client
import json
import ssl
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from siaga_central.authority.certificates import Key, new_key
from siaga_central.authority.voice import Voice
from siaga_central.gateway.app import create_app
from siaga_central.gateway.server import Server, mutual_tls
from siaga_central.store import certificates, claims, clips
from siaga_central.store.schema import chain_head
from siaga_central.store.writer import Store
from siaga_edge import announced
from siaga_edge.cli.footage_check import check
from siaga_edge.node import Hub
from siaga_edge.uplink.ledger import Ledger
from support.clock import FakeClock
from support.hub import Identity, Place, make_place, running
from support.kept_footage import kept_footage
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


def test_a_node_verifies_its_footage_by_the_heads_that_the_hub_was_told(
    door: Door, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "node").mkdir()
    with kept_footage(tmp_path / "node") as kept:
        kept.record(75)
        kept.writers["gate"].close()
        kept.settle()
        told = {one["links"]: one for one in kept.records("recording.coverage") if one["links"]}
        config = kept.config
    rows = [
        {"node": "btm-017", "chain": one["chain"], "links": links, "received_us": links}
        | {"head": b64decode(one["head"]).hex()}
        for links, one in told.items()
    ]
    store.write(lambda c: c.execute(chain_head.insert(), rows))
    shown = identity(door, store, "btm-017")
    hub = Hub(
        broker_host="",
        gateway_url=f"https://127.0.0.1:{door.port}",
        ca_file=door.place.authority.ca_file,
        certificate_file=shown.certificate_file,
        key_file=shown.key_file,
    )
    config = msgspec.structs.replace(config, hub=hub)
    unheard = check(config, None, [], offline=False)
    assert (unheard.heads, unheard.status) == (0, 0)
    assert "has not heard its hub" in unheard.heads_from
    voice = Voice(door.place.authority, "life-one", 1, datetime.now(UTC))
    root_pem = door.place.authority.ca_file.read_bytes()
    with closing(Ledger(config.delivery_file, FakeClock())) as ledger:
        ledger.keep_announcement(announced.newer(None, voice.announcement(), root_pem))
    verdict = check(config, None, [], offline=False)
    assert (verdict.heads, verdict.heads_from, verdict.findings) == (len(rows), hub.gateway_url, ())
    store.write(lambda c: c.execute(chain_head.update().values(head="ab" * 32)))
    assert {one.code for one in check(config, None, [], offline=False).findings} == {"other-head"}
    assert door.ask("GET", "/v1/heads")[0] == 403
