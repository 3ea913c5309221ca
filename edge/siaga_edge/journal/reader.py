"""The reading side of a journal, for the uplink: read-only, from another process."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import msgspec

from siaga_core.service.database import StoreMissing, open_reader
from siaga_core.wire.envelope import Record, Stamp
from siaga_core.wire.ids import NodeId
from siaga_edge.journal.schema import LAST_SEQ


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One record as the journal keeps it."""

    stream: str
    epoch: str
    seq: int
    kind: str
    at: str
    body: str

    def as_wire(self, node: NodeId) -> Record:
        """The record as it travels."""
        return Record(
            node=node,
            stream=self.stream,
            epoch=self.epoch,
            seq=self.seq,
            kind=self.kind,
            at=msgspec.json.decode(self.at, type=Stamp),
            body=msgspec.Raw(self.body.encode()),
        )


class JournalReader:
    """Reads one service's journal. Raises StoreMissing when the service has not made it yet."""

    def __init__(self, path: Path, service: str) -> None:
        self._connection = open_reader(path)
        self._service = service
        try:
            row = self._connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
        except sqlite3.OperationalError as error:
            # The file is made before its tables are committed.
            self._connection.close()
            raise StoreMissing(f"{path} is only just being made; look again") from error
        self.epoch = str(row[0])

    def last_seq(self, lane: str) -> int:
        """The newest sequence number of a lane, 0 if it has none."""
        return int(self._connection.execute(LAST_SEQ, {"lane": lane}).fetchone()[0])

    def after(self, lane: str, seq: int, limit: int) -> list[StoredRecord]:
        """At most `limit` records of `lane` above `seq`, in order."""
        rows = self._connection.execute(
            "SELECT seq, kind, at, body FROM record WHERE lane = ? AND seq > ? ORDER BY seq LIMIT ?",
            (lane, seq, limit),
        )
        return [
            StoredRecord(
                f"{self._service}.{lane}", self.epoch, row["seq"], row["kind"], row["at"], row["body"]
            )
            for row in rows
        ]

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
