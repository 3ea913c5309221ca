"""The hub's own certificates are made anew while it runs; who connects next sees the new one."""

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from siaga_central.authority.authority import Authority
from siaga_central.authority.voice import Voice
from siaga_central.bus import broker
from siaga_central.cli.run import OwnCertificates, broker_settings, console, gateway
from siaga_central.hub import HubConfig, load
from siaga_central.store.writer import Store
from siaga_core.service.clock import SystemClock
from siaga_core.service.config import ConfigError
from siaga_core.service.workers import Heartbeat, Stop
from support.waiting import free_port, until

# Made so long ago that less than a month is left.
OLD = timedelta(days=70)


class Ends:
    """Broker, gateway and console of a hub whose certificates are old."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.then = SystemClock(), datetime.now(UTC) - OLD
        self.config = written(folder)
        self.authority = Authority.create(self.config.authority_dir, "Uji", self.then)
        self.authority.write_crl([], datetime.now(UTC))
        self.store = Store(self.config.database_url, self.clock)
        settings = broker_settings(self.config, self.authority, self.then)
        self.broker = broker.Broker("mosquitto", broker.write(settings))
        self.voice = Voice(self.authority, "life", 1, self.then)
        self.doors = (
            gateway(self.config, self.store, self.authority, self.clock, self.then),
            console(self.config, self.store, self.authority, self.clock, self.then),
        )
        self.own = OwnCertificates(self.config, self.authority, self.broker.reload, self.voice, self.doors)
        self.stop = Stop()
        heartbeat = Heartbeat(self.clock)
        works = [self.broker.work, *(door.work for door in self.doors)]
        self.threads = [threading.Thread(target=work, args=(self.stop, heartbeat)) for work in works]

    def ports(self) -> tuple[int, ...]:
        """Where certificates are shown."""
        return self.config.broker.operator_port, self.config.gateway.port, self.config.console.port

    def shown(self, port: int) -> x509.Certificate:
        """The certificate that somebody who connects now sees, checked against the root."""
        trust = ssl.create_default_context(cafile=self.authority.ca_file)
        with (
            socket.create_connection(("127.0.0.1", port), 5) as plain,
            trust.wrap_socket(plain, server_hostname="127.0.0.1") as wrapped,
        ):
            return x509.load_der_x509_certificate(wrapped.getpeercert(binary_form=True) or b"")


def written(folder: Path, console_lines: str = "") -> HubConfig:
    """A hub's config with free ports."""
    path = folder / "hub.toml"
    path.write_text(
        f'[hub]\ndata_dir = "{folder}/data"\n[console]\nport = {free_port()}\n{console_lines}'
        f'[gateway]\nhost = "127.0.0.1"\nnames = ["127.0.0.1"]\nport = {free_port()}\n'
        f'[broker]\nhost = "127.0.0.1"\nport = {free_port()}\noperator_port = {free_port()}\n'
        f"cutting_port = {free_port()}\n"
    )
    return load(path)


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[Ends]:
    made = Ends(tmp_path)
    for thread in made.threads:
        thread.start()
    for port in made.ports():
        until(lambda port=port: is_open(port), 15, because=f"port {port}")  # type: ignore[misc]
    yield made
    made.stop.set()
    for thread in made.threads:
        thread.join(10)
    made.store.close()


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def test_an_old_certificate_is_replaced_while_the_hub_runs(ends: Ends) -> None:
    ends.own.renew(ends.then)  # nothing is due: this is what was shown until now
    before = {port: ends.shown(port) for port in ends.ports()}
    announced = ends.voice.announcement()
    assert all((one.not_valid_after_utc - datetime.now(UTC)).days < 30 for one in before.values())
    ends.own.renew(datetime.now(UTC))
    for port, old in before.items():
        until(lambda port=port, old=old: ends.shown(port) != old, 10, because=f"a new one on {port}")  # type: ignore[misc]
        assert (ends.shown(port).not_valid_after_utc - datetime.now(UTC)).days > 80
        assert ends.shown(port).public_key() == old.public_key()
    assert ends.voice.announcement() != announced


def test_a_certificate_that_is_young_is_left_alone(ends: Ends) -> None:
    ends.own.renew(ends.then)
    before = [ends.shown(port) for port in ends.ports()]
    ends.own.renew(ends.then)
    assert [ends.shown(port) for port in ends.ports()] == before


def test_the_console_may_be_without_tls_on_this_machine_alone(tmp_path: Path) -> None:
    assert not written(tmp_path, "tls = false\n").console.tls
    with pytest.raises(ConfigError, match=r"console\.tls"):
        written(tmp_path, 'tls = false\nhost = "0.0.0.0"\n')
    with pytest.raises(ConfigError, match="give both"):
        written(tmp_path, 'key_file = "/k"\n')
