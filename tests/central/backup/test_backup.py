"""What the hub committed is in the second place within seconds, opens with one key, and comes back whole."""

import json
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from siaga_central.backup import pieces, wal
from siaga_central.backup.restore import MARKER, InTheWay, NothingToRestore, Restored, Restorer
from siaga_central.backup.shipper import Shipper
from siaga_central.backup.tail import Piece, Tail
from siaga_central.backup.vault import OpenVault, Vault, VaultAway, WrongKey, make_key, public_key
from siaga_central.store import events
from support.clock import FakeClock
from support.hub_store import hub_store


class Hub:
    """A store that ships into a second place."""

    def __init__(self, place: Path) -> None:
        self.clock = FakeClock()
        self.data_dir, self.vault_dir = place / "hub", place / "second"
        (self.data_dir / "authority").mkdir(parents=True)
        (self.data_dir / "authority" / "issuer.key").write_text("a key")
        self.secret, self.public = make_key()
        self.store = hub_store(self.data_dir, self.clock)
        self.shipper = self.make_shipper()

    def make_shipper(self, kind: type[Shipper] = Shipper) -> Shipper:
        own = [self.data_dir / "authority"]
        vault = Vault(self.vault_dir, self.public)
        return kind(self.store, vault, self.data_dir, self.data_dir / "media", own, self.clock)

    def enter(self, words: str) -> int:
        return self.store.write(lambda c: events.append(c, 0, "note", "x", "rina", {"text": words}))

    def restore(self, target: Path) -> Restored:
        restorer = Restorer(OpenVault(self.vault_dir, self.secret), target, lambda _words: None)
        restored = restorer.catch_up()
        restorer.take_media()
        assert restorer.verify() == ""
        return restored


