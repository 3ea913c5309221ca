"""Ten thousand connected nodes: memory, time to connect, and all of them back after the broker was killed."""

import asyncio
import os
import random
import resource
import ssl
import struct
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from sqlalchemy import Connection

from bench.fuzz_outage import NODES, City, drained, opened
from bench.measure import Figure
from bench.place import until_open
from siaga_central.authority.authority import Authority
from siaga_central.authority.certificates import key_pem, new_key
from siaga_central.store import certificates, nodes
from siaga_central.store.writer import Store
from siaga_core.service.clock import SystemClock
from siaga_core.service.signing import key_id
from siaga_core.service.workers import back_off_s
from siaga_core.wire import topics
from siaga_core.wire.envelope import Presence, encode
from siaga_core.wire.ids import NodeId

GOAL = "all back, 0 lost"
# Less with SIAGA_BENCH_NODES, for a first look.
COUNT = int(os.environ.get("SIAGA_BENCH_NODES", "10000"))
KEEPALIVE_S = 900
STORM_MOST_S = 600.0
_SESSION = struct.pack(">BI", 0x11, 86_400)  # MQTT 5, 3.1.2.11.2: session expiry


@dataclass
class Crowd:
    """Light nodes: each its certificate, its connection, its birth and its subscription; nothing else."""

    city: City
    names: list[NodeId]
    up: set[str] = field(default_factory=set)
    tries: int = 0
    _contexts: dict[str, ssl.SSLContext] = field(default_factory=dict)

    async def live(self, node: NodeId, rng: random.Random) -> None:
        """Stay connected for ever, with the pauses that a node keeps between its tries."""
        tries = 0
        while True:
            try:
                await self._connect(node)
                tries = 0
            except (OSError, ssl.SSLError, asyncio.IncompleteReadError, TimeoutError):
                tries += 1
                self.tries += 1
            self.up.discard(node)
            await asyncio.sleep(back_off_s(tries, rng.random()))

    async def _connect(self, node: NodeId) -> None:
        context = self._contexts.get(node) or self._contexts.setdefault(node, self._context(node))
        async with asyncio.timeout(60):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.city.broker_port, ssl=context)
        try:
            birth = encode(Presence(node=node, online=True, since_ms=1))
            writer.write(_connect(node) + _subscribe(node) + _publish(topics.up_state(node), birth))
            async with asyncio.timeout(60):
                answer = await reader.readexactly(4)
            if answer[0] != 0x20 or answer[3]:
                raise OSError(f"the broker refused {node}: {answer.hex()}")
            self.up.add(node)
            while await reader.read(4096):
                pass
        finally:
            writer.close()

    def _context(self, node: NodeId) -> ssl.SSLContext:
        made = ssl.create_default_context(cafile=self.city.folder / "authority" / "ca.pem")
        made.load_cert_chain(self.city.folder / "crowd" / f"{node}.pem", self.city.folder / "crowd" / "key")
        return made


