"""Parts of a real hub for tests: its authority, its broker as a child, its bus."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from siaga_central.authority.authority import Authority
from siaga_central.authority.certificates import key_pem, new_key
from siaga_central.bus import broker
from siaga_central.bus.client import Bus, Connect
from siaga_central.bus.settings import BrokerSettings
from siaga_core.service.clock import SystemClock
from siaga_core.service.workers import Heartbeat, Stop
from support.waiting import free_port, until


@dataclass(frozen=True)
class Identity:
    """Files with which a node proves itself."""

    certificate_file: Path
    key_file: Path
    serial: str


@dataclass
class Place:
    """A hub's authority and broker in one folder."""

    folder: Path
    authority: Authority
    settings: BrokerSettings

    def identity(self, node: str) -> Identity:
        """A certificate of ours for `node`."""
        key = new_key()
        issued = self.authority.issue_node(node, key.public_key(), datetime.now(UTC))
        certificate, key_file = self.folder / f"{node}.pem", self.folder / f"{node}.key"
        certificate.write_text(issued.certificate_pem + issued.chain_pem)
        key_file.write_bytes(key_pem(key))
        return Identity(certificate, key_file, issued.serial)

    def bus(self) -> Bus:
        """The hub's own client."""
        chain, key = self.authority.own("hub", datetime.now(UTC))
        return Bus(Connect("127.0.0.1", self.settings.port, self.authority.ca_file, chain, key))


def make_place(folder: Path) -> Place:
    """Authority and broker settings on free ports; nothing runs yet."""
    now = datetime.now(UTC)
    authority = Authority.create(folder / "authority", "Uji", now)
    chain, key = authority.own("server", now, ["127.0.0.1", "localhost"])
    settings = BrokerSettings(
        folder / "broker",
        "127.0.0.1",
        free_port(),
        free_port(),
        free_port(),
        authority.bundle_file,
        authority.crl_file,
        chain,
        key,
        broker.run_as(),
    )
    return Place(folder, authority, settings)


@contextmanager
def running(*works: object) -> Iterator[Stop]:
    """Run workers (objects with `work`) in threads until the block ends."""
    stop = Stop()
    threads = [
        threading.Thread(target=work.work, args=(stop, Heartbeat(SystemClock())), daemon=True)  # type: ignore[attr-defined]
        for work in works
    ]
    for thread in threads:
        thread.start()
    try:
        yield stop
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)


@contextmanager
def connected_bus(place: Place) -> Iterator[Bus]:
    """A running broker and a connected bus."""
    child = broker.Broker("mosquitto", broker.write(place.settings))
    bus = place.bus()
    with running(child, bus):
        until(lambda: bus.connection, 15, because="the bus connects")
        yield bus
