"""Alerts and commands are published until known to be: sent twice rather than lost, never late."""

from concurrent.futures import Future

import pytest

from siaga_central.authority.voice import Voice
from siaga_central.outbox.worker import AGAIN_AFTER_US, Outbox
from siaga_central.store import commands, incidents, nodes, outbox
from siaga_central.store.writer import Store
from siaga_central.timers.worker import Timers
from siaga_core.wire import seal
from siaga_core.wire.command import SoundSiren, decode_command
from siaga_core.wire.topics import DOWN_HUB
from support.clock import FakeClock

OPENING = incidents.Opening("KBR", "P1", "sms", "x")


class Killed(Exception):
    """The process ends here."""


class Broker:
    """Confirms everything, fails the first of what it gets, or dies with the hub."""

    def __init__(self) -> None:
        self.connection = 1
        self.said: list[tuple[str, bytes]] = []
        self.fails = 0
        self.dies = False

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> "Future[None]":
        future: Future[None] = Future()
        if topic == DOWN_HUB:
            future.set_result(None)
            return future
        assert retain == topic.startswith("siaga/v1/alert/"), "alerts are retained, commands never"
        if payload.startswith(seal.MARK):
            payload = seal.expand(seal.unpack(payload, 10_000), 10_000)
        if self.fails:
            self.fails -= 1
            future.set_exception(ConnectionError("not up yet"))
            return future
        self.said.append((topic, payload))
        if self.dies:
            raise Killed
        future.set_result(None)
        return future


class NotesFirst(Outbox):
    """The mutant: notes as published what is not."""

    def _alerts(self) -> None:
        with self._store.read() as connection:
            done = [row.number for row in outbox.waiting(connection)]
        self._store.write(lambda connection: outbox.done(connection, done, 1))
        if done:
            self._bus.publish("siaga/v1/alert/i", b"{}", retain=True)

    def _commands(self) -> None:
        with self._store.read() as connection:
            ids = [row.id for row in commands.to_send(connection, self._now_us(), 0)]
        self._store.write(lambda connection: commands.sent(connection, ids, self._now_us()))
        self._bus.publish("siaga/v1/down/gsm-001/cmd", b"{}")


class InAnyOrder(Outbox):
    """The mutant: forgets what succeeded, whatever failed before it."""

    def _alerts(self) -> None:
        with self._store.read() as connection:
            rows = outbox.waiting(connection)
        sent = {row.number: self._publish_alert(row.subject, row.payload) for row in rows}
        done = [number for number, future in sent.items() if future.exception() is None]
        self._store.write(lambda connection: outbox.done(connection, done, 1))


@pytest.fixture
def bus() -> Broker:
    return Broker()


def now_us(clock: FakeClock) -> int:
    return clock.wall_ns() // 1000


def order(store: Store, clock: FakeClock, ttl_s: float = 60) -> None:
    """Queue a siren for a node that is online."""
    at_us = now_us(clock)
    siren = SoundSiren(incident="i", duration_s=10)
    store.write(lambda c: nodes.heard(c, "gsm-001", at_us))
    store.write(lambda c: commands.queue(c, "c1", "gsm-001", "health", siren, "rina", at_us, ttl_s))


def state(store: Store) -> str:
    with store.read() as connection:
        row = commands.find(connection, "c1")
    assert row is not None
    return str(row.state)


def waiting_after_a_kill(store: Store, clock: FakeClock, voice: Voice, kind: type[Outbox]) -> int:
    """Alerts still to be sent after the hub died between publishing and the commit."""
    bus = Broker()
    worker = kind(store, bus, clock, voice)
    worker.flush()
    store.write(lambda connection: incidents.open_new(connection, "i", OPENING, "hub", 1))
    bus.dies = True
    with pytest.raises(Killed):
        worker.flush()
    with store.read() as connection:
        return len(outbox.waiting(connection))


def command_after_a_kill(store: Store, clock: FakeClock, voice: Voice, kind: type[Outbox]) -> int:
    """How often the next hub publishes a command at once, when the first died while publishing it."""
    order(store, clock)
    dying = Broker()
    dying.dies = True
    with pytest.raises(Killed):
        kind(store, dying, clock, voice).flush()
    bus = Broker()
    Outbox(store, bus, clock, voice).flush()
    return len(bus.said)


