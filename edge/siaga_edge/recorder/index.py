"""Which footage there is: one row per closed segment, rebuilt from the files alone when it is lost."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from siaga_core.service.database import WriterLock, transaction
from siaga_core.service.salvage import open_sound, salvage
from siaga_core.wire.recording import HoldState
from siaga_edge.recorder import segments
from siaga_edge.recorder.chain import Head, Link
from siaga_edge.recorder.dating import Observation
from siaga_edge.recorder.disk import Meta
from siaga_edge.recorder.finder import Finder
from siaga_edge.recorder.folder import segment_names
from siaga_edge.recorder.holds import Hold
from siaga_edge.recorder.inventory import NotedGap
from siaga_edge.recorder.salvage import Closed, close_left_open, link_of
from siaga_edge.recorder.writing import segment_path

log = logging.getLogger(__name__)

# `segment` and `clock_observation` come from the files; the others are this node's own.
SCHEMA = """
CREATE TABLE IF NOT EXISTS segment (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    camera TEXT NOT NULL,
    boot_seq INTEGER NOT NULL,
    start_boot_ns INTEGER NOT NULL,
    end_boot_ns INTEGER NOT NULL,
    media_ms INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    head_before BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS segment_span ON segment (camera, boot_seq, start_boot_ns);
CREATE INDEX IF NOT EXISTS segment_age ON segment (camera, number);
CREATE TABLE IF NOT EXISTS clock_observation (
    boot_seq INTEGER NOT NULL,
    boot_ns INTEGER NOT NULL,
    wall_ns INTEGER NOT NULL,
    state TEXT NOT NULL,
    error_ms INTEGER,
    PRIMARY KEY (boot_seq, boot_ns)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run (camera TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS disk (one INTEGER PRIMARY KEY CHECK (one = 1), meta TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS hold (
    id TEXT PRIMARY KEY,
    camera TEXT NOT NULL,
    start_wall_ns INTEGER NOT NULL,
    end_wall_ns INTEGER NOT NULL,
    origin TEXT NOT NULL,
    told TEXT NOT NULL,
    note TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS gap (
    camera TEXT NOT NULL,
    start_wall_ns INTEGER NOT NULL,
    end_wall_ns INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (camera, start_wall_ns)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS wish (
    name TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    told INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS given_up (first INTEGER PRIMARY KEY, last INTEGER NOT NULL) STRICT
"""
OWN = ("run", "hold", "wish", "given_up", "gap")
# Of gaps the newest are kept: with one a minute from one camera they reach back a fortnight.
_GAPS_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Recovered:
    """A segment that no row knew: closed at the power cut's own moment, or left open by it."""

    closed: Closed
    was_open: bool
    cut_bytes: int


class Index(Finder):
    """The one writer of the footage index; used in one thread."""

    def __init__(self, path: Path, folder: Path) -> None:
        """Open or make the index of the footage in `folder`. Raises AlreadyOpen.

        A damaged index is moved to `damaged`; what is this node's own is read out of it, the rest `recover`
        makes anew from the files.
        """
        self._lock = WriterLock(path)
        opened = open_sound(path)
        super().__init__(opened.connection)
        self.damaged = opened.damaged
        self._folder = folder
        self._unread = 0  # segments that could not be read at the start and may be newer than every row
        self._unread_after = 0
        self.generation = 0  # grows when what was known of closed segments may have changed
        self._leave_old_schema()
        for statement in SCHEMA.split(";"):
            self._connection.execute(statement)
        if self.damaged is not None:
            self.unread = sum(one.unread for one in salvage(self.damaged, self._connection, OWN))

    def use(self, meta: Meta) -> bool:
        """This index is now of the disk `meta`; whether it was of another, whose rows are dropped."""
        before = self.disk()
        if before == meta:
            return False
        with transaction(self._connection):
            for table in ("segment", "clock_observation", "given_up"):
                self._connection.execute(f"DELETE FROM {table}")  # noqa: S608
            row = (1, msgspec.json.encode(meta).decode())
            self._connection.execute("INSERT OR REPLACE INTO disk VALUES (?, ?)", row)
        self.generation += 1
        self._dating = None
        return before is not None

    def next_run(self, camera: str) -> int:
        """Number of a new run of this camera's stream; durable, never given twice."""
        with transaction(self._connection):
            row = self._connection.execute(
                "INSERT INTO run VALUES (?, 1)"
                " ON CONFLICT (camera) DO UPDATE SET last = last + 1 RETURNING last",
                (camera,),
            ).fetchone()
        return int(row[0])

    def add(self, closed: Closed) -> None:
        """Keep a closed segment."""
        self.add_all([closed])

    def add_all(self, closed: Iterable[Closed]) -> None:
        """Keep closed segments in one transaction, with what their links say of the clock."""
        with transaction(self._connection):
            for one in closed:
                self._connection.execute(
                    "INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    _row(one),
                )
                self._observe(one.link.observation)

    def keep_holds(self, origin: str, holds: Iterable[Hold], wish: tuple[str, int] | None = None) -> None:
        """Replace the holds of `origin`, and the version of the wish that they are of, in one commit."""
        before = {hold.id: (hold, self.told(hold.id)) for hold in self.holds() if hold.origin == origin}
        with transaction(self._connection):
            self._connection.execute("DELETE FROM hold WHERE origin = ?", (origin,))
            for hold in holds:
                same, told = before.get(hold.id, (None, None))
                text = msgspec.json.encode(told).decode() if told and same == hold else ""
                row = (hold.id, hold.camera, hold.start_wall_ns, hold.end_wall_ns, origin, text, hold.note)
                self._connection.execute("INSERT OR REPLACE INTO hold VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            if wish is not None:
                self._set_wish(*wish)

    def set_told(self, state: HoldState) -> None:
        """The hub was told this of a hold."""
        text = msgspec.json.encode(state).decode()
        with transaction(self._connection):
            self._connection.execute("UPDATE hold SET told = ? WHERE id = ?", (text, state.id))

    def set_wish(self, name: str, version: int) -> None:
        """This version of a desired state was seen, and changed nothing."""
        with transaction(self._connection):
            self._set_wish(name, version)

    def set_wish_told(self, name: str, version: int) -> None:
        """The hub was told what became of this version."""
        with transaction(self._connection):
            self._connection.execute("UPDATE wish SET told = ? WHERE name = ?", (version, name))

    def _set_wish(self, name: str, version: int) -> None:
        self._connection.execute(
            "INSERT INTO wish VALUES (?, ?, 0) ON CONFLICT (name) DO UPDATE SET version = excluded.version",
            (name, version),
        )

    def observe(self, observation: Observation) -> None:
        """Keep what the clock said; it dates all footage of its boot."""
        with transaction(self._connection):
            self._observe(observation)

    def note_gap(self, camera: str, gap: NotedGap) -> None:
        """Keep why nothing was recorded; the oldest notes give way."""
        with transaction(self._connection):
            row = (camera, gap.start_wall_ns, gap.end_wall_ns, gap.reason)
            self._connection.execute("INSERT OR REPLACE INTO gap VALUES (?, ?, ?, ?)", row)
            beyond = self._connection.execute("SELECT count(*) - ? FROM gap", (_GAPS_MOST,)).fetchone()[0]
            if beyond > 0:
                self._connection.execute(
                    "DELETE FROM gap WHERE (camera, start_wall_ns) IN"
                    " (SELECT camera, start_wall_ns FROM gap ORDER BY start_wall_ns LIMIT ?)",
                    (beyond,),
                )

    def remove(self, names: Iterable[str]) -> None:
        """Forget segments whose files are gone already; `generation` does not grow for those nobody holds."""
        with transaction(self._connection):
            for name in names:
                row = self._connection.execute(
                    "DELETE FROM segment WHERE name = ? RETURNING number", (name,)
                ).fetchone()
                if row is not None:
                    self._give_up(int(row[0]))

    def head(self, chain: str) -> Head:
        """Where the next link goes on. Numbers of segments that cannot be read now are left free.

        And one more: the hub is told the head under that one, which no segment will ever have.
        """
        at = super().head(chain)
        if not self._unread or at.links != self._unread_after:
            return at
        return Head(chain, at.links + self._unread + 1, at.head)

    def recover(self, chain: str, now: Observation) -> Iterator[Recovered]:
        """Take in files that no row knows; an empty index is made anew this way. Raises OSError.

        Closed ones by their link alone; of one that was open at the power cut the torn tail is cut, and it
        becomes the next link. A file of another chain is left alone: `verify` names it.
        """
        known = self.names()
        found = set(segment_names(self._folder))
        self.keep_runs(found)
        unknown = dict(self._links(found - known))
        linked = [self._closed(name, link) for name, link in unknown.items() if link and link.chain == chain]
        for at in range(0, len(linked), 1000):
            self.add_all(linked[at : at + 1000])
        self._leave_free(found - known - unknown.keys(), chain)
        yield from (Recovered(one, was_open=False, cut_bytes=0) for one in linked)
        for name in sorted((name for name, link in unknown.items() if link is None), key=_age):
            try:
                one = self.take_in(name, self.head(chain), now)
            except OSError as error:
                log.warning("segment waits for the next start segment=%s cause=%s", name, error)
                continue
            if one is not None:
                yield one

    def _links(self, names: Iterable[str]) -> Iterator[tuple[str, Link | None]]:
        for name in names:
            try:
                yield name, self._link_of(name)
            except OSError as error:
                log.warning("segment cannot be read segment=%s cause=%s", name, error)

    def _link_of(self, name: str) -> Link | None:
        return link_of(segment_path(self._folder, name))

    def _leave_free(self, unread: Iterable[str], chain: str) -> None:
        """Remember how many segments may have numbers above the newest that could be read."""
        newest = {camera: _age(self.newest_of(camera, 1)[0].name) for camera in self.cameras()}
        self._unread = sum(_age(name) > newest.get(name.partition("/")[0], (0, 0, "")) for name in unread)
        self._unread_after = super().head(chain).links

    def missing(self) -> list[str]:
        """Segments that have a row and no file."""
        return sorted(name for name in self.names() if not segment_path(self._folder, name).exists())

    def take_in(self, name: str, head: Head, now: Observation) -> Recovered | None:
        """Cut, link and keep a file that was left open; None (and no file) if it holds nothing whole."""
        left = close_left_open(segment_path(self._folder, name), name, head, now)
        if left is None:
            return None
        self.add(left.closed)
        if left.first is not None and not self._observed(left.first.boot_seq):
            self.observe(left.first)
        return Recovered(left.closed, was_open=True, cut_bytes=left.cut_bytes)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
        self._lock.release()

    def _closed(self, name: str, link: Link) -> Closed:
        size_bytes = segment_path(self._folder, name).stat().st_size
        return Closed(name, name.partition("/")[0], size_bytes, link)

    def _observed(self, boot_seq: int) -> bool:
        query = "SELECT 1 FROM clock_observation WHERE boot_seq = ? LIMIT 1"
        return self._connection.execute(query, (boot_seq,)).fetchone() is not None

    def _observe(self, one: Observation) -> None:
        done = self._connection.execute(
            "INSERT INTO clock_observation VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (one.boot_seq, one.boot_ns, one.wall_ns, one.state, one.error_ms),
        )
        if done.rowcount:
            self._dating = None
            self.generation += 1

    def _give_up(self, number: int) -> None:
        """Remember a deleted number; neighbours are one row."""
        after = self._connection.execute(
            "DELETE FROM given_up WHERE first = ? RETURNING last", (number + 1,)
        ).fetchone()
        last = number if after is None else int(after[0])
        grown = self._connection.execute(
            "UPDATE given_up SET last = ? WHERE last = ? RETURNING first", (last, number - 1)
        ).fetchone()
        if grown is None:
            self._connection.execute("INSERT INTO given_up VALUES (?, ?)", (number, last))

    def keep_runs(self, names: Iterable[str]) -> None:
        """A run that has files is never given again, even when the index was lost."""
        last: dict[str, int] = {}
        for camera, _, run in map(segments.origin, names):
            last[camera] = max(run, last.get(camera, 0))
        with transaction(self._connection):
            self._connection.executemany(
                "INSERT INTO run VALUES (?, ?)"
                " ON CONFLICT (camera) DO UPDATE SET last = max(last, excluded.last)",
                list(last.items()),
            )

    def _leave_old_schema(self) -> None:
        """The index of 0.1 kept wall times alone; its rows are made anew from the files."""
        columns = {row["name"] for row in self._connection.execute("PRAGMA table_info(segment)")}
        if columns and "number" not in columns:
            self._connection.execute("DROP TABLE segment")
        columns = {row["name"] for row in self._connection.execute("PRAGMA table_info(hold)")}
        if columns and "note" not in columns:
            self._connection.execute("ALTER TABLE hold ADD COLUMN note TEXT NOT NULL DEFAULT ''")


def _age(name: str) -> tuple[int, int, str]:
    """Order of arrival of files without a link, as well as names tell it."""
    _, boot, run = segments.origin(name)
    return boot, run, name


def _row(closed: Closed) -> tuple[object, ...]:
    link, span = closed.link, closed.link.span
    place = (link.number, closed.name, closed.camera)
    times = (span.boot_seq, span.start_boot_ns, span.end_boot_ns, span.media_ms)
    return (*place, *times, closed.size_bytes, link.sha256, link.head_before)
