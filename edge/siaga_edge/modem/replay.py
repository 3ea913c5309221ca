"""A journal's raw messages run through the pure parts again: the same reports, or what differs and where."""

import sqlite3
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from siaga_core.service.clock import Boot
from siaga_core.service.database import open_reader
from siaga_core.wire.report import Report
from siaga_edge.journal import Journal
from siaga_edge.modem import at
from siaga_edge.modem.intake import Intake
from siaga_edge.modem.ledger import SCHEMA


@dataclass(frozen=True, slots=True)
class Kept:
    """One raw message as the node kept it. `report_id` is empty for what is no report: a status, a trial."""

    memory: str
    slot: int
    pdu: str
    report_id: str
    at_wall_ns: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of it: reports that are alike, that differ, and that one side does not have."""

    messages: int
    same: int
    different: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """Whether every report came out as it had been."""
        return not self.different and not self.missing


class _At:
    """A clock that shows when a message came."""

    def __init__(self) -> None:
        self.now_wall_ns = 0

    def mono_s(self) -> float:
        return self.now_wall_ns / 1e9

    def boot_ns(self) -> int:
        return self.now_wall_ns

    def wall_ns(self) -> int:
        return self.now_wall_ns


def replay(journal: Path, kind: type[Intake] = Intake) -> Replayed:
    """Run what `journal` keeps through intake and assembly in a fresh journal. Raises StoreMissing.

    The journal is only read, and may belong to a service that runs. Reports that the hub has long
    acknowledged are pruned from it; those are made again and compared with nothing.
    """
    connection = open_reader(journal)
    try:
        messages, before = _kept(connection), _reports(connection)
        end_wall_ns = _end(connection)
    finally:
        connection.close()
    ours = {id: report for id, report in before.items() if report.sms is not None}
    # The modem's name is the config's, which may have changed since.
    after = {
        id: msgspec.structs.replace(report, modem=ours[id].modem if id in ours else report.modem)
        for id, report in _again(messages, end_wall_ns, kind).items()
    }
    alike = [id for id, report in ours.items() if after.get(id) == report]
    return Replayed(
        messages=len(messages),
        same=len(alike),
        different=tuple(id for id, report in ours.items() if id in after and after[id] != report),
        missing=tuple(id for id in ours if id not in after),
    )


def _again(messages: list[Kept], end_wall_ns: int, kind: type[Intake]) -> dict[str, Report]:
    clock, named = _At(), ""
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.db", clock, Boot(1, "replay"), extra_schema=SCHEMA)
        try:
            modem = "modem"
            intake = kind(journal, modem, clock, lambda: named, lambda _status: None)
            for message in messages:
                clock.now_wall_ns, named = message.at_wall_ns, message.report_id
                intake.give_up_missing()
                intake.commit(message.memory, [at.Stored(message.slot, message.pdu)])
                intake.freed(message.memory, message.slot)
            clock.now_wall_ns = end_wall_ns
            intake.give_up_missing()
            return _reports(journal.connection)
        finally:
            journal.close()


def _kept(connection: sqlite3.Connection) -> list[Kept]:
    rows: Iterable[sqlite3.Row] = connection.execute("SELECT * FROM pdu WHERE report_id != '' ORDER BY id")
    return [Kept(row["memory"], row["slot"], row["pdu"], row["report_id"], row["at_wall_ns"]) for row in rows]


def _reports(connection: sqlite3.Connection) -> dict[str, Report]:
    """The newest revision of every report that the journal still holds."""
    newest: dict[str, Report] = {}
    for row in connection.execute("SELECT body FROM record WHERE kind = 'report' ORDER BY lane, seq"):
        report = msgspec.json.decode(row["body"], type=Report)
        newest[report.report_id] = report
    return newest


def _end(connection: sqlite3.Connection) -> int:
    """The time of the journal's newest record: what was overdue then had been given up."""
    query = "SELECT max(json_extract(at, '$.wall_ns')) FROM record WHERE lane = 'urgent'"
    return int(connection.execute(query).fetchone()[0] or 0)
