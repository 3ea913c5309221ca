"""What nodes send is committed once, whatever comes how often; what is refused is kept and counted."""

import itertools
import json
import queue
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Connection, select

from siaga_central.authority.voice import Voice
from siaga_central.ingest.policy import Policy
from siaga_central.ingest.worker import Ingest
from siaga_central.store import callbacks, nodes, records, timings
from siaga_central.store.schema import (
    callback,
    camera,
    command,
    event,
    gap,
    incident,
    outbox,
    report,
    service_state,
)
from siaga_central.store.writer import Store
from siaga_core.wire import report as wire
from siaga_core.wire import seal
from siaga_core.wire.anchor import ClockAnchor
from siaga_core.wire.envelope import (
    PAYLOAD_MAX_BYTES,
    Ack,
    Presence,
    batch_of,
    decode_ack,
    encode,
)
from siaga_core.wire.health import ServiceState
from siaga_core.wire.ids import node_id
from siaga_core.wire.report import Call, CallRecording, Report, Sms, SmsPart
from siaga_core.wire.topics import up_record
from support.clock import FakeClock
from support.sealing import NodeVoice

NODE = node_id("gsm-001")
STREAM = "modem.urgent"
TOPIC = up_record(NODE, STREAM)
NODE_VOICE = NodeVoice("gsm-001")
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
        return [mark.upto for ack in self.said() for mark in ack.marks]

    def said(self) -> list[Ack]:
        """Every acknowledgement."""
        sealed = [payload for _, payload in self.deeds if isinstance(payload, bytes)]
        return [decode_ack(seal.expand(seal.unpack(payload, 10_000), 10_000)) for payload in sealed]


@pytest.fixture
def bus() -> FakeBus:
    return FakeBus()


@pytest.fixture
def ingest(store: Store, bus: FakeBus, clock: FakeClock, voice: Voice) -> Ingest[Message]:
    store.write(NODE_VOICE.enrol)
    return Ingest(store, bus, clock, Policy(siren_nodes=("gsm-001",)), voice)


def message(seq: int, body: msgspec.Struct, kind: str = wire.KIND) -> Message:
    return Message(TOPIC, NODE_VOICE.batch(STREAM, [NODE_VOICE.record(STREAM, seq, body, kind)]))


def raw(message: bytes) -> Message:
    """Bytes of any kind with a good seal."""
    return Message(TOPIC, NODE_VOICE.seal(STREAM, message))


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
    assert (opened["category"], opened["priority"], opened["place"]) == ("KBR", "P1", "Bengkong")
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
    "oversized": Message(TOPIC, b"x" * (PAYLOAD_MAX_BYTES + 1)),
    "json": raw(b"{"),
    "version": raw(b'{"v": 2}'),
    "schema": raw(b'{"v": 1}'),
    "seal": Message(TOPIC, b'{"v": 1}'),
    "stranger": Message(TOPIC, NodeVoice("gsm-001").seal(STREAM, b"{}")),
    "forged": Message(TOPIC, message(9, sms("i", "x")).payload[:-1] + b"?"),
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


def recorded(revision: int, state: str) -> Report:
    """A call that the node's prompt answered, as its records come."""
    kept = CallRecording(file="c1.wav", sha256="ab" * 32, duration_s=27.3)
    is_over = state == "ended"
    call = Call(
        state=state,  # type: ignore[arg-type]
        rings=3,
        prompt="played" if is_over else "begun",
        recording=kept if is_over else None,
    )
    return Report(
        report_id="c1",
        revision=revision,
        source="call",
        modem="modem",
        reporter=SENDER,
        reporter_e164=SENDER,
        call=call,
    )


class Satisfied(Ingest[Message]):
    """The mutant: takes a recording for a conversation."""

    def take(self, batch: Sequence[Message]) -> None:
        super().take(batch)

        def settle(connection: Connection) -> None:
            told = connection.execute(select(report.c.body).where(report.c.call_state == "ended")).scalars()
            if any(json.loads(body)["call"]["recording"] for body in told):
                for id in connection.execute(select(callback.c.id)).scalars().all():
                    callbacks.settle(connection, id, "reached", "hub", 1)

        self._store.write(settle)


