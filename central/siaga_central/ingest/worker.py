"""Takes batches from the broker, commits each in one transaction, acknowledges afterwards."""

import logging
import queue
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, Protocol, TypeVar

from sqlalchemy import Connection

from siaga_central.ingest.decision import Accepted, Heard, Refused, decide
from siaga_central.ingest.policy import Policy
from siaga_central.ingest.projection import Moment, commit
from siaga_central.store import nodes, records
from siaga_central.store.writer import Store
from siaga_core.service.clock import Clock, new_id
from siaga_core.service.workers import Heartbeat, Stop
from siaga_core.wire.envelope import Ack, Record, encode
from siaga_core.wire.ids import NodeId
from siaga_core.wire.topics import down_ack

log = logging.getLogger(__name__)

BATCH_MOST = 500
IDLE_S = 0.5


class Message(Protocol):
    """One message as the bus gives it."""

    @property
    def topic(self) -> str:
        """MQTT topic."""

    @property
    def payload(self) -> bytes:
        """Its bytes."""


M = TypeVar("M", bound=Message)


class Source(Protocol[M]):
    """What ingest needs of the bus."""

    incoming: "queue.Queue[M]"

    def acknowledge(self, batch: Sequence[M]) -> None:
        """Let the broker forget these messages."""

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> "Future[None]":
        """Publish with QoS 1."""


Stream = tuple[str, str, str]


class Ingest(Generic[M]):
    """The worker; `take` is one batch, for tests and for `work`."""

    def __init__(self, store: Store, bus: "Source[M]", clock: Clock, policy: Policy) -> None:
        self._store, self._bus, self._clock, self._policy = store, bus, clock, policy

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """Take batches until asked to stop. A commit that fails ends the process; the broker keeps them."""
        while not stop.is_set():
            batch = self._batch()
            if batch:
                self.take(batch)
            heartbeat.beat()

    def take(self, batch: Sequence[M]) -> None:
        """Commit a batch, publish the hub's acknowledgements, then let the broker forget it."""
        marks = self._store.write(lambda connection: self._commit(connection, batch))
        for (node, stream, epoch), upto in marks.items():
            if upto:
                ack = Ack(node=node, stream=stream, epoch=epoch, upto=upto)
                self._bus.publish(down_ack(NodeId(node)), encode(ack))
        self._bus.acknowledge(batch)

    def _batch(self) -> list[M]:
        incoming = self._bus.incoming
        try:
            batch = [incoming.get(timeout=IDLE_S)]
        except queue.Empty:
            return []
        while len(batch) < BATCH_MOST:
            try:
                batch.append(incoming.get_nowait())
            except queue.Empty:
                break
        return batch

    def _commit(self, connection: Connection, batch: Sequence[M]) -> dict[Stream, int]:
        moment = Moment(self._clock.wall_ns() // 1000, self._new_id, self._policy)
        known = nodes.known(connection)
        streams: dict[Stream, None] = {}
        heard: set[str] = set()
        for message in batch:
            match decide(message.topic, message.payload, known):
                case Accepted(record):
                    _commit_one(connection, record, message.topic, moment)
                    streams[record.node, record.stream, record.epoch] = None
                    heard.add(record.node)
                case Heard(node, presence):
                    if presence.online:
                        heard.add(node)
                    else:
                        heard.discard(node)
                        nodes.silent(connection, node, "its link was lost", moment.now_us)
                case Refused(reason, detail):
                    log.warning("refused reason=%s topic=%.80s", reason, message.topic)
                    records.refuse(connection, message.topic, message.payload, reason, detail, moment.now_us)
        for name in heard:
            nodes.heard(connection, name, moment.now_us)
        return {stream: records.advance(connection, *stream) for stream in streams}

    @property
    def _new_id(self) -> Callable[[], str]:
        return lambda: new_id(self._clock)


def _commit_one(connection: Connection, record: Record, topic: str, moment: Moment) -> None:
    """Commit one record; what the hub itself cannot digest is kept raw and does not stop the others."""
    try:
        with connection.begin_nested():
            commit(connection, record, topic, moment)
    except Exception as error:
        log.exception(
            "record not understood node=%s stream=%s seq=%d", record.node, record.stream, record.seq
        )
        detail = f"{type(error).__name__}: {error}"
        records.keep(connection, record, "{}", moment.now_us)
        records.refuse(connection, topic, bytes(record.body), "failed", detail, moment.now_us)
