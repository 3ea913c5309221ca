"""Which reports the hub has not taken yet: the journal above the mark that the hub's own word has moved."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from siaga_core.wire import report as wire
from siaga_core.wire.envelope import Stamp
from siaga_core.wire.report import Report
from siaga_edge.journal import Journal
from siaga_edge.modem.conversation import Instant

Marks = Callable[[], list[tuple[str, str, int]]]
STREAM = "modem.urgent"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A report that waits for the hub's word, as it is now, and when its first record was committed."""

    report: Report
    since: Instant


class Handover:
    """Reads on the journal's connection, in its thread."""

    def __init__(self, journal: Journal, marks: Marks) -> None:
        self._journal, self._marks = journal, marks
        self._known: tuple[int, int] = (-1, -1)
        self._waiting: dict[str, Waiting] = {}

    def waiting(self) -> dict[str, Waiting]:
        """Report id -> what waits; looked up again only when mark or journal have moved."""
        upto = max((mark for stream, epoch, mark in self._marks() if self._is_ours(stream, epoch)), default=0)
        last = self._last()
        if (upto, last) != self._known:
            self._waiting, self._known = self._read(upto), (upto, last)
        return self._waiting

    def _is_ours(self, stream: str, epoch: str) -> bool:
        return stream == STREAM and epoch == self._journal.epoch

    def _last(self) -> int:
        row: sqlite3.Row = self._journal.connection.execute(
            "SELECT ifnull(max(seq), 0) FROM record WHERE lane = 'urgent'"
        ).fetchone()
        return int(row[0])

    def _read(self, upto: int) -> dict[str, Waiting]:
        rows = self._journal.connection.execute(
            "SELECT at, body FROM record WHERE lane = 'urgent' AND seq > ? AND kind = ? ORDER BY seq",
            (upto, wire.KIND),
        )
        found: dict[str, Waiting] = {}
        for row in rows:
            report = msgspec.json.decode(row["body"], type=Report)
            at = msgspec.json.decode(row["at"], type=Stamp)
            known = found.get(report.report_id)
            since = known.since if known else Instant(at.boot_id, at.boot_ns, at.wall_ns)
            found[report.report_id] = Waiting(report, since)
        return found
