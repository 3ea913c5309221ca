"""The uplink's side: a command or desired state is committed here before it is called received."""

from pathlib import Path

from siaga_core.service.database import WriterLock, transaction
from siaga_core.service.salvage import open_sound, salvage
from siaga_core.wire.command import Command
from siaga_core.wire.envelope import encode
from siaga_core.wire.want import Want, decode_want

SCHEMA = """
CREATE TABLE IF NOT EXISTS command (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    service TEXT NOT NULL,
    expires_ms INTEGER NOT NULL,
    payload TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS want (
    name TEXT PRIMARY KEY,
    service TEXT NOT NULL,
    version INTEGER NOT NULL,
    payload TEXT NOT NULL
) STRICT, WITHOUT ROWID
"""


class InboxWriter:
    """The one writer of a node's inbox; not thread-safe."""

    def __init__(self, path: Path) -> None:
        """Open or make the inbox. Raises AlreadyOpen.

        A damaged file is moved to `damaged`; what can be read of it is taken over, and the hub sends again
        what it keeps retained and what was never confirmed.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = WriterLock(path)
        opened = open_sound(path)
        self._connection, self.damaged = opened.connection, opened.damaged
        for statement in SCHEMA.split(";"):
            self._connection.execute(statement)
        if self.damaged is not None:
            salvage(self.damaged, self._connection)

    def put(self, command: Command) -> bool:
        """Commit a command; False if it was there already (MQTT delivers at least once)."""
        with transaction(self._connection):
            cursor = self._connection.execute(
                "INSERT INTO command (id, service, expires_ms, payload) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (id) DO NOTHING",
                (command.id, command.service, command.expires_ms, encode(command).decode()),
            )
        return cursor.rowcount == 1

    def put_want(self, wish: Want) -> bool:
        """Commit a desired state; False if this version or a newer one is here."""
        with transaction(self._connection):
            cursor = self._connection.execute(
                "INSERT INTO want VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE"
                " SET service = excluded.service, version = excluded.version, payload = excluded.payload"
                " WHERE excluded.version > version",
                (wish.name, wish.service, wish.version, encode(wish).decode()),
            )
        return cursor.rowcount == 1

    def has(self, id: str) -> bool:
        """Whether a command of this id is here."""
        row = self._connection.execute("SELECT 1 FROM command WHERE id = ?", (id,)).fetchone()
        return row is not None

    def want(self, name: str) -> Want | None:
        """The newest desired state of this name, None if there is none."""
        row = self._connection.execute("SELECT payload FROM want WHERE name = ?", (name,)).fetchone()
        return decode_want(row["payload"].encode()) if row else None

    def forget(self, before_ms: int) -> int:
        """Drop commands that expired before `before_ms`; how many."""
        with transaction(self._connection):
            return self._connection.execute("DELETE FROM command WHERE expires_ms < ?", (before_ms,)).rowcount

    def close(self) -> None:
        """Close the file and let another writer in."""
        self._connection.close()
        self._lock.release()
