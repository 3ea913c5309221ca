"""What the hub is told of a modem's vitals: the first word after a start, and each change once."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from siaga_core.service.clock import Boot
from siaga_edge.journal import Journal
from siaga_edge.modem.standing import Standing
from siaga_edge.modem.status import read_status
from siaga_edge.modem.vitals import Verdict
from support.clock import FakeClock


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal-modem.db", FakeClock(), Boot(1, "boot-one"))
    yield made
    made.close()


def told(journal: Journal) -> list[tuple[str, str]]:
    rows = journal.connection.execute("SELECT body FROM record ORDER BY seq")
    bodies = [json.loads(row["body"]) for row in rows]
    return [(body["code"], body["level"]) for body in bodies]


def test_after_a_start_the_first_word_of_each_check_is_told_also_when_all_is_well(
    journal: Journal, tmp_path: Path
) -> None:
    for _start in range(2):
        standing = Standing(journal, tmp_path / "run", "modem", FakeClock())
        for _ in range(50):
            standing.tell(Verdict("modem.network", "ok", "-77 dBm"))
            standing.tell(Verdict("modem.balance", "unknown"))
        standing.tell(Verdict("modem.balance", "ok", "Rp 50000"))
    assert told(journal) == [("modem.network", "ok"), ("modem.balance", "ok")] * 2


def test_what_is_not_known_changes_nothing(journal: Journal, tmp_path: Path) -> None:
    standing = Standing(journal, tmp_path / "run", "modem", FakeClock())
    for level in ("ok", "unknown", "ok", "crit", "unknown", "crit", "ok"):
        standing.tell(Verdict("modem.balance", level))
    assert [level for _, level in told(journal)] == ["ok", "crit", "ok"]


def test_the_status_says_how_old_each_verdict_is(journal: Journal, tmp_path: Path) -> None:
    clock = FakeClock()
    standing = Standing(journal, tmp_path / "run", "modem", clock)
    standing.tell(Verdict("modem.balance", "ok"))
    clock.advance(3600)
    standing.tell(Verdict("modem.network", "ok"))
    clock.advance(10)
    standing.write(ready=True, noise=0, slots={})
    status = read_status(tmp_path / "run", "modem")
    assert status is not None
    assert status.ages_s == {"modem.balance": 3610.0, "modem.network": 10.0}
