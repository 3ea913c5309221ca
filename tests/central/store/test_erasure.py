"""Octets of messages go when the policy's time is over: everywhere, and without touching the log."""

import itertools
import json
import sqlite3
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select, text, update

from siaga_central.domain.retention import DAY_US, IllegalRetention, without_octets
from siaga_central.ingest import contact
from siaga_central.ingest.policy import Policy
from siaga_central.store import erasure, events, incidents, policies, records
from siaga_central.store.schema import event, incident, quarantine, record, report
from siaga_central.store.writer import Store
from siaga_central.timers.worker import ERASE_EVERY_S, Timers
from siaga_core.wire.envelope import Record, Stamp
from siaga_core.wire.report import Report, Sms, SmsPart
from support.clock import FakeClock

PDU = "07916281612400F0040D91261832547698F0000062119241000082"
KEY = ("gsm-001", "modem.urgent", "e1")
DAYS = 90


@pytest.fixture
def now_us(clock: FakeClock) -> int:
    return clock.wall_ns() // 1000


def told(seq: int, *, revision: int = 1, name: str = "") -> Record:
    sms = Sms(text=f"Kebakaran {seq}", parts=[SmsPart(number=1, pdu=f"{PDU}{seq:04X}")])
    number = f"+62812345{seq:05d}"
    body = Report(
        report_id=name or f"r{seq}",
        revision=revision,
        source="sms",
        modem="m",
        reporter=number,
        reporter_e164=number,
        sms=sms,
    )
    at = Stamp(boot_seq=1, boot_id="b", boot_ns=1, wall_ns=1, clock="synced")
    raw = msgspec.Raw(msgspec.json.encode(body))
    return Record(node=KEY[0], stream=KEY[1], epoch=KEY[2], seq=seq, kind="report", at=at, body=raw)


ids = (f"{number:026d}" for number in itertools.count())


def take(store: Store, one: Record, at_us: int) -> records.Kept:
    def write(c: object) -> records.Kept:
        kept = records.keep(c, KEY, [one], at_us)  # type: ignore[arg-type]
        for fresh in kept.fresh:
            given = msgspec.json.decode(fresh.body, type=Report)
            contact.take(c, fresh, given, at_us, lambda: next(ids), Policy())  # type: ignore[arg-type]
        return kept

    return store.write(write)


def close_all(store: Store, at_us: int) -> None:
    store.write(lambda c: c.execute(update(incident).values(closed_us=at_us)))


def octets(store: Store) -> list[str]:
    """The octets that stand in any row of records and reports."""
    with store.read() as connection:
        bodies = [
            *connection.execute(select(record.c.body).where(record.c.kind == "report")).scalars(),
            *connection.execute(select(report.c.body)).scalars(),
        ]
    return [part["pdu"] for body in bodies for part in json.loads(body)["sms"]["parts"] if part["pdu"]]


def sweep(store: Store, at_us: int) -> int:
    return store.write(lambda c: erasure.sweep(c, at_us))


def test_octets_go_after_the_policys_days_and_the_words_stay(store: Store, now_us: int) -> None:
    take(store, told(1), now_us)
    take(store, told(2), now_us + 2 * DAY_US)
    close_all(store, now_us)
    assert sweep(store, now_us + DAYS * DAY_US) == 0
    assert sweep(store, now_us + DAYS * DAY_US + 1) == 1
    assert octets(store) == [f"{PDU}0002"] * 2
    with store.read() as connection:
        first = connection.execute(select(report).where(report.c.id == "r1")).one()
    assert (first.text, first.reporter) == ("Kebakaran 1", "+6281234500001")
    assert msgspec.json.decode(first.body, type=Report).sms == Sms(
        text="Kebakaran 1", parts=[SmsPart(number=1, pdu="")]
    )
    assert sweep(store, now_us + DAYS * DAY_US + 1) == 0, "nothing is erased twice"


def test_no_event_ever_holds_octets_and_none_is_touched(store: Store, now_us: int) -> None:
    for seq in range(1, 6):
        take(store, told(seq), now_us)
    close_all(store, now_us)
    with store.read() as connection:
        before = connection.execute(select(event).order_by(event.c.seq)).all()
    assert not any(PDU in row.body for row in before)
    assert sweep(store, now_us + 91 * DAY_US) == 5
    with store.read() as connection:
        after = connection.execute(select(event).order_by(event.c.seq)).all()
    assert after[: len(before)] == before
    assert [row.kind for row in after[len(before) :]] == ["raw.erased"]
    assert json.loads(after[-1].body)["records"] == 5


def test_what_belongs_to_an_open_incident_waits_for_its_end(store: Store, now_us: int) -> None:
    for seq in range(1, 4):
        take(store, told(seq), now_us)
    store.write(
        lambda c: c.execute(update(incident).where(incident.c.summary != "Kebakaran 2").values(closed_us=1))
    )
    assert sweep(store, now_us + 400 * DAY_US) == 2
    assert octets(store) == [f"{PDU}0002"] * 2
    close_all(store, now_us)
    assert sweep(store, now_us + 400 * DAY_US) == 1


