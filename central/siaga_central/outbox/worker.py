"""Publishes alerts and commands, each until it is confirmed."""

import logging
from concurrent.futures import Future, wait
from itertools import takewhile
from typing import Protocol

from sqlalchemy import Connection, select

from siaga_central.authority.voice import Voice
from siaga_central.store import commands, incidents, outbox, wants
from siaga_central.store.schema import incident
from siaga_central.store.writer import Store
from siaga_core.service.clock import Clock
from siaga_core.service.workers import Heartbeat, Stop
from siaga_core.wire.envelope import encode
from siaga_core.wire.ids import IncidentId, NodeId
from siaga_core.wire.topics import DOWN_HUB, alert, down_command, down_want
from siaga_core.wire.want import Want

log = logging.getLogger(__name__)

POLL_S = 1.0
CONFIRM_LIMIT_S = 5.0
# A command the node has not confirmed is sent again; the node knows it by its id.
AGAIN_AFTER_US = 5_000_000
# mosquitto saves once a minute (bus/settings.py): a city closes far fewer incidents than this in that time.
CLEARED_AGAIN = 500


class Publisher(Protocol):
    """What the outbox needs of the bus."""

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> "Future[None]":
        """Publish with QoS 1; the future resolves when the broker has it."""

    @property
    def connection(self) -> int:
        """0 when down, else a number that grows with each connect."""


class Outbox:
    """The worker; `flush` is one round."""

    def __init__(self, store: Store, bus: Publisher, clock: Clock, voice: Voice) -> None:
        self._store, self._bus, self._clock, self._voice = store, bus, clock, voice
        self._reconciled = 0
        self._wished_us = -1
        self._announced = b""

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """Publish after every commit and every second until asked to stop."""
        subscription = self._store.subscribe()
        try:
            while not stop.is_set():
                self.flush()
                heartbeat.beat()
                subscription.get(POLL_S)
        finally:
            subscription.close()

    def flush(self) -> None:
        """Publish what waits; nothing while the broker is away."""
        connection = self._bus.connection
        if not connection:
            return
        if connection != self._reconciled:
            self._reconcile()
            self._reconciled = connection
        self._announce()
        self._alerts()
        self._commands()
        self._wants()

    def _reconcile(self) -> None:
        """A broker that was killed has forgotten what it was told last: open alerts, clearings, wishes."""
        with self._store.read() as connection:
            alerts = incidents.open_alerts(connection)
            closed = _closed_last(connection)
            wishes = wants.all_of_them(connection)
        self._announced = b""
        self._announce()
        futures = [self._publish_alert(subject, payload) for subject, payload in alerts]
        futures += [self._publish_alert(subject, "") for subject in closed]
        futures += [self._publish_want(wish) for wish in wishes]
        wait(futures, CONFIRM_LIMIT_S)
        log.info("alerts reconciled open=%d cleared=%d", len(alerts), len(closed))

    def _announce(self) -> None:
        """Say who the hub is; again when its certificate was renewed."""
        announcement = self._voice.announcement()
        if announcement == self._announced:
            return
        future = self._bus.publish(DOWN_HUB, announcement, retain=True)
        wait([future], CONFIRM_LIMIT_S)
        if _confirmed(future):
            self._announced = announcement

    def _alerts(self) -> None:
        with self._store.read() as connection:
            rows = outbox.waiting(connection)
        if not rows:
            return
        futures = {row.number: self._publish_alert(row.subject, row.payload) for row in rows}
        wait(futures.values(), CONFIRM_LIMIT_S)
        # Up to the first that failed: said again later, it must not come after what replaced it.
        done = list(takewhile(lambda number: _confirmed(futures[number]), futures))
        if done:
            now_us = self._now_us()
            self._store.write(lambda connection: outbox.done(connection, done, now_us))

    def _commands(self) -> None:
        now_us = self._now_us()
        with self._store.read() as connection:
            rows = commands.to_send(connection, now_us, now_us - AGAIN_AFTER_US)
        if not rows:
            return
        futures = {row.id: self._publish_command(row.node, row.payload) for row in rows}
        wait(futures.values(), CONFIRM_LIMIT_S)
        sent = [id for id, future in futures.items() if _confirmed(future)]
        if sent:
            self._store.write(lambda connection: commands.sent(connection, sent, now_us))

    def _wants(self) -> None:
        """Publish desired states that have changed; retained, so that a node finds them when it comes."""
        with self._store.read() as connection:
            wishes = wants.unsettled(connection, self._wished_us)
        futures = [self._publish_want(wish) for wish, _ in wishes]
        wait(futures, CONFIRM_LIMIT_S)
        for (_, changed_us), future in zip(wishes, futures, strict=True):
            if not _confirmed(future):
                return
            self._wished_us = max(self._wished_us, changed_us)

    def _publish_command(self, node: str, payload: str) -> "Future[None]":
        topic = down_command(NodeId(node))
        return self._bus.publish(topic, self._voice.seal(topic, payload.encode()))

    def _publish_want(self, wish: Want) -> "Future[None]":
        topic = down_want(NodeId(wish.node), wish.name)
        return self._bus.publish(topic, self._voice.seal(topic, encode(wish)), retain=True)

    def _publish_alert(self, subject: str, payload: str) -> "Future[None]":
        return self._bus.publish(alert(IncidentId(subject)), payload.encode(), retain=True)

    def _now_us(self) -> int:
        return self._clock.wall_ns() // 1000


def _closed_last(connection: Connection) -> list[str]:
    """Incidents closed last: a broker that wakes with an old memory may still show them."""
    closed = select(incident.c.id).where(incident.c.closed_us.is_not(None))
    rows = connection.execute(closed.order_by(incident.c.closed_us.desc()).limit(CLEARED_AGAIN))
    return [row.id for row in rows]


def _confirmed(future: "Future[None]") -> bool:
    return future.done() and future.exception() is None
