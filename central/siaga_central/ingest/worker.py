"""Takes batches from the broker, commits each in one transaction, acknowledges afterwards."""

import logging
import queue
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, Protocol

from sqlalchemy import Connection

from siaga_central.authority.voice import Voice
from siaga_central.ingest import streams
from siaga_central.ingest.decision import Accepted, Decision, Heard, Refused, decide
from siaga_central.ingest.keys import Keys
from siaga_central.ingest.policy import Policy
from siaga_central.ingest.projection import Moment
from siaga_central.ingest.rate import RECORDS_S, Rate
from siaga_central.ingest.source import Broker, M
from siaga_central.store import nodes, records
from siaga_central.store.writer import Store
from siaga_core.service.clock import Clock, new_id
from siaga_core.service.workers import Heartbeat, Stop
from siaga_core.wire.envelope import Ack, Mark, Presence, Received, encode
from siaga_core.wire.ids import NodeId
from siaga_core.wire.seal import about_inflated_bytes
from siaga_core.wire.topics import down_ack

log = logging.getLogger(__name__)

# One transaction: an urgent record waits for the one under way and what came before it. Ten milliseconds are
# 640 samples of a backlog; with more at once a report took twice as long during a drain.
BATCH_MOST = 200
BATCH_MOST_BYTES = 400_000  # inflated
IDLE_S = 0.5
# Somebody speaks in a node's name: that is not a mishap.
ALARMING = frozenset({"seal", "forged", "stranger", "impersonation"})


class Source(Broker[M], Protocol[M]):
    """What ingest needs of the bus."""

    incoming: "queue.Queue[M]"


@dataclass(frozen=True, slots=True)
class _Taken(Generic[M]):
    """A batch whose commit is under way, and what is to be said when it is done."""

    batch: Sequence[M]
    acks: "Future[list[Ack]]"


@dataclass(slots=True)
class _Batch:
    """What one transaction takes in."""

    streams: dict[records.Key, list[tuple[str, Received]]] = field(default_factory=dict)
    heard: set[str] = field(default_factory=set)
    present: set[str] = field(default_factory=set)


