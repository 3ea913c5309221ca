"""A real broker retains the alerts of open incidents and no other; nodes get commands until they confirm."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from siaga_central.authority.authority import Authority
from siaga_central.authority.voice import Voice
from siaga_central.bus import broker
from siaga_central.bus.client import Bus
from siaga_central.outbox.worker import Outbox
from siaga_central.store import commands, incidents, nodes
from siaga_central.store.writer import Store
from siaga_core.service import signing
from siaga_core.wire.alert import Alert
from siaga_core.wire.command import SoundSiren, decode_command
from support.clock import FakeClock
from support.hub import Place, make_place, running
from support.waiting import until

OPENING = incidents.Opening("KBR", "P1", "sms", "api di pasar", "Nagoya")
PASSWORD = "sangat-rahasia"


class Mosquitto:
    """The broker as a process that a test may kill."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._conf = broker.write(place.settings)
        broker.set_operator_password(place.settings.folder, "rina-phone", PASSWORD)
        self._program = shutil.which("mosquitto", path="/usr/bin:/usr/sbin:/usr/local/sbin") or "mosquitto"
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen([self._program, "-c", str(self._conf)])

    def save(self) -> None:
        """Let it write its database now, as it does every minute."""
        kept = self.place.settings.folder / "mosquitto.db"
        before = kept.stat().st_mtime_ns if kept.exists() else 0
        self._process.send_signal(signal.SIGUSR1)
        until(lambda: kept.exists() and kept.stat().st_mtime_ns > before)

    def forget(self) -> None:
        """Lose everything it has kept."""
        (self.place.settings.folder / "mosquitto.db").unlink(missing_ok=True)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def retained(place: Place) -> dict[str, str]:
    """State of every alert an operator's client is shown when it connects; mosquitto_sub is that client."""
    command = ["mosquitto_sub", "-V", "5", "-h", "127.0.0.1", "-p", str(place.settings.operator_port)]
    command += ["--cafile", str(place.authority.ca_file), "-u", "rina-phone", "-P", PASSWORD, "-W", "1"]
    command += ["--retained-only", "-t", "siaga/v1/alert/#", "-F", "%p"]
    ended = subprocess.run(command, capture_output=True, timeout=10, check=False)
    assert ended.returncode == 27, ended.stderr  # 27: its time was over, it was let in
    alerts = [msgspec.json.decode(line, type=Alert) for line in ended.stdout.splitlines() if line]
    return {one.incident: one.state for one in alerts}


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    made = Mosquitto(make_place(tmp_path / "hub"))
    yield made
    made.kill()


@contextmanager
def connected(mosquitto: Mosquitto) -> Iterator[Bus]:
    bus = mosquitto.place.bus()
    with running(bus):
        until(lambda: bus.connection, 15)
        yield bus


def restart(mosquitto: Mosquitto, bus: Bus) -> None:
    before = bus.connection
    mosquitto.kill()
    until(lambda: not bus.connection, because="the bus notices")
    mosquitto.start()
    until(lambda: bus.connection > before, 15, because="the bus comes back")


def open_one(store: Store, id: str) -> None:
    store.write(lambda c: incidents.open_new(c, id, OPENING, "hub", 1))


def cancel(store: Store, id: str) -> None:
    store.write(lambda c: incidents.move(c, id, "cancel", "rina", 2, "salah lapor"))


class NeverReconciles(Outbox):
    """The mutant: trusts the broker's memory."""

    def _reconcile(self) -> None:
        return


def test_an_alert_is_retained_while_its_incident_is_open_and_cleared_when_it_closes(
    mosquitto: Mosquitto, store: Store, clock: FakeClock, voice: Voice
) -> None:
    with connected(mosquitto) as bus:
        outbox = Outbox(store, bus, clock, voice)
        open_one(store, "one")
        open_one(store, "two")
        outbox.flush()
        assert retained(mosquitto.place) == {"one": "new", "two": "new"}
        store.write(lambda c: incidents.move(c, "two", "handle", "rina", 2))
        cancel(store, "one")
        outbox.flush()
        assert retained(mosquitto.place) == {"two": "handled"}


