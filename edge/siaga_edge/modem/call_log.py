"""What calls were made of: every word and list of the modem about them, kept with the records they made.

A spell begins while nobody calls, when the service starts and wherever something else changed the line,
with what was known then: so it can be run through the pure part again by itself (`modem/replay`). What makes
no record waits in memory for the next one that does: no ring costs a commit of its own.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

import msgspec

from siaga_edge.journal import Journal
from siaga_edge.modem import call
from siaga_edge.modem.call import Leg, Line

SCHEMA = """
CREATE TABLE IF NOT EXISTS call_log (
    id INTEGER PRIMARY KEY,
    spell INTEGER NOT NULL,
    kind TEXT NOT NULL,
    said TEXT NOT NULL,
    noted TEXT NOT NULL,
    mono_s REAL NOT NULL,
    wall_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS call_log_spell ON call_log (spell);
CREATE INDEX IF NOT EXISTS call_log_noted ON call_log (spell, noted) WHERE noted != '[]'
"""
# Ten minutes of two looks and a list a second; what is more is written without a record to write it with.
HELD_MOST = 1800

Kind = Literal["begun", "said", "listed", "unlisted", "passed", "event"]
# Report and revision of each state that an entry made.
Noted = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Begun:
    """What a spell begins with; JSON in `said` of its first entry."""

    modem: str
    reject_after_s: float
    legs: tuple[Leg, ...]
    doubted: bool
    blind: bool
    rejections: int
    lists: bool = False

    @property
    def line(self) -> Line:
        """The line as it was."""
        return Line(
            self.legs,
            doubted=self.doubted,
            blind=self.blind,
            lists=self.lists,
            rejections=self.rejections,
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened, and what it made.

    `said` is the modem's line, the lines of its list, or JSON of what came from elsewhere (name, fields).
    `mono_s` is the monotonic clock's of that boot, by which the pure part decides.
    """

    kind: Kind
    said: str
    mono_s: float
    wall_ns: int
    noted: Noted = ()


class CallLog:
    """Used by the thread that owns the journal."""

    def __init__(self, journal: Journal, modem: str, reject_after_s: float) -> None:
        self._journal, self._modem, self._reject_after_s = journal, modem, reject_after_s
        self._held: list[Entry] = []
        # The spell that is written, and the line at its end; None: the next entry begins another.
        self._spell: int | None = None
        self._line: Line | None = None
        self._writing: int | None = None
        self._added = False  # an entry whose commit may follow

    def add(self, before: Line, entry: Entry) -> None:
        """Something happened to the line as it was; belongs before what it makes is committed."""
        if not before.legs or before != self._line:
            told = msgspec.json.encode(_begun(self._modem, self._reject_after_s, before)).decode()
            self._held, self._spell = [Entry("begun", told, entry.mono_s, entry.wall_ns)], None
        elif entry.kind == "passed" and self._held and self._held[-1].kind == "passed":
            self._held.pop()  # it made nothing: of looks in a row the last says as much
        # Until `done`, the line is not known: a commit that fails begins another spell.
        self._line, self._writing, self._added = None, None, True
        self._held.append(entry)

    def write(self, connection: sqlite3.Connection, noted: Sequence[Leg]) -> None:
        """Write what is held, the last of it with what it made. Belongs inside the transaction of that."""
        if not self._added:
            return  # made by something else: the next entry begins another spell
        made = tuple((leg.report_id, leg.revision) for leg in noted)
        entries = [*self._held[:-1], replace(self._held[-1], noted=made)]
        self._writing = self._spell or _next(connection)
        connection.executemany(
            "INSERT INTO call_log (spell, kind, said, noted, mono_s, wall_ns) VALUES (?, ?, ?, ?, ?, ?)",
            [_row(self._writing, entry) for entry in entries],
        )

    def done(self, line: Line) -> None:
        """The line is now so, and what it made is committed."""
        if len(self._held) >= HELD_MOST and self._writing is None:
            self._journal.append_all([], lambda connection: self.write(connection, ()))
        if self._writing is not None:
            self._held, self._spell = [], self._writing
        self._line, self._writing, self._added = line, None, False


def entry(event: call.Event, said: str, mono_s: float, wall_ns: int) -> Entry:
    """What is kept of an event; `said` is what the modem said, if it did."""
    match event:
        case call.Passed():
            return Entry("passed", "", mono_s, wall_ns)
        case call.Told(calls):
            return Entry("unlisted" if calls is None else "listed", said, mono_s, wall_ns)
        case _ if said:
            return Entry("said", said, mono_s, wall_ns)
    told = msgspec.json.encode([type(event).__name__, asdict(event)]).decode()
    return Entry("event", told, mono_s, wall_ns)


def read(connection: sqlite3.Connection) -> list[list[Entry]]:
    """Every spell that is kept, oldest first; none of a journal older than this log."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'call_log'").fetchone():
        return []
    spells: dict[int, list[Entry]] = {}
    for row in connection.execute("SELECT * FROM call_log ORDER BY id"):
        noted = msgspec.json.decode(row["noted"], type=Noted)
        one = Entry(row["kind"], row["said"], row["mono_s"], row["wall_ns"], noted)
        spells.setdefault(row["spell"], []).append(one)
    return list(spells.values())


def _begun(modem: str, reject_after_s: float, line: Line) -> Begun:
    return Begun(modem, reject_after_s, line.legs, line.doubted, line.blind, line.rejections, line.lists)


def _next(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT ifnull(max(spell), 0) + 1 FROM call_log").fetchone()[0])


def _row(spell: int, entry: Entry) -> tuple[int, str, str, str, float, int]:
    noted = msgspec.json.encode(entry.noted).decode()
    return spell, entry.kind, entry.said, noted, entry.mono_s, entry.wall_ns
