"""docs/examples/siren.py as it is, as a program of its own, against a real broker; its pin is watched."""

import importlib.util
import queue
import shutil
import signal
import subprocess
import sys
import threading
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import IO

import pytest
from paho.mqtt.client import Client, MQTTMessage

from siaga_central.bus import broker
from siaga_central.bus.client import Bus
from siaga_core.wire import topics
from siaga_core.wire.alert import Alert, Priority
from siaga_core.wire.envelope import encode
from siaga_core.wire.ids import IncidentId
from support.hub import Place, make_place, running
from support.waiting import until

SIREN = Path(__file__).parents[2] / "docs/examples/siren.py"
PASSWORD = "sangat-rahasia"
ONE, TWO = IncidentId("01KA6P3ZQ4N8S5T6V7W8X9Y0Z4"), IncidentId("01KA6P3ZQ4N8S5T6V7W8X9Y0Z5")
# The example itself, with a pin that does not exist and a second pair of eyes on it. What they see has a pipe
# of its own: two threads that print at one moment write into each other's lines.
WATCHED = """
import runpy, sys, threading, time
from gpiozero import Device
from gpiozero.pins.mock import MockFactory
Device.pin_factory = MockFactory()
pin = Device.pin_factory.pin(17)
def watch():
    before = None
    while True:
        state = int(pin.state)
        if state != before:
            print("pin", state, file=sys.stderr, flush=True)
            before = state
        time.sleep(0.01)
threading.Thread(target=watch, daemon=True).start()
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class Mosquitto:
    """The broker as a process that a test may kill; what it retained is gone then."""

    def __init__(self, place: Place) -> None:
        self._conf = broker.write(place.settings)
        broker.set_operator_password(place.settings.folder, "rina-siren", PASSWORD)
        self._program = shutil.which("mosquitto", path="/usr/bin:/usr/sbin:/usr/local/sbin") or "mosquitto"
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen([self._program, "-c", str(self._conf)])

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Be silent without closing anything, as a dead switch is."""
        self._process.send_signal(signal.SIGSTOP)


class Siren:
    """The program, and what it says."""

    def __init__(self, place: Place, *words: str) -> None:
        secret = place.folder / "siren.pass"
        secret.write_text(PASSWORD + "\n")
        line = [sys.executable, "-c", WATCHED, str(SIREN), "--host", "127.0.0.1", "--client", "rina-siren"]
        line += ["--port", str(place.settings.operator_port), "--ca", str(place.authority.ca_file)]
        line += ["--password-file", str(secret), *words]
        self.process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._said: queue.Queue[str] = queue.Queue()
        self.pin = ""  # as it was seen last
        pipes = (self.process.stdout, self.process.stderr)
        self._readers = [threading.Thread(target=self._read, args=(pipe,)) for pipe in pipes]
        for reader in self._readers:
            reader.start()

    def _read(self, pipe: IO[str]) -> None:
        for line in map(str.strip, pipe):
            self.pin = line if line.startswith("pin") else self.pin
            self._said.put(line)

    def hear(self, word: str, limit_s: float = 30) -> None:
        """Wait until it says `word`."""
        while self._said.get(timeout=limit_s) != word:
            pass

    def forget(self) -> None:
        """What it has said so far does not count."""
        while not self._said.empty():
            self._said.get()

    def end(self) -> int:
        self.process.terminate()
        status = self.process.wait(10)
        for reader in self._readers:
            reader.join(5)
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()
        return status


class Room:
    """Broker, the hub's bus and a siren."""

    def __init__(self, place: Place, mosquitto: Mosquitto, bus: Bus, siren: Siren) -> None:
        self.place, self.mosquitto, self.bus, self.siren = place, mosquitto, bus, siren

    def alert(self, incident: IncidentId, priority: Priority = "P1", by: str = "") -> None:
        given = Alert(
            incident=incident,
            number="K-20261123-0007",
            priority=priority,
            category="KBR",
            state="new",
            source="sms",
            opened_ms=1,
            changed_ms=1,
            acknowledged_by=by,
        )
        self.raw(incident, encode(given))

    def connect(self) -> None:
        """Have the siren prove that it hears the hub, and fall silent."""
        self.alert(ONE)
        self.siren.hear("steady")  # the pin says less: before it is connected it may beep
        self.alert(ONE, by="rina")
        self.siren.hear("silent")

    def raw(self, incident: IncidentId, payload: bytes) -> None:
        self.bus.publish(topics.alert(incident), payload, retain=True).result(5)


@contextmanager
def open_room(folder: Path, *words: str) -> Iterator[Room]:
    place = make_place(folder)
    mosquitto, bus = Mosquitto(place), place.bus()
    with running(bus):
        until(lambda: bus.connection, 30)
        siren = Siren(place, *words)
        try:
            siren.hear("pin 0")
            yield Room(place, mosquitto, bus, siren)
        finally:
            mosquitto.kill()
            status = siren.end()
    assert status == 0


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with open_room(tmp_path) as opened:
        yield opened