class Ingest(Generic[M]):
    """The worker; `take` is one batch, for tests and for `work`."""

    def __init__(self, store: Store, bus: "Source[M]", clock: Clock, policy: Policy, voice: Voice) -> None:
        self._store, self._bus, self._clock, self._policy, self._voice = store, bus, clock, policy, voice
        self._keys, self._rate = Keys(store), Rate()
        # OpenSSL lets go of Python's lock while it verifies: two threads verify 1.3 times as fast as one.
        self._verifiers = ThreadPoolExecutor(2, "verify")

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """Take batches until asked to stop. A commit that fails ends the process; the broker keeps them.

        One batch is verified while the one before it is committed; with nothing behind it, none waits.
        """
        under_way: list[_Taken[M]] = []
        while not stop.is_set():
            if batch := self._batch():
                taken = self._begin(batch)
                self._finish(under_way)
                under_way = [taken]
            if not batch or self._bus.incoming.empty():
                self._finish(under_way)
                under_way = []
            heartbeat.beat()
        self._finish(under_way)

    def take(self, batch: Sequence[M]) -> None:
        """Commit a batch, publish the hub's acknowledgements, then let the broker forget it."""
        self._finish([self._begin(batch)])

    def _begin(self, batch: Sequence[M]) -> "_Taken[M]":
        with self._store.read() as connection:
            known = nodes.known(connection)
        half = (len(batch) + 1) // 2
        parts = self._verifiers.map(
            lambda part: [(message, self._decide(message, known)) for message in part],
            (batch[:half], batch[half:]),
        )
        decisions = [decided for part in parts for decided in part]
        return _Taken(batch, self._store.submit(lambda connection: self._commit(connection, decisions)))

    def _finish(self, under_way: "Sequence[_Taken[M]]") -> None:
        for taken in under_way:
            self._say(taken.acks.result())
            self._bus.acknowledge(taken.batch)

    def _say(self, acks: Sequence[Ack]) -> None:
        for ack in acks:
            topic = down_ack(NodeId(ack.node))
            self._bus.publish(topic, self._voice.seal(topic, encode(ack)))

    def _batch(self) -> list[M]:
        incoming = self._bus.incoming
        try:
            batch = [incoming.get(timeout=IDLE_S)]
        except queue.Empty:
            return []
        size_bytes = about_inflated_bytes(batch[0].payload)
        while len(batch) < BATCH_MOST and size_bytes < BATCH_MOST_BYTES:
            try:
                batch.append(incoming.get_nowait())
            except queue.Empty:
                break
            size_bytes += about_inflated_bytes(batch[-1].payload)
        return batch

    def _decide(self, message: M, known: Collection[str]) -> Decision:
        return decide(message.topic, message.payload, known, self._keys.find)

    def _commit(self, connection: Connection, decisions: Sequence[tuple[M, Decision]]) -> list[Ack]:
        moment = Moment(self._clock.wall_ns() // 1000, self._new_id, self._policy)
        taken = _Batch()
        for message, decision in decisions:
            match decision:
                case Accepted(batch):
                    self._accept(connection, message, batch, taken, moment)
                case Heard(node, presence):
                    _presence(connection, node, presence, taken, moment)
                case Refused():
                    _refuse(connection, message.topic, message.payload, decision, moment)
        marks: dict[str, list[Mark]] = {node: [] for node in taken.present}
        for key, batches in taken.streams.items():
            name, stream, epoch = key
            upto = streams.commit(connection, key, batches, moment)
            marks.setdefault(name, []).append(Mark(stream=stream, epoch=epoch, upto=upto))
        for heard in taken.heard:
            nodes.heard(connection, heard, moment.now_us)
        return [self._ack(connection, name, said, taken) for name, said in marks.items()]

    def _accept(
        self, connection: Connection, message: M, batch: Received, taken: _Batch, moment: Moment
    ) -> None:
        """Put a batch aside for its stream; bulk of a node that says far too much waits at the node."""
        taken.heard.add(batch.node)
        if self._rate.exceeded(batch.node, len(batch.records), self._clock.mono_s()):
            detail = f"{batch.stream}: more than {RECORDS_S:.0f} records a second for long"
            nodes.alarm(connection, batch.node, "rate", detail, moment.now_us)
            if batch.stream.endswith(".bulk"):
                return
        key = (batch.node, batch.stream, batch.epoch)
        taken.streams.setdefault(key, []).append((message.topic, batch))

    def _ack(self, connection: Connection, node: str, said: list[Mark], taken: _Batch) -> Ack:
        whole = node in taken.present
        marks = records.marks_of(connection, node) if whole else [mark for mark in said if mark.upto]
        return Ack(node=node, generation=self._voice.generation, marks=marks, whole=whole)

    @property
    def _new_id(self) -> Callable[[], str]:
        return lambda: new_id(self._clock)


def _presence(connection: Connection, node: str, presence: Presence, taken: _Batch, moment: Moment) -> None:
    """A hint of the broker's: who has come is told what the hub has, who has gone is looked at sooner."""
    if presence.online:
        taken.present.add(node)
    else:
        taken.present.discard(node)
        taken.heard.discard(node)
        nodes.silent(connection, node, "its link was lost", moment.now_us)


def _refuse(connection: Connection, topic: str, payload: bytes, refused: Refused, moment: Moment) -> None:
    log.warning("refused reason=%s topic=%.80s", refused.reason, topic)
    records.refuse(connection, topic, payload, refused.reason, refused.detail, moment.now_us)
    if refused.reason in ALARMING and refused.node:
        nodes.alarm(connection, refused.node, refused.reason, refused.detail, moment.now_us)
