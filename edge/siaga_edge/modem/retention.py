"""How long a node keeps raw messages and what calls were made of: until the hub has them, and 90 days more.

What was never acknowledged is kept for good. The 90 days are counted while the service runs: a Pi's wall
clock may jump by months, and a jump must not drop anything of it. Texts of ours and alarms go by wall time,
and only when they are over: after a jump sooner than 90 days. When the disk is full, what the hub has gives
way to what it does not have yet, the oldest first.
"""

import contextlib
import logging
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from siaga_core.service.clock import Clock
from siaga_edge.journal import Journal
from siaga_edge.modem.handover import Marks
from siaga_edge.modem.ledger import Ledger

T = TypeVar("T")
log = logging.getLogger(__name__)

KEEP_S = 90 * 86400.0
# Below so much on the disk room is made in the file itself: pages that are free there take reports on a full
# disk, while what SQLite frees never goes back to the disk.
FREE_LEAST_BYTES = 32 * 1024 * 1024
# Some thousand reports with their messages.
RESERVE_BYTES = 4 * 1024 * 1024
# A fortnight of a thousand messages a minute would fill a card before their 90 days are over.
MOST_BYTES = 512 * 1024 * 1024
# The modem's samples are anchors of its clock, and few: they do not give way to raw messages.
SHED_ABOVE_BYTES = MOST_BYTES + 28 * 1024 * 1024
_AT_ONCE = 100

SCHEMA = """
CREATE TABLE IF NOT EXISTS acknowledged (item TEXT PRIMARY KEY, at_s REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS served (one INTEGER PRIMARY KEY CHECK (one = 1), seconds REAL NOT NULL) STRICT
"""
# Items are what is kept: a report's raw messages by its id; a delivery report or a trial, which belong to
# none, as `pdu <id>`; a spell of calls as `calls <spell>`. Reports of which the hub lacks a record wait.
_WAITING = """
CREATE TEMP TABLE waiting AS SELECT DISTINCT json_extract(body, '$.report_id') AS report_id FROM record
WHERE lane = 'urgent' AND seq > ? AND kind = 'report'
"""
_OPEN_CALLS = """
CREATE TEMP TABLE open_calls AS SELECT DISTINCT spell FROM call_log, json_each(noted) AS one
WHERE noted != '[]' AND json_extract(one.value, '$[0]') IN (SELECT report_id FROM temp.waiting)
"""
_NO_LONGER = """
DELETE FROM acknowledged WHERE item IN (SELECT report_id FROM temp.waiting)
OR item IN (SELECT 'calls ' || spell FROM temp.open_calls)
"""
_BY_NOW = """
INSERT OR IGNORE INTO acknowledged SELECT item, :served_s FROM (
    SELECT DISTINCT report_id AS item FROM pdu WHERE report_id != ''
    UNION ALL SELECT DISTINCT 'calls ' || spell FROM call_log
        WHERE noted != '[]' AND spell NOT IN (SELECT spell FROM temp.open_calls)
    UNION ALL SELECT 'pdu ' || id FROM pdu WHERE report_id = '' AND at_wall_ns < ifnull(
        (SELECT min(json_extract(at, '$.wall_ns')) FROM record WHERE lane = 'urgent' AND seq > :upto), 9e18)
) WHERE item NOT IN (SELECT report_id FROM temp.waiting)
"""
_DROPS = (
    "DELETE FROM pdu WHERE report_id IN (SELECT item FROM temp.dropped)",
    "DELETE FROM pdu WHERE report_id = '' AND 'pdu ' || id IN (SELECT item FROM temp.dropped)",
    "DELETE FROM message WHERE report_id IN (SELECT item FROM temp.dropped)",
    "DELETE FROM call_log WHERE spell IN (SELECT CAST(substr(item, 7) AS INTEGER) FROM temp.dropped"
    " WHERE item GLOB 'calls [0-9]*')",
    "DELETE FROM acknowledged WHERE item IN (SELECT item FROM temp.dropped)",
)


class _Full(Exception):
    """Not even dropping has room."""


