"""The only SQL that one database alone understands: how SQLite is opened, and the event log's guards."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    PoolProxiedConnection,
    Table,
    create_engine,
    event,
    insert,
    make_url,
)
from sqlalchemy.pool import QueuePool, StaticPool

from siaga_core.errors import SiagaError
from siaga_core.service.database import AUTOCHECKPOINT_PAGES, BUSY_TIMEOUT_S

_WRITER_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    f"wal_autocheckpoint={AUTOCHECKPOINT_PAGES * 10}",
    "journal_size_limit=16777216",
    "foreign_keys=ON",
    "trusted_schema=OFF",
    "cell_size_check=ON",
    # What is erased is overwritten in the file, also where SQLite was not built so.
    "secure_delete=ON",
)


def is_sqlite(url: str) -> bool:
    """Whether `url` names a SQLite file."""
    return make_url(url).get_backend_name() == "sqlite"


def writer_engine(url: str) -> Engine:
    """An engine with exactly one connection; each transaction takes the write lock at its beginning."""
    if not is_sqlite(url):
        return create_engine(url, pool_size=1, max_overflow=0)
    engine = create_engine(
        url,
        poolclass=StaticPool,
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False, "isolation_level": None},
    )
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def driver_connection(pooled: PoolProxiedConnection) -> sqlite3.Connection:
    """SQLite's own connection of the writer. Raises SiagaError for another database."""
    driver = pooled.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        raise SiagaError("continuous backup is for SQLite; back up a server database by its own means")
    return driver


def reader_engine(url: str) -> Engine:
    """An engine whose connections cannot write; each transaction sees one moment."""
    if not is_sqlite(url):
        return create_engine(url, execution_options={"postgresql_readonly": True})
    path = make_url(url).database
    engine = create_engine(
        f"sqlite:///file:{path}?mode=ro&uri=true",
        poolclass=QueuePool,
        pool_size=8,
        max_overflow=32,
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False, "isolation_level": None},
    )
    event.listen(engine, "begin", _begin)
    return engine


def insert_rows(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows that have every column of `table`, in its order, one sort of statement for all of them.

    SQLite is given them past SQLAlchemy's parameters by name, which cost 5 of 20 us for each record.
    """
    names = table.columns.keys()
    if connection.dialect.name == "sqlite":
        columns, places = ", ".join(f'"{name}"' for name in names), ", ".join("?" * len(names))
        connection.exec_driver_sql(f"INSERT INTO {table.name} ({columns}) VALUES ({places})", list(rows))  # noqa: S608 - names of our own
        return
    connection.execute(insert(table), [dict(zip(names, row, strict=True)) for row in rows])


def guard_events(connection: Connection) -> None:
    """Make the event log append-only for everybody who comes through SQL."""
    guard(connection, "event")


def guard(connection: Connection, table: str) -> None:
    """Make a table append-only for everybody who comes through SQL. `table` is a name of our own."""
    if connection.dialect.name == "sqlite":
        for deed in ("UPDATE", "DELETE"):
            connection.exec_driver_sql(
                f"CREATE TRIGGER {table}_is_append_only_{deed.lower()} BEFORE {deed} ON {table}"
                f" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        return
    connection.exec_driver_sql(
        f"CREATE FUNCTION {table}_is_append_only() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
    )
    connection.exec_driver_sql(
        f"CREATE TRIGGER {table}_is_append_only BEFORE UPDATE OR DELETE ON {table}"
        f" FOR EACH ROW EXECUTE FUNCTION {table}_is_append_only()"
    )


def _set_pragmas(dbapi_connection: Any, _record: Any) -> None:
    for pragma in _WRITER_PRAGMAS:
        dbapi_connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    # A deferred transaction that reads first fails with SQLITE_BUSY_SNAPSHOT when another one has written.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
