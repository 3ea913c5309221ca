"""Silence and lateness are noted once, at their time, and never of a node that has just spoken."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, select

from siaga_central.store import (
    assignments,
    callbacks,
    clips,
    commands,
    events,
    fates,
    incidents,
    nodes,
    replies,
    views,
)
from siaga_central.store.schema import clip, reply
from siaga_central.store.writer import Store
from siaga_central.timers.worker import GRACE_US, SILENT_AFTER_US, Timers
from siaga_core.service.workers import Heartbeat, Stop
from siaga_core.wire.command import SoundSiren
from support.clock import FakeClock
from support.hub import running
from support.waiting import until

T = TypeVar("T")
NODE = "gsm-001"


def now_us(clock: FakeClock) -> int:
    return clock.wall_ns() // 1000


def heard(store: Store, clock: FakeClock) -> None:
    store.write(lambda c: nodes.heard(c, NODE, now_us(clock)))


def kinds(store: Store, subject: str) -> list[str]:
    """What happened to one subject."""
    with store.read() as connection:
        return [row.kind for row in events.of(connection, subject)]


def order(store: Store, clock: FakeClock, ttl_s: float = 60) -> None:
    siren = SoundSiren(incident="i", duration_s=10)
    store.write(lambda c: commands.queue(c, "c1", NODE, "health", siren, "rina", now_us(clock), ttl_s))


def says(store: Store, clock: FakeClock, state: str) -> None:
    """The node tells how the command fares."""
    store.write(lambda c: fates.settle(c, "c1", state, "", {}, f"node:{NODE}", now_us(clock)))


def state(store: Store, id: str = "c1") -> str:
    with store.read() as connection:
        row = commands.find(connection, id)
    assert row is not None
    return str(row.state)


class Interrupted(Store):
    """A store in which something else is committed between a look and the write that follows."""

    first: Callable[[], None] | None = None

    def write(self, work: Callable[[Connection], T]) -> T:
        if self.first is not None:
            first, self.first = self.first, None
            first()
        return super().write(work)


class BelievesItsFirstLook(Timers):
    """The mutant: writes what it saw before others wrote."""

    def sweep(self) -> None:
        at_us = now_us(self._clock)  # type: ignore[arg-type]
        with self._store.read() as connection:
            silent = nodes.unheard_since(connection, at_us - SILENT_AFTER_US)
            overdue = [row.id for row in commands.overdue(connection, at_us, GRACE_US)]

        def note(connection: Connection) -> None:
            for node in silent:
                nodes.silent(connection, node, "", at_us)
            for command in overdue:
                fates.settle(connection, command, "expired", fates.EXPIRED, {}, "hub", at_us)

        self._store.write(note)


def after_a_late_word(store: Store, clock: FakeClock, kind: type[Timers]) -> tuple[str, bool]:
    """(state of the command, node silent) when the node speaks while the sweep is under way."""
    heard(store, clock)
    order(store, clock)
    clock.advance(61)

    def speak() -> None:
        heard(store, clock)
        says(store, clock, "received")

    store.__class__ = Interrupted
    try:
        store.first = speak  # type: ignore[attr-defined]
        kind(store, clock).sweep()
    finally:
        store.__class__ = Store
    return state(store), "node.silent" in kinds(store, NODE)


def test_a_node_that_speaks_while_it_is_looked_at_is_neither_silent_nor_late(
    store: Store, clock: FakeClock
) -> None:
    assert after_a_late_word(store, clock, Timers) == ("received", False)


def test_the_same_look_catches_one_that_believes_what_it_saw_first(store: Store, clock: FakeClock) -> None:
    assert after_a_late_word(store, clock, BelievesItsFirstLook) == ("expired", True)


def test_a_node_is_silent_after_its_time_once_and_online_again_by_a_word(
    store: Store, clock: FakeClock
) -> None:
    timers = Timers(store, clock)
    heard(store, clock)
    clock.advance(SILENT_AFTER_US / 1e6)
    timers.sweep()
    assert "node.silent" not in kinds(store, NODE)
    clock.advance(0.001)
    for _ in range(3):
        timers.sweep()
    heard(store, clock)
    timers.sweep()
    said = [kind for kind in kinds(store, NODE) if kind in ("node.silent", "node.online")]
    assert said == ["node.online", "node.silent", "node.online"]


def test_a_node_that_never_spoke_is_not_said_to_have_fallen_silent(store: Store, clock: FakeClock) -> None:
    clock.advance(86_400)
    Timers(store, clock).sweep()
    assert "node.silent" not in kinds(store, NODE)


def test_a_command_nobody_confirmed_expires_at_its_time_and_not_before(
    store: Store, clock: FakeClock
) -> None:
    timers = Timers(store, clock)
    order(store, clock)
    clock.advance(59.999)
    timers.sweep()
    assert state(store) == "queued"
    clock.advance(0.001)
    timers.sweep()
    timers.sweep()
    assert state(store) == "expired"
    assert kinds(store, "c1").count("command.expired") == 1


def test_a_command_that_is_being_done_has_its_grace(store: Store, clock: FakeClock) -> None:
    timers = Timers(store, clock)
    order(store, clock)
    says(store, clock, "started")
    clock.advance(60 + GRACE_US / 1e6 - 0.001)
    timers.sweep()
    assert state(store) == "started"
    clock.advance(0.001)
    timers.sweep()
    assert state(store) == "expired"


def test_what_is_done_never_expires(store: Store, clock: FakeClock) -> None:
    order(store, clock)
    says(store, clock, "done")
    clock.advance(86_400)
    Timers(store, clock).sweep()
    assert state(store) == "done"


def test_an_answer_and_a_clip_fail_with_their_command_so_that_somebody_sees_it(
    store: Store, clock: FakeClock
) -> None:
    def ask(c: Connection) -> None:
        at_us = now_us(clock)
        incidents.open_new(c, "i", incidents.Opening("KBR", "P1", "sms", "x"), "hub", at_us)
        replies.write(c, "r1", "i", "+628123", "Bantuan menuju lokasi", "rina", at_us, NODE)
        clips.ask(c, "k1", "cam-a", at_us - 60_000_000, at_us, "i", "bukti", "rina", at_us)

    store.write(ask)
    clock.advance(max(replies.TTL_S, clips.TTL_S))
    Timers(store, clock).sweep()
    with store.read() as connection:
        answers = [(row.state, row.detail) for row in connection.execute(select(reply))]
        asked = [(row.state, row.detail) for row in connection.execute(select(clip))]
    assert answers == [("FAILED", fates.EXPIRED)]
    assert asked == [("failed", fates.EXPIRED)]
    assert {"reply.state", "clip.failed"} <= set(kinds(store, "i"))


def test_an_answer_on_its_way_to_a_silent_node_is_uncertain_until_the_node_has_spoken(
    store: Store, clock: FakeClock
) -> None:
    def ask(c: Connection) -> None:
        incidents.open_new(c, "i", incidents.Opening("KBR", "P1", "sms", "x"), "hub", now_us(clock))
        replies.write(c, "r1", "i", "+628123", "Bantuan menuju lokasi", "rina", now_us(clock), NODE)
        commands.sent(c, ["r1"], now_us(clock))

    def seen() -> tuple[str, str]:
        with store.read() as connection:
            [row] = connection.execute(select(reply))
            found = commands.find(connection, "r1")
        return row.state, found.state if found else ""

    store.write(ask)
    clock.advance(replies.TTL_S)
    Timers(store, clock).sweep()
    assert seen() == ("UNKNOWN", "expired")
    actor = f"node:{NODE}"
    store.write(lambda c: replies.delivered(c, "r1", "SENT", "", actor, now_us(clock)))
    store.write(lambda c: fates.settle(c, "r1", "done", "", {}, actor, now_us(clock)))
    assert seen() == ("SENT", "done")
    assert not store.write(lambda c: fates.settle(c, "r1", "failed", "", {}, actor, now_us(clock)))
    Timers(store, clock).sweep()
    assert seen() == ("SENT", "done")


class Counting(Heartbeat):
    """Counts its beats."""

    beats = 0

    def beat(self) -> None:
        self.beats += 1


def test_the_worker_sweeps_and_beats_until_it_is_stopped(store: Store, clock: FakeClock) -> None:
    order(store, clock)
    clock.advance(61)
    with running(Timers(store, clock)):
        until(lambda: state(store) == "expired")
    stopped, heart = Stop(), Counting(clock)
    stopped.set()
    Timers(store, clock).work(stopped, heart)
    assert heart.beats == 0


def test_who_did_not_take_the_call_is_due_again_once_after_each_try(store: Store, clock: FakeClock) -> None:
    opening = incidents.Opening("LAIN", "P2", "call", "")

    def ring(c: Connection) -> None:
        incidents.open_new(c, "i1", opening, "node:gsm-001", now_us(clock))
        callbacks.add(c, "b1", "i1", "+6281270001234", "node:gsm-001", now_us(clock))

    def in_vain(c: Connection) -> None:
        callbacks.settle(c, "b1", "noanswer", "rina", now_us(clock))

    def swept(seconds: float) -> int:
        clock.advance(seconds)
        heard(store, clock)
        timers.sweep()
        return kinds(store, "b1").count(callbacks.DUE)

    timers = Timers(store, clock)
    store.write(ring)
    assert swept(1000) == 0, "nobody has tried yet; it has been waiting all the time"
    for count in (1, 2):
        store.write(in_vain)
        assert swept(299) == count - 1
        assert swept(1) == count
        assert swept(500) == count
    clock.advance(1)
    store.write(in_vain)
    clock.advance(1)
    store.write(lambda c: callbacks.add(c, "b2", "i1", "+6281270001234", "node:gsm-001", now_us(clock)))
    with store.read() as connection:
        [row] = views.callbacks(connection).rows
    assert (row.due_us, row.tries, row.calls) == (now_us(clock), 3, 2), "he rings again: at once"
    store.write(lambda c: callbacks.settle(c, "b1", "reached", "rina", now_us(clock)))
    before = swept(0)
    assert swept(1000) == before


def test_a_team_that_does_not_answer_is_noted_once_and_marked_until_it_does(
    store: Store, clock: FakeClock
) -> None:
    told = "incident-2"

    def begin(c: Connection) -> None:
        opening = incidents.Opening("KBR", "P1", "call", "", "")
        incidents.open_new(c, told, opening, "rina", now_us(clock))
        assignments.tell(c, "a-2", told, ("Regu B", "+628111111112"), NODE, "rina", now_us(clock))

    def silent() -> list[str]:
        with store.read() as connection:
            line = views.incident_line(connection, told)
        assert line is not None
        return line.silent

    store.write(begin)
    timers = Timers(store, clock)
    clock.advance(299)
    timers.sweep()
    assert silent() == []
    clock.advance(1)
    for _ in range(3):
        timers.sweep()
    assert silent() == ["Regu B"]
    assert kinds(store, told).count("dispatch.silent") == 1
    row = store.write(lambda c: assignments.find(c, "a-2"))
    assert row is not None
    store.write(lambda c: assignments.answer(c, row, "accepted", "OTW", now_us(clock), now_us(clock)))
    assert silent() == []
