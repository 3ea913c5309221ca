"""What can still be read of a damaged SQLite file: around the damaged pages, by halving ranges of keys.

Debian 12's sqlite3 cannot `.recover` even an intact file (its build lacks the DBPAGE table), so this reads
the tables themselves: forwards, backwards, and in between by ranges halved until the damage is alone.
"""

import contextlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from siaga_core.errors import SiagaError
from siaga_core.service.database import BUSY_TIMEOUT_S, open_writer, transaction
from siaga_core.service.files import sync_directory

# How far beyond the last key that was read others are looked for: some damaged pages at the end.
_BEYOND = 4096
_PARTS = ("", "-wal", "-shm")


class NotSalvageable(SiagaError):
    """There is nothing to read, or nowhere to put it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A database that is sound, and where the damaged one was put that stood in its place."""

    connection: sqlite3.Connection
    damaged: Path | None


@dataclass(frozen=True, slots=True)
class Saved:
    """Rows of one table that were kept, and keys at which nothing could be read."""

    table: str
    rows: int
    unread: int


def open_sound(path: Path) -> Opened:
    """Like `open_writer`, but a damaged file is moved aside first and a fresh one made.

    The caller holds the WriterLock. The damaged file stays beside it, whole, for `salvage`; a power cut in
    between finds it moved or not moved, never lost.
    """
    connection = _sound(path)
    if connection is not None:
        return Opened(connection, None)
    damaged = _aside(path)
    # The name of the database goes last: until then the next start finds it damaged again.
    for part in reversed(_PARTS):
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{part}").replace(f"{damaged}{part}")
    sync_directory(path.parent)
    return Opened(open_writer(path), damaged)


def is_damaged(path: Path) -> str:
    """What SQLite finds wrong with a file, empty when it is sound. Reads the whole file."""
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)
        try:
            answer = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        if _is_damage(error):
            return str(error)
        raise
    return "" if answer == "ok" else answer


def salvage(damaged: Path, into: sqlite3.Connection, tables: Sequence[str] = ()) -> list[Saved]:
    """Copy what can be read of `tables` (default: all that both files have) into a file that has them.

    Rows that are there already stay as they are. One transaction: all of it or, after a power cut, none.
    """
    source = _reader(damaged)
    try:
        with transaction(into):
            return [_copy(source, into, table) for table in tables or _shared(source, into)]
    finally:
        source.close()


def salvage_into(damaged: Path, fresh: Path) -> list[Saved]:
    """Make `fresh` with all that can be read of a damaged file. Raises NotSalvageable."""
    if fresh.exists():
        raise NotSalvageable(f"{fresh} exists; name a new file")
    if not damaged.exists():
        raise NotSalvageable(f"{damaged} does not exist; look for files ending in .damaged-1")
    connection = open_writer(fresh)
    try:
        copy_schema(damaged, connection)
        return salvage(damaged, connection)
    except sqlite3.DatabaseError as error:
        fresh.unlink()
        raise NotSalvageable(
            f"{damaged} does not tell its tables any more ({error}); use the backup"
        ) from error
    finally:
        connection.close()


def table_page(saved: Sequence[Saved]) -> str:
    """What was saved, for a person."""
    width = max((len(one.table) for one in saved), default=0)
    return "\n".join(
        f"{one.table:{width}}  {one.rows:8d}" + (f"  {one.unread} keys not readable" if one.unread else "")
        for one in saved
    )


def rows_of(damaged: Path, table: str) -> tuple[list[dict[str, Any]], int]:
    """Every row of `table` that can be read, in order of its key, and how many keys could not."""
    source = _reader(damaged)
    try:
        found = _Table.find(source, table)
        return found.rows() if found else ([], 1)
    finally:
        source.close()


def copy_schema(damaged: Path, into: sqlite3.Connection) -> None:
    """Make in a fresh file the tables of the damaged one. Raises sqlite3.DatabaseError if they are lost."""
    source = _reader(damaged)
    try:
        wanted = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
        for row in source.execute(wanted).fetchall():
            into.execute(row["sql"])
    finally:
        source.close()


def _sound(path: Path) -> sqlite3.Connection | None:
    if path.exists() and path.stat().st_size and is_damaged(path):
        return None
    try:
        return open_writer(path)
    except sqlite3.DatabaseError as error:
        if _is_damage(error):
            return None
        raise


