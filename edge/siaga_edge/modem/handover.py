"""Which reports the hub has not taken yet: the journal above the mark that the hub's own word has moved."""

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
        self._seen = 0
        self._waiting: dict[str, Waiting] = {}
        self._newest: dict[str, int] = {}

    def waiting(self) -> dict[str, Waiting]:
        """Report id -> what waits. Each record is read once, however long the hub is away."""
        upto = max((mark for stream, epoch, mark in self._marks() if self._is_ours(stream, epoch)), default=0)
        self._read(max(upto, self._seen))
        for id in [id for id, seq in self._newest.items() if seq <= upto]:
            del self._newest[id], self._waiting[id]
        return self._waiting

    def _is_ours(self, stream: str, epoch: str) -> bool:
        return stream == STREAM and epoch == self._journal.epoch

    def _read(self, after: int) -> None:
        rows = self._journal.connection.execute(
            "SELECT seq, kind, at, body FROM record WHERE lane = 'urgent' AND seq > ? ORDER BY seq", (after,)
        )
        for row in rows:
            self._seen = row["seq"]
            if row["kind"] != wire.KIND:
                continue
            report = msgspec.json.decode(row["body"], type=Report)
            at = msgspec.json.decode(row["at"], type=Stamp)
            known = self._waiting.get(report.report_id)
            since = known.since if known else Instant(at.boot_id, at.boot_ns, at.wall_ns)
            self._waiting[report.report_id] = Waiting(report, since)
            self._newest[report.report_id] = row["seq"]
