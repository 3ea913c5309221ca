"""Centre outages, node kills and link cuts under load, with the PUBACK design alongside as control."""

import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.fuzz import Outcome
from bench.place import free_port, until_open
from siaga_central.authority.authority import Authority
from siaga_central.authority.certificates import key_pem, new_key
from siaga_central.bus import broker
from siaga_central.bus.settings import BrokerSettings
from siaga_central.store import certificates, nodes
from siaga_central.store.writer import Store
from siaga_core.service.clock import SystemClock
from siaga_core.service.signing import key_id

NODES = ("fuzz-one", "fuzz-two", "fuzz-three")
RECORDS_S = 300.0
# From the hub's death to the broker's: long enough that the broker has PUBACKed what nobody has committed.
BROKER_DIES_LATER_S = 1.5
DRAIN_LIMIT_S = 120.0


class Gate:
    """A TCP forwarder in front of the broker: the link of one site, which can be cut."""

    def __init__(self, target: int) -> None:
        self._target, self.open = target, True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._pairs: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        """Drop what is connected, let nobody in."""
        self.open = False
        for end in self._pairs:
            _close(end)
        self._pairs.clear()

    def mend(self) -> None:
        """Let them in again."""
        self.open = True

    def _serve(self) -> None:
        while True:
            near, _ = self._listener.accept()
            try:
                if not self.open:
                    raise ConnectionRefusedError
                far = socket.create_connection(("127.0.0.1", self._target), 2)
            except OSError:
                _close(near)
                continue
            self._pairs += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while octets := source.recv(65536):
            sink.sendall(octets)
    _close(source)
    _close(sink)


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@dataclass
class City:
    """Everything that runs."""

    folder: Path
    host: str = "127.0.0.1"
    broker_port: int = 0
    control_port: int = 0
    configuration: Path = Path()
    gates: dict[str, Gate] = field(default_factory=dict)
    children: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def set_up(self) -> None:
        """Authority, broker configuration with a listener for the control, nodes with keys and config."""
        now = datetime.now(UTC)
        authority = Authority.create(self.folder / "authority", "Uji", now)
        chain, key = authority.own("server", now, [self.host])
        ports = [free_port() for _ in range(4)]
        self.broker_port, self.control_port = ports[0], ports[2]
        settings = BrokerSettings(
            self.folder / "broker",
            self.host,
            ports[0],
            ports[1],
            ports[3],
            authority.bundle_file,
            authority.crl_file,
            chain,
            key,
            broker.run_as(),
        )
        self.configuration = broker.write(settings)
        with self.configuration.open("a") as text:
            text.write(f"\nlistener {self.control_port} 127.0.0.1\nallow_anonymous true\n")
        store = Store(f"sqlite:///{self.folder / 'hub.db'}", SystemClock())
        store.write(lambda connection: nodes.add_site(connection, "UJI", "Uji", "", "admin", 1))
        for node in NODES:
            self._add_node(store, authority, node, now)
        store.close()

    def _add_node(self, store: Store, authority: Authority, node: str, now: datetime) -> None:
        home, key = self.folder / node, new_key()
        for name in ("data", "run"):
            (home / name).mkdir(parents=True)
        issued = authority.issue_node(node, key.public_key(), now)
        (home / "node.pem").write_text(issued.certificate_pem + issued.chain_pem)
        (home / "node.key").write_bytes(key_pem(key))
        until_us = int((now + timedelta(days=90)).timestamp() * 1e6)
        named = key_id(key.public_key()).hex()

        def known(connection: object) -> None:
            nodes.add(connection, node, "UJI", node, "admin", 1)  # type: ignore[arg-type]
            certificates.add(connection, issued.serial, node, issued.certificate_pem, named, until_us, 1)  # type: ignore[arg-type]

        store.write(known)
        self.gates[node] = Gate(self.broker_port)
        (home / "node.toml").write_text(
            f'[node]\nid = "{node}"\nsite = "UJI"\ndata_dir = "{home}/data"\nrun_dir = "{home}/run"\n'
            f'[hub]\nbroker_host = "{self.host}"\nbroker_port = {self.gates[node].port}\n'
            f'gateway_url = "https://127.0.0.1:1"\nca_file = "{authority.ca_file}"\n'
            f'certificate_file = "{home}/node.pem"\nkey_file = "{home}/node.key"\n'
        )

    def start(self, name: str) -> None:
        """Start one process by its name."""
        with (self.folder / "log").open("ab") as log:
            self.children[name] = subprocess.Popen(self.command(name), stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        """-9."""
        child = self.children.pop(name)
        child.send_signal(signal.SIGKILL)
        child.wait()

    def command(self, name: str) -> list[str]:
        """How one process is started."""
        part = [sys.executable, "-m", "bench.outage_parts"]
        kind, _, node = name.partition(":")
        home, rate = self.folder / node, str(RECORDS_S / len(NODES))
        return {
            "broker": ["mosquitto", "-c", str(self.configuration)],
            "hub": [*part, "hub", str(self.folder), self.host, str(self.broker_port)],
            "control-hub": [*part, "control-hub", str(self.folder), str(self.control_port)],
            "writer": [*part, "writer", str(home / "data/journal-modem.db"), str(home / "said"), rate],
            "uplink": [sys.executable, "-m", "siaga_edge.uplink", "--config", str(home / "node.toml")],
            "control-node": [*part, "control-node", str(home), str(self.control_port), rate],
        }[kind]


def run(trials: int, seed: int) -> Outcome:
    """`trials` outages of all kinds in one run; `extra` says what the control lost in the same run."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="siaga-outage-") as place, _running(City(Path(place))) as city:
        for trial in range(trials):
            time.sleep(rng.uniform(0.3, 1.0))
            kind = rng.choice(("centre", "node", "link"))
            _hurt(city, kind, rng)
            sys.stderr.write(f"\rfuzz outage: {trial + 1}/{trials} {kind:6s}")
            sys.stderr.flush()
        for node in NODES:
            city.kill(f"writer:{node}")
            city.kill(f"control-node:{node}")
        undelivered = drained(city)
        lost, doubled, made = _count(city)
        control_lost, control_made = _control_count(city)
    sys.stderr.write("\n")
    extra: dict[str, float] = {
        "records": made,
        "control_records": control_made,
        "control_lost": control_lost,
        "control_loses": int(control_lost > 0),
    }
    return Outcome("outage", trials, lost, doubled, undelivered, 0, seed, extra)


@contextmanager
def _running(city: City) -> Iterator[City]:
    city.set_up()
    names = ["broker", "hub", "control-hub"]
    for node in NODES:
        names += [f"writer:{node}", f"uplink:{node}", f"control-node:{node}"]
    city.start("broker")
    until_open(city.broker_port)
    try:
        for name in names[1:]:
            city.start(name)
        time.sleep(4)
        yield city
    finally:
        for name in list(city.children):
            city.kill(name)


def _hurt(city: City, kind: str, rng: random.Random) -> None:
    node = rng.choice(NODES)
    if kind == "node":
        city.kill(f"uplink:{node}")
        time.sleep(rng.uniform(0, 0.5))
        city.start(f"uplink:{node}")
    elif kind == "link":
        city.gates[node].cut()
        time.sleep(rng.uniform(0.1, 1.5))
        city.gates[node].mend()
    else:
        city.kill("hub")
        city.kill("control-hub")
        time.sleep(BROKER_DIES_LATER_S)
        city.kill("broker")
        city.start("broker")
        until_open(city.broker_port)
        city.start("hub")
        city.start("control-hub")
        time.sleep(rng.uniform(0.5, 2.0))


def drained(city: City) -> int:
    """Wait until every mark of a writer's journal has reached its end; how many still wait after that."""
    deadline = time.monotonic() + DRAIN_LIMIT_S
    while (waiting := sum(_waiting(city.folder / node / "data") for node in NODES)) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.2)
    return waiting


