"""A service and the uplink start in any order."""

import sqlite3
from pathlib import Path

from siaga_core.service.clock import Boot
from siaga_core.wire.command import Command, SoundSiren
from siaga_edge.inbox import Inbox, InboxWriter
from siaga_edge.inbox.reader import EXTRA_SCHEMA
from siaga_edge.journal import Journal
from support.clock import FakeClock


def order(id: str) -> Command:
    siren = SoundSiren(incident="i", duration_s=5)
    return Command(
        id=id, node="btm-017", service="health", order=siren, issued_ms=1, expires_ms=2**50, issuer="rina"
    )


def test_a_service_that_looks_while_the_inbox_is_being_made_finds_its_commands_later(
    tmp_path: Path, clock: FakeClock
) -> None:
    journal = Journal(tmp_path / "journal-health.db", clock, Boot(1, "b"), extra_schema=EXTRA_SCHEMA)
    inbox = Inbox(tmp_path / "inbox.db", "health", journal)
    assert inbox.waiting(1) == [], "no file yet"
    made = sqlite3.connect(tmp_path / "inbox.db")
    made.execute("PRAGMA journal_mode=WAL")
    made.close()
    assert inbox.waiting(1) == [], "the file has no table yet"
    writer = InboxWriter(tmp_path / "inbox.db")
    writer.put(order("one"))
    assert [waiting.id for waiting in inbox.waiting(1)] == ["one"]
    writer.close()
    inbox.close()
    journal.close()
