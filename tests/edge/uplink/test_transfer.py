"""Clips and pictures through the real gateway, over a line that is cut and past a hub that is ended."""

import contextlib
import hashlib
import itertools
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

import pytest
import uvicorn

from siaga_central.gateway.app import create_app
from siaga_central.gateway.server import Server, mutual_tls
from siaga_central.store import certificates, clips, nodes
from siaga_central.store.writer import Store
from siaga_core.service.clock import Clock, SystemClock
from siaga_core.service.workers import Heartbeat, Stop
from siaga_core.wire.health import ServiceState
from siaga_edge import transfers
from siaga_edge.node import Hub
from siaga_edge.transfers import Ticket
from siaga_edge.uplink.transfer import REST_S, Courier, GatewayUnreachable, SharedBudget
from support.clock import FakeClock
from support.hub import Identity, Place, make_place, running
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


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    store, place, port = (
        Store(f"sqlite:///{tmp_path}/hub.db", SystemClock()),
        make_place(tmp_path),
        free_port(),
    )
    identity = place.identity(NODE)
    store.write(lambda c: nodes.add_site(c, "BTM-017", "Simpang Kara", "Batam Kota", "admin", 1))
    store.write(lambda c: nodes.add(c, NODE, "BTM-017", NODE, "admin", 1))
    store.write(lambda c: nodes.add_camera(c, "cam-a", NODE, "Simpang", 1.12, 104.05, "admin", 1))
    store.write(lambda c: certificates.add(c, identity.serial, NODE, "", "", 2**60, 1))
    store.write(lambda c: clips.ask(c, CLIP, "cam-a", 1, 2, None, "laporan", "rina", 1))
    line = Line(port)
    (tmp_path / "transfers").mkdir()
    yield Site(tmp_path, place, identity, store, port, line)
    line.close()
    store.close()


def deliver(site: Site, courier: Courier, most: int = 20) -> int:
    """Step until nothing waits; how often the gateway was not reached. A ticket gone too early fails here."""
    lost = 0
    for _ in range(most):
        try:
            busy = courier.step()
        except GatewayUnreachable:
            lost, busy = lost + 1, True
        if not list(site.transfers.glob("*.json")):
            assert site.is_ready(), "the ticket is gone and the hub has not confirmed the clip"
        if not busy:
            return lost
    raise AssertionError(f"still waiting: {list(site.transfers.iterdir())}")


def test_a_clip_goes_up_in_slices_and_its_ticket_is_discarded_when_the_hub_has_it(site: Site) -> None:
    site.publish_clip()
    with site.hub():
        assert deliver(site, site.courier()) == 0
    assert site.is_ready()
    assert list(site.transfers.iterdir()) == []
    assert [method for method, _ in site.heard] == ["HEAD", *["PUT"] * 6]
    assert site.sent_bytes() == len(FOOTAGE)


@pytest.mark.parametrize("at", [100, SLICE])
def test_a_line_that_is_cut_costs_at_most_the_slice_it_carried(site: Site, at: int) -> None:
    site.publish_clip()
    courier = site.courier()
    with site.hub():
        for _ in range(2):
            courier.step()
        site.line.cut_after = at
        assert deliver(site, courier) == 1
    assert site.is_ready()
    assert site.sent_bytes() <= len(FOOTAGE) + SLICE


def _restarted(site: Site, kind: type[Courier]) -> int:
    """Octets that went up of a clip while uplink and hub were both ended in its middle."""
    site.publish_clip()
    with site.hub():
        first = site.courier()
        for _ in range(3):
            first.step()
    with pytest.raises(GatewayUnreachable):
        site.courier(kind).step()
    assert list(site.transfers.glob("*.json"))
    with site.hub():
        assert deliver(site, site.courier(kind)) == 0
    assert site.is_ready()
    return site.sent_bytes()


def test_a_clip_goes_on_where_it_was_after_uplink_and_hub_have_ended(site: Site) -> None:
    assert _restarted(site, Courier) == len(FOOTAGE)


@pytest.mark.parametrize("slices_before", [2, 5])
def test_an_answer_that_is_lost_doubles_and_drops_nothing(site: Site, slices_before: int) -> None:
    """After 5 slices it is the 201 itself that is lost."""
    site.publish_clip()
    courier = site.courier()
    with site.hub():
        for _ in range(slices_before):
            courier.step()
        site.lose_answer = True
        assert deliver(site, courier) == 1
    assert site.is_ready()
    assert site.sent_bytes() == len(FOOTAGE)