def _waiting(data: Path) -> int:
    with (
        closing(opened(data / "journal-modem.db")) as journal,
        closing(opened(data / "delivery.db")) as delivery,
    ):
        last = dict(journal.execute("SELECT 'modem.' || lane, max(seq) FROM record GROUP BY lane").fetchall())
        marks = dict(delivery.execute("SELECT stream, upto FROM mark").fetchall())
    return sum(seq - marks.get(stream, 0) for stream, seq in last.items())


def _count(city: City) -> tuple[int, int, int]:
    """(lost, doubled, made): lost is said to be committed on the node, acknowledged, and not at the hub."""
    with closing(opened(city.folder / "hub.db")) as store:
        rows = store.execute("SELECT node, stream, seq, body FROM record WHERE kind = 'fuzz'").fetchall()
    here = {(node, stream.partition(".")[2], seq) for node, stream, seq, _ in rows}
    words = [body for _, _, _, body in rows]
    made = lost = 0
    for node in NODES:
        for line in (city.folder / node / "said").read_text().splitlines():
            lane, seq, _ = line.split(" ")
            made += 1
            lost += (node, lane, int(seq)) not in here
    return lost, len(words) - len(set(words)), made


def _control_count(city: City) -> tuple[int, int]:
    """(lost, made) of the control: in neither its outbox nor its hub, after it has had time to come in."""
    time.sleep(5)
    with closing(opened(city.folder / "control-hub.db")) as store:
        got = set(store.execute("SELECT node, number FROM got").fetchall())
    lost = made = 0
    for node in NODES:
        with closing(opened(city.folder / node / "control.db")) as outbox:
            waiting = {row[0] for row in outbox.execute("SELECT number FROM outbox")}
            numbers = [row[0] for row in outbox.execute("SELECT number FROM made")]
        made += len(numbers)
        lost += sum(number not in waiting and (node, number) not in got for number in numbers)
    return lost, made


def opened(path: Path) -> sqlite3.Connection:
    """A database to look into."""
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
