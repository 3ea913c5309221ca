"""The writing side of a journal; one per service, in one thread."""

import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from siaga_core.service.clock import Boot, Clock, above_floor, kernel_clock_state, read_floor_ns, stamp
from siaga_core.service.database import WriterLock, transaction
from siaga_core.service.salvage import open_sound, rows_of, salvage
from siaga_core.wire.envelope import Lane, Stamp
from siaga_core.wire.health import SERVICE_KIND, ServiceState
from siaga_edge.journal.marks import read_marks
from siaga_edge.journal.schema import LAST_SEQ, OWN_TABLES, SCHEMA

log = logging.getLogger(__name__)

LANES: tuple[Lane, ...] = ("urgent", "bulk")
# A node has at most two journals with samples, which stay below 64 MB together. A recorder with eight cameras
# whose disk is full (a segment closed, another given up, every 7.5 s) fills its one in about three days.
SHED_ABOVE_BYTES = 28 * 1024 * 1024
_SHED_AT_ONCE = 500


class Journal:
    """A service's journal. `append` returns after the commit: the record outlives a power cut from then on.

    Not thread-safe: one thread opens and uses it. `extra_schema` holds the service's own tables in the same
    file, so that a record and the state it belongs to are committed together.
    """

    def __init__(self, path: Path, clock: Clock, boot: Boot, *, extra_schema: str = "") -> None:
        """Open or make the journal. Raises AlreadyOpen when another process has it.

        A damaged file is moved aside and a new one begun under a new epoch, with all of the old one that can
        be read and that the hub has not acknowledged.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = WriterLock(path)
        self._clock, self._boot = clock, boot
        opened = open_sound(path)
        self.connection = opened.connection
        self._make(extra_schema)
        self._floor_ns = max(read_floor_ns(path.parent), self._newest_wall_ns())
        self._last = {lane: self._last_seq(lane) for lane in LANES}
        self.epoch = str(self.connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()[0])
        if opened.damaged is not None:
            self._take_back(opened.damaged, path)

    def append(self, kind: str, body: Struct, lane: Lane = "urgent") -> int:
        """Commit one record; return its sequence number."""
        return self.append_all([(kind, body, lane)])[-1]

    def append_all(
        self,
        records: Sequence[tuple[str, Struct, Lane]],
        also: Callable[[sqlite3.Connection], None] | None = None,
    ) -> list[int]:
        """Commit records, and whatever `also` writes, in one transaction; return their numbers."""
        with self._numbering():
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
        with self._numbering():
            make(self.connection)
            return [self._insert(kind, body, lane, self._stamp()) for kind, body, lane in records]

    def prune(
        self,
        acknowledged: Iterable[tuple[str, str, int]],
        *,
        keep_urgent_s: float = 30 * 86400,
        shed_above_bytes: int = SHED_ABOVE_BYTES,
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
                self._keep_count(lane)
                cursor = self.connection.execute(f"DELETE FROM record WHERE {condition}", (lane, upto))  # noqa: S608
                dropped += cursor.rowcount
        return dropped + self._shed(shed_above_bytes)

    def _shed(self, most_bytes: int) -> int:
        """Drop the oldest samples while they take too much room; how many. Urgent records never give way.

        The uplink finds their numbers missing and says so to the hub.
        """
        dropped = 0
        while self._used_bytes() > most_bytes:
            with transaction(self.connection):
                self._keep_count("bulk")
                cursor = self.connection.execute(
                    "DELETE FROM record WHERE lane = 'bulk' AND seq IN"
                    " (SELECT seq FROM record WHERE lane = 'bulk' ORDER BY seq LIMIT ?)",
                    (_SHED_AT_ONCE,),
                )
            if not cursor.rowcount:
                break
            dropped += cursor.rowcount
        if dropped:
            log.warning("samples shed records=%d; the hub has not been reached for long", dropped)
        return dropped

    def _used_bytes(self) -> int:
        pages, free, size = (
            int(self.connection.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size

    def close(self) -> None:
        """Close the file and let another writer in."""
        self.connection.close()
        self._lock.release()

    def note_damage(self, service: str, damaged: Path, what: str) -> None:
        """Tell the hub of a damaged store of this service; the file moved aside is there for a technician."""
        log.error("store damaged service=%s %s kept=%s", service, what, damaged)
        self.append(SERVICE_KIND, _damage(service, damaged, what))

    @property
    def doubtful(self) -> bool:
        """Whether this journal was damaged and not all of its service's own tables could be read again."""
        return bool(self.connection.execute("SELECT 1 FROM meta WHERE key = 'doubtful'").fetchone())

    def end_doubt(self) -> None:
        """The service has settled what it could not know."""
        self.connection.execute("DELETE FROM meta WHERE key = 'doubtful'")

    def _take_back(self, damaged: Path, path: Path) -> None:
        """Go on with what a damaged journal still tells, and tell the hub that it was damaged."""
        service = path.stem.removeprefix("journal-")
        listing = self.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        others = [name for (name,) in listing if name not in OWN_TABLES]
        unread = sum(one.unread for one in salvage(damaged, self.connection, others)) if others else 0
        records, missed = self._undelivered(damaged, path, service)
        what = f"{len(records)} records saved, {missed + unread} keys not readable"
        log.error("journal damaged service=%s %s kept=%s", service, what, damaged)
        with self._numbering():
            for row in records:
                self._insert_raw(row["lane"], row["kind"], row["at"], row["body"])
            self._insert(SERVICE_KIND, _damage(service, damaged, what), "urgent", self._stamp())
            if unread:
                self.connection.execute("INSERT OR REPLACE INTO meta VALUES ('doubtful', '1')")

    @staticmethod
    def _undelivered(damaged: Path, path: Path, service: str) -> tuple[list[dict[str, Any]], int]:
        """What can be read of the records that the hub has not acknowledged, and how many could not."""
        rows, unread = rows_of(damaged, "record")
        found = [row for row in rows if _is_whole(row)]
        unread += len(rows) - len(found)
        epochs = {row["value"] for row in rows_of(damaged, "meta")[0] if row["key"] == "epoch"}
        upto = {
            stream: upto
            for stream, epoch, upto in read_marks(path.with_name("delivery.db"))
            if epoch in epochs
        }
        return [row for row in found if row["seq"] > upto.get(f"{service}.{row['lane']}", 0)], unread

    def _make(self, extra_schema: str) -> None:
        with transaction(self.connection):
            if not self.connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
                for statement in filter(str.strip, SCHEMA.split(";")):
                    self.connection.execute(statement)
                self.connection.execute("INSERT INTO meta VALUES ('epoch', ?)", (os.urandom(8).hex(),))
            for statement in filter(str.strip, extra_schema.split(";")):
                self.connection.execute(statement)

    @contextlib.contextmanager
    def _numbering(self) -> Iterator[None]:
        """One transaction; a number that was not committed is given again."""
        before = dict(self._last)
        try:
            with transaction(self.connection):
                yield
        except BaseException:
            self._last = before
            raise

    def _insert(self, kind: str, body: Struct, lane: Lane, at: Stamp) -> int:
        return self._insert_raw(
            lane, kind, msgspec.json.encode(at).decode(), msgspec.json.encode(body).decode()
        )

    def _insert_raw(self, lane: Lane, kind: str, at: str, body: str) -> int:
        seq = self._last[lane] = self._last[lane] + 1
        self.connection.execute("INSERT INTO record VALUES (?, ?, ?, ?, ?)", (lane, seq, kind, at, body))
        return seq

    def _last_seq(self, lane: str) -> int:
        return int(self.connection.execute(LAST_SEQ, {"lane": lane}).fetchone()[0])

    def _keep_count(self, lane: str) -> None:
        """Before records are dropped: their numbers are never given again."""
        self.connection.execute("INSERT OR REPLACE INTO tally VALUES (?, ?)", (lane, self._last_seq(lane)))

    def _stamp(self) -> Stamp:
        known = above_floor(self._clock.wall_ns(), self._floor_ns, *kernel_clock_state())
        return stamp(self._clock, self._boot, *known)

    def _newest_wall_ns(self) -> int:
        """Wall time of the newest records that were certain of theirs, less their error; 0 without any."""
        found = self.connection.execute(
            "SELECT at FROM (SELECT at FROM record WHERE lane = 'urgent' ORDER BY seq DESC LIMIT 20)"
            " UNION ALL SELECT at FROM (SELECT at FROM record WHERE lane = 'bulk' ORDER BY seq DESC LIMIT 20)"
        )
        stamps = [msgspec.json.decode(row["at"], type=Stamp) for row in found]
        known = [(one.wall_ns, one.error_ms) for one in stamps if one.clock in ("synced", "holdover")]
        return max((wall_ns - (error_ms or 0) * 10**6 for wall_ns, error_ms in known), default=0)


def _damage(service: str, damaged: Path, what: str) -> ServiceState:
    detail = f"{damaged.name}: {what}"
    return ServiceState(service=service, level="crit", code="store.damaged", detail=detail)


def _is_whole(row: dict[str, Any]) -> bool:
    """Whether a salvaged row still says what a record says; damage that SQLite did not see is found here."""
    try:
        msgspec.json.decode(row["at"], type=Stamp)
        msgspec.json.decode(row["body"])
    except (msgspec.DecodeError, TypeError):
        return False
    return row["lane"] in LANES and isinstance(row["kind"], str)
