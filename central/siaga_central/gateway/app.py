"""What the gateway answers. Every request but a claim is a node's, by its certificate."""

import hashlib
import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from starlette.concurrency import run_in_threadpool

from siaga_central.authority import certificates as x509
from siaga_central.authority.authority import Authority
from siaga_central.gateway.files import (
    PICTURE_MOST_BYTES,
    SLICE_MOST_BYTES,
    BadSlice,
    Clips,
    Slice,
    WrongHash,
    WrongOffset,
    parse_range,
    store_picture,
)
from siaga_central.gateway.peer import Peer, peer_of
from siaga_central.store import certificates, claims, clips, commands, coverage, events, nodes, pictures
from siaga_central.store.writer import Store
from siaga_core.service.clock import Clock
from siaga_core.service.signing import Signer, key_id
from siaga_core.wire import topics
from siaga_core.wire.envelope import encode
from siaga_core.wire.ids import node_id

log = logging.getLogger(__name__)

_CLAIM_MOST_BYTES = 16 * 1024


class Renewal(msgspec.Struct, frozen=True):
    """The body of a renewal: the certificate in use and a request signed by the same key."""

    certificate_pem: str
    csr_pem: str


class Claim(msgspec.Struct, frozen=True):
    """The body of a claim."""

    token: str
    csr_pem: str


@dataclass(frozen=True, slots=True)
class Gateway:
    """What the answers stand on."""

    store: Store
    authority: Authority
    clips: Clips
    picture_dir: Path
    clock: Clock

    def now_us(self) -> int:
        """Unix microseconds UTC."""
        return self.clock.wall_ns() // 1000


