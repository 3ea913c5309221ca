"""Keeps the conversations: what was said is committed with the report it answers, and said at most once."""

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Collection, Mapping

from siaga_core.reading.text import read
from siaga_core.service.logs import mask_number
from siaga_core.wire import duty as wire
from siaga_core.wire.duty import AutoReply
from siaga_core.wire.report import Report
from siaga_core.wire.roster import NodePolicy, Roster
from siaga_edge.journal import Journal
from siaga_edge.modem import conversation, template
from siaga_edge.modem.conversation import KIND, Event, Instant, Said, State, Text
from siaga_edge.modem.ledger import Ledger, Outgoing
from siaga_edge.modem.neighbour import HUB_TEXTS, Neighbour, by_hub

log = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS talk (
    number TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    first_report TEXT NOT NULL,
    last_report TEXT NOT NULL,
    muted INTEGER NOT NULL DEFAULT 0,
    heard_boot TEXT NOT NULL, heard_boot_ns INTEGER NOT NULL, heard_wall_ns INTEGER NOT NULL,
    since_boot TEXT NOT NULL, since_boot_ns INTEGER NOT NULL, since_wall_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS talk_state ON talk (state, since_wall_ns);
CREATE TABLE IF NOT EXISTS talk_priority (
    number TEXT PRIMARY KEY,
    priority TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS said (
    id TEXT PRIMARY KEY,
    number TEXT NOT NULL,
    template TEXT NOT NULL,
    boot TEXT NOT NULL, boot_ns INTEGER NOT NULL, wall_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS said_number ON said (number);
CREATE INDEX IF NOT EXISTS said_at ON said (wall_ns)
"""
# Of one round: answers are owed in the order people wrote, and a round must not hold up the next sweep.
_ROUND_MOST = 200
_TALKS = "SELECT talk.*, ifnull(priority, 'P2') AS priority FROM talk LEFT JOIN talk_priority USING (number)"
_DAY_NS = 86_400 * 10**9
_OWED, _BOUNCED = (
    ", ".join(f"'{state}'" for state in states) for states in (conversation.OWED, conversation.BOUNCED)
)


class Talk:
    """The conversations of one modem. Used by the thread that owns the journal."""

    def __init__(
        self, journal: Journal, new_id: Callable[[], str], neighbour: Neighbour | None = None
    ) -> None:
        """`journal` was opened with SCHEMA and the ledger's; `neighbour`: this node's other modem."""
        self._journal, self._new_id, self._neighbour = journal, new_id, neighbour
        self._connection = journal.connection
        self._ledger = Ledger(journal.connection)

    # -- what came, inside the transaction that commits it ---------------------------------------

    def wrote(self, report: Report, now: Instant) -> None:
        """A citizen wrote; belongs inside the transaction that commits the report."""
        number = report.reporter_e164
        if number is None or report.sms is None:
            return
        if conversation.is_echo(report.sms.text, self._sent_to(number, now)):
            log.warning("our own text came back, no more replies to=%s", mask_number(number))
            self._heard(number, "text", report.report_id, now, muted=True)
            return
        said = read(report.sms.text)
        event: Event = "placed" if said.is_placed else "text"
        self._heard(number, event, report.report_id, now, priority=said.priority)

    def rang(self, number: str | None, report_id: str, now: Instant) -> None:
        """Somebody rang in vain; belongs inside the transaction that notes the call's end."""
        if number is not None:
            self._heard(number, "missed", report_id, now)

    def _heard(
        self,
        number: str,
        event: Event,
        report_id: str,
        now: Instant,
        *,
        muted: bool = False,
        priority: str = "P2",
    ) -> None:
        row = self._connection.execute(f"{_TALKS} WHERE number = ?", (number,)).fetchone()
        if row is not None and _heard_at(row).until_s(now) >= conversation.SESSION_S:
            row = None
        before: State | None = row["state"] if row else None
        after, _ = conversation.step(before, event)
        same = row is not None and after == before
        since = _since(row) if same else now
        first = row["first_report"] if row else report_id
        silent = int(muted or bool(row and row["muted"]))
        self._connection.execute(
            "INSERT OR REPLACE INTO talk VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                number, after, first, report_id, silent,
                now.boot_id, now.boot_ns, now.wall_ns, since.boot_id, since.boot_ns, since.wall_ns,
            ),
        )  # fmt: skip
        pressing = min(priority, row["priority"]) if row else priority
        self._connection.execute("INSERT OR REPLACE INTO talk_priority VALUES (?, ?)", (number, pressing))

    # -- what is owed ----------------------------------------------------------------------------

    def speak(
        self,
        now: Instant,
        waiting: Collection[str],
        parties: Mapping[str, str],
        ours: Collection[str],
        roster: Roster,
    ) -> int:
        """Say what is owed and true now; how many replies were queued.

        `waiting` are the reports without the hub's word; `parties` numbers of which `deserted` or `taken` is
        true by what happened here; `ours` numbers of our own modems.
        """
        queued = 0
        self._end_sessions(now)
        for row in self._due(parties):
            event = self._event(row, now, waiting, parties.get(row["number"], ""))
            if event is None or _heard_at(row).until_s(now) >= conversation.lasts_s(row["state"]):
                continue
            after, wanted = conversation.step(row["state"], event)
            if after is None or after == row["state"]:
                continue
            queued += self._go_on(row, after, wanted, now, ours, roster)
        return queued

    @property
    def owes(self) -> bool:
        """Whether somebody waits for a reply that may become true any moment."""
        query = f"SELECT 1 FROM talk WHERE state IN ({_OWED}) AND muted = 0 LIMIT 1"  # noqa: S608
        return self._connection.execute(query).fetchone() is not None

    def said_last_minute(self, now: Instant) -> int:
        """Automatic replies of the last minute."""
        rows = self._connection.execute("SELECT * FROM said ORDER BY wall_ns DESC LIMIT 50")
        return sum(_instant(row).until_s(now) < 60 for row in rows)

    def forget(self, before_wall_ns: int) -> None:
        """Drop replies that are older; conversations end by themselves. Belongs inside a transaction."""
        self._connection.execute("DELETE FROM said WHERE wall_ns < ?", (before_wall_ns,))

    def _end_sessions(self, now: Instant) -> None:
        """What nobody has said anything in for long is over: it must not stand before those who wait."""
        over: list[tuple[str]] = []
        for states in (f"NOT IN ({_BOUNCED})", f"IN ({_BOUNCED})"):
            query = f"SELECT * FROM talk WHERE state {states} ORDER BY heard_wall_ns LIMIT ?"  # noqa: S608
            rows = self._connection.execute(query, (_ROUND_MOST,))
            lasts = ((row, conversation.lasts_s(row["state"])) for row in rows)
            over += [(row["number"],) for row, most_s in lasts if _heard_at(row).until_s(now) >= most_s]
        if over:
            self._journal.append_all([], lambda c: _end(c, over))

    @staticmethod
    def _event(row: sqlite3.Row, now: Instant, waiting: Collection[str], party: str) -> Event | None:
        if party == "deserted":
            return "deserted"
        is_bounced = row["state"] in conversation.BOUNCED
        asked = row["last_report"] if is_bounced else row["first_report"]
        if row["state"] in conversation.OWED or is_bounced:
            is_seen_to = party == "taken" or (party == "done" and is_bounced)
            return "taken" if is_seen_to or asked not in waiting else None
        waited = row["state"] == "asked" and _since(row).until_s(now) >= conversation.REMIND_AFTER_S
        return "waited" if waited else None

    def _due(self, parties: Mapping[str, str]) -> list[sqlite3.Row]:
        """Who may be owed a reply, who must not wait first; so many of each kind that all have turns."""
        rows: list[sqlite3.Row] = []
        for states in (_OWED, _BOUNCED, "'asked'"):
            query = (
                f"{_TALKS} WHERE state IN ({states}) AND muted = 0"
                " ORDER BY priority != 'P1', since_wall_ns LIMIT ?"
            )
            rows += self._connection.execute(query, (_ROUND_MOST,)).fetchall()
        seen = {row["number"] for row in rows}
        for number in list(parties)[:_ROUND_MOST]:
            if number not in seen:
                found = self._connection.execute(f"{_TALKS} WHERE number = ? AND muted = 0", (number,))
                rows += found.fetchall()
        return sorted(
            rows,
            key=lambda row: (
                *conversation.place_in_line(row["state"], row["priority"]),
                row["since_wall_ns"],
            ),
        )

    def _go_on(
        self,
        row: sqlite3.Row,
        after: State,
        wanted: Text | None,
        now: Instant,
        ours: Collection[str],
        roster: Roster,
    ) -> bool:
        """Move a conversation on if the reply that belongs to it may go or never may; whether it goes."""
        if wanted is None:
            self._move(row, after, None, now, roster.instead)
            return False
        with self._neighbour.turn() if self._neighbour else contextlib.nullcontext(True) as is_our_turn:
            text, verdict = self._verdict(row["number"], wanted, after, now, ours, roster.policy)
            if verdict == "later" or not is_our_turn:
                return False
            self._move(row, after, text if verdict == "now" else None, now, roster.instead)
        return verdict == "now"

    def _verdict(
        self, number: str, wanted: Text, after: State, now: Instant, ours: Collection[str], policy: NodePolicy
    ) -> tuple[Text, conversation.Verdict]:
        """What fits what both modems and the hub have said to this number, and whether it may go."""
        of_late, said = self.said_last_minute(now), self._said(number, now)
        verdict = conversation.verdict(wanted, number, ours, said, of_late, policy)
        if after not in conversation.RETRACTIONS and verdict != "now":
            return wanted, verdict
        if of_late < conversation.BUDGET_A_MINUTE and self._neighbour is not None:
            said += self._neighbour.said(number, now)
        if conversation.bounced_s(said) is not None:
            said += self._hub_texts(number, now)
        text = conversation.fitting(wanted, after, said)
        if text == "retraction" and self._neighbour is not None and self._neighbour.knows_place(number):
            text = "retraction_placed"
        return text, conversation.verdict(text, number, ours, said, of_late, policy)

    def _said(self, number: str, now: Instant) -> list[Said]:
        rows = self._connection.execute("SELECT * FROM said WHERE number = ?", (number,))
        return [Said(row["template"], _instant(row).until_s(now)) for row in rows]

    def _hub_texts(self, number: str, now: Instant) -> list[Said]:
        ours = [by_hub(row, now) for row in self._connection.execute(HUB_TEXTS, (number,))]
        return ours + (self._neighbour.hub_texts(number, now) if self._neighbour else [])

    def _move(self, row: sqlite3.Row, after: State, wanted: Text | None, now: Instant, instead: str) -> None:
        """Commit the new state, and with it the reply that it calls for: both or neither."""
        records: list[tuple[str, AutoReply, str]] = []
        text = template.citizen(wanted, instead) if wanted else ""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE talk SET state = ?, since_boot = ?, since_boot_ns = ?, since_wall_ns = ?"
                " WHERE number = ?",
                (after, now.boot_id, now.boot_ns, now.wall_ns, row["number"]),
            )
            if wanted is not None:
                records.append((wire.REPLY_KIND, self._queue(row, wanted, text, now), "urgent"))

        self._journal.append_made(write, records)  # type: ignore[arg-type]
        if wanted is not None:
            log.info("reply queued template=%s to=%s", wanted, mask_number(row["number"]))

    def _queue(self, row: sqlite3.Row, wanted: Text, text: str, now: Instant) -> AutoReply:
        id = self._new_id()
        self._connection.execute(
            "INSERT INTO said VALUES (?, ?, ?, ?, ?, ?)",
            (id, row["number"], wanted, now.boot_id, now.boot_ns, now.wall_ns),
        )
        self._ledger.queue(Outgoing(id, row["number"], text, False, 0), now.wall_ns)
        return AutoReply(
            id=id, report_id=row["last_report"], to=row["number"], template=KIND[wanted], text=text
        )

    def _sent_to(self, number: str, now: Instant) -> list[str]:
        rows = self._connection.execute(
            "SELECT DISTINCT text FROM outgoing WHERE recipient = ? AND at_wall_ns > ?",
            (number, now.wall_ns - _DAY_NS),
        )
        return [str(row["text"]) for row in rows]


def _end(connection: sqlite3.Connection, numbers: list[tuple[str]]) -> None:
    connection.executemany("DELETE FROM talk WHERE number = ?", numbers)
    connection.executemany("DELETE FROM talk_priority WHERE number = ?", numbers)


def _heard_at(row: sqlite3.Row) -> Instant:
    return Instant(row["heard_boot"], row["heard_boot_ns"], row["heard_wall_ns"])


def _since(row: sqlite3.Row) -> Instant:
    return Instant(row["since_boot"], row["since_boot_ns"], row["since_wall_ns"])


def _instant(row: sqlite3.Row) -> Instant:
    return Instant(row["boot"], row["boot_ns"], row["wall_ns"])
