"""A damaged store: moved aside, begun anew with what can still be read, and told to the hub."""

import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from siaga_core.service.clock import Boot
from siaga_core.wire.command import Command, SoundSiren
from siaga_core.wire.health import ServiceState
from siaga_edge.cli.__main__ import main
from siaga_edge.inbox import Inbox, InboxWriter
from siaga_edge.inbox.reader import EXTRA_SCHEMA
from siaga_edge.journal import Journal, JournalReader
from siaga_edge.journal.reader import StoredRecord
from siaga_edge.uplink.delivery import Mark
from siaga_edge.uplink.ledger import Ledger
from support.clock import FakeClock

PAGE_BYTES = 4096


def damage(path: Path, page: int) -> None:
    with path.open("r+b") as file:
        file.seek(page * PAGE_BYTES)
        file.write(random.Random(page).randbytes(PAGE_BYTES))


def page_with(path: Path, words: bytes) -> int:
    return path.read_bytes().index(words) // PAGE_BYTES


def opened(folder: Path) -> Journal:
    return Journal(folder / "journal-modem.db", FakeClock(), Boot(1, "b"), extra_schema=EXTRA_SCHEMA)


def filled(folder: Path, count: int = 400) -> str:
    with closing(opened(folder)) as journal:
        for number in range(1, count + 1):
            state = ServiceState(
                service="modem", level="ok", code="a", detail=f"number-{number:05d} " + "x" * 50
            )
            journal.append("service", state)
        return journal.epoch


def urgent(folder: Path) -> list[StoredRecord]:
    with closing(JournalReader(folder / "journal-modem.db", "modem")) as reader:
        return reader.after("urgent", 0, 10**6)


def test_a_damaged_journal_goes_on_under_a_new_epoch_with_what_was_readable(tmp_path: Path) -> None:
    epoch = filled(tmp_path)
    damage(tmp_path / "journal-modem.db", page_with(tmp_path / "journal-modem.db", b"number-00200"))
    with closing(opened(tmp_path)) as journal:
        assert journal.epoch != epoch
        assert journal.append("service", ServiceState(service="modem", level="ok", code="b")) > 350
    records = urgent(tmp_path)
    details = [json.loads(record.body)["detail"][:12] for record in records]
    saved = [detail for detail in details if detail.startswith("number-")]
    assert saved == sorted(saved)
    assert {"number-00001", "number-00400"} <= set(saved)
    assert 350 < len(saved) < 400
    told = json.loads(records[-2].body)
    assert (told["code"], told["level"]) == ("store.damaged", "crit")
    assert "journal-modem.db.damaged-1" in told["detail"]


def test_what_the_hub_has_is_not_sent_again_under_the_new_epoch(tmp_path: Path) -> None:
    epoch = filled(tmp_path)
    with closing(Ledger(tmp_path / "delivery.db", FakeClock())) as ledger:
        ledger.commit([Mark("modem.urgent", epoch, 390), Mark("health.urgent", epoch, 400)])
    damage(tmp_path / "journal-modem.db", page_with(tmp_path / "journal-modem.db", b"number-00200"))
    opened(tmp_path).close()
    details = [json.loads(record.body)["detail"] for record in urgent(tmp_path)]
    assert [detail[:12] for detail in details[:-1]] == [f"number-{number:05d}" for number in range(391, 401)]


def test_a_journal_that_is_no_database_any_more_starts_empty_and_says_so(tmp_path: Path) -> None:
    filled(tmp_path)
    damage(tmp_path / "journal-modem.db", 0)
    opened(tmp_path).close()
    (told,) = urgent(tmp_path)
    assert json.loads(told.body)["code"] == "store.damaged"
    opened(tmp_path).close()
    assert len(urgent(tmp_path)) == 1


@contextmanager
def taking(folder: Path) -> Iterator[tuple[Journal, Inbox]]:
    with (
        closing(opened(folder)) as journal,
        closing(Inbox(folder / "inbox.db", "modem", journal)) as inbox,
    ):
        yield journal, inbox


