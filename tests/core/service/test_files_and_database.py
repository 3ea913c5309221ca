"""Files appear whole; a database has one writer and its readers cannot write."""

import sqlite3
from pathlib import Path

import pytest

from siaga_core.service.clock import read_boot
from siaga_core.service.database import (
    AlreadyOpen,
    StoreMissing,
    WriterLock,
    open_reader,
    open_writer,
    transaction,
)
from siaga_core.service.files import write_atomic
from siaga_core.service.logs import mask_number


def test_a_published_file_is_whole_and_leaves_no_part_behind(tmp_path: Path) -> None:
    target = tmp_path / "state"
    write_atomic(target, b"old")
    write_atomic(target, b"new" * 100_000, mode=0o600)
    assert target.read_bytes() == b"new" * 100_000
    assert target.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [target]


def test_a_boot_is_counted_once_however_often_it_is_asked(tmp_path: Path) -> None:
    kernel = tmp_path / "boot_id"
    kernel.write_text("one\n")
    assert [read_boot(tmp_path, kernel).seq for _ in range(3)] == [1, 1, 1]
    kernel.write_text("two\n")
    assert read_boot(tmp_path, kernel).seq == 2
    (tmp_path / "boot").write_text("garbage")
    assert read_boot(tmp_path, kernel).seq == 1


def test_a_writer_commits_fully_synced(tmp_path: Path) -> None:
    connection = open_writer(tmp_path / "a.db")
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    connection.close()


def test_a_second_writer_is_refused_by_name(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path / "a.db")
    with pytest.raises(AlreadyOpen, match=r"a\.db is being written"):
        WriterLock(tmp_path / "a.db")
    lock.release()
    WriterLock(tmp_path / "a.db").release()


def test_a_reader_cannot_write_and_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing):
        open_reader(tmp_path / "a.db")
    writer = open_writer(tmp_path / "a.db")
    writer.execute("CREATE TABLE t (x)")
    reader = open_reader(tmp_path / "a.db")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("INSERT INTO t VALUES (1)")
    reader.close()
    writer.close()


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    writer = open_writer(tmp_path / "a.db")
    writer.execute("CREATE TABLE t (x NOT NULL)")
    with pytest.raises(sqlite3.IntegrityError), transaction(writer):
        _insert_good_then_bad(writer)
    assert writer.execute("SELECT count(*) FROM t").fetchone()[0] == 0
    writer.close()


@pytest.mark.parametrize(
    ("number", "shown"), [("+6281234567890", "+62…90"), ("112", "…"), ("", "-"), (None, "-")]
)
def test_phone_numbers_are_masked_in_logs(number: str | None, shown: str) -> None:
    assert mask_number(number) == shown


def _insert_good_then_bad(writer: sqlite3.Connection) -> None:
    writer.execute("INSERT INTO t VALUES (1)")
    writer.execute("INSERT INTO t VALUES (NULL)")
