"""The one way to open SQLite: exactly one read-write connection per file, everyone else read-only.

WAL with synchronous=FULL: NORMAL lost acknowledged rows in 119 of 150 simulated power cuts. One writer,
because SQLite before 3.51.3 can corrupt a WAL that two connections checkpoint at once, and Debian 12
ships 3.40.1 (docs/decisions/0002).
"""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from siaga_core.errors import SiagaError, Transient

BUSY_TIMEOUT_S = 5.0
# 50 pages keep an urgent record at about 14 kB to the device; the default of 1000 costs 30 kB.
AUTOCHECKPOINT_PAGES = 50


class AlreadyOpen(SiagaError):
    """Another process already writes this file."""


class StoreMissing(SiagaError, Transient):
    """The file to read is not there yet; its writer has not started."""


class WriterLock:
    """Held by the one writer of a database for as long as the process lives."""

    def __init__(self, path: Path) -> None:
        """Take the lock beside `path`. Raises AlreadyOpen naming the file."""
        self._descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._descriptor)
            raise AlreadyOpen(f"{path} is being written by another process; stop that one first") from error

    def release(self) -> None:
        """Let another writer in."""
        os.close(self._descriptor)


def open_writer(path: Path) -> sqlite3.Connection:
    """Open `path` for writing, creating it. The caller holds a WriterLock and stays in one thread.

    Autocommit mode: writes go inside `transaction()`.
    """
    # SQLite would make it 0644: a reader of the same group must also be able to make the -shm file, which
    # inherits this mode. The unit's umask takes from others what is too much.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660))
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    connection.row_factory = sqlite3.Row
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        f"wal_autocheckpoint={AUTOCHECKPOINT_PAGES}",
        "journal_size_limit=4194304",
        "foreign_keys=ON",
        "trusted_schema=OFF",
        "cell_size_check=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open `path` read-only. Raises StoreMissing when nobody has made it yet."""
    if not path.exists():
        raise StoreMissing(f"{path} does not exist yet; its service has not started")
    connection = sqlite3.connect(
        f"file:{path}?mode=ro",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.row_factory = sqlite3.Row
    return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """One durable transaction, taken for writing at once; a deferred one fails with SQLITE_BUSY_SNAPSHOT.

    One that fails is over when this raises, also at its commit: on a full disk SQLite may end it by itself.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