def test_it_sounds_until_the_p1_is_acknowledged(room: Room) -> None:
    room.alert(ONE)
    room.siren.hear("pin 1")
    room.alert(ONE, by="rina")
    room.siren.hear("pin 0")


def test_it_sounds_while_one_of_two_stands_and_is_silent_when_the_last_is_cleared(room: Room) -> None:
    room.alert(ONE)
    room.alert(TWO)
    room.siren.hear("pin 1")
    room.raw(ONE, b"")
    room.alert(IncidentId("01KA6P3ZQ4N8S5T6V7W8X9Y0Z6"), "P2")
    room.raw(TWO, b"")
    room.siren.hear("pin 0")


def test_what_it_cannot_read_it_sounds_for(room: Room) -> None:
    room.raw(ONE, b"\xff{")
    room.siren.hear("pin 1")


def test_it_comes_back_by_itself_and_forgets_what_was_cleared_while_it_was_away(room: Room) -> None:
    room.alert(ONE)
    room.siren.hear("steady")
    before = room.bus.connection
    room.mosquitto.kill()
    until(lambda: not room.bus.connection)
    room.mosquitto.start()  # killed, it has forgotten every alert
    until(lambda: room.bus.connection > before, 30)
    room.siren.hear("silent")
    room.alert(TWO)
    room.siren.hear("pin 1")


def test_an_alarm_that_stood_when_the_link_was_lost_goes_on(tmp_path: Path) -> None:
    with open_room(tmp_path, "--lost", "0.5") as room:
        room.alert(ONE)
        room.siren.hear("steady")
        until(lambda: room.siren.pin == "pin 1")
        room.mosquitto.kill()
        until(lambda: not room.bus.connection)
        room.siren.forget()
        with pytest.raises(queue.Empty):
            room.siren.hear("pin 0", 2)
        assert room.siren.pin == "pin 1"


def test_it_beeps_when_the_link_is_lost_and_is_silent_when_it_is_back(tmp_path: Path) -> None:
    with open_room(tmp_path, "--lost", "0.5") as room:
        room.connect()
        room.mosquitto.kill()
        for word in ("beeps", "pin 1", "pin 0"):
            room.siren.hear(word)
        room.mosquitto.start()
        room.siren.hear("silent")


@pytest.mark.slow
def test_a_link_that_dies_without_a_word_is_noticed(tmp_path: Path) -> None:
    with open_room(tmp_path, "--lost", "2") as room:
        room.connect()
        room.mosquitto.freeze()
        room.siren.hear("beeps", 60)


def test_it_beeps_when_the_broker_will_not_have_it(tmp_path: Path) -> None:
    with open_room(tmp_path, "--lost", "0.5") as room:
        room.connect()
        folder = room.place.settings.folder
        broker.remove_operator(folder, "rina-siren")
        room.mosquitto.kill()
        room.mosquitto.start()
        room.siren.hear("beeps")
        with pytest.raises(queue.Empty):
            room.siren.hear("silent", 3)


@pytest.fixture(scope="module")
def siren() -> ModuleType:
    spec = importlib.util.spec_from_file_location("siren_example", SIREN)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Early:
    """A client whose broker sends what is retained before it confirms the subscription (MQTT 5.0, 3.8.4)."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def subscribe(self, *_: object, **__: object) -> None:
        message = MQTTMessage(topic=topics.alert(ONE).encode())
        message.payload = b'{"priority":"P1"}'
        for heard in (self._client.on_message, self._client.on_subscribe):
            if heard is not None:
                heard(self._client, None, message)  # type: ignore[call-arg,arg-type]


def test_an_alert_that_comes_before_the_subscription_is_confirmed_counts(
    siren: ModuleType, tmp_path: Path
) -> None:
    secret = tmp_path / "siren.pass"
    secret.write_text(PASSWORD)
    ca = make_place(tmp_path).authority.ca_file
    options = Namespace(client="c", password_file=secret, ca=ca, host="127.0.0.1", port=1)
    listener = siren.Listener(options)
    listener.client.on_connect(Early(listener.client), None, None, SimpleNamespace(is_failure=False), None)
    assert siren.pattern(*listener.now(), 30) == "steady"


@pytest.mark.parametrize("payload", [b"", b"[]", b"7", b"{}", b"null", b'"P1"', b"\xff", b"[" * 5000])
def test_no_bytes_are_taken_for_peace(siren: ModuleType, payload: bytes) -> None:
    assert siren.pattern({"t": payload}, 0, 30) == "steady"


@pytest.mark.parametrize(("lost_s", "wanted"), [(0, "silent"), (29.9, "silent"), (30, "beeps")])
def test_silence_means_that_it_knows(siren: ModuleType, lost_s: float, wanted: str) -> None:
    quiet = b'{"priority":"P2","acknowledged_by":""}'
    assert siren.pattern({"t": quiet}, lost_s, 30) == wanted
