"""What nodes send is committed once, whatever comes how often; what is refused is kept and counted."""

import itertools
import json
import queue
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import msgspec
import pytest
from sqlalchemy import Connection, select

from siaga_central.ingest.policy import Policy
from siaga_central.ingest.worker import Ingest
from siaga_central.store import records
from siaga_central.store.schema import callback, camera, command, incident, outbox, report
from siaga_central.store.writer import Store
from siaga_core.wire import report as wire
from siaga_core.wire.envelope import RECORD_MAX_BYTES, Ack, Record, Stamp, encode
from siaga_core.wire.ids import node_id
from siaga_core.wire.report import Call, Report, Sms, SmsPart
from siaga_core.wire.topics import up_record
from support.clock import FakeClock

NODE = node_id("gsm-001")
STREAM = "modem.urgent"
TOPIC = up_record(NODE, STREAM)
EPOCH = "00000000000000aa"
SENDER = "+6281234567890"


@dataclass(frozen=True)
class Message:
    """A message as the bus would give it."""

    topic: str
    payload: bytes


class FakeBus:
    """Remembers what was published and acknowledged, in order."""

    def __init__(self) -> None:
        self.incoming: queue.Queue[Message] = queue.Queue()
        self.deeds: list[tuple[str, bytes | int]] = []

    def acknowledge(self, batch: Sequence[Message]) -> None:
        self.deeds.append(("puback", len(batch)))

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> "Future[None]":
        self.deeds.append(("publish", payload))
        future: Future[None] = Future()
        future.set_result(None)
        return future

    def acks(self) -> list[int]:
        """`upto` of every acknowledgement of the hub, in order."""
        said = [payload for _, payload in self.deeds if isinstance(payload, bytes)]
        return [msgspec.json.decode(payload, type=Ack).upto for payload in said]


@pytest.fixture
def bus() -> FakeBus:
    return FakeBus()


@pytest.fixture
def ingest(store: Store, bus: FakeBus, clock: FakeClock) -> Ingest[Message]:
    return Ingest(store, bus, clock, Policy(siren_nodes=("gsm-001",)))


def message(seq: int, body: msgspec.Struct, kind: str = wire.KIND) -> Message:
    at = Stamp(boot_seq=1, boot_id="b", boot_ns=1, wall_ns=1_795_000_000_000_000_000, clock="synced")
    raw = msgspec.Raw(msgspec.json.encode(body))
    record = Record(node=NODE, stream=STREAM, epoch=EPOCH, seq=seq, kind=kind, at=at, body=raw)
    return Message(TOPIC, encode(record))


def sms(report_id: str, text: str, revision: int = 1, parts: int = 1, sender: str = SENDER) -> Report:
    body = Sms(text=text, parts_total=2, parts=[SmsPart(number=n + 1, pdu="00") for n in range(parts)])
    return Report(
        report_id=report_id,
        revision=revision,
        source="sms",
        modem="modem",
        reporter=sender,
        reporter_e164=sender,
        sms=body,
    )


def rows(store: Store, table: object) -> list[dict[str, object]]:
    with store.read() as connection:
        return [dict(row._mapping) for row in connection.execute(select(table))]  # type: ignore[call-overload]


@pytest.mark.sop("R31")
def test_a_fire_by_sms_is_an_incident_an_alert_and_a_siren(
    store: Store, ingest: Ingest[Message], bus: FakeBus
) -> None:
    ingest.take([message(1, sms("r1", "Kebakaran di Bengkong"))])
    [opened] = rows(store, incident)
    assert (opened["category"], opened["priority"], opened["place"]) == ("KBR", "P1", "di Bengkong")
    [alert] = rows(store, outbox)
    assert "81234567890" not in str(alert["payload"])
    [siren] = rows(store, command)
    assert siren["kind"] == "siren.sound"
    assert bus.deeds[-1] == ("puback", 1)
    assert bus.acks() == [1]


def test_any_order_and_repetition_of_revisions_ends_the_same(
    store: Store, ingest: Ingest[Message], bus: FakeBus
) -> None:
    first = [
        message(1, sms("r1", "kecelakaan […2/2 belum tiba…]")),
        message(2, sms("r1", "kecelakaan di simpang", revision=2, parts=2)),
        message(3, sms("r2", "tolong cepat")),
    ]
    for order in itertools.permutations(first):
        ingest.take([*order, order[0]])
    found = {str(row["id"]): (row["text"], row["revision"]) for row in rows(store, report)}
    assert found["r1"] == ("kecelakaan di simpang", 2)
    assert len(rows(store, incident)) == 1
    assert bus.acks()[-1] == 3


def test_a_gap_is_not_acknowledged_over(ingest: Ingest[Message], bus: FakeBus) -> None:
    ingest.take([message(1, sms("a", "x"))])
    ingest.take([message(3, sms("c", "z"))])
    ingest.take([message(2, sms("b", "y"))])
    assert bus.acks() == [1, 1, 3]


