"""A service's side: its commands, oldest first, and which of them it has already taken."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from siaga_core.service.database import StoreMissing, open_reader
from siaga_core.wire import command
from siaga_core.wire.command import Command, Outcome, OutcomeState
from siaga_core.wire.envelope import Lane
from siaga_core.wire.want import Want, decode_want
from siaga_edge.journal import Journal

# Lives in the service's own journal, so that "taken" and the outcome record are one commit.
EXTRA_SCHEMA = """
CREATE TABLE IF NOT EXISTS taken_command (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL
) STRICT, WITHOUT ROWID
"""

_PAYLOADS = {
    "command": "SELECT payload FROM command WHERE service = ? ORDER BY number",
    "want": "SELECT payload FROM want WHERE service = ?",
}


class Inbox:
    """Commands for one service. A command is taken once: `begin` commits that before anything is done."""

    def __init__(self, path: Path, service: str, journal: Journal) -> None:
        """`journal` is the service's own, opened with EXTRA_SCHEMA among its extra tables."""
        self._path, self._service, self._journal = path, service, journal
        self._connection: sqlite3.Connection | None = None

    def waiting(self, now_wall_ns: int) -> list[Command]:
        """Commands not taken yet; those past their expiry are journaled as expired and left out."""
        found: list[Command] = []
        doubtful = self._journal.doubtful
        for row in self._rows("command"):
            order = command.decode_command(row["payload"].encode())
            if self._journal.connection.execute(
                "SELECT 1 FROM taken_command WHERE id = ?", (order.id,)
            ).fetchone():
                continue
            if doubtful:
                self.finish(order, "failed", "the device's memory was damaged; it may have been carried out")
                continue
            if order.expires_ms * 1_000_000 <= now_wall_ns:
                self.finish(order, "expired", "it came too late to be carried out")
                continue
            found.append(order)
        if doubtful:
            self._journal.end_doubt()
        return found

    def find(self, id: str) -> Command | None:
        """A command of this service that the inbox still has, taken or not."""
        orders = (command.decode_command(row["payload"].encode()) for row in self._rows("command"))
        return next((order for order in orders if order.id == id), None)

    def wants(self, service: str = "") -> dict[str, Want]:
        """The newest desired states for this service, or for the one named, by name."""
        rows = self._rows("want", service or self._service)
        wishes = [decode_want(row["payload"].encode()) for row in rows]
        return {wish.name: wish for wish in wishes}

    def begin(
        self,
        order: Command,
        records: Sequence[tuple[str, Struct, Lane]] = (),
        also: Callable[[sqlite3.Connection], None] | None = None,
    ) -> None:
        """Commit that the command is being carried out; after a crash it is not begun again.

        `records` and what `also` writes are committed with it.
        """
        self._note(order.id, "started", Outcome(id=order.id, state="started"), records, also)

    def finish(
        self,
        order: Command | str,
        state: OutcomeState,
        detail: str = "",
        result: dict[str, object] | None = None,
        records: Sequence[tuple[str, Struct, Lane]] = (),
        also: Callable[[sqlite3.Connection], None] | None = None,
    ) -> None:
        """Commit what became of a command (or the one of this id), with `records` and `also`."""
        id = order if isinstance(order, str) else order.id
        outcome = Outcome(id=id, state=state, detail=detail, result=result or {})
        self._note(id, state, outcome, records, also)

    def has_taken(self, id: str) -> bool:
        """Whether a command of this id was begun or finished here."""
        row = self._journal.connection.execute("SELECT 1 FROM taken_command WHERE id = ?", (id,)).fetchone()
        return row is not None

    def interrupted(self) -> list[str]:
        """Ids of commands begun but never finished, because the service died in between."""
        rows = self._journal.connection.execute("SELECT id FROM taken_command WHERE state = 'started'")
        return [str(row["id"]) for row in rows]

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _rows(self, table: str, service: str = "") -> list[sqlite3.Row]:
        if self._connection is None:
            try:
                self._connection = open_reader(self._path)
            except StoreMissing:
                return []
        # The uplink makes the file a moment before it commits its tables.
        if not self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
            return []
        return self._connection.execute(_PAYLOADS[table], (service or self._service,)).fetchall()

    def _note(
        self,
        id: str,
        state: str,
        outcome: Outcome,
        records: Sequence[tuple[str, Struct, Lane]] = (),
        also: Callable[[sqlite3.Connection], None] | None = None,
    ) -> None:
        def mark(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO taken_command VALUES (?, ?)"
                " ON CONFLICT (id) DO UPDATE SET state = excluded.state",
                (id, state),
            )
            if also is not None:
                also(connection)

        self._journal.append_all([(command.KIND, outcome, "urgent"), *records], mark)