class Retention:
    """Used by the thread that owns the journal, which was opened with SCHEMA and the ledger's."""

    def __init__(
        self,
        journal: Journal,
        service: str,
        clock: Clock,
        marks: Marks,
        free_bytes: Callable[[], int],
    ) -> None:
        """`marks` are what the hub has acknowledged, `free_bytes` what is free on the journal's disk."""
        self._journal, self._stream, self._clock = journal, f"{service}.urgent", clock
        self._marks, self._free_bytes = marks, free_bytes
        self._counted_mono_s = clock.mono_s()

    def tend(self) -> None:
        """Note what the hub has acknowledged by now, and drop what it has had for 90 days."""
        now_s = self._clock.mono_s()
        passed_s, self._counted_mono_s = now_s - self._counted_mono_s, now_s
        told = self._marks()
        self._journal.prune(told, shed_above_bytes=SHED_ABOVE_BYTES)
        marks = [upto for stream, epoch, upto in told if (stream, epoch) == self._mine]

        def write(connection: sqlite3.Connection) -> None:
            served_s = _count(connection, passed_s)
            if marks:
                _note(connection, max(marks), served_s)
            _drop(connection, "SELECT item FROM acknowledged WHERE at_s <= ?", (served_s - KEEP_S,))
            Ledger(connection).forget(self._clock.wall_ns() - int(KEEP_S * 1e9))

        self._journal.append_all([], write)

    def make_room(self) -> bool:
        """Drop the oldest of what the hub has, while room is scarce; whether any was. Costs little when not.

        Room has to be made before it is needed: on a disk that is full to the last, dropping takes room too.
        """
        dropped = 0
        with contextlib.suppress(_Full):
            while self._is_scarce() and (gone := self._drop_oldest(_AT_ONCE)):
                dropped += gone
        if dropped:
            log.warning("raw messages dropped before their time, room is scarce items=%d", dropped)
        return dropped > 0

    def with_room(self, work: Callable[[], T]) -> T:
        """Do what commits; when the disk is full, what the hub has gives way and it is done again.

        Raises sqlite3.OperationalError when nothing is left that may.
        """
        while True:
            try:
                return work()
            except sqlite3.OperationalError as error:
                if not is_full(error) or not self.make_way():
                    raise
                log.warning("the disk is full; what the hub has gave way")

    def make_way(self) -> bool:
        """After a commit that found the disk full: whether there may be room for it now.

        In a small step: what is dropped takes room in the log before it gives any. Then the records go that
        the hub has and a restored one might ask for.
        """
        for items in (20, 1):
            with contextlib.suppress(_Full):
                if self._drop_oldest(items):
                    return True
        return self._journal.prune(self._marks(), keep_urgent_s=0, shed_above_bytes=SHED_ABOVE_BYTES) > 0

    def _drop_oldest(self, items: int) -> int:
        dropped = [0]

        def write(connection: sqlite3.Connection) -> None:
            oldest = "SELECT item FROM acknowledged ORDER BY at_s, item LIMIT ?"
            dropped[0] = _drop(connection, oldest, (items,))

        try:
            self._journal.append_all([], write)
        except sqlite3.OperationalError as error:
            raise (_Full() if is_full(error) else error) from error
        return dropped[0]

    @property
    def _mine(self) -> tuple[str, str]:
        return self._stream, self._journal.epoch

    def _is_scarce(self) -> bool:
        size, pages, free = (
            int(self._journal.connection.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_size", "page_count", "freelist_count")
        )
        if (pages - free) * size > MOST_BYTES:
            return True
        return free * size < RESERVE_BYTES and self._free_bytes() < FREE_LEAST_BYTES


def free_bytes_of(folder: Path) -> Callable[[], int]:
    """What is free on the disk of a folder."""
    return lambda: shutil.disk_usage(folder).free


def is_full(error: sqlite3.OperationalError) -> bool:
    """Whether there is no room left (SQLITE_FULL)."""
    return error.sqlite_errorcode == sqlite3.SQLITE_FULL


def _count(connection: sqlite3.Connection, passed_s: float) -> float:
    """How long the service has run on this file, ever, in seconds."""
    connection.execute(
        "INSERT INTO served VALUES (1, ?)"
        " ON CONFLICT (one) DO UPDATE SET seconds = seconds + excluded.seconds",
        (max(0.0, passed_s),),
    )
    return float(connection.execute("SELECT seconds FROM served").fetchone()[0])


def _note(connection: sqlite3.Connection, upto: int, served_s: float) -> None:
    """Keep since when each item has been acknowledged; one that was revised since waits for its newest word.

    An item whose records are gone was acknowledged: the journal drops no others.
    """
    connection.execute(_WAITING, (upto,))
    connection.execute(_OPEN_CALLS)
    connection.execute(_NO_LONGER)
    connection.execute(_BY_NOW, {"upto": upto, "served_s": served_s})
    connection.execute("DROP TABLE temp.waiting")
    connection.execute("DROP TABLE temp.open_calls")


def _drop(connection: sqlite3.Connection, items: str, values: tuple[float, ...]) -> int:
    """Drop the items that a query names; how many."""
    connection.execute(f"CREATE TEMP TABLE dropped AS {items}", values)
    gone = 0
    for query in _DROPS:
        gone = connection.execute(query).rowcount
    connection.execute("DROP TABLE temp.dropped")
    return gone