def create_app(store: Store, authority: Authority, media_dir: Path, clock: Clock) -> FastAPI:
    """The gateway as an ASGI application; serve it with gateway.server."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.state.gateway = Gateway(store, authority, Clips(media_dir / "clips"), media_dir / "pictures", clock)
    app.add_api_route("/v1/claim", claim, methods=["POST"])
    app.add_api_route("/v1/renew", renew, methods=["POST"])
    app.add_api_route("/v1/time", time, methods=["GET"])
    app.add_api_route("/v1/heads", heads, methods=["GET"])
    app.add_api_route("/v1/transfers/clip/{command_id}", clip_offset, methods=["HEAD"])
    app.add_api_route("/v1/transfers/clip/{command_id}", take_clip, methods=["PUT"])
    app.add_api_route("/v1/transfers/picture/{camera_id}", take_picture, methods=["PUT"])
    return app


def gateway_of(request: Request) -> Gateway:
    """The gateway a request came to."""
    found: Gateway = request.app.state.gateway
    return found


Door = Annotated[Gateway, Depends(gateway_of)]


def node_of(request: Request, gateway: Door) -> str:
    """The node that asks, by a certificate of ours that is not revoked; 403 for everybody else."""
    peer: Peer | None = peer_of(request)
    if peer is None:
        raise HTTPException(403, "show a node's certificate")
    with gateway.store.read() as connection:
        good = certificates.is_good(connection, peer.serial, peer.name)
        known = peer.name in nodes.known(connection)
    if not (good and known):
        raise HTTPException(403, f"the certificate of {peer.name} is not accepted any more")
    return peer.name


Node = Annotated[str, Depends(node_of)]


async def claim(request: Request, gateway: Door) -> dict[str, str]:
    """A node's first request: a single-use token and its own key's request become a certificate."""
    body = await _body(request, _CLAIM_MOST_BYTES)
    try:
        asked = msgspec.json.decode(body, type=Claim)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HTTPException(400, f"this is no claim: {error}") from error
    try:
        return await run_in_threadpool(_claim, gateway, asked)
    except claims.ClaimRefused as error:
        log.warning("claim refused reason=%s", error.reason)
        raise HTTPException(403, str(error)) from error
    except x509.BadRequest as error:
        raise HTTPException(400, str(error)) from error


def _claim(gateway: Gateway, asked: Claim) -> dict[str, str]:
    digest = hashlib.sha256(asked.token.encode()).hexdigest()
    now_us = gateway.now_us()
    now = datetime.fromtimestamp(now_us / 1e6, UTC)
    request_pem = asked.csr_pem.encode()

    def work(connection: Any) -> dict[str, str]:
        node = claims.node_of(connection, digest)
        key = x509.read_request(request_pem, node)
        claims.use(connection, digest, x509.key_fingerprint(key), now_us)
        answer = _issue(gateway, connection, node, key, now, now_us)
        nodes.set_state(connection, node, "claimed", f"node:{node}", now_us)
        return answer

    try:
        return gateway.store.write(work)
    except claims.ClaimRefused as error:
        body = {"reason": error.reason, "token_sha256": digest}
        gateway.store.write(
            lambda connection: events.append(connection, now_us, "claim.refused", "gateway", "hub", body)
        )
        raise


async def renew(request: Request, gateway: Door) -> dict[str, str]:
    """A new certificate for the key of one that is running out, or that expired in storage.

    No client certificate is asked for, because TLS would refuse an expired one. Proof is the request itself,
    signed by the key of a certificate that this authority made, has in its list and has not revoked.
    """
    body = await _body(request, _CLAIM_MOST_BYTES)
    try:
        asked = msgspec.json.decode(body, type=Renewal)
        node, serial, key = gateway.authority.renewable(asked.certificate_pem)
        if x509.key_fingerprint(x509.read_request(asked.csr_pem.encode(), node)) != x509.key_fingerprint(key):
            raise x509.BadRequest("the request is for another key; enrol this node again")
    except (msgspec.DecodeError, UnicodeDecodeError, x509.BadRequest) as error:
        raise HTTPException(400, f"this is no renewal: {error}") from error
    return await run_in_threadpool(_renew, gateway, node, serial, key)


def _renew(gateway: Gateway, node: str, serial: str, key: Any) -> dict[str, str]:
    now_us = gateway.now_us()
    now = datetime.fromtimestamp(now_us / 1e6, UTC)

    def work(connection: Any) -> dict[str, str]:
        if not (certificates.is_good(connection, serial, node) and node in nodes.known(connection)):
            raise HTTPException(403, f"the certificate of {node} is revoked or not in the list")
        return _issue(gateway, connection, node, key, now, now_us)

    return gateway.store.write(work)


def _issue(
    gateway: Gateway, connection: Any, node: str, key: Any, now: datetime, now_us: int
) -> dict[str, str]:
    issued = gateway.authority.issue_node(node, key, now)
    not_after_us = now_us + int(timedelta(days=x509.LEAF_DAYS).total_seconds() * 1e6)
    named, pem = key_id(key).hex(), issued.certificate_pem
    certificates.add(connection, issued.serial, node, pem, named, not_after_us, now_us)
    return {"node": node, "certificate_pem": pem, "chain_pem": issued.chain_pem}


def time(gateway: Door) -> dict[str, int]:
    """The hub's time, for a node that has none."""
    return {"wall_ns": gateway.clock.wall_ns()}


def heads(gateway: Door, node: Node) -> Response:
    """What this node has told of its chains of segments, sealed: footage is verified against it."""
    with gateway.store.read() as connection:
        told = coverage.told(connection, node)
    now = datetime.fromtimestamp(gateway.now_us() / 1e6, UTC)
    _, key = gateway.authority.own("signing", now, signing=True)
    sealed = Signer.load(key).seal(topics.heads(node_id(node)), encode(told))
    return Response(sealed, media_type="application/octet-stream")


def clip_offset(command_id: str, gateway: Door, node: Node) -> Response:
    """How much of a clip is here; 423 while operators have stopped it, 410 when it is not wanted any more."""
    _own_clip(gateway, node, command_id)
    _check_wanted(gateway, command_id)
    return Response(headers={"Upload-Offset": str(gateway.clips.offset(command_id))})


