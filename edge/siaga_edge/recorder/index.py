"""Which footage there is: one row per closed segment, rebuilt from the files alone when it is lost."""

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from siaga_core.service.database import WriterLock, transaction
from siaga_core.service.salvage import open_sound
from siaga_edge.recorder import segments
from siaga_edge.recorder.fragments import BadStream, Fragment, Parser
from siaga_edge.recorder.retention import Stored
from siaga_edge.recorder.writing import Closed, segment_path

SCHEMA = """
CREATE TABLE IF NOT EXISTS segment (
    name TEXT PRIMARY KEY,
    camera TEXT NOT NULL,
    start_wall_ns INTEGER NOT NULL,
    end_wall_ns INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS segment_span ON segment (camera, start_wall_ns);
CREATE INDEX IF NOT EXISTS segment_age ON segment (start_wall_ns);
CREATE TABLE IF NOT EXISTS run (camera TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT, WITHOUT ROWID
"""
_READ_BYTES = 1 << 20


class Index:
    """The one writer of the footage index; used in one thread."""

    def __init__(self, path: Path, folder: Path) -> None:
        """Open or make the index of the footage in `folder`. Raises AlreadyOpen.

        A damaged index is moved to `damaged`; `recover` makes it anew from the files.
        """
        self._lock = WriterLock(path)
        opened = open_sound(path)
        self._connection, self.damaged = opened.connection, opened.damaged
        self._folder = folder
        for statement in SCHEMA.split(";"):
            self._connection.execute(statement)

    def next_run(self, camera: str) -> int:
        """Number of a new run of this camera's stream; durable, never given twice."""
        with transaction(self._connection):
            row = self._connection.execute(
                "INSERT INTO run VALUES (?, 1)"
                " ON CONFLICT (camera) DO UPDATE SET last = last + 1 RETURNING last",
                (camera,),
            ).fetchone()
        return int(row[0])

    def add(self, closed: Closed) -> None:
        """Keep a closed segment."""
        with transaction(self._connection):
            self._connection.execute(
                "INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
                (
                    closed.name,
                    closed.camera,
                    closed.start_wall_ns,
                    closed.end_wall_ns,
                    closed.size_bytes,
                    closed.sha256,
                ),
            )

    def remove(self, name: str) -> None:
        """Forget a segment whose file is gone already."""
        with transaction(self._connection):
            self._connection.execute("DELETE FROM segment WHERE name = ?", (name,))

    def oldest_first(self, limit: int = 10_000) -> list[Stored]:
        """Segments by age."""
        rows = self._connection.execute("SELECT * FROM segment ORDER BY start_wall_ns LIMIT ?", (limit,))
        return [_stored(row) for row in rows]

    def between(self, camera: str, start_wall_ns: int, end_wall_ns: int) -> list[Stored]:
        """A camera's segments that touch a span, oldest first."""
        rows = self._connection.execute(
            "SELECT * FROM segment WHERE camera = ? AND start_wall_ns < ? AND end_wall_ns > ?"
            " ORDER BY start_wall_ns",
            (camera, end_wall_ns, start_wall_ns),
        )
        return [_stored(row) for row in rows]

    def names(self) -> frozenset[str]:
        """Every segment that is known."""
        return frozenset(str(row["name"]) for row in self._connection.execute("SELECT name FROM segment"))

    def recover(self) -> Iterator[Closed]:
        """Take in files that no row knows, open when the power failed: torn tails are cut, the rest stays.

        An empty index is rebuilt this way from the files alone. Rows without a file are dropped.
        """
        known = self.names()
        found = {
            str(path.relative_to(self._folder))[: -len(".mp4")] for path in self._folder.glob("*/*/*.mp4")
        }
        self._keep_runs(found)
        for name in sorted(known - found):
            self.remove(name)
        for name in sorted(found - known):
            closed = salvage(segment_path(self._folder, name), name)
            if closed is not None:
                self.add(closed)
                yield closed

    def _keep_runs(self, names: Iterable[str]) -> None:
        """A run that has files is never given again, even when the index was lost."""
        last: dict[str, int] = {}
        for camera, run in (segments.camera_and_run(name) for name in names):
            last[camera] = max(run, last.get(camera, 0))
        with transaction(self._connection):
            self._connection.executemany(
                "INSERT INTO run VALUES (?, ?)"
                " ON CONFLICT (camera) DO UPDATE SET last = max(last, excluded.last)",
                list(last.items()),
            )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
        self._lock.release()


def salvage(path: Path, name: str) -> Closed | None:
    """Cut a file after its last whole fragment; what it holds, or None (and no file) if nothing."""
    parser, spans = Parser(), []
    try:
        with path.open("rb") as file:
            while octets := file.read(_READ_BYTES):
                for made in parser.feed(octets):
                    if isinstance(made, Fragment) and made.mark is not None:
                        end_ns = made.mark.wall_ns
                        spans.append((end_ns - made.mark.duration_ms * 1_000_000, end_ns))
    except BadStream:
        pass  # what came before it is whole
    if not spans:
        path.unlink()
        return None
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.ftruncate(descriptor, parser.consumed)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Closed(name, name.partition("/")[0], spans[0][0], spans[-1][1], parser.consumed, sha256)


def _stored(row: sqlite3.Row) -> Stored:
    return Stored(row["name"], row["camera"], row["start_wall_ns"], row["end_wall_ns"], row["size_bytes"])
