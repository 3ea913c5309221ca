"""A damaged database is moved aside, never written on; most of it is read again."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from siaga_core.service.database import open_writer, transaction
from siaga_core.service.salvage import copy_schema, is_damaged, open_sound, rows_of, salvage

SCHEMA = """
CREATE TABLE record (lane TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (lane, seq))
    STRICT, WITHOUT ROWID;
CREATE TABLE event (seq INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT) STRICT, WITHOUT ROWID;
"""
PAGE_BYTES = 4096
ROWS = 9000


def made(path: Path) -> None:
    with closing(open_writer(path)) as connection:
        connection.executescript(SCHEMA)
        with transaction(connection):
            for lane in ("bulk", "urgent"):
                rows = [(lane, seq, f"body {seq} " + "x" * 80) for seq in range(1, ROWS // 2 + 1)]
                connection.executemany("INSERT INTO record VALUES (?, ?, ?)", rows)
            connection.executemany(
                "INSERT INTO event VALUES (?, ?)",
                [(seq, f"event {seq} " + "y" * 80) for seq in range(1, ROWS)],
            )
            connection.execute("INSERT INTO state VALUES ('epoch', 'abc')")


def damage(path: Path, pages: list[int], rng: random.Random) -> None:
    with path.open("r+b") as file:
        for page in pages:
            file.seek(page * PAGE_BYTES)
            file.write(rng.randbytes(PAGE_BYTES))


def test_most_rows_survive_five_destroyed_pages(tmp_path: Path) -> None:
    rng, kept, whole = random.Random(4), 0, 0
    for trial in range(8):
        path = tmp_path / f"{trial}.db"
        made(path)
        pages = path.stat().st_size // PAGE_BYTES
        # The first pages are the schema and the roots: without them nothing is found by anybody.
        damage(path, rng.sample(range(5, pages), 5), rng)
        records, _ = rows_of(path, "record")
        events, _ = rows_of(path, "event")
        for row in records:
            assert row["body"].startswith(f"body {row['seq']} ")
        kept, whole = kept + len(records) + len(events), whole + 2 * ROWS - 1
    assert kept / whole > 0.95


def test_reading_forwards_alone_would_lose_far_more(tmp_path: Path) -> None:
    rng, path = random.Random(4), tmp_path / "a.db"
    made(path)
    damage(path, [30], rng)
    with closing(sqlite3.connect(path)) as connection:
        forwards: list[object] = []
        with pytest.raises(sqlite3.DatabaseError):
            forwards.extend(connection.execute("SELECT seq FROM record"))
    assert len(rows_of(path, "record")[0]) > ROWS * 0.97


def test_a_sound_file_is_opened_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    made(path)
    opened = open_sound(path)
    assert opened.damaged is None
    assert opened.connection.execute("SELECT count(*) FROM event").fetchone()[0] == ROWS - 1
    opened.connection.close()


@pytest.mark.parametrize("page", [0, 20])
def test_a_damaged_file_is_moved_aside_untouched(tmp_path: Path, page: int) -> None:
    path = tmp_path / "a.db"
    made(path)
    damage(path, [page], random.Random(1))
    octets = path.read_bytes()
    opened = open_sound(path)
    opened.connection.close()
    assert opened.damaged == tmp_path / "a.db.damaged-1"
    assert opened.damaged.read_bytes() == octets
    assert is_damaged(opened.damaged)
    assert not is_damaged(path)
    damage(path, [0], random.Random(1))
    again = open_sound(path)
    again.connection.close()
    assert again.damaged == tmp_path / "a.db.damaged-2"


def test_what_only_the_log_beside_the_file_holds_is_saved_too(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    made(path)
    connection = open_writer(path)
    connection.execute("INSERT INTO event VALUES (9999, 'the last one')")
    for part in ("", "-wal", "-shm"):
        (tmp_path / f"b.db{part}").write_bytes(Path(f"{path}{part}").read_bytes())
    connection.close()
    damage(tmp_path / "b.db", [20], random.Random(1))
    opened = open_sound(tmp_path / "b.db")
    copy_schema(opened.damaged or path, opened.connection)
    saved = {one.table: one for one in salvage(opened.damaged or path, opened.connection)}
    assert saved["state"].rows == 1
    assert saved["event"].unread == 0 or saved["record"].unread == 0
    assert (
        opened.connection.execute("SELECT body FROM event WHERE seq = 9999").fetchone()[0] == "the last one"
    )
    opened.connection.close()


def test_a_locked_or_unreadable_file_is_not_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.mkdir()
    with pytest.raises(sqlite3.OperationalError):
        is_damaged(path)
