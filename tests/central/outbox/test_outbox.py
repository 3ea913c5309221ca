"""An alert is published until it is noted as published: sent twice rather than lost."""

from concurrent.futures import Future

import pytest

from siaga_central.outbox.worker import Outbox
from siaga_central.store import incidents, outbox
from siaga_central.store.writer import Store
from support.clock import FakeClock


class Killed(Exception):
    """The process ends here."""


class Broker:
    """Confirms everything, or dies with the hub."""

    def __init__(self) -> None:
        self.connection = 1
        self.said: list[tuple[bytes, bool]] = []
        self.dies = False

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> "Future[None]":
        if self.dies:
            raise Killed
        self.said.append((payload, retain))
        future: Future[None] = Future()
        future.set_result(None)
        return future


class NotesFirst(Outbox):
    """The mutant: notes as published what is not."""

    def _alerts(self) -> None:
        with self._store.read() as connection:
            done = [row.number for row in outbox.waiting(connection)]
        self._store.write(lambda connection: outbox.done(connection, done, 1))
        self._bus.publish("siaga/v1/alert/i", b"{}", retain=True)


def waiting_after_a_kill(store: Store, clock: FakeClock, kind: type[Outbox]) -> int:
    """Alerts still to be sent after the hub died while publishing."""
    opening = incidents.Opening("KBR", "P1", "sms", "x")
    bus = Broker()
    worker = kind(store, bus, clock)
    worker.flush()
    store.write(lambda connection: incidents.open_new(connection, "i", opening, "hub", 1))
    bus.dies = True
    with pytest.raises(Killed):
        worker.flush()
    with store.read() as connection:
        return len(outbox.waiting(connection))


def test_a_kill_while_publishing_loses_no_alert(store: Store, clock: FakeClock) -> None:
    assert waiting_after_a_kill(store, clock, Outbox) == 1


def test_the_same_look_catches_one_that_notes_first(store: Store, clock: FakeClock) -> None:
    assert waiting_after_a_kill(store, clock, NotesFirst) == 0