def _is_damage(error: sqlite3.Error) -> bool:
    """Whether the file is at fault, not its lock, its disk or its permissions."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _aside(path: Path) -> Path:
    number = 1
    while (found := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return found


def _reader(damaged: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{damaged}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA cell_size_check=ON")
    return connection


def _shared(source: sqlite3.Connection, into: sqlite3.Connection) -> list[str]:
    listing = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    with contextlib.suppress(sqlite3.DatabaseError):
        there = {str(row[0]) for row in source.execute(listing)}
        return [str(row[0]) for row in into.execute(listing).fetchall() if row[0] in there]
    return []


def _copy(source: sqlite3.Connection, into: sqlite3.Connection, table: str) -> Saved:
    found = _Table.find(source, table)
    rows, unread = found.rows() if found else ([], 1)
    kept = 0
    for row in rows:
        names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
        try:
            insert = f'INSERT OR IGNORE INTO "{table}" ({names}) VALUES ({marks})'  # noqa: S608
            kept += into.execute(insert, tuple(row.values())).rowcount
        except sqlite3.DatabaseError:
            unread += 1  # what was read does not fit the table: damage that SQLite did not see
    return Saved(table, kept, unread)


class _Table:
    """One table of a damaged file, by the columns in whose order it lies there."""

    def __init__(self, source: sqlite3.Connection, name: str, key: list[str]) -> None:
        self._source, self._name, self._key = source, name, key
        self._found: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._unread = 0

    @classmethod
    def find(cls, source: sqlite3.Connection, name: str) -> "_Table | None":
        """None when the file does not even tell that it has such a table."""
        with contextlib.suppress(sqlite3.DatabaseError):
            listed = source.execute("SELECT wr FROM pragma_table_list WHERE name = ?", (name,)).fetchone()
            columns = source.execute("SELECT name, pk FROM pragma_table_info(?)", (name,)).fetchall()
            if listed is not None:
                key = [
                    str(row["name"]) for row in sorted(columns, key=lambda row: int(row["pk"])) if row["pk"]
                ]
                return cls(source, name, key if listed["wr"] else ["rowid"])
        return None

    def rows(self) -> tuple[list[dict[str, Any]], int]:
        """All that can be read, in the order of the key; and the number of keys that could not."""
        upwards = ", ".join(self._key)
        downwards = ", ".join(f"{name} DESC" for name in self._key)
        if not self._take("1", (), upwards):
            self._take("1", (), downwards)
            self._fill()
        return [self._found[key] for key in sorted(self._found)], self._unread

    def _fill(self) -> None:
        """Look between what the two ways have found; only whole numbers can be halved."""
        if not all(isinstance(key[-1], int) for key in self._found):
            self._unread += 1
            return
        groups: dict[tuple[Any, ...], list[int]] = {}
        for key in self._found:
            groups.setdefault(key[:-1], []).append(key[-1])
        for group, numbers in groups.items():
            self._halve(group, min(1, *numbers), max(numbers) + _BEYOND)

    def _halve(self, group: tuple[Any, ...], low: int, high: int) -> None:
        """Read the keys from `low` to `high` of a group, in ever smaller pieces around the damage."""
        waiting = [(low, high)]
        where = " AND ".join(
            [*(f"{name} = ?" for name in self._key[:-1]), f"{self._key[-1]} BETWEEN ? AND ?"]
        )
        while waiting:
            first, last = waiting.pop()
            if self._take(where, (*group, first, last), self._key[-1]):
                continue
            if first == last:
                self._unread += (*group, first) not in self._found
                continue
            middle = (first + last) // 2
            waiting += [(middle + 1, last), (first, middle)]

    def _take(self, where: str, values: tuple[Any, ...], order: str) -> bool:
        """Keep the rows of a stretch; False when it could not be read to its end."""
        columns = "rowid AS salvaged_rowid, *" if self._key == ["rowid"] else "*"
        sql = f'SELECT {columns} FROM "{self._name}" WHERE {where} ORDER BY {order}'  # noqa: S608
        try:
            for row in self._source.execute(sql, values):
                held = dict(row)
                if self._key == ["rowid"]:
                    key: tuple[Any, ...] = (held.pop("salvaged_rowid"),)
                else:
                    key = tuple(held[name] for name in self._key)
                self._found[key] = held
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            return False
        return True
