"""A node whose clips and pictures go up a line, that can be cut, to a real gateway."""

import contextlib
import hashlib
import queue
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn

from siaga_central.gateway.app import create_app
from siaga_central.gateway.server import Server, mutual_tls
from siaga_central.store import certificates, clips, nodes
from siaga_central.store.writer import Store
from siaga_core.service.clock import Clock, SystemClock
from siaga_core.wire.health import ServiceState
from siaga_edge import transfers
from siaga_edge.node import Hub
from siaga_edge.transfers import Ticket
from siaga_edge.uplink.transfer import Courier, SharedBudget
from support.hub import Identity, Place, make_place, running
from support.hub_store import hub_store
from support.waiting import free_port, until

NODE, CLIP = "btm-017", "01J0000000000000000000CL1P"
SLICE = 16 * 1024  # of a line of 32 kbit/s
FOOTAGE = random.Random(7).randbytes(6 * SLICE - 123)
PICTURE = b"\xff\xd8 picture"


class Line:
    """A TCP line to the gateway. `cut_after`: upward bytes of the next connection after which it is cut."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.cut_after: int | None = None
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)  # closing alone would leave the thread in accept()
        self._server.close()

    def cut(self) -> None:
        """Now, whatever is on it."""
        self._end(*self._open)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(("127.0.0.1", self._to_port))
        except OSError:
            near.close()
            return
        cut_after, self.cut_after = self.cut_after, None
        self._open |= {near, far}
        down = threading.Thread(target=self._copy, args=(far, near, None), daemon=True)
        down.start()
        self._copy(near, far, cut_after)
        down.join()
        self._open -= {near, far}
        near.close()
        far.close()

    def _copy(self, here: socket.socket, there: socket.socket, most: int | None) -> None:
        copied = 0
        with contextlib.suppress(OSError):
            while piece := here.recv(4096):
                copied += len(piece)
                if most is not None and copied > most:
                    break
                there.sendall(piece)
        self._end(here, there)

    @staticmethod
    def _end(*ends: socket.socket) -> None:
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@dataclass
class Site:
    """A node's transfers folder, the line, and the hub."""

    folder: Path
    place: Place
    identity: Identity
    store: Store
    port: int
    line: Line
    heard: list[tuple[str, int]] = field(default_factory=list)  # (method, bytes of body) per request
    lose_answer: bool = False  # the next PUT arrives whole and is committed, its answer is cut off
    notices: "queue.Queue[ServiceState]" = field(default_factory=queue.Queue)

    @property
    def transfers(self) -> Path:
        return self.folder / "transfers"

    @property
    def media(self) -> Path:
        return self.folder / "media"

    def courier(self, kind: type[Courier] = Courier, clock: Clock | None = None) -> Courier:
        """As the uplink makes it when it starts."""
        hub = Hub(
            broker_host="127.0.0.1",
            gateway_url=f"https://127.0.0.1:{self.line.port}",
            ca_file=self.place.authority.ca_file,
            certificate_file=self.identity.certificate_file,
            key_file=self.identity.key_file,
        )
        return kind(hub, self.transfers, self.notices, clock or SystemClock(), SharedBudget(32))

    def publish_clip(self, content: bytes = FOOTAGE, stated: bytes = FOOTAGE, clip: str = CLIP) -> Ticket:
        (self.transfers / f"{clip}.mp4").write_bytes(content)
        made = Ticket(
            kind="clip", name=f"{clip}.mp4", camera="cam-a", size_bytes=len(content),
            sha256=hashlib.sha256(stated).hexdigest(), command_id=clip,
        )  # fmt: skip
        transfers.publish(self.transfers, made)
        return made

    def publish_picture(self, camera: str = "cam-a") -> Ticket:
        (self.transfers / f"{camera}.jpg").write_bytes(PICTURE)
        made = Ticket(
            kind="picture", name=f"{camera}.jpg", camera=camera, size_bytes=len(PICTURE),
            sha256=hashlib.sha256(PICTURE).hexdigest(), taken_wall_ns=1_000_000,
        )  # fmt: skip
        transfers.publish(self.transfers, made)
        return made

    def is_ready(self) -> bool:
        """The hub calls the clip ready, and it is what was recorded."""
        with self.store.read() as connection:
            row = clips.find(connection, CLIP)
        assert row is not None
        whole = self.media / "clips" / f"{CLIP}.mp4"
        return bool(row.state == "ready") and whole.read_bytes() == FOOTAGE

    def sent_bytes(self) -> int:
        return sum(size for _, size in self.heard)

    @contextmanager
    def hub(self) -> Iterator[None]:
        """The gateway, until the block ends."""
        chain, key = self.place.authority.own("server", datetime.now(UTC), ["127.0.0.1", "localhost"])
        app = self._counting(create_app(self.store, self.place.authority, self.media, SystemClock()))
        ca = self.place.authority.bundle_file
        server = uvicorn.Server(mutual_tls(app, "127.0.0.1", self.port, chain, key, ca))
        with running(Server("gateway", server)):
            until(lambda: server.started)
            yield

    def _counting(self, app: Any) -> Any:
        async def count(scope: Any, receive: Any, send: Any) -> None:
            async def answer(message: Any) -> None:
                if self.lose_answer and message["type"] == "http.response.start" and scope["method"] == "PUT":
                    self.lose_answer = False
                    self.line.cut()
                await send(message)

            if scope["type"] == "http":
                length = dict(scope["headers"]).get(b"content-length", b"0")
                self.heard.append((scope["method"], int(length)))
            await app(scope, receive, answer)

        return count


@contextmanager
def transfer_site(folder: Path) -> Iterator[Site]:
    """A node with a camera and a clip that is asked for, until the block ends."""
    store = hub_store(folder, SystemClock())
    place, port = make_place(folder), free_port()
    identity = place.identity(NODE)
    store.write(lambda c: nodes.add_site(c, "BTM-017", "Simpang Kara", "Batam Kota", "admin", 1))
    store.write(lambda c: nodes.add(c, NODE, "BTM-017", NODE, "admin", 1))
    store.write(lambda c: nodes.add_camera(c, "cam-a", NODE, "Simpang", 1.12, 104.05, "admin", 1))
    store.write(lambda c: certificates.add(c, identity.serial, NODE, "", "", 2**60, 1))
    store.write(lambda c: clips.ask(c, CLIP, "cam-a", 1, 2, None, "laporan", "rina", 1))
    line = Line(port)
    (folder / "transfers").mkdir()
    yield Site(folder, place, identity, store, port, line)
    line.close()
    store.close()
