"""Acknowledgements of alerts at the hub's desk: who may, once, and what is kept of those who may not."""

import queue
import random
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import msgspec
import pytest
from sqlalchemy import Connection

from siaga_central.domain.acknowledgement import Account
from siaga_central.ingest.desk import BATCH_MOST, BURST, Desk, read
from siaga_central.store import clients, events, incidents, outbox, records, users
from siaga_central.store.writer import Store
from siaga_core.service.clock import new_id
from siaga_core.wire import topics
from siaga_core.wire.acknowledgement import ACKNOWLEDGEMENT_MAX_BYTES, Acknowledgement, Answer
from siaga_core.wire.alert import Alert
from siaga_core.wire.envelope import encode
from siaga_core.wire.ids import ClientName, client_name
from support.clock import FakeClock

OPENING = incidents.Opening("KBR", "P1", "sms", "api di pasar", "Nagoya")
INCIDENT = "01KA6P3ZQ4N8S5T6V7W8X9Y0Z4"
ROLES = {
    "rina": "operator",
    "budi": "operator",
    "sari": "supervisor",
    "dewi": "deputy",
    "hadi": "head",
    "tono": "technician",
    "pipi": "ppid",
    "ada": "admin",
}


@dataclass(frozen=True)
class Word:
    """A message as the bus gives it."""

    topic: str
    payload: bytes


class Bus:
    """Notes what is published and acknowledged."""

    def __init__(self) -> None:
        self.desk: queue.Queue[Word] = queue.Queue()
        self.published: list[tuple[str, Answer, bool]] = []
        self.acknowledged = 0

    def acknowledge(self, batch: Sequence[Word]) -> None:
        self.acknowledged += len(batch)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> "Future[None]":
        self.published.append((topic, msgspec.json.decode(payload, type=Answer), retain))
        future: Future[None] = Future()
        future.set_result(None)
        return future


class Room:
    """A store with one open P1, an account of every role, and a phone for each."""

    def __init__(self, store: Store, clock: FakeClock, kind: "type[Desk[Word]]" = Desk) -> None:
        self.store, self.clock, self.bus = store, clock, Bus()
        self.desk = kind(store, self.bus, clock)
        store.write(self._furnish)

    def _furnish(self, c: Connection) -> None:
        incidents.open_new(c, INCIDENT, OPENING, "hub", 1)
        for name, role in ROLES.items():
            users.add(c, name, name, role, "-", "admin", 1)
            clients.add(c, f"{name}-phone", name, "admin", 1)

    def send(self, client: str, payload: bytes) -> Answer | None:
        """One message; the answer, None when there was none."""
        before = len(self.bus.published)
        self.desk.take([Word(topics.ack(client_name(client)), payload)])
        new = self.bus.published[before:]
        for topic, _, retain in new:
            assert (topic, retain) == (f"siaga/v1/answer/{client}", False)
        return new[0][1] if new else None

    def say(self, client: str, incident: str = INCIDENT, id: str = "") -> Answer:
        """Acknowledge; the answer."""
        given = Acknowledgement(id=id or new_id(self.clock), incident=incident, at_ms=1_795_000_000_000)
        answer = self.send(client, encode(given))
        assert answer is not None
        return answer

    def taken(self) -> list[tuple[str, str]]:
        """(actor, body) of each time the incident was taken."""
        with self.store.read() as c:
            return [(e.actor, e.body) for e in events.of(c, INCIDENT) if e.kind == "incident.taken"]

    def taken_by(self) -> str | None:
        with self.store.read() as c:
            found: str | None = incidents.find(c, INCIDENT).taken_by
            return found

    def refused(self) -> dict[str, int]:
        with self.store.read() as c:
            return records.refused(c)


@pytest.fixture
def room(store: Store, clock: FakeClock) -> Room:
    return Room(store, clock)


@pytest.mark.parametrize("name", ["rina", "sari", "dewi", "hadi"])
def test_whoever_may_takes_the_incident_in_their_own_name_and_the_alert_says_so(
    room: Room, name: str
) -> None:
    id = new_id(room.clock)
    answer = room.say(f"{name}-phone", id=id)
    assert (answer.outcome, answer.acknowledged_by, answer.id) == ("taken", name, id)
    [(actor, body)] = room.taken()
    said = msgspec.json.decode(body)
    assert (actor, said["client"], said["id"]) == (name, f"{name}-phone", id)
    with room.store.read() as c:
        alert = msgspec.json.decode(outbox.waiting(c)[-1].payload, type=Alert)
    assert (alert.acknowledged_by, alert.acknowledged_ms) == (name, answer.acknowledged_ms)
    assert alert.acknowledged_ms == room.clock.wall_ns() // 1_000_000
    assert room.refused() == {}


@pytest.mark.parametrize("name", ["tono", "pipi", "ada"])
def test_whoever_may_not_is_told_so_and_it_is_kept(room: Room, name: str) -> None:
    answer = room.say(f"{name}-phone")
    assert (answer.outcome, answer.reason, answer.acknowledged_by) == ("refused", "role", "")
    assert room.taken_by() is None
    assert room.refused() == {"ack-role": 1}


class TakesAnyRole(Desk[Word]):
    """The mutant: does not look at the role."""

    def account(self, connection: Connection, client: ClientName) -> Account | None:
        found = super().account(connection, client)
        return found and Account(found.name, "operator", found.disabled, found.expires_us)


class BelievesTheName(Desk[Word]):
    """The mutant: takes the account from the name and asks no registry."""

    def account(self, connection: Connection, client: ClientName) -> Account | None:
        return Account(client.partition("-")[0], "operator", False, None)