@pytest.mark.parametrize(("kind", "shown"), [(Outbox, {"one": "new"}), (NeverReconciles, {})])
def test_a_broker_that_forgot_is_told_again(
    mosquitto: Mosquitto,
    store: Store,
    clock: FakeClock,
    voice: Voice,
    kind: type[Outbox],
    shown: dict[str, str],
) -> None:
    with connected(mosquitto) as bus:
        outbox = kind(store, bus, clock, voice)
        open_one(store, "one")
        outbox.flush()
        mosquitto.kill()
        mosquitto.forget()
        restart(mosquitto, bus)
        outbox.flush()
        assert retained(mosquitto.place) == shown


@pytest.mark.parametrize(("kind", "shown"), [(Outbox, {}), (NeverReconciles, {"one": "new"})])
def test_a_broker_that_wakes_with_an_old_memory_shows_no_closed_incident(
    mosquitto: Mosquitto,
    store: Store,
    clock: FakeClock,
    voice: Voice,
    kind: type[Outbox],
    shown: dict[str, str],
) -> None:
    """mosquitto saves once a minute: killed after a clearing, it comes back with what was cleared."""
    with connected(mosquitto) as bus:
        outbox = kind(store, bus, clock, voice)
        open_one(store, "one")
        outbox.flush()
        mosquitto.save()
        cancel(store, "one")
        outbox.flush()  # returns when the broker has confirmed
        restart(mosquitto, bus)
        outbox.flush()
        assert retained(mosquitto.place) == shown


def test_what_closes_while_the_broker_is_away_is_cleared_when_it_is_back(
    mosquitto: Mosquitto, store: Store, clock: FakeClock, voice: Voice
) -> None:
    with connected(mosquitto) as bus:
        outbox = Outbox(store, bus, clock, voice)
        open_one(store, "one")
        outbox.flush()
        mosquitto.save()
        mosquitto.kill()
        until(lambda: not bus.connection)
        cancel(store, "one")
        outbox.flush()
        mosquitto.start()
        until(lambda: bus.connection, 15)
        outbox.flush()
        assert retained(mosquitto.place) == {}


def told(mosquitto: Mosquitto, outbox: Outbox, clock: FakeClock, count: int, limit_s: int) -> list[str]:
    """Ids of the first `count` commands a node hears within `limit_s` while the hub's time runs fast."""
    authority, topic = mosquitto.place.authority, "siaga/v1/down/gsm-001/cmd"
    identity = mosquitto.place.identity("gsm-001")
    command = ["mosquitto_sub", "-V", "5", "-h", "127.0.0.1", "-p", str(mosquitto.place.settings.port)]
    command += ["--cafile", str(authority.ca_file), "--cert", str(identity.certificate_file)]
    command += ["--key", str(identity.key_file), "-i", "gsm-001", "-q", "1", "-t", topic, "-F", "%x"]
    command += ["-C", str(count), "-W", str(limit_s)]

    def time_passes() -> bool:
        outbox.flush()
        clock.advance(5.1)
        return node.poll() is not None

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as node:
        until(time_passes, limit_s + 3)
        assert node.stdout is not None
        heard = [bytes.fromhex(line) for line in node.stdout.read().splitlines()]
    return [decode_command(as_a_node_opens_it(authority, topic, payload)).id for payload in heard]


def as_a_node_opens_it(authority: Authority, topic: str, payload: bytes) -> bytes:
    """What the hub said, if the signing certificate that leads to the pinned root says that it did."""
    chain, _ = authority.own("signing", datetime.now(UTC), signing=True)
    key = signing.public_key(signing.signing_certificate(chain.read_bytes(), authority.ca_file.read_bytes()))
    return signing.opened(
        topic, payload, {signing.key_id(key): key}.get, most_bytes=65_536, inflated_most_bytes=65_536
    )


def test_a_node_hears_a_command_signed_by_the_hub_until_it_says_received(
    mosquitto: Mosquitto, store: Store, clock: FakeClock
) -> None:
    siren, now_us = SoundSiren(incident="i", duration_s=10), clock.wall_ns() // 1000
    store.write(lambda c: nodes.heard(c, "gsm-001", now_us))
    store.write(lambda c: commands.queue(c, "c1", "gsm-001", "health", siren, "rina", now_us, 86_400))
    voice = Voice(mosquitto.place.authority, "life-one", 1, datetime.now(UTC))
    with connected(mosquitto) as bus:
        outbox = Outbox(store, bus, clock, voice)
        assert told(mosquitto, outbox, clock, 3, 10) == ["c1"] * 3
        store.write(lambda c: commands.settle(c, "c1", "received", "", {}, "node:gsm-001", now_us))
        assert told(mosquitto, outbox, clock, 1, 1) == []
