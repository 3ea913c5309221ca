"""The index made anew from the files alone, while the recorder stands still.

Row for row and octet for octet: the table `segment` is what the lost index had, because a link holds all of
a row. Of the clock's observations those that a link still carries come back; what was seen between two links
and replaced before the second, or was carried by deleted segments alone, does not. `run`, `hold`, `wish`,
`gap` and `given_up` are this node's own: they are taken over as far as the old index can be read.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from siaga_core.service.database import WriterLock
from siaga_core.service.files import sync_directory
from siaga_core.service.salvage import rows_of, salvage
from siaga_edge.recorder.disk import Meta
from siaga_edge.recorder.folder import segment_names
from siaga_edge.recorder.index import OWN, Index
from siaga_edge.recorder.salvage import Closed, link_of
from siaga_edge.recorder.writing import segment_path

_PARTS = ("", "-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What the new index has. `old`: where the one before it was put."""

    segments: int
    foreign: tuple[str, ...]  # files of another chain
    left_open: tuple[str, ...]  # the recorder closes them at its next start
    unreadable: tuple[str, ...]
    own_rows: int
    own_unread: int
    old: Path | None


def rebuild(index: Path, folder: Path, meta: Meta, advance: Callable[[int], None]) -> Rebuilt:
    """Make the index of `folder` anew. Raises AlreadyOpen while the recorder runs.

    A power cut leaves the old index in its place, the new one, or none; then the next start makes one.
    """
    lock = WriterLock(index)
    _owned_alike(Path(f"{index}.lock"), index.parent)
    fresh = index.with_name(f".{index.name}.rebuilt")
    try:
        _remove(fresh)
        made = _fill(fresh, index, folder, meta, advance)
        _owned_alike(fresh, index.parent)
        old = _aside(index) if index.exists() else None
        fresh.replace(index)
        sync_directory(index.parent)
    finally:
        _remove(fresh)
        lock.release()
    return Rebuilt(*made, old)


def _from_files(fresh: Path, folder: Path, meta: Meta, advance: Callable[[int], None]) -> "_Read":
    """Fill a new index file with what the links of a footage disk say; nothing is written on the disk."""
    read = _Read()
    with contextlib.closing(Index(fresh, folder)) as made:
        made.use(meta)
        closed = sorted(read.closed(folder, meta.disk, advance), key=lambda one: one.link.number)
        for at in range(0, len(closed), 1000):
            made.add_all(closed[at : at + 1000])
        made.keep_runs([*(one.name for one in closed), *read.foreign, *read.left_open])
    read.segments = len(closed)
    return read


class _Read:
    """What the walk over the files has found."""

    def __init__(self) -> None:
        self.segments = 0
        self.foreign: list[str] = []
        self.left_open: list[str] = []
        self.unreadable: list[str] = []

    def closed(self, folder: Path, chain: str, advance: Callable[[int], None]) -> Iterator[Closed]:
        for name in segment_names(folder):
            path = segment_path(folder, name)
            try:
                link, size_bytes = link_of(path), path.stat().st_size
            except OSError:
                self.unreadable.append(name)
                continue
            advance(size_bytes)
            if link is None:
                self.left_open.append(name)
            elif link.chain != chain:
                self.foreign.append(name)
            else:
                yield Closed(name, name.partition("/")[0], size_bytes, link)


def _fill(
    fresh: Path, index: Path, folder: Path, meta: Meta, advance: Callable[[int], None]
) -> tuple[int, tuple[str, ...], tuple[str, ...], tuple[str, ...], int, int]:
    read = _from_files(fresh, folder, meta, advance)
    rows, unread = _take_over(index, fresh) if index.exists() else (0, 0)
    for part in _PARTS[1:]:
        Path(f"{fresh}{part}").unlink(missing_ok=True)  # the last close has checkpointed
    return (
        read.segments,
        tuple(read.foreign),
        tuple(read.left_open),
        tuple(read.unreadable),
        rows,
        unread,
    )


def _take_over(index: Path, fresh: Path) -> tuple[int, int]:
    """Copy what is the node's own out of the old index; how much, and how much could not be read."""
    connection = sqlite3.connect(fresh, isolation_level=None)
    connection.row_factory = sqlite3.Row
    try:
        saved = salvage(index, connection, [name for name in OWN if name != "run"])
        runs, unread = rows_of(index, "run")
        for row in runs:  # a run is never given twice: the higher number counts
            connection.execute(
                "INSERT INTO run VALUES (:camera, :last)"
                " ON CONFLICT (camera) DO UPDATE SET last = max(last, excluded.last)",
                row,
            )
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return len(runs) + sum(one.rows for one in saved), unread + sum(one.unread for one in saved)
    except sqlite3.DatabaseError:
        return 0, 1
    finally:
        connection.close()


def _owned_alike(fresh: Path, folder: Path) -> None:
    """Run by root, the new file belongs to whoever owns the folder: the recorder has to write it."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.chown(fresh, owner.st_uid, owner.st_gid)


def _aside(index: Path) -> Path:
    number = 1
    while (old := index.with_name(f"{index.name}.replaced-{number}")).exists():
        number += 1
    for part in reversed(_PARTS):
        with contextlib.suppress(FileNotFoundError):
            Path(f"{index}{part}").replace(f"{old}{part}")
    return old


def _remove(fresh: Path) -> None:
    for part in (*_PARTS, ".lock"):
        Path(f"{fresh}{part}").unlink(missing_ok=True)