def test_a_kill_between_publishing_and_the_commit_loses_no_alert(
    store: Store, clock: FakeClock, voice: Voice
) -> None:
    assert waiting_after_a_kill(store, clock, voice, Outbox) == 1


def test_the_same_look_at_alerts_catches_one_that_notes_first(
    store: Store, clock: FakeClock, voice: Voice
) -> None:
    assert waiting_after_a_kill(store, clock, voice, NotesFirst) == 0


def test_a_kill_between_publishing_and_the_commit_sends_a_command_again(
    store: Store, clock: FakeClock, voice: Voice
) -> None:
    assert command_after_a_kill(store, clock, voice, Outbox) == 1


def test_the_same_look_at_commands_catches_one_that_notes_first(
    store: Store, clock: FakeClock, voice: Voice
) -> None:
    assert command_after_a_kill(store, clock, voice, NotesFirst) == 0


def test_a_command_is_published_until_the_node_says_received(
    store: Store, bus: Broker, clock: FakeClock, voice: Voice
) -> None:
    worker = Outbox(store, bus, clock, voice)
    order(store, clock)
    for _ in range(3):
        worker.flush()
        worker.flush()  # at once again: nothing
        clock.advance(AGAIN_AFTER_US / 1e6 + 0.1)
    assert [decode_command(payload).id for _, payload in bus.said] == ["c1"] * 3
    assert {topic for topic, _ in bus.said} == {"siaga/v1/down/gsm-001/cmd"}
    assert state(store) == "sent"
    store.write(lambda c: commands.settle(c, "c1", "received", "", {}, "node:gsm-001", now_us(clock)))
    worker.flush()
    assert len(bus.said) == 3


def test_a_command_waits_for_its_node(store: Store, bus: Broker, clock: FakeClock, voice: Voice) -> None:
    worker = Outbox(store, bus, clock, voice)
    order(store, clock)
    store.write(lambda c: nodes.silent(c, "gsm-001", "test", now_us(clock)))
    worker.flush()
    assert bus.said == []
    store.write(lambda c: nodes.heard(c, "gsm-001", now_us(clock)))
    worker.flush()
    assert len(bus.said) == 1


def test_a_command_is_never_published_after_its_time_and_then_marked(
    store: Store, bus: Broker, clock: FakeClock, voice: Voice
) -> None:
    order(store, clock, ttl_s=60)
    clock.advance(60)
    Outbox(store, bus, clock, voice).flush()
    assert (bus.said, state(store)) == ([], "queued")
    Timers(store, clock).sweep()
    assert state(store) == "expired"


def test_nothing_is_asked_of_a_broker_that_is_away(
    store: Store, bus: Broker, clock: FakeClock, voice: Voice
) -> None:
    order(store, clock)
    bus.connection = 0
    Outbox(store, bus, clock, voice).flush()
    assert (bus.said, state(store)) == ([], "queued")


def said_of_one_that_closed(store: Store, clock: FakeClock, voice: Voice, kind: type[Outbox]) -> list[bytes]:
    """What was published of an incident that closed while the connection came up between its two alerts."""
    bus = Broker()
    worker = kind(store, bus, clock, voice)
    worker.flush()
    store.write(lambda c: incidents.open_new(c, "i", OPENING, "hub", 1))
    store.write(lambda c: incidents.move(c, "i", "cancel", "rina", 2, "salah lapor"))
    bus.fails = 1
    for _ in range(3):
        worker.flush()
    return [payload for _, payload in bus.said]


def test_an_alert_that_failed_never_comes_after_its_clearing(
    store: Store, clock: FakeClock, voice: Voice
) -> None:
    said = said_of_one_that_closed(store, clock, voice, Outbox)
    assert (len(said), said[-1]) == (3, b"")


def test_the_same_look_catches_one_that_forgets_in_any_order(
    store: Store, clock: FakeClock, voice: Voice
) -> None:
    assert said_of_one_that_closed(store, clock, voice, InAnyOrder)[-1] != b""