def test_a_node_that_says_an_erased_record_again_is_no_copied_card(store: Store, now_us: int) -> None:
    take(store, told(1), now_us)
    close_all(store, now_us)
    sweep(store, now_us + 91 * DAY_US)
    again = take(store, told(1), now_us + 92 * DAY_US)
    assert (again.fresh, again.forked) == ([], [])
    assert octets(store) == []
    other = told(1, name="another")
    assert take(store, other, now_us).forked == [other], "other words are still found out"


def test_a_newer_revision_keeps_its_own_time(store: Store, now_us: int) -> None:
    take(store, told(1, name="r"), now_us)
    take(store, told(2, name="r", revision=2), now_us + 10 * DAY_US)
    close_all(store, now_us)
    assert sweep(store, now_us + 95 * DAY_US) == 1
    assert octets(store) == [f"{PDU}0002"] * 2, "the report stands as its newest revision said"
    assert sweep(store, now_us + 101 * DAY_US) == 1
    assert octets(store) == []


def test_what_was_refused_loses_its_payload_and_keeps_its_reason(store: Store, now_us: int) -> None:
    store.write(lambda c: records.refuse(c, "up/x", b"octets", "seal", "no seal", now_us))
    sweep(store, now_us + 91 * DAY_US)
    with store.read() as connection:
        [row] = connection.execute(select(quarantine)).all()
    assert (row.payload, row.size_bytes, row.reason) == (b"", 6, "seal")


def test_the_citys_own_days_count_from_when_it_says(store: Store, now_us: int) -> None:
    take(store, told(1), now_us)
    close_all(store, now_us)
    values = {"raw_messages_us": 30 * DAY_US}
    later = now_us + 40 * DAY_US
    store.write(lambda c: policies.set_values(c, policies.RETENTION, values, later, "admin", now_us))
    assert sweep(store, later - 1) == 0
    assert sweep(store, later) == 1
    with store.read() as connection:
        assert policies.retention(connection, later)[1].raw_messages_us == 30 * DAY_US
        assert policies.holds(connection, later)[0] == 0


@pytest.mark.parametrize("values", [{"raw_messages_us": 0}, {"raw_messages_us": "x"}, {"days": 3}])
def test_a_time_that_nobody_can_mean_is_refused(store: Store, values: dict[str, object]) -> None:
    with pytest.raises(IllegalRetention):
        store.write(lambda c: policies.set_values(c, policies.RETENTION, values, 1, "admin", 1))


def test_the_timer_does_it_round_after_round(store: Store, clock: FakeClock, now_us: int) -> None:
    given = [told(seq) for seq in range(1, erasure.ROUND_MOST + 20)]
    store.write(lambda c: records.keep(c, KEY, given, now_us))
    timers = Timers(store, clock)
    timers.sweep()
    assert len(octets(store)) == erasure.ROUND_MOST + 19
    clock.advance(91 * 86_400)
    timers.sweep()
    assert len(octets(store)) == 19
    clock.advance(1)
    timers.sweep()
    assert octets(store) == []
    assert ERASE_EVERY_S <= 3600


def test_erased_octets_are_not_in_the_file_any_more(store: Store, tmp_path: Path, now_us: int) -> None:
    take(store, told(0xBEEF), now_us)
    close_all(store, now_us)
    sweep(store, now_us + 91 * DAY_US)
    store.write(lambda c: events.append(c, 1, "a", "b", "c"))
    with sqlite3.connect(tmp_path / "hub.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    assert PDU.encode() not in b"".join(path.read_bytes() for path in tmp_path.glob("hub.db*"))


def test_octets_are_taken_out_of_reports_alone() -> None:
    body = '{"sms":{"text":"é","parts":[{"number":1,"pdu":"00"},{"number":2,"pdu":""}]},"new":[1]}'
    erased = without_octets(body)
    assert erased == body.replace('"00"', '""')
    assert without_octets(erased) == erased
    for other in ("", "[]", "{", '{"sms":null}', '{"sms":{"parts":[1]}}', '{"sms":{"parts":null}}'):
        assert without_octets(other) == other


def test_an_incident_without_its_octets_reads_as_before(store: Store, now_us: int) -> None:
    take(store, told(1), now_us)
    close_all(store, now_us)
    sweep(store, now_us + 91 * DAY_US)
    with store.read() as connection:
        [row] = connection.execute(select(report)).all()
        assert incidents.find(connection, row.incident).summary == "Kebakaran 1"
        assert connection.execute(text("SELECT count(*) FROM record WHERE erased_us > 0")).scalar() == 1
