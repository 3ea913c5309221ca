"""The writing side of a journal; one per service, in one thread."""

import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from siaga_core.service.clock import Boot, Clock, kernel_clock_state, stamp
from siaga_core.service.database import WriterLock, open_writer, transaction
from siaga_core.wire.envelope import Lane, Stamp
from siaga_edge.journal.schema import SCHEMA


class Journal:
    """A service's journal. `append` returns after the commit: the record outlives a power cut from then on.

    Not thread-safe: one thread opens and uses it. `extra_schema` holds the service's own tables in the same
    file, so that a record and the state it belongs to are committed together.
    """

    def __init__(self, path: Path, clock: Clock, boot: Boot, *, extra_schema: str = "") -> None:
        """Open or make the journal. Raises AlreadyOpen when another process has it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = WriterLock(path)
        self._clock, self._boot = clock, boot
        self.connection = open_writer(path)
        self._make(extra_schema)
        self.epoch = str(self.connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()[0])

    def append(self, kind: str, body: Struct, lane: Lane = "urgent") -> int:
        """Commit one record; return its sequence number."""
        return self.append_all([(kind, body, lane)])[-1]

    def append_all(
        self,
        records: Sequence[tuple[str, Struct, Lane]],
        also: Callable[[sqlite3.Connection], None] | None = None,
    ) -> list[int]:
        """Commit records, and whatever `also` writes, in one transaction; return their numbers."""
        with transaction(self.connection):
            numbers = [self._insert(kind, body, lane, self._stamp()) for kind, body, lane in records]
            if also is not None:
                also(self.connection)
        return numbers

    def append_made(
        self,
        make: Callable[[sqlite3.Connection], None],
        records: Sequence[tuple[str, Struct, Lane]],
    ) -> list[int]:
        """Run `make` in a transaction and commit the records it put into `records` with what it wrote."""
        with transaction(self.connection):
            make(self.connection)
            return [self._insert(kind, body, lane, self._stamp()) for kind, body, lane in records]

    def prune(
        self, acknowledged: Iterable[tuple[str, str, int]], *, keep_urgent_s: float = 30 * 86400
    ) -> int:
        """Drop records at or below the marks (stream, epoch, upto) of this journal's own epoch; how many.

        Urgent records stay `keep_urgent_s` after they were made, so that a restored hub can ask again.
        """
        dropped = 0
        oldest_wall_ns = self._clock.wall_ns() - int(keep_urgent_s * 1e9)
        for stream, epoch, upto in acknowledged:
            if epoch != self.epoch:
                continue
            lane = stream.partition(".")[2]
            condition = "lane = ? AND seq <= ?"
            if lane == "urgent":
                condition += f" AND json_extract(at, '$.wall_ns') < {oldest_wall_ns}"
            with transaction(self.connection):
                cursor = self.connection.execute(f"DELETE FROM record WHERE {condition}", (lane, upto))  # noqa: S608
                dropped += cursor.rowcount
        return dropped

    def close(self) -> None:
        """Close the file and let another writer in."""
        self.connection.close()
        self._lock.release()

    def _make(self, extra_schema: str) -> None:
        with transaction(self.connection):
            if not self.connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
                for statement in filter(str.strip, SCHEMA.split(";")):
                    self.connection.execute(statement)
                self.connection.execute("INSERT INTO meta VALUES ('epoch', ?)", (os.urandom(8).hex(),))
            for statement in filter(str.strip, extra_schema.split(";")):
                self.connection.execute(statement)

    def _insert(self, kind: str, body: Struct, lane: Lane, at: Stamp) -> int:
        row = self.connection.execute(
            "INSERT INTO tally VALUES (?, 1) ON CONFLICT (lane) DO UPDATE SET last_seq = last_seq + 1"
            " RETURNING last_seq",
            (lane,),
        ).fetchone()
        seq = int(row[0])
        self.connection.execute(
            "INSERT INTO record VALUES (?, ?, ?, ?, ?)",
            (lane, seq, kind, msgspec.json.encode(at).decode(), msgspec.json.encode(body).decode()),
        )
        return seq

    def _stamp(self) -> Stamp:
        return stamp(self._clock, self._boot, *kernel_clock_state())