def order(number: int) -> Command:
    wanted = SoundSiren(incident="i", duration_s=5)
    return Command(
        id=f"{number:026d}",
        node="n",
        service="modem",
        order=wanted,
        issued_ms=0,
        expires_ms=10**14,
        issuer="i",
    )


def test_an_order_that_may_have_been_carried_out_is_never_carried_out_again(tmp_path: Path) -> None:
    with closing(InboxWriter(tmp_path / "inbox.db")) as writer:
        for number in range(300):
            writer.put(order(number))
    with (
        closing(opened(tmp_path)) as journal,
        closing(Inbox(tmp_path / "inbox.db", "modem", journal)) as inbox,
    ):
        for number in range(300):
            inbox.finish(order(number), "done")
    damage(
        tmp_path / "journal-modem.db",
        page_with(tmp_path / "journal-modem.db", f"{150:026d}".encode() + b"done"),
    )
    with (
        closing(opened(tmp_path)) as journal,
        closing(Inbox(tmp_path / "inbox.db", "modem", journal)) as inbox,
    ):
        doubtful = [journal.doubtful]
        assert inbox.waiting(0) == []
        doubtful.append(journal.doubtful)
    assert doubtful == [True, False]
    outcomes = [json.loads(record.body) for record in urgent(tmp_path) if record.kind == "command"]
    failed = [one["id"] for one in outcomes if one["state"] == "failed"]
    assert f"{150:026d}" in failed
    with closing(InboxWriter(tmp_path / "inbox.db")) as writer:
        writer.put(order(999))
    with (
        closing(opened(tmp_path)) as journal,
        closing(Inbox(tmp_path / "inbox.db", "modem", journal)) as inbox,
    ):
        assert [one.id for one in inbox.waiting(0)] == [f"{999:026d}"]


def test_a_damaged_ledger_believes_no_mark(tmp_path: Path) -> None:
    with closing(Ledger(tmp_path / "delivery.db", FakeClock())) as ledger:
        ledger.commit([Mark("modem.urgent", "e" * 16, 390)])
    damage(tmp_path / "delivery.db", 1)
    with closing(Ledger(tmp_path / "delivery.db", FakeClock())) as ledger:
        assert ledger.marks() == []
        assert ledger.damaged == tmp_path / "delivery.db.damaged-1"


def test_an_inbox_keeps_the_orders_that_can_be_read(tmp_path: Path) -> None:
    with closing(InboxWriter(tmp_path / "inbox.db")) as writer:
        for number in range(300):
            writer.put(order(number))
    damage(tmp_path / "inbox.db", page_with(tmp_path / "inbox.db", f'"id":"{100:026d}"'.encode()))
    with closing(InboxWriter(tmp_path / "inbox.db")) as writer:
        assert writer.damaged is not None
        assert not writer.put(order(1))
        assert writer.put(order(100))


def test_a_technician_reads_what_is_left_into_a_new_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    filled(tmp_path)
    damage(tmp_path / "journal-modem.db", page_with(tmp_path / "journal-modem.db", b"number-00200"))
    fresh = tmp_path / "fresh.db"
    command = ["salvage", str(tmp_path / "journal-modem.db"), "--into", str(fresh), "--json"]
    assert main(command) == 1
    found = {one["table"]: one for one in json.loads(capfd.readouterr().out)}
    assert found["record"]["rows"] > 350
    with closing(sqlite3.connect(fresh)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert main(command) != 0
    assert "name a new file" in capfd.readouterr().err


def test_without_the_salvage_half_the_journal_would_be_gone(tmp_path: Path) -> None:
    """The mutant: reading forwards until the first damage."""
    filled(tmp_path)
    path = tmp_path / "journal-modem.db"
    damage(path, page_with(path, b"number-00100"))
    read: list[object] = []
    with closing(sqlite3.connect(path)) as connection, pytest.raises(sqlite3.DatabaseError):
        read.extend(connection.execute("SELECT body FROM record"))
    assert len(read) < 110
