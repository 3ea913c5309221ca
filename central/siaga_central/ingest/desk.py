"""Takes acknowledgements of alerts from operators' own clients, commits them, answers afterwards."""

import contextlib
import logging
import queue
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol

import msgspec
from sqlalchemy import Connection

from siaga_central.domain.acknowledgement import Account, judge
from siaga_central.ingest.rate import Rate
from siaga_central.ingest.source import Broker, M
from siaga_central.store import clients, incidents, records
from siaga_central.store.writer import Store
from siaga_core.service.clock import Clock
from siaga_core.service.workers import Heartbeat, Stop
from siaga_core.wire.acknowledgement import Acknowledgement, Answer, Reason, decode_acknowledgement
from siaga_core.wire.envelope import BadRecord, encode
from siaga_core.wire.ids import ClientName
from siaga_core.wire.topics import BadTopic, answer, parse_ack

log = logging.getLogger(__name__)

BATCH_MOST = 200
IDLE_S = 0.5
# An operator presses a button; a program of theirs may say a night's alerts at once.
BURST, ACKNOWLEDGEMENTS_S = 30.0, 0.5
# A client that says too much is told, and kept in quarantine, once in this time; the rest is only counted.
TOLD_AGAIN_S = 60.0


class Source(Broker[M], Protocol[M]):
    """What the desk needs of the bus."""

    desk: "queue.Queue[M]"


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a client; `reason` and `detail` when it is refused as it stands."""

    client: ClientName
    topic: str
    payload: bytes
    given: Acknowledgement | None
    reason: Reason = ""
    detail: str = ""


Answered = tuple[ClientName, bytes]


class Desk(Generic[M]):
    """The worker; `take` is one batch, for tests and for `work`."""

    def __init__(self, store: Store, bus: "Source[M]", clock: Clock) -> None:
        self._store, self._bus, self._clock = store, bus, clock
        self._rate = Rate(BURST, ACKNOWLEDGEMENTS_S)
        self._told: dict[str, float] = {}
        self.dropped = 0

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """Take what comes until asked to stop. A commit that fails ends the process; the broker keeps it."""
        while not stop.is_set():
            if batch := self._batch():
                self.take(batch)
            heartbeat.beat()

    def take(self, batch: Sequence[M]) -> None:
        """Commit a batch, answer the clients, then let the broker forget it."""
        said = [one for message in batch if (one := self._admit(message)) is not None]
        if said:
            answers = self._store.write(lambda c: [self._commit(c, one) for one in said])
            for client, payload in answers:
                self._bus.publish(answer(client), payload)
        self._bus.acknowledge(batch)

    def _batch(self) -> list[M]:
        batch: list[M] = []
        with contextlib.suppress(queue.Empty):
            batch.append(self._bus.desk.get(timeout=IDLE_S))
            while len(batch) < BATCH_MOST:
                batch.append(self._bus.desk.get_nowait())
        return batch

    def _admit(self, message: M) -> Said | None:
        """Look at one message without the database; None for one too many, or for nobody's topic."""
        try:
            client = parse_ack(message.topic)
        except BadTopic as error:
            self._drop(str(error))
            return None
        now_s = self._clock.mono_s()
        if not self._rate.exceeded(client, 1, now_s):
            return read(client, message.topic, message.payload)
        if now_s - self._told.get(client, -TOLD_AGAIN_S) < TOLD_AGAIN_S:
            self._drop(client)
            return None
        self._told[client] = now_s
        detail = f"more than {BURST:.0f} at once and one in {1 / ACKNOWLEDGEMENTS_S:.0f} s; wait a minute"
        return Said(client, message.topic, message.payload, None, "rate", detail)

    def _drop(self, what: str) -> None:
        self.dropped += 1
        if self.dropped & (self.dropped - 1) == 0:  # a flood must not fill the log
            log.warning("acknowledgements dropped count=%d last=%.80s", self.dropped, what)

    def _commit(self, connection: Connection, said: Said) -> Answered:
        now_us = self._clock.wall_ns() // 1000
        if said.given is None:
            return self._refuse(connection, said, Answer(outcome="refused"), said.reason, said.detail, now_us)
        known = clients.answered(connection, said.client, said.given.id)
        if known is not None and clients.find(connection, said.client) is not None:
            return said.client, known.encode()
        return self._judge(connection, said, said.given, now_us)

    def _judge(self, connection: Connection, said: Said, given: Acknowledgement, now_us: int) -> Answered:
        account = self.account(connection, said.client)
        row = _incident(connection, given.incident)
        state, taken_by = (None, None) if row is None else (row.state, row.taken_by)
        reason, detail = judge(account, state, taken_by, now_us)
        if reason or account is None:
            answered = Answer(id=given.id, incident=given.incident, outcome="refused")
            if row is not None and account is not None and reason in ("taken", "closed"):
                answered = msgspec.structs.replace(answered, **_who(row))
            return self._refuse(connection, said, answered, reason, detail, now_us)
        by = {"client": said.client, "id": given.id, "at_ms": given.at_ms}
        incidents.take(connection, given.incident, account.name, now_us, by)
        who = _who(incidents.find(connection, given.incident))
        return self._keep(
            connection, said, Answer(id=given.id, incident=given.incident, outcome="taken", **who), now_us
        )

    def account(self, connection: Connection, client: ClientName) -> Account | None:
        """Who stands behind a client."""
        row = clients.account_of(connection, client)
        return None if row is None else Account(row.name, row.role, row.disabled, row.expires_us)

    def _refuse(
        self,
        connection: Connection,
        said: Said,
        answered: Answer,
        reason: Reason,
        detail: str,
        now_us: int,
    ) -> Answered:
        log.warning("acknowledgement refused client=%s reason=%s", said.client, reason)
        kept = reason if reason in ("oversized", "json", "version", "schema") else f"ack-{reason}"
        records.refuse(connection, said.topic, said.payload, kept, detail, now_us)
        return self._keep(
            connection, said, msgspec.structs.replace(answered, reason=reason, detail=detail), now_us
        )

    def _keep(self, connection: Connection, said: Said, answered: Answer, now_us: int) -> Answered:
        payload = encode(answered)
        if said.given is not None and clients.find(connection, said.client) is not None:
            clients.keep_answer(connection, said.client, said.given.id, payload.decode(), now_us)
        return said.client, payload


def read(client: ClientName, topic: str, payload: bytes) -> Said:
    """Read one message. Total: no bytes raise anything. Pure."""
    try:
        return Said(client, topic, payload, decode_acknowledgement(payload))
    except BadRecord as error:
        return Said(client, topic, payload, None, _reason(error.reason), str(error))


def _reason(word: str) -> Reason:
    found: Reason = msgspec.convert(word, Reason)
    return found


def _incident(connection: Connection, id: str) -> Any:
    try:
        return incidents.find(connection, id)
    except incidents.NoSuchIncident:
        return None


def _who(row: Any) -> dict[str, Any]:
    taken_ms = None if row.taken_us is None else row.taken_us // 1000
    return {"acknowledged_by": row.taken_by or "", "acknowledged_ms": taken_ms}