async def take_clip(request: Request, command_id: str, gateway: Door, node: Node) -> Response:
    """One slice of a clip; 201 when it is whole and its hash is what the node stated."""
    try:
        piece = parse_range(request.headers.get("content-range", ""))
    except BadSlice as error:
        raise HTTPException(400, str(error)) from error
    body = await _body(request, SLICE_MOST_BYTES)
    if len(body) != piece.size:
        raise HTTPException(400, f"Content-Range says {piece.size} bytes, the body has {len(body)}")
    sha256 = request.headers.get("x-siaga-sha256", "").lower()
    return await run_in_threadpool(_take_slice, gateway, node, command_id, piece, body, sha256)


def _take_slice(
    gateway: Gateway, node: str, command_id: str, piece: Slice, body: bytes, sha256: str
) -> Response:
    stated = _own_clip(gateway, node, command_id)
    _check_wanted(gateway, command_id)
    try:
        here = gateway.clips.add(command_id, piece, body)
        if here < piece.total:
            gateway.store.write(lambda c: clips.progress(c, command_id, here, piece.total, gateway.now_us()))
            return Response(headers={"Upload-Offset": str(here)})
        if stated and stated != sha256:
            raise WrongHash(f"the node stated {stated} before, {sha256} now")
        gateway.clips.finish(command_id, sha256)
    except WrongOffset as error:
        return Response(str(error), 409, {"Upload-Offset": str(error.offset)})
    except WrongHash as error:
        log.error("clip refused id=%s cause=%s", command_id, error)
        return Response(str(error), 422, {"Upload-Offset": "0"})
    now_us = gateway.now_us()
    gateway.store.write(lambda c: clips.ready(c, command_id, sha256, here, now_us))
    return Response(status_code=201)


def _own_clip(gateway: Gateway, node: str, command_id: str) -> str:
    """The hash this node stated for a clip of its own, if it has; 404 for everything else."""
    with gateway.store.read() as connection:
        row = commands.find(connection, command_id)
        if row is None or row.node != node or row.kind != "clip.fetch":
            raise HTTPException(404, f"{node} was asked for no clip {command_id}")
        return str(json.loads(row.result).get("sha256", ""))


def _check_wanted(gateway: Gateway, command_id: str) -> None:
    """What operators want of it now decides; the node keeps no copy of that."""
    with gateway.store.read() as connection:
        row = clips.find(connection, command_id)
    if row is None or row.wish == "go" or row.state == "ready":
        return
    if row.wish == "stop":
        raise HTTPException(423, "this clip is stopped; ask again")
    gateway.clips.drop(command_id)
    raise HTTPException(410, "this clip is not wanted any more; delete it")


async def take_picture(request: Request, camera_id: str, gateway: Door, node: Node) -> Response:
    """A camera's last picture."""
    body = await _body(request, PICTURE_MOST_BYTES)
    try:
        taken_us = int(request.headers.get("x-siaga-taken-wall-ns", "")) // 1000
    except ValueError as error:
        raise HTTPException(400, "X-Siaga-Taken-Wall-Ns is missing") from error
    sha256 = request.headers.get("x-siaga-sha256", "").lower()
    await run_in_threadpool(_take_picture, gateway, node, camera_id, body, sha256, taken_us)
    return Response(status_code=201)


def _take_picture(
    gateway: Gateway, node: str, camera_id: str, body: bytes, sha256: str, taken_us: int
) -> None:
    with gateway.store.read() as connection:
        own = nodes.cameras_of(connection, node)
    if camera_id not in own:
        raise HTTPException(404, f"{node} has no camera {camera_id}")
    try:
        store_picture(gateway.picture_dir, camera_id, body, sha256)
    except WrongHash as error:
        raise HTTPException(422, str(error)) from error
    except BadSlice as error:
        raise HTTPException(400, str(error)) from error
    now_us = gateway.now_us()
    gateway.store.write(lambda connection: pictures.note(connection, camera_id, taken_us, sha256, now_us))


async def _body(request: Request, most_bytes: int) -> bytes:
    """The body, refused as soon as it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise HTTPException(413, f"at most {most_bytes} bytes")
    return bytes(body)