def rows(database: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute("SELECT * FROM event ORDER BY seq").fetchall()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    made = Hub(tmp_path)
    yield made
    made.store.close()


def test_what_was_shipped_comes_back_row_for_row(hub: Hub, tmp_path: Path) -> None:
    hub.enter("before the first base")
    for number in range(40):
        hub.enter(f"entry {number}")
        if number % 3 == 0:
            hub.shipper.ship()
    hub.shipper.ship()
    restored = hub.restore(tmp_path / "new")
    assert rows(tmp_path / "new" / "hub.db") == rows(hub.data_dir / "hub.db")
    assert (tmp_path / "new" / "authority" / "issuer.key").read_text() == "a key"
    assert restored.event == 41
    assert json.loads((tmp_path / "new" / MARKER).read_bytes())["event"] == 41


def test_what_was_not_shipped_yet_is_the_only_loss(hub: Hub, tmp_path: Path) -> None:
    hub.enter("shipped")
    hub.shipper.ship()
    hub.enter("not shipped")
    hub.restore(tmp_path / "new")
    assert len(rows(tmp_path / "new" / "hub.db")) == 1


@pytest.mark.parametrize("seed", range(4))
def test_random_work_checkpoints_bases_and_rollbacks_keep_copy_and_original_equal(
    hub: Hub, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    hub.shipper.checkpoint_above_bytes = 60_000
    for _ in range(60):
        match rng.randrange(6):
            case 0 | 1:
                hub.enter("x" * rng.randrange(3000))
            case 2:
                with pytest.raises(ZeroDivisionError):
                    hub.store.write(_fills_and_fails)
            case 3:
                hub.store.write(lambda c: c.execute(text("CREATE TABLE IF NOT EXISTS t (a TEXT)")))
                hub.store.write(lambda c: [c.execute(text("INSERT INTO t VALUES ('y')")) for _ in range(50)])
            case 4:
                hub.clock.advance(rng.choice((2, 2, 90_000)))
                hub.shipper.ship()
            case _:
                hub.store.write(_empties)
    hub.shipper.ship()
    hub.restore(tmp_path / "new")
    assert rows(tmp_path / "new" / "hub.db") == rows(hub.data_dir / "hub.db")


def test_a_standby_follows_through_new_bases(hub: Hub, tmp_path: Path) -> None:
    hub.enter("one")
    hub.shipper.ship()
    restorer = Restorer(OpenVault(hub.vault_dir, hub.secret), tmp_path / "new", lambda _words: None)
    assert restorer.catch_up().event == 1
    for number in range(2, 9):
        hub.enter(f"{number}")
        hub.clock.advance(50_000)
        hub.shipper.ship()
        assert restorer.catch_up().event == number
    assert rows(tmp_path / "new" / "hub.db") == rows(hub.data_dir / "hub.db")


def test_a_second_place_that_is_away_holds_nothing_up_and_is_caught_up_with(hub: Hub, tmp_path: Path) -> None:
    hub.enter("one")
    hub.shipper.ship()
    hub.vault_dir.rename(tmp_path / "unplugged")
    hub.vault_dir.write_text("not a folder")
    for number in range(5):
        hub.enter(f"meanwhile {number}")
        with pytest.raises(VaultAway):
            hub.shipper.ship()
    hub.vault_dir.unlink()
    (tmp_path / "unplugged").rename(hub.vault_dir)
    hub.shipper.ship()
    hub.restore(tmp_path / "new")
    assert rows(tmp_path / "new" / "hub.db") == rows(hub.data_dir / "hub.db")


def test_every_start_of_the_hub_begins_a_base_and_old_ones_go(hub: Hub, tmp_path: Path) -> None:
    for number in range(4):
        hub.enter(f"start {number}")
        hub.clock.advance(1)
        hub.shipper = hub.make_shipper()
        hub.shipper.ship()
    names = Vault(hub.vault_dir, hub.public).names()
    assert len(pieces.lives(names)) == 2
    hub.restore(tmp_path / "new")
    assert rows(tmp_path / "new" / "hub.db") == rows(hub.data_dir / "hub.db")


def test_a_base_that_was_never_finished_is_passed_over(hub: Hub, tmp_path: Path) -> None:
    hub.enter("one")
    hub.shipper.ship()
    (hub.vault_dir / "base-ZZZZZZZZZZZZZZZZZZZZZZZZZZ").mkdir()
    (hub.vault_dir / "base-ZZZZZZZZZZZZZZZZZZZZZZZZZZ" / "database.age").write_bytes(b"half of it")
    assert hub.restore(tmp_path / "new").event == 1


def test_clips_come_back(hub: Hub, tmp_path: Path) -> None:
    (hub.data_dir / "media" / "clips").mkdir(parents=True)
    (hub.data_dir / "media" / "clips" / "a.mp4").write_bytes(b"footage" * 100)
    hub.shipper.ship()
    hub.restore(tmp_path / "new")
    assert (tmp_path / "new" / "media" / "clips" / "a.mp4").read_bytes() == b"footage" * 100


def test_a_running_hub_is_never_overwritten(hub: Hub) -> None:
    hub.shipper.ship()
    with pytest.raises(InTheWay, match="move"):
        Restorer(OpenVault(hub.vault_dir, hub.secret), hub.data_dir, print)


def test_an_empty_place_and_a_wrong_key_are_refused_in_words(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(NothingToRestore, match="right folder"):
        Restorer(OpenVault(tmp_path / "nowhere", hub.secret), tmp_path / "new", print).catch_up()
    hub.shipper.ship()
    with pytest.raises(WrongKey, match="does not open"):
        Restorer(OpenVault(hub.vault_dir, make_key()[0]), tmp_path / "new", print).catch_up()
    for wrong in ("", "age1nonsense", hub.secret):
        with pytest.raises(WrongKey):
            public_key(wrong)
    with pytest.raises(WrongKey):
        OpenVault(hub.vault_dir, hub.public)


def test_nothing_readable_lies_in_the_second_place_and_debians_age_opens_it(hub: Hub, tmp_path: Path) -> None:
    hub.enter("nama pelapor: Siti")
    hub.shipper.ship()
    hub.enter("nama pelapor: Budi")
    hub.shipper.ship()
    files = [path for path in hub.vault_dir.rglob("*") if path.is_file()]
    assert files
    assert not any(b"pelapor" in path.read_bytes() or b"a key" in path.read_bytes() for path in files)
    (tmp_path / "key").write_text(hub.secret + "\n")
    newest = next(path for path in sorted(files, reverse=True) if path.name.startswith("0000"))
    command = [shutil.which("age") or "age", "-d", "-i", str(tmp_path / "key"), str(newest)]
    opened = subprocess.run(command, check=True, capture_output=True, timeout=20).stdout
    assert b"Budi" in opened


class SkipsAtCheckpoint(Tail):
    """The mutant: lets SQLite reset its log before what is in it was read."""

    def checkpoint(self, connection: sqlite3.Connection) -> Piece | None:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return self.read(connection)


def test_a_checkpoint_before_the_reading_would_lose_entries(hub: Hub, tmp_path: Path) -> None:
    hub.shipper._tail = SkipsAtCheckpoint(hub.data_dir / "hub.db")
    hub.shipper.ship()
    for _ in range(60):
        hub.enter("x" * 90_000)
    hub.shipper.ship()
    restorer = Restorer(OpenVault(hub.vault_dir, hub.secret), tmp_path / "new", print)
    restorer.catch_up()
    assert rows(tmp_path / "new" / "hub.db") != rows(hub.data_dir / "hub.db")


def test_frames_of_an_older_log_and_an_open_transaction_do_not_count() -> None:
    def frame(pages: int, salt: bytes) -> bytes:
        return (1).to_bytes(4) + pages.to_bytes(4) + salt + bytes(8) + bytes(512)

    head = wal.Header(512, b"saltsalt")
    whole = frame(0, b"saltsalt") + frame(3, b"saltsalt")
    assert wal.committed_bytes(whole + frame(0, b"saltsalt") + frame(9, b"oldoldol"), head) == len(whole)
    assert wal.committed_bytes(whole[:-1], head) == 0
    with pytest.raises(ValueError, match="whole frames"):
        wal.pages(whole[:-1], 512)


def _fills_and_fails(connection: Connection) -> None:
    for number in range(300):
        events.append(connection, 0, "note", str(number), "rina", {"text": "y" * 200})
    raise ZeroDivisionError


def _empties(connection: Connection) -> None:
    if connection.execute(text("SELECT 1 FROM sqlite_master WHERE name = 't'")).fetchone():
        connection.execute(text("DELETE FROM t"))
