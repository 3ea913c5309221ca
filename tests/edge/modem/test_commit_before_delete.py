"""A message leaves the SIM only after another process could read it in the journal."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from siaga_core.service.clock import Boot
from siaga_edge.journal import Journal
from siaga_edge.modem import at
from siaga_edge.modem.intake import PLAIN, Intake
from siaga_edge.modem.ledger import SCHEMA
from siaga_edge.modem.port import Port
from siaga_edge.modem.profile import Profile
from siaga_edge.simulate.modem import tpdu
from support.clock import FakeClock


class Sim:
    """A modem's store. At every deletion it looks into the journal as a stranger would."""

    def __init__(self, journal: Path, texts: list[str]) -> None:
        self._journal = journal
        self.slots = {
            number: tpdu.deliver("+62811", text, datetime.now(UTC))[0].hex().upper()
            for number, text in enumerate(texts, 1)
        }
        self.deleted_uncommitted: list[int] = []

    noise = 0

    def command(self, line: str, limit_s: float = 5, quiet_s: float = 5) -> list[str]:
        """Answer as the modem does, without the final result."""
        if line.startswith("AT+CMGL"):
            return [part for number, pdu in self.slots.items() for part in (_head(number, pdu), pdu)]
        if line.startswith("AT+CMGD="):
            number = int(line.removeprefix("AT+CMGD="))
            if self.slots.pop(number) not in self._committed():
                self.deleted_uncommitted.append(number)
        return []

    def _committed(self) -> set[str]:
        with closing(sqlite3.connect(f"file:{self._journal}?mode=ro", uri=True)) as reader:
            return {row[0] for row in reader.execute("SELECT pdu FROM pdu")}


def _head(number: int, pdu: str) -> str:
    return f"+CMGL: {number},0,,{len(pdu) // 2 - 1 - int(pdu[:2], 16)}"


class DeletesFirst(Intake):
    """The mutant: forgets on the SIM what is not yet anywhere else."""

    def _sweep_store(self, port: Port, memory: str, profile: Profile = PLAIN) -> int:
        found = at.stored(port.command("AT+CMGL=4"))
        for one in found:
            self._delete(port, one)
        self.commit(memory, found)
        return len(found)


@pytest.fixture
def journal(tmp_path: Path, clock: FakeClock) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal-modem.db", clock, Boot(1, "b"), extra_schema=SCHEMA)
    yield opened
    opened.close()


def deleted_uncommitted(kind: type[Intake], journal: Journal, clock: FakeClock, folder: Path) -> int:
    """Sweep three messages; how many were gone from the SIM before they were durable."""
    sim = Sim(folder / "journal-modem.db", ["Kebakaran", "Banjir", "Laka"])
    ids = iter(f"r{number}" for number in range(9))
    intake = kind(journal, "modem", clock, lambda: next(ids), lambda _status: None)
    assert intake.sweep(cast(Port, sim), ["SM"]) == 3
    assert sim.slots == {}
    return len(sim.deleted_uncommitted)


def test_a_message_is_committed_before_the_modem_forgets_it(
    journal: Journal, clock: FakeClock, tmp_path: Path
) -> None:
    assert deleted_uncommitted(Intake, journal, clock, tmp_path) == 0


def test_the_same_look_catches_one_that_deletes_first(
    journal: Journal, clock: FakeClock, tmp_path: Path
) -> None:
    assert deleted_uncommitted(DeletesFirst, journal, clock, tmp_path) == 3
