"""Bringing the hub back: the newest base that is whole, then every piece after it."""

import io
import logging
import sqlite3
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct

from siaga_central.backup import pieces, wal
from siaga_central.backup.vault import OpenVault
from siaga_core.errors import SiagaError
from siaga_core.service.files import sync_directory, sync_file, write_atomic

log = logging.getLogger(__name__)

MARKER = "restored.json"
Progress = Callable[[str], None]


class NothingToRestore(SiagaError):
    """The second place holds no whole base."""


class InTheWay(SiagaError):
    """There is a database where one is to be restored."""


class Restored(Struct, frozen=True, kw_only=True):
    """`restored.json`: until when the database reaches; the hub begins a new life by it and says so."""

    life: str
    pieces: int
    event: int
    at_us: int  # the hub's wall clock when the last piece was shipped


@dataclass(slots=True)
class _Standing:
    life: str
    number: int
    label: pieces.Label


class Restorer:
    """Restores into one folder, once or following a hub that still ships. Not thread-safe."""

    def __init__(self, vault: OpenVault, data_dir: Path, progress: Progress) -> None:
        """Raises InTheWay when a hub's database is in `data_dir` that was not restored by this."""
        self._vault, self._data_dir, self._progress = vault, data_dir, progress
        self._database = data_dir / "hub.db"
        if self._database.exists() and not (data_dir / MARKER).exists():
            raise InTheWay(f"{self._database} exists; move {data_dir} away first, it is never overwritten")
        self._standing: _Standing | None = None

    def catch_up(self) -> Restored:
        """Restore, or go on from where it stood. Raises NothingToRestore, WrongKey, VaultAway.

        The marker is written after the database is whole: a power cut before leaves no hub that would start.
        """
        names = self._vault.names()
        lives = pieces.lives(names)
        if not lives:
            raise NothingToRestore(f"{self._vault.folder} holds no whole base; is this the right folder?")
        if self._standing is None or self._standing.life != lives[0]:
            self._lay_base(lives[0])
            self._unpack_identity(names)
        standing = self._add_tails(names)
        restored = Restored(
            life=standing.life, pieces=standing.number, event=standing.label.event, at_us=standing.label.at_us
        )
        sync_file(self._database)
        write_atomic(self._data_dir / MARKER, msgspec.json.encode(restored))
        return restored

    def take_media(self) -> int:
        """Bring back the clips that are not here; how many."""
        count = 0
        for name in self._vault.names():
            target = self._data_dir / name
            if name.startswith(pieces.MEDIA) and not target.exists():
                self._vault.get_file(name, target)
                count += 1
        return count

    def verify(self) -> str:
        """What SQLite finds wrong, empty when the database is sound."""
        connection = sqlite3.connect(self._database)
        try:
            answer = str(connection.execute("PRAGMA integrity_check").fetchone()[0])
        finally:
            connection.close()
        return "" if answer == "ok" else answer

    def _lay_base(self, life: str) -> None:
        self._progress(f"base {life}")
        self._data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        for suffix in ("", "-wal", "-shm"):
            self._database.with_name(f"{self._database.name}{suffix}").unlink(missing_ok=True)
        self._vault.get_file(pieces.base(life, pieces.DATABASE), self._database)
        label, octets = pieces.opened(self._vault.get(pieces.base(life, pieces.LOG)))
        head = wal.header(octets)
        if head is not None:
            self._apply(octets[wal.HEADER_BYTES :], head.page_bytes)
        self._standing = _Standing(life, 0, label)

    def _add_tails(self, names: list[str]) -> _Standing:
        standing = self._standing
        assert standing is not None
        numbers = pieces.tails(names, standing.life, standing.number)
        for number in numbers:
            if number % 500 == 0:
                self._progress(f"piece {number} of {numbers[-1]}")
            label, octets = pieces.opened(self._vault.get(pieces.tail(standing.life, number)))
            self._apply(octets, label.page_bytes)
            standing.number, standing.label = number, label
        return standing

    def _apply(self, frames: bytes, page_bytes: int) -> None:
        """Put committed pages where they belong."""
        with self._database.open("r+b") as file:
            for page in wal.pages(frames, page_bytes):
                file.seek((page.number - 1) * page_bytes)
                file.write(page.octets)
                if page.pages:
                    file.truncate(page.pages * page_bytes)

    def _unpack_identity(self, names: list[str]) -> None:
        found = [name for name in names if name.startswith(pieces.IDENTITY)]
        if not found:
            raise NothingToRestore(
                f"{self._vault.folder} holds no keys of a hub; its first backup never ended"
            )
        with tarfile.open(fileobj=io.BytesIO(self._vault.get(found[-1]))) as tar:
            for entry in tar.getmembers():
                target = (self._data_dir / entry.name).resolve()
                content = tar.extractfile(entry)
                if content is None or not target.is_relative_to(self._data_dir.resolve()):
                    raise NothingToRestore(f"{found[-1]} names {entry.name}, which no hub has written")
                target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                write_atomic(target, content.read(), mode=entry.mode)


def read_marker(data_dir: Path) -> Restored | None:
    """What was restored here and has not been started yet."""
    try:
        return msgspec.json.decode((data_dir / MARKER).read_bytes(), type=Restored)
    except FileNotFoundError:
        return None


def settle_marker(data_dir: Path) -> None:
    """The hub has begun its new life."""
    (data_dir / MARKER).unlink(missing_ok=True)
    sync_directory(data_dir)