def _by_a_technician(room: Room) -> None:
    room.say("tono-phone")


def _by_a_stranger(room: Room) -> None:
    room.say("rina-stolen")


def _by_a_removed_one(room: Room) -> None:
    room.store.write(lambda c: clients.remove(c, "rina-phone", "admin", 2))
    room.say("rina-phone")


@pytest.mark.parametrize(
    ("kind", "deed", "taken"),
    [
        (Desk, _by_a_technician, False),
        (Desk, _by_a_stranger, False),
        (Desk, _by_a_removed_one, False),
        (TakesAnyRole, _by_a_technician, True),
        (BelievesTheName, _by_a_stranger, True),
        (BelievesTheName, _by_a_removed_one, True),
    ],
)
def test_role_and_registration_are_what_keeps_others_out(
    store: Store, clock: FakeClock, kind: type[Desk[Word]], deed: Callable[[Room], None], taken: bool
) -> None:
    room = Room(store, clock, kind)
    deed(room)
    assert (room.taken_by() is not None) == taken


def test_a_closed_account_acknowledges_nothing(room: Room) -> None:
    room.store.write(lambda c: users.disable(c, "rina", "admin", 2))
    assert room.say("rina-phone").reason == "client"
    assert room.taken_by() is None


def test_what_somebody_else_has_is_not_taken_over(room: Room) -> None:
    room.say("rina-phone")
    answer = room.say("budi-phone")
    assert (answer.outcome, answer.reason, answer.acknowledged_by) == ("refused", "taken", "rina")
    assert room.taken_by() == "rina"


def test_an_unknown_incident_and_a_closed_one_are_refused(room: Room) -> None:
    assert room.say("rina-phone", incident=new_id(room.clock)).reason == "incident"
    room.store.write(lambda c: incidents.move(c, INCIDENT, "cancel", "budi", 2, "salah lapor"))
    assert room.say("rina-phone").reason == "closed"
    assert room.refused() == {"ack-incident": 1, "ack-closed": 1}
    assert room.taken() == []


def test_an_incident_that_was_taken_and_closed_is_not_opened_by_a_repetition(room: Room) -> None:
    id = new_id(room.clock)
    first = room.say("rina-phone", id=id)
    room.store.write(lambda c: incidents.move(c, INCIDENT, "cancel", "rina", 2, "salah lapor"))
    assert room.say("rina-phone", id=id) == first
    assert len(room.taken()) == 1


def test_ten_thousand_repetitions_are_one_event_and_few_rows(room: Room) -> None:
    given = Acknowledgement(id=new_id(room.clock), incident=INCIDENT, at_ms=1)
    word = Word("siaga/v1/ack/rina-phone", encode(given))
    for _ in range(0, 10_000, BATCH_MOST):
        room.desk.take([word] * BATCH_MOST)
    assert len(room.taken()) == 1
    assert room.bus.acknowledged == 10_000
    assert len(room.bus.published) == BURST + 1
    assert {answer.outcome for _, answer, _ in room.bus.published[:-1]} == {"taken"}
    assert room.bus.published[-1][1].reason == "rate"
    assert room.refused() == {"ack-rate": 1}
    assert room.desk.dropped == 10_000 - BURST - 1


def test_one_client_that_says_too_much_does_not_silence_another(room: Room) -> None:
    room.desk.take([Word("siaga/v1/ack/tono-phone", b"{}")] * 1000)
    assert room.say("rina-phone").outcome == "taken"


def test_whoever_said_too_much_is_heard_again_after_a_minute(room: Room) -> None:
    room.desk.take([Word("siaga/v1/ack/rina-phone", b"{}")] * 1000)
    room.clock.advance(60)
    assert room.say("rina-phone").outcome == "taken"


GOOD = encode(Acknowledgement(id=INCIDENT, incident=INCIDENT, at_ms=1))


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "json"),
        (b"\xff\xfe", "json"),
        (b"[" * 1000, "json"),
        (b"{}", "version"),
        (b"7", "json"),
        (GOOD.replace(b'"v":1', b'"v":2'), "version"),
        (GOOD.replace(b'"at_ms":1', b'"at_ms":-1'), "schema"),
        (GOOD.replace(INCIDENT.encode(), b"../../etc", 1), "schema"),
        (GOOD[:-1] + b" " * ACKNOWLEDGEMENT_MAX_BYTES + b"}", "oversized"),
    ],
)
def test_garbage_is_kept_counted_and_answered(room: Room, payload: bytes, reason: str) -> None:
    answer = room.send("rina-phone", payload)
    assert answer is not None
    assert (answer.outcome, answer.reason, answer.id) == ("refused", reason, "")
    assert room.refused() == {reason: 1}
    assert room.taken_by() is None


def test_no_bytes_raise_anything() -> None:
    dice = random.Random(112)
    for _ in range(3000):
        octets = bytearray(GOOD)
        for _ in range(dice.randint(1, 6)):
            octets[dice.randrange(len(octets))] = dice.randrange(256)
        said = read(client_name("rina-phone"), "t", bytes(octets))
        assert (said.given is None) == bool(said.reason)


@pytest.mark.parametrize("topic", ["siaga/v1/ack/hub", "siaga/v1/ack/RINA", "siaga/v1/ack/a/b", "x"])
def test_a_topic_that_is_nobodys_is_counted_only(room: Room, topic: str) -> None:
    room.desk.take([Word(topic, GOOD)])
    assert (room.desk.dropped, room.bus.published, room.bus.acknowledged) == (1, [], 1)