def test_what_rotted_at_the_hub_is_thrown_away_and_sent_again(site: Site) -> None:
    site.publish_clip()
    courier = site.courier()
    with site.hub():
        for _ in range(3):
            courier.step()
        part = site.media / "clips" / f"{CLIP}.part"
        part.write_bytes(b"\0" * part.stat().st_size)
        assert deliver(site, courier) == 0
    assert site.is_ready()
    assert site.sent_bytes() == 2 * len(FOOTAGE)
    assert site.notices.empty()


def test_more_at_the_hub_than_the_clip_has_is_thrown_away_too(site: Site) -> None:
    site.publish_clip()
    with site.hub():
        (site.media / "clips" / f"{CLIP}.part").write_bytes(b"x" * (len(FOOTAGE) + 1))
        assert deliver(site, site.courier()) == 0
    assert site.is_ready()


def test_a_file_that_is_not_what_its_ticket_says_is_kept_aside_and_reported(site: Site) -> None:
    ticket = site.publish_clip(stated=b"another")
    courier = site.courier()
    with site.hub():
        for _ in range(40):
            if not courier.step():
                break
    assert (site.transfers / "refused" / ticket.name).read_bytes() == FOOTAGE
    assert transfers.waiting(site.transfers) == []
    assert not site.is_ready()
    assert site.notices.get_nowait().code == "uplink.refused"


def test_a_clip_that_nobody_asked_for_does_not_stand_in_the_way(site: Site) -> None:
    stray = site.publish_clip(clip="01J0000000000000000000STR4")
    site.publish_clip()
    with site.hub():
        deliver(site, site.courier())
    assert site.is_ready()
    assert (site.transfers / "refused" / stray.name).exists()


def test_a_picture_overtakes_a_clip_and_anothers_camera_is_refused(site: Site) -> None:
    site.publish_clip()
    courier = site.courier()
    with site.hub():
        courier.step()
        picture, other = site.publish_picture(), site.publish_picture("cam-b")
        while any((site.transfers / one.name).exists() for one in (picture, other)):
            courier.step()
        assert (site.media / "pictures" / "cam-a.jpg").read_bytes() == PICTURE
        assert not site.is_ready()
        deliver(site, courier)
    assert (site.transfers / "refused" / other.name).exists()


def _wish(site: Site, wanted: clips.Wish) -> None:
    site.store.write(lambda c: clips.wish(c, CLIP, wanted, "rina", 1))


def test_a_stopped_clip_rests_on_the_node_lets_others_by_and_goes_on_where_it_was(site: Site) -> None:
    site.publish_clip()
    clock = FakeClock()
    courier = site.courier(clock=clock)
    with site.hub():
        courier.step()
        _wish(site, "stop")
        while courier.step():
            pass
        here = site.sent_bytes()
        assert here <= 2 * SLICE, "the slice that was on its way is the last"
        site.publish_picture()
        assert courier.step(), "a picture does not wait for it"
        assert (site.media / "pictures" / "cam-a.jpg").exists()
    with site.hub():  # both ends start anew: the node knows nothing of it, the hub does
        courier = site.courier(clock=clock)
        assert courier.step()
        assert not courier.step()
        _wish(site, "go")
        assert not courier.step(), "it asks again after a rest"
        clock.advance(REST_S + 1)
        deliver(site, courier)
    assert site.is_ready()


def test_a_clip_that_is_given_up_is_deleted_on_both_sides_and_on_record(site: Site) -> None:
    site.publish_clip()
    with site.hub():
        site.courier().step()
        assert (site.media / "clips" / f"{CLIP}.part").exists()
    _wish(site, "drop")
    with site.hub():
        while site.courier().step():
            pass
    assert list(site.transfers.iterdir()) == []
    assert list((site.media / "clips").iterdir()) == []
    assert not site.is_ready()
    with site.store.read() as connection:
        kinds = connection.exec_driver_sql("SELECT kind, actor FROM event WHERE kind LIKE 'clip.dropped'")
        assert kinds.all() == [("clip.dropped", "rina")]
    with pytest.raises(clips.WrongWish):
        _wish(site, "go")


class ForgetsTheWish(Courier):
    """Takes a stopped clip for a refused one."""

    def _judge(self, ticket: Ticket, status: int, detail: str, sent_bytes: int) -> None:
        super()._judge(ticket, 400 if status == 423 else status, detail, sent_bytes)


def test_a_courier_that_takes_stopped_for_refused_is_caught(site: Site) -> None:
    site.publish_clip()
    with site.hub():
        courier = site.courier(ForgetsTheWish)
        courier.step()
        _wish(site, "stop")
        courier.step()
        _wish(site, "go")
        while courier.step():
            pass
    assert not site.is_ready()