@pytest.mark.parametrize(("kind", "left"), [(Ingest, "waiting"), (Satisfied, "reached")])
def test_a_recording_closes_no_call_back(
    store: Store, bus: FakeBus, clock: FakeClock, voice: Voice, kind: type[Ingest[Message]], left: str
) -> None:
    store.write(NODE_VOICE.enrol)
    ingest = kind(store, bus, clock, Policy(), voice)
    ingest.take([message(1, recorded(1, "identified")), message(2, recorded(2, "answered"))])
    ingest.take([message(3, recorded(3, "ended"))])
    assert [row["state"] for row in rows(store, callback)] == [left], "the mutant is caught by the same look"


def test_the_same_number_later_with_another_matter_is_another_incident(
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


class FullDisk(Store):
    """A store whose commits fail."""

    def submit(self, work: object) -> "Future[object]":  # type: ignore[override]
        failed: Future[object] = Future()
        failed.set_exception(CommitFails())
        return failed


class AcknowledgesFirst(Ingest[Message]):
    """The mutant: says it has what it has not."""

    def take(self, batch: Sequence[Message]) -> None:
        self._bus.acknowledge(batch)
        super().take(batch)


@pytest.mark.parametrize(("kind", "silent"), [(Ingest, True), (AcknowledgesFirst, False)])
def test_nothing_is_acknowledged_before_the_commit(
    tmp_path: Path, bus: FakeBus, clock: FakeClock, voice: Voice, kind: type[Ingest[Message]], silent: bool
) -> None:
    full = FullDisk(f"sqlite:///{tmp_path}/full.db", clock)
    with pytest.raises(CommitFails):
        kind(full, bus, clock, Policy(), voice).take([message(1, sms("r1", "x"))])
    assert (bus.deeds == []) is silent, "the mutant is caught by the same look"
    full.close()


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
    assert (len(kept.payload), kept.size_bytes) == (8192, PAYLOAD_MAX_BYTES + 1)
    assert json.dumps(kept.reason) == '"oversized"'


def entries(*bodies: tuple[int, str]) -> bytes:
    """A batch from 1 to 4 whose entries say `text`."""
    records = [NODE_VOICE.record(STREAM, seq, sms(f"r{seq}", text), wire.KIND) for seq, text in bodies]
    return NODE_VOICE.batch(STREAM, records, 1, 4)


def test_an_entry_that_is_no_record_does_not_hold_up_its_stream(
    store: Store, ingest: Ingest[Message], bus: FakeBus
) -> None:
    good = NODE_VOICE.record(STREAM, 1, sms("r1", "satu"), wire.KIND)
    bad = msgspec.Raw(b'{"kind":17,"body":"kemarin"}')
    two = batch_of([good, NODE_VOICE.record(STREAM, 2, sms("r2", "dua"), wire.KIND)], 1, 2)
    batch = msgspec.structs.replace(two, entries=[two.entries[0], bad])
    for _ in range(2):
        ingest.take([raw(encode(batch))])
    with store.read() as connection:
        assert records.refused(connection) == {"schema": 1}
    assert bus.acks() == [2, 2]


def test_what_a_node_has_lost_is_noted_once_and_alarms_if_it_was_urgent(
    store: Store, ingest: Ingest[Message], bus: FakeBus
) -> None:
    for _ in range(2):
        ingest.take([Message(TOPIC, entries((1, "satu"), (4, "empat")))])
    [found] = rows(store, gap)
    assert (found["first"], found["last"]) == (2, 3)
    [state] = rows(store, service_state)
    assert (state["code"], state["level"]) == ("lost", "crit")
    assert bus.acks() == [4, 4]


def test_a_node_may_tidy_up_what_the_hub_has(store: Store, ingest: Ingest[Message]) -> None:
    ingest.take([Message(TOPIC, entries((1, "a"), (2, "b"), (3, "c"), (4, "d")))])
    ingest.take([Message(TOPIC, entries((4, "d")))])
    assert rows(store, gap) == []


def test_a_copied_card_is_noticed(store: Store, ingest: Ingest[Message]) -> None:
    ingest.take([message(1, sms("r1", "dari kartu asli"))])
    ingest.take([message(1, sms("r1", "dari kartu asli")), message(1, sms("r9", "dari salinan"))])
    with store.read() as connection:
        assert records.refused(connection) == {"fork": 1}
    [state] = rows(store, service_state)
    assert (state["service"], state["code"]) == ("hub", "fork")


def test_who_comes_is_told_everything_the_hub_has(ingest: Ingest[Message], bus: FakeBus) -> None:
    ingest.take([message(1, sms("r1", "x"))])
    birth = Presence(node=NODE, online=True)
    ingest.take([Message(f"siaga/v1/up/{NODE}/state", encode(birth))])
    last = bus.said()[-1]
    assert last.whole
    assert last.generation == "life-one"
    assert [(mark.stream, mark.upto) for mark in last.marks] == [(STREAM, 1)]


def test_10_000_old_messages_change_nothing(store: Store, ingest: Ingest[Message], bus: FakeBus) -> None:
    batch = [message(seq, sms(f"r{seq}", "lama")) for seq in range(1, 101)]
    ingest.take(batch)
    before = (len(rows(store, report)), len(rows(store, event)))
    for _ in range(100):
        ingest.take(batch)
    assert (len(rows(store, report)), len(rows(store, event))) == before
    assert bus.acks()[-1] == 100


def test_a_revoked_node_is_not_heard_but_counted(store: Store, ingest: Ingest[Message]) -> None:
    store.write(lambda connection: nodes.set_state(connection, NODE, "revoked", "admin", 5))
    ingest.take([message(1, sms("r1", "x"))])
    assert rows(store, report) == []
    with store.read() as connection:
        assert records.refused(connection) == {"unknown-node": 1}


def test_a_node_that_says_far_too_much_alarms_and_its_samples_wait_at_the_node(
    store: Store, ingest: Ingest[Message], bus: FakeBus
) -> None:
    ingest._rate.burst, ingest._rate.records_s = 2, 1.0
    sample = NODE_VOICE.record("health.bulk", 1, ServiceState(service="x", level="ok", code="y"), "service")
    urgent = [message(seq, sms(f"r{seq}", "x")) for seq in (1, 2, 3)]
    bulk = Message(up_record(NODE, "health.bulk"), NODE_VOICE.batch("health.bulk", [sample]))
    ingest.take([*urgent, bulk])
    assert len(rows(store, report)) == 3, "reports are never held back"
    assert bus.acks() == [3]
    assert {row["code"] for row in rows(store, service_state)} == {"rate"}


def test_an_anchor_says_when_the_report_of_its_boot_came_in(
    store: Store, ingest: Ingest[Message], bus: FakeBus, clock: FakeClock
) -> None:
    report_at = NODE_VOICE.record(STREAM, 1, sms("r1", "tolong"), wire.KIND).at
    told = ClockAnchor(
        boot_id=report_at.boot_id,
        boot_ns=report_at.boot_ns,
        utc_ns=clock.wall_ns() - 60 * 10**9,
        source="hub",
        error_ms=100,
    )
    ingest.take([message(1, sms("r1", "tolong")), message(2, told, "clock.anchor")])
    with store.read() as connection:
        made = timings.of_report(connection, ["r1"])["r1"]
        assert records.refused(connection) == {}
    assert (made.source, made.high_ns - made.low_ns < 10**9) == ("hub", True)
    assert made.low_ns <= told.utc_ns <= made.high_ns
