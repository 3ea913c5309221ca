"""`delivery.db`: what the hub has acknowledged; the uplink is its one writer."""

from pathlib import Path

from siaga_core.service.clock import Clock
from siaga_core.service.database import WriterLock, open_writer, transaction
from siaga_edge.uplink.delivery import Mark

SCHEMA = """
CREATE TABLE IF NOT EXISTS mark (
    stream TEXT NOT NULL,
    epoch TEXT NOT NULL,
    upto INTEGER NOT NULL CHECK (upto > 0),
    at_wall_ns INTEGER NOT NULL,
    PRIMARY KEY (stream, epoch)
) STRICT, WITHOUT ROWID
"""


class Ledger:
    """The acknowledged marks; not thread-safe."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Open or make the file. Raises AlreadyOpen when another uplink runs."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = WriterLock(path)
        self._clock = clock
        self._connection = open_writer(path)
        self._connection.execute(SCHEMA)

    def marks(self) -> list[Mark]:
        """Every mark ever committed."""
        rows = self._connection.execute("SELECT stream, epoch, upto FROM mark").fetchall()
        return [Mark(row["stream"], row["epoch"], row["upto"]) for row in rows]

    def commit(self, marks: list[Mark]) -> None:
        """Write marks down; durable when this returns. A mark never moves back."""
        now_wall_ns = self._clock.wall_ns()
        with transaction(self._connection):
            self._connection.executemany(
                "INSERT INTO mark VALUES (?, ?, ?, ?) ON CONFLICT (stream, epoch) DO UPDATE"
                " SET upto = max(upto, excluded.upto), at_wall_ns = excluded.at_wall_ns",
                [(mark.stream, mark.epoch, mark.upto, now_wall_ns) for mark in marks],
            )

    def close(self) -> None:
        """Close the file and let another writer in."""
        self._connection.close()
        self._lock.release()
