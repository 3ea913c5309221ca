"""Looks footage up in the index, by camera and time; reads only."""

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from siaga_core.service.database import open_reader
from siaga_core.wire.recording import HoldState
from siaga_edge.recorder.chain import FIRST_HEAD, Head
from siaga_edge.recorder.dating import Dating, Observation
from siaga_edge.recorder.disk import Meta
from siaga_edge.recorder.holds import Hold
from siaga_edge.recorder.inventory import NotedGap, Piece
from siaga_edge.recorder.retention import Stored

# A camera's segments follow each other, but arrival jitters: the one before may end this much later.
_JITTER_NS = 5 * 10**9


@dataclass(frozen=True, slots=True)
class Row:
    """A closed segment's place in the chain, as the index has it. `sha256` is of the file before its link."""

    number: int
    name: str
    head_before: bytes
    sha256: bytes
    size_bytes: int


class Finder:
    """Looks segments up; reads only. For the recorder's own connection, or a technician's."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._dating: Dating | None = None

    @property
    def dating(self) -> Dating:
        """What the observations say; read once."""
        if self._dating is None:
            self._dating = Dating(self._observations())
        return self._dating

    def between(self, camera: str, start_wall_ns: int, end_wall_ns: int) -> list[Stored]:
        """A camera's segments that may touch a span, in order of arrival."""
        found: list[Stored] = []
        for boot, low, high in self.dating.boot_spans(start_wall_ns, end_wall_ns):
            if high + _JITTER_NS <= 0:
                continue  # that boot began later
            in_boot: list[Stored] = []
            for row in self._before(camera, boot, high + _JITTER_NS):
                stored = self._stored(row)
                slack_ns = (stored.error_ms or 0) * 1_000_000
                before, after = stored.start_wall_ns - slack_ns, stored.end_wall_ns + slack_ns
                if before < end_wall_ns and after > start_wall_ns:
                    in_boot.append(stored)
                if row["end_boot_ns"] < low - _JITTER_NS - slack_ns:
                    break
            found += reversed(in_boot)
        return found

    def oldest_first(self, limit: int = 10_000, after: int = 0) -> list[Stored]:
        """Segments in order of arrival, whatever the wall clock said."""
        rows = self._connection.execute(
            "SELECT * FROM segment WHERE number > ? ORDER BY number LIMIT ?", (after, limit)
        )
        return [self._stored(row) for row in rows]

    def of_camera(self, camera: str, limit: int = 1000) -> list[Stored]:
        """A camera's oldest segments."""
        rows = self._connection.execute(
            "SELECT * FROM segment WHERE camera = ? ORDER BY number LIMIT ?", (camera, limit)
        )
        return [self._stored(row) for row in rows]

    def newest(self) -> Stored | None:
        """The last segment that was closed."""
        row = self._connection.execute("SELECT * FROM segment ORDER BY number DESC LIMIT 1").fetchone()
        return None if row is None else self._stored(row)

    def head(self, chain: str) -> Head:
        """Where the chain stands after the newest segment."""
        row = self._connection.execute(
            "SELECT name, number, head_before, sha256 FROM segment ORDER BY number DESC LIMIT 1"
        ).fetchone()
        if row is None:
            return Head(chain, 0, FIRST_HEAD)
        return Head(chain, row["number"] - 1, row["head_before"]).after(row["name"], row["sha256"])

    def links_after(self, number: int, limit: int = 500) -> list[Row]:
        """Rows of segments above a number, in the chain's order; a page, so that no snapshot is held long."""
        rows = self._connection.execute(
            "SELECT * FROM segment WHERE number > ? ORDER BY number LIMIT ?", (number, limit)
        )
        return [Row(r["number"], r["name"], r["head_before"], r["sha256"], r["size_bytes"]) for r in rows]

    def pieces(self, camera: str) -> Iterator[Piece]:
        """A camera's segments by boot and arrival, in raw clocks."""
        rows = self._connection.execute(
            "SELECT number, name, boot_seq, start_boot_ns, end_boot_ns, size_bytes FROM segment"
            " WHERE camera = ? ORDER BY boot_seq, start_boot_ns",
            (camera,),
        )
        return (Piece(*row) for row in rows)

    def newest_of(self, camera: str, limit: int) -> list[Stored]:
        """A camera's newest segments, the newest first."""
        rows = self._connection.execute(
            "SELECT * FROM segment WHERE camera = ? ORDER BY number DESC LIMIT ?", (camera, limit)
        )
        return [self._stored(row) for row in rows]

    def gaps(self, camera: str) -> list[NotedGap]:
        """Gaps of a camera as they were noted; none in an index of an earlier release."""
        with contextlib.suppress(sqlite3.OperationalError):
            rows = self._connection.execute(
                "SELECT start_wall_ns, end_wall_ns, reason FROM gap WHERE camera = ? ORDER BY start_wall_ns",
                (camera,),
            )
            return [NotedGap(*row) for row in rows]
        return []

    def names(self) -> frozenset[str]:
        """Every segment that is known."""
        return frozenset(str(row["name"]) for row in self._connection.execute("SELECT name FROM segment"))

    def cameras(self) -> tuple[str, ...]:
        """Every camera that has a closed segment."""
        return tuple(str(row[0]) for row in self._connection.execute("SELECT DISTINCT camera FROM segment"))

    def given_up(self) -> list[tuple[int, int]]:
        """Numbers, first and last, of segments that retention deleted as far as this index remembers."""
        return [(row[0], row[1]) for row in self._connection.execute("SELECT * FROM given_up ORDER BY first")]

    def holds(self) -> tuple[Hold, ...]:
        """Holds in force."""
        rows = self._connection.execute("SELECT * FROM hold ORDER BY id")
        return tuple(
            Hold(r["id"], r["camera"], r["start_wall_ns"], r["end_wall_ns"], r["origin"], _note_in(r))
            for r in rows
        )

    def told(self, hold: str) -> HoldState | None:
        """What the hub was last told of a hold."""
        row = self._connection.execute("SELECT told FROM hold WHERE id = ?", (hold,)).fetchone()
        return msgspec.json.decode(row["told"], type=HoldState) if row and row["told"] else None

    def wish(self, name: str) -> tuple[int, int]:
        """Version of the desired state `name` that is in force, and the one the hub was told of."""
        row = self._connection.execute("SELECT version, told FROM wish WHERE name = ?", (name,)).fetchone()
        return (0, 0) if row is None else (row["version"], row["told"])

    def disk(self) -> Meta | None:
        """The footage disk that this index is of."""
        row = self._connection.execute("SELECT meta FROM disk").fetchone()
        return None if row is None else msgspec.json.decode(row["meta"], type=Meta)

    def _before(self, camera: str, boot: int, high: int) -> Iterator[sqlite3.Row]:
        """Segments of a boot that begin before a moment, the last one first; read as far as somebody asks."""
        return self._connection.execute(
            "SELECT * FROM segment WHERE camera = ? AND boot_seq = ? AND start_boot_ns < ?"
            " ORDER BY start_boot_ns DESC",
            (camera, boot, high),
        )

    def _observations(self) -> Iterator[Observation]:
        rows = self._connection.execute("SELECT * FROM clock_observation ORDER BY boot_seq, boot_ns")
        return (Observation(*row) for row in rows)

    def _stored(self, row: sqlite3.Row) -> Stored:
        start = self.dating.wall(row["boot_seq"], row["start_boot_ns"])
        end = self.dating.wall(row["boot_seq"], row["end_boot_ns"])
        error_ms = None if start.error_ms is None else max(start.error_ms, end.error_ms or 0)
        return Stored(
            row["number"], row["name"], row["camera"], start.wall_ns, end.wall_ns, row["size_bytes"], error_ms
        )


def open_finder(path: Path) -> closing["ReadOnly"]:
    """The index for a technician's command, read-only. Raises StoreMissing."""
    return closing(ReadOnly(open_reader(path)))


class ReadOnly(Finder):
    """A Finder with a connection of its own."""

    def close(self) -> None:
        """Close it."""
        self._connection.close()


def _note_in(row: sqlite3.Row) -> str:
    """Why a hold was asked for; an index of an earlier release that is only read does not have it."""
    return str(row["note"]) if "note" in row.keys() else ""  # noqa: SIM118 - a Row holds values
