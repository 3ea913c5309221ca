"""The hub's own log of commits, read between them: which octets have not been shipped yet."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from siaga_central.backup import wal


@dataclass(frozen=True, slots=True)
class Piece:
    """Committed frames that follow each other in the log."""

    page_bytes: int
    frames: bytes


class Tail:
    """Where in the log shipping stands. Used on the store's writer thread alone, while nothing is written.

    Nobody else may checkpoint: the log is reset only after all of it was shipped, so no commit slips away.
    """

    def __init__(self, database: Path) -> None:
        self._log = database.with_name(f"{database.name}-wal")
        self._salt = b""
        self._at = wal.HEADER_BYTES

    def begin(self, connection: sqlite3.Connection) -> bytes:
        """Take over checkpoints; the whole log as it stands, which goes with a copy of the database file."""
        connection.execute("PRAGMA wal_autocheckpoint=0")
        self._salt, self._at = b"", wal.HEADER_BYTES
        octets = self._log.read_bytes() if self._log.exists() else b""
        head = wal.header(octets)
        if head is None:
            return b""
        self._salt = head.salt
        self._at = wal.HEADER_BYTES + wal.committed_bytes(octets[wal.HEADER_BYTES :], head)
        return octets[: self._at]

    def read(self, _connection: sqlite3.Connection) -> Piece | None:
        """What was committed since the last reading; None if nothing was."""
        if not self._log.exists():
            return None
        with self._log.open("rb") as file:
            head = wal.header(file.read(wal.HEADER_BYTES))
            if head is None:
                return None
            if head.salt != self._salt:
                # Reset after a checkpoint of ours: all that stood here before has been shipped.
                self._salt, self._at = head.salt, wal.HEADER_BYTES
            file.seek(self._at)
            octets = file.read()
        end = wal.committed_bytes(octets, head)
        self._at += end
        return Piece(head.page_bytes, octets[:end]) if end else None

    def size_bytes(self) -> int:
        """How large the log has become."""
        return self._log.stat().st_size if self._log.exists() else 0

    def checkpoint(self, connection: sqlite3.Connection) -> Piece | None:
        """Put the log into the database; what had to be shipped first, so that nothing is skipped."""
        piece = self.read(connection)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return piece
