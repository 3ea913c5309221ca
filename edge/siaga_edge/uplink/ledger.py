"""`delivery.db`: what the hub has acknowledged, and who the hub is; the uplink is its one writer."""

from pathlib import Path

from siaga_core.service.clock import Clock
from siaga_core.service.database import WriterLock, transaction
from siaga_core.service.salvage import open_sound
from siaga_core.wire.announcement import Announcement, decode_announcement
from siaga_core.wire.envelope import encode
from siaga_edge.uplink.delivery import Mark

SCHEMA = """
CREATE TABLE IF NOT EXISTS mark (
    stream TEXT NOT NULL,
    epoch TEXT NOT NULL,
    upto INTEGER NOT NULL CHECK (upto >= 0),
    at_wall_ns INTEGER NOT NULL,
    PRIMARY KEY (stream, epoch)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS announcement (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    message BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS generation (only INTEGER PRIMARY KEY CHECK (only = 1), name TEXT NOT NULL) STRICT
"""


class Ledger:
    """The acknowledged marks; not thread-safe."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Open or make the file. Raises AlreadyOpen when another uplink runs.

        A damaged file is moved to `damaged`. No mark of it is believed, one that reads too high would lose
        records: everything is sent again, and the hub's acknowledgements bring the marks back.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = WriterLock(path)
        self._clock = clock
        opened = open_sound(path)
        self._connection, self.damaged = opened.connection, opened.damaged
        for statement in SCHEMA.split(";"):
            self._connection.execute(statement)

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

    def generation(self) -> str:
        """The life of the hub's database that the marks are of; empty before its first word."""
        row = self._connection.execute("SELECT name FROM generation").fetchone()
        return str(row["name"]) if row else ""

    def reset(self, generation: str, marks: list[Mark]) -> None:
        """From now on marks are of `generation`, and these are all: a restored hub may have less."""
        now_wall_ns = self._clock.wall_ns()
        with transaction(self._connection):
            self._connection.execute("INSERT OR REPLACE INTO generation VALUES (1, ?)", (generation,))
            self._connection.execute("DELETE FROM mark")
            self._connection.executemany(
                "INSERT INTO mark VALUES (?, ?, ?, ?)",
                [(mark.stream, mark.epoch, mark.upto, now_wall_ns) for mark in marks],
            )

    def announcement(self) -> Announcement | None:
        """The hub's last announcement that was believed."""
        row = self._connection.execute("SELECT message FROM announcement").fetchone()
        return decode_announcement(bytes(row["message"])) if row else None

    def keep_announcement(self, announced: Announcement) -> None:
        """Believe this one from now on, also after a power cut."""
        with transaction(self._connection):
            self._connection.execute(
                "INSERT OR REPLACE INTO announcement VALUES (1, ?)",
                (encode(announced),),
            )

    def close(self) -> None:
        """Close the file and let another writer in."""
        self._connection.close()
        self._lock.release()
