"""Raw messages stay until the hub has them and 90 days more; on a full disk reports go before them."""

import itertools
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from siaga_core.service.clock import Boot
from siaga_edge.journal import Journal
from siaga_edge.journal.marks import read_marks
from siaga_edge.modem import at, calls, pdu, retention
from siaga_edge.modem.direct import DirectDelivery
from siaga_edge.modem.intake import Intake
from siaga_edge.modem.ledger import SCHEMA, Ledger, Outgoing
from siaga_edge.modem.retention import KEEP_S, Retention
from siaga_edge.simulate.modem import tpdu
from support.clock import FakeClock

DAY_S = 86_400.0
HOUR_S = 3600.0
SENDER = "+6281234567890"


class Kept:
    """A modem's journal and its retention, opened again as often as a test likes."""

    def __init__(self, folder: Path, clock: FakeClock) -> None:
        self.folder, self.clock, self.upto = folder, clock, 0
        self.free_bytes, self.slot, self._ids = 1 << 40, 0, itertools.count()
        self.open()

    def open(self) -> None:
        schema = f"{SCHEMA};{calls.SCHEMA};{retention.SCHEMA}"
        path = self.folder / "journal-modem.db"
        self.journal = Journal(path, self.clock, Boot(1, "b"), extra_schema=schema)
        self.intake = Intake(self.journal, "modem", self.clock, self.new_id, lambda _status: None)
        self.retention = Retention(self.journal, "modem", self.clock, self.marks, lambda: self.free_bytes)

    def new_id(self) -> str:
        return f"r{next(self._ids)}"

    def open_again(self) -> None:
        self.journal.close()
        self.open()

    def utc(self) -> datetime:
        return datetime.fromtimestamp(self.clock.wall_ns() / 1e9, UTC)

    def marks(self) -> list[tuple[str, str, int]]:
        other = [("modemb.urgent", "its own", 10**6), ("modem.urgent", "another", 10**6)]
        return [*other, ("modem.urgent", self.journal.epoch, self.upto)] if self.upto else other

    def take(self, text: str = "Kebakaran", memory: str = "SM") -> None:
        self.slot += 1
        [octets] = tpdu.deliver(SENDER, f"{text} {self.slot}", self.utc(), smsc="+62816124")
        self.intake.commit(memory, [at.Stored(self.slot, octets.hex().upper())])
        self.intake.freed(memory, self.slot)

    def acknowledge(self) -> None:
        self.upto = self.last_seq()

    def last_seq(self) -> int:
        query = "SELECT max(seq) FROM record WHERE lane = 'urgent'"
        return int(self.journal.connection.execute(query).fetchone()[0] or 0)

    def pass_days(self, days: float) -> None:
        """The service runs and tidies up once an hour, as it does."""
        for _ in range(int(days)):
            self.clock.advance(DAY_S)
            self.retention.tend()

    def count(self, table: str = "pdu") -> int:
        return int(self.journal.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


@pytest.fixture
def kept(tmp_path: Path, clock: FakeClock) -> Iterator[Kept]:
    made = Kept(tmp_path, clock)
    yield made
    made.journal.close()


def test_ninety_days_count_from_the_hubs_word_and_not_from_the_arrival(kept: Kept) -> None:
    kept.take()
    kept.pass_days(100)
    kept.acknowledge()
    kept.retention.tend()
    kept.pass_days(89)
    assert kept.count() == 1
    kept.pass_days(2)
    assert (kept.count(), kept.count("message"), kept.count("acknowledged")) == (0, 0, 0)


def test_what_was_never_acknowledged_is_kept_for_good(kept: Kept) -> None:
    kept.take()
    kept.intake.take_direct(at.Direct("CDS", "0006010B91"))
    kept.pass_days(400)
    assert kept.count() == 2
    assert kept.count("acknowledged") == 0


def test_a_part_that_comes_late_begins_the_ninety_days_anew(kept: Kept) -> None:
    text = "Tabrakan beruntun di Jembatan Barelang, tiga mobil. " * 4
    first, second = tpdu.deliver(SENDER, text, kept.utc())
    kept.intake.commit("SM", [at.Stored(1, first.hex().upper())])
    kept.acknowledge()
    kept.retention.tend()
    kept.clock.advance(HOUR_S)
    kept.intake.commit("SM", [at.Stored(2, second.hex().upper())])
    kept.pass_days(100)
    assert kept.count() == 2, "its newest word has not been acknowledged"
    kept.acknowledge()
    kept.retention.tend()
    kept.pass_days(91)
    assert kept.count() == 0


def test_since_when_survives_a_power_cut_and_a_clock_that_jumps(kept: Kept) -> None:
    kept.take()
    kept.acknowledge()
    kept.retention.tend()
    kept.pass_days(60)
    kept.open_again()
    kept.clock.jump_wall(400 * DAY_S)  # wall time alone: an hour counts as an hour
    kept.retention.tend()
    assert kept.count() == 1
    kept.clock.jump_wall(-500 * DAY_S)
    kept.pass_days(29)
    assert kept.count() == 1
    kept.pass_days(2)
    assert kept.count() == 0


def test_a_delivery_report_goes_when_all_before_it_has_been_acknowledged_for_as_long(kept: Kept) -> None:
    kept.take()
    kept.clock.advance(1)
    kept.intake.take_direct(at.Direct("CDS", "0006010B91"))
    kept.pass_days(100)
    assert kept.count() == 2
    kept.acknowledge()
    kept.retention.tend()
    kept.pass_days(91)
    assert kept.count() == 0


def test_a_full_disk_takes_the_oldest_of_what_the_hub_has_and_nothing_else(kept: Kept) -> None:
    for _ in range(400):
        kept.take("laporan " + "x" * 100)
    kept.acknowledge()
    kept.retention.tend()
    for _ in range(50):
        kept.clock.advance(1)
        kept.take()
    kept.free_bytes = 1024
    assert kept.retention.make_room()
    left = [row[0] for row in kept.journal.connection.execute("SELECT report_id FROM pdu ORDER BY id")]
    assert left == [f"r{number}" for number in range(400, 450)]
    assert kept.last_seq() == 450, "no record is lost"


def test_a_clock_that_jumps_drops_no_text_that_is_under_way_and_no_wait_for_a_part(kept: Kept) -> None:
    ledger = Ledger(kept.journal.connection)
    for state in ("queued", "sending", "left", "sent", "reported", "failed", "handed over"):
        ledger.queue(Outgoing(state, SENDER, "x", True, 0), kept.clock.wall_ns())
        ledger.set_outgoing(state, "sent" if state == "reported" else state)
    for id, part in (("sent", "SENT"), ("reported", "DELIVERED")):
        ledger.cut(id, 0, 1, kept.clock.wall_ns())
        ledger.set_part(ledger.parts(id, 0)[0], part)  # type: ignore[arg-type]
    first, _ = tpdu.deliver(SENDER, "Tabrakan beruntun di Jembatan Barelang. " * 6, kept.utc())
    kept.intake.commit("SM", [at.Stored(1, first.hex().upper())])
    kept.clock.jump_wall(400 * DAY_S)
    kept.retention.tend()
    rows = kept.journal.connection.execute("SELECT id FROM outgoing ORDER BY id")
    assert [row[0] for row in rows] == ["left", "queued", "sending", "sent"]
    assert kept.intake.give_up_missing() == 1, "the hub hears that the part did not come"
    kept.acknowledge()
    kept.retention.tend()
    kept.pass_days(91)
    assert (kept.count("message"), kept.count("awaited")) == (0, 0)


class KeepsRaw(Retention):
    """The mutant: raw messages stay, and what comes finds no room."""

    def make_way(self) -> bool:
        return False


@pytest.mark.parametrize(("kind", "taken"), [(Retention, True), (KeepsRaw, False)])
def test_a_message_that_is_handed_over_on_a_full_disk_is_a_report(
    kept: Kept, kind: type[Retention], taken: bool
) -> None:
    """SQLITE_FULL for true: the file may not grow any more."""
    for _ in range(200):
        kept.take("laporan " + "x" * 100)
    kept.acknowledge()
    kept.retention.tend()
    kept.clock.advance(1)
    made = kind(kept.journal, "modem", kept.clock, kept.marks, lambda: 0)
    direct = DirectDelivery(kept.intake, made.with_room)
    pages = kept.journal.connection.execute("PRAGMA page_count").fetchone()[0]
    kept.journal.connection.execute(f"PRAGMA max_page_count = {pages}")
    before = kept.last_seq()
    if taken:
        assert handed_over(direct, kept, 60) == kept.last_seq() - before == 60
        return
    with pytest.raises(sqlite3.OperationalError, match="full"):
        handed_over(direct, kept, 60)
    assert not kept.journal.connection.in_transaction
    assert kept.last_seq() - before < 60


def handed_over(direct: DirectDelivery, kept: Kept, count: int) -> int:
    told = 0
    for number in range(count):
        [octets] = tpdu.deliver(SENDER, f"Kebakaran {number} " + "y" * 100, kept.utc())
        head = f"+CMT: ,{len(octets) - 1 - octets[0]}"
        told += direct.hear(at.Event(head, octets.hex().upper()))
    return told


def test_delivery_reports_that_found_the_disk_full_are_all_told_when_there_is_room(kept: Kept) -> None:
    applied, unread, room = list[int](), list[str](), [1]

    def came(report: pdu.StatusReport) -> None:
        if not room[0]:
            raise sqlite3.OperationalError("database or disk is full")
        room[0] -= 1
        applied.append(report.reference)

    intake = Intake(kept.journal, "modem", kept.clock, kept.new_id, came, unreadable=unread.append)
    when = kept.utc()
    for reference in (1, 2, 3):
        octets = tpdu.status_report(reference, SENDER, when, when, 0, "").hex().upper()
        intake.take_direct(at.Direct("CDS", octets))
    intake.take_direct(at.Direct("CDS", "0006010B91"))
    with pytest.raises(sqlite3.OperationalError):
        intake.hand_on()
    room[0] = 9
    for _ in range(2):
        intake.hand_on()
    assert (applied, len(unread)) == ([1, 2, 3], 1)


def test_calls_go_spell_by_spell_when_the_hub_has_had_all_of_them_for_as_long(kept: Kept) -> None:
    noted = calls.Calls(kept.journal, "modem", kept.clock, kept.new_id, 15, lambda _connection, _leg: None)
    for _ in range(2):
        noted.hear("RING")
        noted.hear('+CLIP: "+6281234567890",145,"",0,"",0')
        for _ in range(5):
            kept.clock.advance(10)
            noted.wait()
        assert not noted.busy
    assert kept.count("call_log") > 6
    kept.pass_days(120)
    assert kept.count("call_log") > 6
    kept.acknowledge()
    kept.retention.tend()
    noted.hear("RING")
    kept.pass_days(91)
    assert [row[0] for row in kept.journal.connection.execute("SELECT kind FROM call_log")] == [
        "begun",
        "said",
    ]


def test_the_marks_of_a_hub_that_was_never_there_are_none(tmp_path: Path) -> None:
    assert read_marks(tmp_path / "delivery.db") == []
    assert KEEP_S == 90 * DAY_S