REFUSED = {
    "topic": Message("siaga/v1/up/gsm-001/nonsense", b"{}"),
    "unknown-node": Message("siaga/v1/up/ghost-9/rec/modem.urgent", b"{}"),
    "oversized": Message(TOPIC, b"x" * (RECORD_MAX_BYTES + 1)),
    "json": Message(TOPIC, b"{"),
    "version": Message(TOPIC, b'{"v": 2}'),
    "schema": Message(TOPIC, b'{"v": 1}'),
    "impersonation": Message(up_record(node_id("btm-017"), STREAM), message(9, sms("i", "x")).payload),
    "body": message(1, wire.Call(state="ringing"), kind="report"),
    "unknown-kind": message(2, wire.Call(state="ringing"), kind="weather"),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_refused_is_kept_counted_and_stops_nothing(
    store: Store, ingest: Ingest[Message], reason: str
) -> None:
    ingest.take([REFUSED[reason], message(7, sms("after", "tetap masuk"))])
    with store.read() as connection:
        assert records.refused(connection) == {reason: 1}
    assert [row["id"] for row in rows(store, report)] == ["after"]


def test_a_foreign_camera_changes_nothing(store: Store, ingest: Ingest[Message]) -> None:
    from siaga_core.wire.health import CameraState

    ingest.take([message(1, CameraState(camera="cam-a", status="down"), kind="camera")])
    assert rows(store, camera)[0]["status"] == "unknown"


def test_a_call_is_one_call_back_that_gets_its_number_later(store: Store, ingest: Ingest[Message]) -> None:
    def call(revision: int, state: str, number: str | None) -> Report:
        return Report(
            report_id="c1",
            revision=revision,
            source="call",
            modem="modem",
            reporter=number,
            reporter_e164=number,
            call=Call(state=state, rings=1),  # type: ignore[arg-type]
        )

    ingest.take([message(1, call(1, "ringing", None))])
    ingest.take([message(2, call(2, "identified", SENDER)), message(3, call(3, "missed", SENDER))])
    [waiting] = rows(store, callback)
    assert (waiting["number"], waiting["calls"], waiting["state"]) == (SENDER, 1, "waiting")


def test_the_same_number_within_ten_minutes_is_the_same_incident_and_later_is_not(
    store: Store, ingest: Ingest[Message], clock: FakeClock
) -> None:
    ingest.take([message(1, sms("r1", "banjir"))])
    clock.advance(590)
    ingest.take([message(2, sms("r2", "air naik"))])
    clock.advance(601)
    ingest.take([message(3, sms("r3", "maling"))])
    incidents = [row["incident"] for row in rows(store, report)]
    assert incidents[0] == incidents[1] != incidents[2]


class CommitFails(Exception):
    """The disk is full."""


class BrokenStore(Store):
    """A store whose commits fail."""

    def write(self, work: object) -> object:  # type: ignore[override]
        raise CommitFails


def test_nothing_is_acknowledged_before_the_commit(
    store: Store, bus: FakeBus, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.__class__ = BrokenStore
    try:
        with pytest.raises(CommitFails):
            Ingest(store, bus, clock, Policy()).take([message(1, sms("r1", "x"))])
        assert bus.deeds == []
        with pytest.raises(CommitFails):
            AcknowledgesFirst(store, bus, clock, Policy()).take([message(1, sms("r1", "x"))])
        assert bus.deeds != [], "the mutant is caught by the same look"
    finally:
        store.__class__ = Store


class AcknowledgesFirst(Ingest[Message]):
    """The mutant: says it has what it has not."""

    def take(self, batch: Sequence[Message]) -> None:
        self._bus.acknowledge(batch)
        super().take(batch)


def test_a_record_the_hub_cannot_digest_is_kept_and_the_rest_goes_on(
    store: Store, ingest: Ingest[Message], bus: FakeBus
) -> None:
    def spoil(connection: Connection) -> None:
        connection.exec_driver_sql("DROP TABLE callback")

    store.write(spoil)
    ringing = Report(report_id="c", revision=1, source="call", modem="m", call=Call(state="ringing"))
    ingest.take([message(1, ringing), message(2, sms("r", "setelahnya"))])
    with store.read() as connection:
        assert records.refused(connection) == {"failed": 1}
    assert [row["id"] for row in rows(store, report)] == ["r"]
    assert bus.acks() == [2]


def test_quarantined_payloads_are_bounded(store: Store, ingest: Ingest[Message]) -> None:
    ingest.take([REFUSED["oversized"]])
    with store.read() as connection:
        [kept] = records.last_refused(connection)
    assert (len(kept.payload), kept.size_bytes) == (8192, RECORD_MAX_BYTES + 1)
    assert json.dumps(kept.reason) == '"oversized"'
