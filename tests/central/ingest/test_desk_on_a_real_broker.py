"""Operators' own programs against the hub: mosquitto's clients, a real broker, the desk and the outbox."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from siaga_central.authority.voice import Voice
from siaga_central.bus import broker, settings
from siaga_central.bus.client import Bus, cut_off
from siaga_central.ingest.desk import Desk
from siaga_central.outbox.worker import Outbox
from siaga_central.store import clients, events, incidents, records, users
from siaga_central.store.writer import Store
from siaga_core.service.clock import SystemClock, new_id
from siaga_core.wire.acknowledgement import Acknowledgement, Answer
from siaga_core.wire.alert import Alert
from siaga_core.wire.envelope import encode
from support.hub import Place, make_place, running
from support.waiting import until

PASSWORD, CUTTING = "sangat-rahasia", "of this run alone"
OPENING = incidents.Opening("KBR", "P1", "sms", "api di pasar", "Nagoya")
PEOPLE = {"rina": "operator", "budi": "operator", "tono": "technician"}


class Control:
    """A control room: broker, bus, desk and outbox, with one open P1 and a phone for each account."""

    def __init__(self, place: Place, store: Store, bus: Bus, child: broker.Broker) -> None:
        self.place, self.store, self.bus, self.child = place, store, bus, child
        self.clock = SystemClock()
        self.incident = new_id(self.clock)
        store.write(lambda c: incidents.open_new(c, self.incident, OPENING, "hub", 1))

    def command(self, program: str, client: str, *words: str) -> list[str]:
        """The command line of one of mosquitto's clients, as docs/alerts.md has it."""
        found = [program, "-V", "5", "-h", "127.0.0.1", "-p", str(self.place.settings.operator_port)]
        found += ["--cafile", str(self.place.authority.ca_file), "-u", client, "-P", PASSWORD, "-q", "1"]
        return [*found, *words]

    def ack(self, **fields: object) -> bytes:
        id = new_id(self.clock)
        given = Acknowledgement(id=id, incident=self.incident, at_ms=self.clock.wall_ns() // 1_000_000)
        return encode(msgspec.structs.replace(given, **fields))

    def request(self, client: str, payload: bytes, *, answer_s: int = 10) -> Answer | None:
        """Acknowledge and wait for the answer, in one program and on one connection."""
        topics = ["-t", f"siaga/v1/ack/{client}", "-e", f"siaga/v1/answer/{client}"]
        line = self.command("mosquitto_rr", client, *topics, "-m", payload.decode(), "-W", str(answer_s))
        ended = subprocess.run(line, capture_output=True, timeout=30, check=False)
        return msgspec.json.decode(ended.stdout, type=Answer) if ended.stdout.strip() else None

    def publish(self, client: str, topic: str, payload: bytes, *words: str) -> str:
        """Publish; what mosquitto_pub complains of."""
        line = self.command("mosquitto_pub", client, "-t", topic, "-s", *words)
        return subprocess.run(
            line, input=payload, capture_output=True, timeout=20, check=False
        ).stderr.decode()

    def alert(self, client: str) -> Alert:
        """The retained alert as a client is shown it."""
        words = ["-t", f"siaga/v1/alert/{self.incident}", "-C", "1", "-W", "5"]
        ended = subprocess.run(
            self.command("mosquitto_sub", client, *words), capture_output=True, timeout=20, check=True
        )
        return msgspec.json.decode(ended.stdout, type=Alert)

    def taken_by(self) -> str | None:
        with self.store.read() as c:
            found: str | None = incidents.find(c, self.incident).taken_by
            return found

    def refused(self) -> dict[str, int]:
        with self.store.read() as c:
            return records.refused(c)


@contextmanager
def open_room(folder: Path, store: Store, voice: Voice) -> Iterator[Control]:
    place = make_place(folder)
    child = broker.Broker("mosquitto", broker.write(place.settings))
    for name, role in PEOPLE.items():
        store.write(lambda c, name=name, role=role: users.add(c, name, name, role, "-", "admin", 1))  # type: ignore[misc]
        store.write(lambda c, name=name: clients.add(c, f"{name}-phone", name, "admin", 1))  # type: ignore[misc]
        broker.set_operator_password(place.settings.folder, f"{name}-phone", PASSWORD)
    broker.set_cutting_password(place.settings.folder, CUTTING)
    bus, clock = place.bus(), SystemClock()
    works = (child, bus, Desk(store, bus, clock), Outbox(store, bus, clock, voice))
    with running(*works):
        until(lambda: bus.connection, 15, because="the bus connects")
        yield Control(place, store, bus, child)


@pytest.fixture
def room(tmp_path: Path, store: Store, voice: Voice) -> Iterator[Control]:
    with open_room(tmp_path / "hub", store, voice) as opened:
        yield opened


def test_an_operator_acknowledges_and_every_client_sees_who(room: Control) -> None:
    assert room.alert("budi-phone").acknowledged_by == ""
    answer = room.request("rina-phone", room.ack())
    assert answer is not None
    assert (answer.outcome, answer.acknowledged_by) == ("taken", "rina")
    until(lambda: room.alert("budi-phone").acknowledged_by == "rina", 10)
    late = room.request("budi-phone", room.ack())
    assert late is not None
    assert (late.outcome, late.reason, late.acknowledged_by) == ("refused", "taken", "rina")


def test_a_technician_is_told_no(room: Control) -> None:
    answer = room.request("tono-phone", room.ack())
    assert answer is not None
    assert (answer.outcome, answer.reason) == ("refused", "role")
    assert room.taken_by() is None


def _settled(room: Control) -> None:
    """Whatever was sent before has been looked at when this has been answered."""
    other = room.request("budi-phone", room.ack(incident=new_id(room.clock)))
    assert other is not None
    assert other.reason == "incident"


ANY_NAME = settings.OPERATORS_ACL.replace("write siaga/v1/ack/%u", "write siaga/v1/ack/+")


@pytest.mark.parametrize(("acl", "taken"), [(settings.OPERATORS_ACL, None), (ANY_NAME, "rina")])
def test_nobody_speaks_in_anothers_name(room: Control, acl: str, taken: str | None) -> None:
    (room.place.settings.folder / "operators.acl").write_text(acl)  # the second is the mutant
    room.child.reload()
    room.publish("tono-phone", "siaga/v1/ack/rina-phone", room.ack())
    _settled(room)
    assert room.taken_by() == taken


@pytest.mark.parametrize(
    "topic", ["siaga/v1/alert/{}", "siaga/v1/answer/rina-phone", "siaga/v1/down/all/hub"]
)
def test_a_client_can_forge_neither_alert_nor_answer(room: Control, topic: str) -> None:
    forged = b'{"v":1,"forged":true}'
    complaint = room.publish("tono-phone", topic.format(room.incident), forged, "-r")
    assert "Not authorized" in complaint
    assert room.alert("rina-phone").number.startswith("K-")


def test_a_retained_acknowledgement_is_taken_once_and_never_asked_for_again(room: Control) -> None:
    room.publish("rina-phone", "siaga/v1/ack/rina-phone", room.ack(), "-r")
    until(lambda: room.taken_by() == "rina")
    before = room.bus.connection
    room.store.write(lambda c: incidents.move(c, room.incident, "cancel", "rina", 2, "salah lapor"))
    cut_hub(room)
    until(lambda: room.bus.connection > before, 15)
    _settled(room)
    assert room.refused() == {"ack-incident": 1}


def cut_hub(room: Control) -> None:
    """End the hub's own connection, as a network does."""
    port = room.place.settings.cutting_port
    cut_off(port, room.place.authority.ca_file, "hub", broker.CUTTER, CUTTING)


def test_what_is_too_large_for_a_client_is_kept_and_what_is_too_large_for_anybody_is_cut(
    room: Control,
) -> None:
    room.publish("rina-phone", "siaga/v1/ack/rina-phone", b"x" * 100_000)
    until(lambda: room.refused() == {"oversized": 1})
    room.publish("rina-phone", "siaga/v1/ack/rina-phone", b"x" * (settings.MESSAGE_MOST_BYTES + 1))
    _settled(room)
    assert room.refused() == {"oversized": 1, "ack-incident": 1}


def test_one_client_cannot_take_the_session_of_the_hub_or_of_another(room: Control) -> None:
    before = room.bus.connection
    for name in ("hub", "rina-phone"):
        room.publish("tono-phone", "siaga/v1/ack/tono-phone", b"{}", "-i", name)
    answer = room.request("rina-phone", room.ack())
    assert answer is not None
    assert answer.outcome == "taken"
    assert room.bus.connection == before


def test_ten_thousand_repetitions_take_once_and_hold_up_no_report(room: Control) -> None:
    payload = room.ack() + b"\n"
    line = room.command("mosquitto_pub", "rina-phone", "-t", "siaga/v1/ack/rina-phone", "-l")
    with subprocess.Popen(line, stdin=subprocess.PIPE) as flood:
        assert flood.stdin is not None
        flood.stdin.write(payload * 10_000)
        flood.stdin.close()
        node = "siaga/v1/up/gsm-001/state"
        room.bus.publish(node, b"a report's way").result(5)
        assert room.bus.incoming.get(timeout=5).topic == node
        assert flood.wait(60) == 0
    _settled(room)
    with room.store.read() as c:
        kinds = [event.kind for event in events.of(c, room.incident)]
    assert kinds.count("incident.taken") == 1
    assert room.refused()["ack-rate"] == 1


def _only_reloaded(room: Control) -> None:
    room.child.reload()


def _reloaded_and_cut(room: Control) -> None:
    room.child.reload()
    cut_off(
        room.place.settings.cutting_port, room.place.authority.ca_file, "rina-phone", broker.CUTTER, CUTTING
    )


@pytest.mark.parametrize("way", [_only_reloaded, _reloaded_and_cut])
def test_a_removed_client_is_out_within_seconds_and_stays_out(
    room: Control, tmp_path: Path, way: Callable[[Control], None]
) -> None:
    words = ["-t", "siaga/v1/alert/#", "-d"]
    news = tmp_path / "news"
    with news.open("wb") as out:
        line = room.command("mosquitto_sub", "rina-phone", *words)
        with subprocess.Popen(["stdbuf", "-oL", *line], stdout=out, stderr=out) as listener:
            until(lambda: b"K-" in news.read_bytes(), 10, because="it hears the alert")
            began_s = time.monotonic()
            broker.remove_operator(room.place.settings.folder, "rina-phone")
            way(room)
            until(lambda: b"Not authorized" in news.read_bytes(), 15, because="it is refused")
            assert time.monotonic() - began_s < 15
            listener.terminate()
    assert "Not authorized" in room.publish("rina-phone", "siaga/v1/ack/rina-phone", room.ack())
    assert room.taken_by() is None