def run() -> list[Figure]:
    """Connect all, measure, kill the broker, measure until all are back; 3 real uplinks among them."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with tempfile.TemporaryDirectory(prefix="siaga-nodes-") as place:
        city = City(Path(place))
        city.set_up()
        names = [NodeId(f"crowd-{number:05d}") for number in range(COUNT)]
        _enrol(city, names)
        try:
            city.start("broker")
            until_open(city.broker_port)
            for name in ["hub", *(f"{kind}:{node}" for node in NODES for kind in ("writer", "uplink"))]:
                city.start(name)
            time.sleep(4)
            found = asyncio.run(_storm(city, names))
            for node in NODES:
                city.kill(f"writer:{node}")
            waiting = drained(city)
            lost = waiting + _lost(city)
        finally:
            for name in list(city.children):
                city.kill(name)
    figures = [
        ("broker's memory for a connected node", "bytes", found.broker_bytes, 200_000.0),
        ("hub's memory for a connected node", "bytes", found.hub_bytes, 50_000.0),
        (f"{COUNT} nodes connect", "s", found.connect_s, STORM_MOST_S),
        (f"{COUNT} nodes are back after the broker was killed", "s", found.storm_s, STORM_MOST_S),
    ]
    made = [
        Figure(
            "nodes",
            name,
            unit,
            round(ours, 1),
            most,
            "the goal",
            round(ours / most, 3),
            f"<= {most:g}",
            ours <= most,
            1,
        )
        for name, unit, ours, most in figures
    ]
    text = "records lost by 3 nodes at 300/s among them"
    return [*made, Figure("nodes", text, "records", lost, 0, "the goal", 0, "0", lost == 0, 1)]


@dataclass(frozen=True, slots=True)
class Storm:
    """What was measured."""

    broker_bytes: float
    hub_bytes: float
    connect_s: float
    storm_s: float


async def _storm(city: City, names: list[NodeId]) -> Storm:
    crowd, rng = Crowd(city, names), random.Random(1)
    before = {name: _rss(city, name) for name in ("broker", "hub")}
    began_s = time.monotonic()
    lives = [asyncio.create_task(crowd.live(name, random.Random(rng.random()))) for name in names]
    connect_s = await _until_all(crowd, began_s, "connect")
    await asyncio.sleep(5)
    grown = {name: (_rss(city, name) - before[name]) / len(names) for name in before}
    city.kill("broker")
    await asyncio.sleep(1)
    city.start("broker")
    storm_s = await _until_all(crowd, time.monotonic(), "storm")
    await asyncio.sleep(5)
    for life in lives:
        life.cancel()
    await asyncio.gather(*lives, return_exceptions=True)
    return Storm(grown["broker"], grown["hub"], connect_s, storm_s)


async def _until_all(crowd: Crowd, began_s: float, what: str) -> float:
    while len(crowd.up) < len(crowd.names) and time.monotonic() - began_s < STORM_MOST_S:
        await asyncio.sleep(0.2)
        sys.stderr.write(
            f"\rbench nodes: {what} {len(crowd.up)}/{len(crowd.names)}, {crowd.tries} failed tries "
        )
        sys.stderr.flush()
    sys.stderr.write("\n")
    return time.monotonic() - began_s


def _enrol(city: City, names: list[NodeId]) -> None:
    """Certificates for all; one key serves them, which no node ever sees another hold in the field."""
    authority, key, now = Authority(city.folder / "authority"), new_key(), datetime.now(UTC)
    folder = city.folder / "crowd"
    folder.mkdir()
    (folder / "key").write_bytes(key_pem(key))
    until_us, named = int((now + timedelta(days=90)).timestamp() * 1e6), key_id(key.public_key()).hex()
    issued = {name: authority.issue_node(name, key.public_key(), now) for name in names}

    def known(connection: Connection) -> None:
        for name, one in issued.items():
            nodes.add(connection, name, "UJI", name, "admin", 1)
            certificates.add(connection, one.serial, name, one.certificate_pem, named, until_us, 1)

    store = Store(f"sqlite:///{city.folder / 'hub.db'}", SystemClock())
    store.write(known)
    store.close()
    for name, one in issued.items():
        (folder / f"{name}.pem").write_text(one.certificate_pem + one.chain_pem)


def _lost(city: City) -> int:
    with closing(opened(city.folder / "hub.db")) as store:
        rows = store.execute("SELECT node, stream, seq FROM record WHERE kind = 'fuzz'").fetchall()
    here = {(node, stream.partition(".")[2], seq) for node, stream, seq in rows}
    lost = 0
    for node in NODES:
        for line in (city.folder / node / "said").read_text().splitlines():
            lane, seq, _ = line.split(" ")
            lost += (node, lane, int(seq)) not in here
    return lost


def _rss(city: City, name: str) -> int:
    return int(psutil.Process(city.children[name].pid).memory_info().rss)


def _connect(node: str) -> bytes:
    body = _text("MQTT") + bytes([5, 0]) + struct.pack(">H", KEEPALIVE_S) + bytes([len(_SESSION)]) + _SESSION
    return _packet(0x10, body + _text(node))


def _subscribe(node: NodeId) -> bytes:
    filters = (topics.down_filter(node), topics.DOWN_HUB)
    return _packet(0x82, struct.pack(">HB", 1, 0) + b"".join(_text(one) + b"\x01" for one in filters))


def _publish(topic: str, payload: bytes) -> bytes:
    return _packet(0x33, _text(topic) + struct.pack(">HB", 2, 0) + payload)


def _packet(head: int, body: bytes) -> bytes:
    size, length = len(body), b""
    while True:
        size, digit = divmod(size, 128)
        length += bytes([digit | (0x80 if size else 0)])
        if not size:
            return bytes([head]) + length + body


def _text(words: str) -> bytes:
    octets = words.encode()
    return struct.pack(">H", len(octets)) + octets