def test_a_clip_and_reports_together_stay_within_the_sites_budget() -> None:
    """An hour of simulated time at 64 kbit/s: a clip takes what is there, urgent records what they need."""
    budget, sent, now_s = SharedBudget(64), 0, 0.0
    urgent = itertools.count(7.0, 30.0)
    due_s = next(urgent)
    while now_s < 3600:
        if now_s >= due_s:
            budget.spend(2000, now_s)
            sent, due_s = sent + 2000, next(urgent)
        pause_s = budget.pause_s(now_s)
        if pause_s == 0:
            budget.spend(budget.slice_bytes, now_s)
            sent += budget.slice_bytes
        now_s += max(pause_s, 0.001)
        assert sent <= 8000 * now_s + 16_000 + budget.slice_bytes + 2000
    assert sent > 0.97 * 8000 * 3600, "and nothing of it is wasted"


class Ticking(Stop):
    """Waits in simulated time until the clip is there, and looks how much has gone up by when."""

    def __init__(self, site: Site, clock: FakeClock) -> None:
        super().__init__()
        self._site, self._clock, self._began_s = site, clock, clock.mono_s()
        self.too_much: list[tuple[float, int]] = []

    def look(self) -> None:
        """The line's own account: budget, burst and the slice that is on its way."""
        gone_s = self._clock.mono_s() - self._began_s
        if self._site.sent_bytes() > 4000 * (gone_s + 2) + SLICE:
            self.too_much.append((gone_s, self._site.sent_bytes()))
        if gone_s > 60 or self._site.is_ready():
            self.set()

    def wait(self, seconds: float) -> bool:
        self._clock.advance(seconds)
        return self.is_set()


@dataclass
class Pulse(Heartbeat):
    """Looks at each beat."""

    ticking: Ticking

    def beat(self) -> None:
        super().beat()
        self.ticking.look()


def _over_budget(site: Site, kind: type[Courier]) -> list[tuple[float, int]]:
    """When a courier at work on a line of 32 kbit/s had sent more than that, and how much."""
    site.publish_clip()
    clock = FakeClock()
    ticking = Ticking(site, clock)
    with site.hub():
        site.courier(kind, clock).work(ticking, Pulse(clock, ticking))
    assert site.is_ready()
    return ticking.too_much


def test_a_courier_at_work_keeps_to_the_budget_of_the_line(site: Site) -> None:
    assert _over_budget(site, Courier) == []


class Spendthrift(Courier):
    """Sends whatever waits, whatever the line may carry."""

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        while not stop.is_set():
            self.step()
            heartbeat.beat()


class Uncounted(Courier):
    """Sends without a word to the budget that reports share."""

    def _carry(self, connection: Any, ticket: Ticket) -> None:
        shared, self._budget = self._budget, SharedBudget(32)
        super()._carry(connection, ticket)
        self._budget = shared


@pytest.mark.parametrize("mutant", [Spendthrift, Uncounted])
def test_a_courier_that_ignores_the_budget_is_found_out(site: Site, mutant: type[Courier]) -> None:
    assert _over_budget(site, mutant)


class DiscardsAtAnySuccess(Courier):
    """Takes the first 200 for the last word."""

    def _judge(self, ticket: Ticket, status: int, detail: str, sent_bytes: int) -> None:
        super()._judge(ticket, 201 if status == 200 else status, detail, sent_bytes)


class DiscardsWhenSent(Courier):
    """Forgets the ticket once its last byte has been handed to the line."""

    def _slice(self, ticket: Ticket, offset: int) -> bytes:
        body = super()._slice(ticket, offset)
        if offset + len(body) == ticket.size_bytes:
            transfers.discard(self._folder, ticket)
        return body


class BeginsAgain(Courier):
    """Never asks the gateway how much it has."""

    def _offset(self, connection: Any, path: str, ticket: Ticket) -> int:
        return self._offsets.setdefault(ticket.name, 0)


@pytest.mark.parametrize(
    ("mutant", "why"),
    [
        (DiscardsAtAnySuccess, "the ticket is gone"),
        (DiscardsWhenSent, "the ticket is gone"),
        (BeginsAgain, "still waiting"),
    ],
)
def test_a_broken_courier_is_caught(site: Site, mutant: type[Courier], why: str) -> None:
    site.publish_clip()
    courier = site.courier(mutant)
    with site.hub():
        for _ in range(5):
            courier.step()
        site.line.cut_after = 100
        with pytest.raises(AssertionError, match=why):
            deliver(site, courier)


def test_a_courier_that_begins_at_0_after_a_restart_is_found_out(site: Site) -> None:
    with pytest.raises(AssertionError, match="still waiting"):
        _restarted(site, BeginsAgain)
