"""A broker with a node and a hub in a temporary folder, for benchmarks that need the real thing."""

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from siaga_central.authority.authority import Authority
from siaga_central.authority.certificates import key_pem, new_key
from siaga_central.bus import broker
from siaga_central.bus.client import Connect
from siaga_central.bus.settings import BrokerSettings
from siaga_central.store import certificates, nodes
from siaga_central.store.writer import Store
from siaga_core.service.signing import Signer
from siaga_core.wire.envelope import Record, Stamp, batch_of, encode
from siaga_core.wire.health import Health, Reading
from siaga_core.wire.ids import node_id
from siaga_core.wire.topics import up_record

NODE = node_id("bench-one")
STREAM = "health.bulk"
EPOCH = "00000000000000bb"
_AT = Stamp(boot_seq=41, boot_id="5f0c8a52-6b0e-4f5b-9a4e-0c1f5b6f7a10", boot_ns=1, wall_ns=1, clock="synced")
_NAMES = ("cpu_percent", "memory_percent", "temperature_c", "disk_free_percent.footage", "clock_offset_ms")


@dataclass
class Place:
    """Files and ports; `plain` is a second TLS listener on which a client may choose its id."""

    folder: Path
    authority: Authority = field(init=False)
    signer: Signer = field(init=False)
    port: int = field(init=False)
    plain: int = field(init=False)
    configuration: Path = field(init=False)

    def __post_init__(self) -> None:
        now = datetime.now(UTC)
        self.authority = Authority.create(self.folder / "authority", "Uji", now)
        chain, key = self.authority.own("server", now, ["127.0.0.1"])
        self.authority.own("hub", now)
        self.port, self.plain, operators, cutting = (free_port() for _ in range(4))
        settings = BrokerSettings(
            self.folder / "broker",
            "127.0.0.1",
            self.port,
            operators,
            cutting,
            self.authority.bundle_file,
            self.authority.crl_file,
            chain,
            key,
            broker.run_as(),
        )
        self.configuration = broker.write(settings)
        with self.configuration.open("a") as text:
            text.write(
                f"\nlistener {self.plain} 127.0.0.1\nallow_anonymous false\ncafile {settings.ca_file}\n"
                f"certfile {chain}\nkeyfile {key}\nrequire_certificate true\nuse_identity_as_username true\n"
                f"acl_file {settings.folder}/nodes.acl\n"
            )
        self._node_key = new_key()
        self.signer = Signer(self._node_key)
        (self.folder / "node.key").write_bytes(key_pem(self._node_key))
        issued = self.authority.issue_node(NODE, self._node_key.public_key(), now)
        (self.folder / "node.pem").write_text(issued.certificate_pem + issued.chain_pem)
        self._issued, self._until_us = issued, int((now + timedelta(days=90)).timestamp() * 1e6)

    def register(self, store: Store) -> None:
        """Make the node and its key known to a hub."""

        def work(connection: object) -> None:
            nodes.add_site(connection, "UJI", "Uji", "", "admin", 1)  # type: ignore[arg-type]
            nodes.add(connection, NODE, "UJI", NODE, "admin", 1)  # type: ignore[arg-type]
            row = (self._issued.serial, NODE, self._issued.certificate_pem, self.signer.key_id.hex())
            certificates.add(connection, *row, self._until_us, 1)  # type: ignore[arg-type]

        store.write(work)

    def connect(self) -> Connect:
        """How the hub reaches the broker."""
        chain, key = self.authority.own("hub", datetime.now(UTC))
        return Connect("127.0.0.1", self.port, self.authority.ca_file, chain, key)

    def subscriber(self, name: str, count: int) -> list[str]:
        """`mosquitto_sub` with a durable session, ending after `count` messages."""
        chain, key = self.authority.own("hub", datetime.now(UTC))
        words = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(self.plain), "-V", "5", "-q", "1", "-i", name]
        words += ["--cafile", str(self.authority.ca_file), "--cert", str(chain), "--key", str(key)]
        return [*words, "-c", "-x", "3600", "-t", "siaga/v1/up/#", "-C", str(count), "-F", "%t %x"]

    def publish(self, payloads: Sequence[bytes], stream: str = STREAM) -> None:
        """Hand sealed batches to the broker as the node does; returns when it has PUBACKed them all."""
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=NODE, protocol=paho.MQTTv5)
        files = (str(self.folder / "node.pem"), str(self.folder / "node.key"))
        client.tls_set(str(self.authority.ca_file), *files)
        client.max_inflight_messages_set(200)
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        messages = [client.publish(up_record(NODE, stream), payload, qos=1) for payload in payloads]
        for message in messages:
            message.wait_for_publish(60)
        client.disconnect()
        client.loop_stop()

    def batches(self, first: int, records: int, per_batch: int, stream: str = STREAM) -> list[bytes]:
        """Sealed batches of health samples as a node makes them."""
        made = [self.record(seq, stream) for seq in range(first, first + records)]
        return [self._batch(made[at : at + per_batch], stream) for at in range(0, len(made), per_batch)]

    def record(self, seq: int, stream: str) -> Record:
        """A health sample with values that differ, as real ones do."""
        readings = [
            Reading(name=name, value=round(20 + (seq * 7 + place * 13) % 600 / 10, 1))
            for place, name in enumerate(_NAMES)
        ]
        body = Health(uptime_s=float(seq * 10), level="ok", readings=readings, version="0.1")
        at = msgspec.structs.replace(_AT, boot_ns=seq * 10**10, wall_ns=1_795_000_000 * 10**9 + seq * 10**10)
        raw = msgspec.Raw(msgspec.json.encode(body))
        return Record(node=NODE, stream=stream, epoch=EPOCH, seq=seq, kind="health", at=at, body=raw)

    def _batch(self, records: Sequence[Record], stream: str) -> bytes:
        batch = batch_of(records, records[0].seq, records[-1].seq)
        return self.signer.seal(up_record(NODE, stream), encode(batch))


@contextmanager
def running_broker(place: Place) -> Iterator[None]:
    """mosquitto with the hub's own configuration."""
    with (place.folder / "broker.log").open("wb") as log:
        process = subprocess.Popen(["mosquitto", "-c", str(place.configuration)], stdout=log, stderr=log)
    try:
        until_open(place.port)
        yield
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_open(port: int, limit_s: float = 10) -> None:
    """Wait until somebody listens."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit("the broker did not start; is mosquitto installed?")
