"""The modem's own tables in its journal file: PDUs, messages they belong to, what is to be sent.

They share the journal's transactions, so that a PDU and the report it makes are committed together.
"""

import sqlite3
from dataclasses import dataclass

from siaga_edge.modem import pdu
from siaga_edge.modem.assembly import SAME_WITHIN_NS, Piece, is_overdue
from siaga_edge.modem.fate import PartState

SCHEMA = """
CREATE TABLE IF NOT EXISTS pdu (
    id INTEGER PRIMARY KEY,
    memory TEXT NOT NULL,
    slot INTEGER NOT NULL,
    pdu TEXT NOT NULL,
    on_modem INTEGER NOT NULL,
    report_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    text TEXT NOT NULL,
    sent_at TEXT,
    at_wall_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS pdu_report ON pdu (report_id);
CREATE INDEX IF NOT EXISTS pdu_direct ON pdu (pdu) WHERE memory IN ('CMT', 'CDS', 'CBM');
CREATE INDEX IF NOT EXISTS pdu_slot ON pdu (memory, slot) WHERE on_modem = 1;
CREATE TABLE IF NOT EXISTS message (
    report_id TEXT PRIMARY KEY,
    key TEXT NOT NULL,
    total INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    at_wall_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS message_key ON message (key, at_wall_ns);
CREATE TABLE IF NOT EXISTS awaited (
    report_id TEXT PRIMARY KEY,
    first_wall_ns INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS outgoing (
    id TEXT PRIMARY KEY,
    recipient TEXT NOT NULL,
    text TEXT NOT NULL,
    at_least_once INTEGER NOT NULL,
    state TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    not_before_wall_ns INTEGER NOT NULL DEFAULT 0,
    at_wall_ns INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS sent_part (
    id TEXT NOT NULL,
    pass INTEGER NOT NULL,
    number INTEGER NOT NULL,
    label INTEGER NOT NULL,
    reference INTEGER NOT NULL DEFAULT -1,
    state TEXT NOT NULL,
    at_wall_ns INTEGER NOT NULL,
    PRIMARY KEY (id, pass, number)
) STRICT;
CREATE TABLE IF NOT EXISTS passed_on (
    id TEXT PRIMARY KEY,
    modems INTEGER NOT NULL,
    again INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS sent_part_open ON sent_part (at_wall_ns) WHERE state = 'SENT'
"""

# What stands for a store's name where the modem handed a message over without storing it (at.Direct).
DIRECT = frozenset({"CMT", "CDS", "CBM"})
# How far back the copy of a message that came on both ways is looked for.
_COPIES_AMONG = 1000
# A text of ours in one of these states has not had its last word.
_UNDER_WAY = "('queued', 'sending', 'left')"
_TEXTS = "SELECT outgoing.*, modems, again FROM outgoing LEFT JOIN passed_on USING (id)"


@dataclass(frozen=True, slots=True)
class Message:
    """A message of which a part has come."""

    report_id: str
    total: int
    revision: int
    first_wall_ns: int


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A text to be sent; `modems` and `again` as in relay.Left."""

    id: str
    recipient: str
    text: str
    at_least_once: bool
    tries: int
    modems: int = 0
    again: bool = False

    @property
    def may_have_left(self) -> bool:
        """Whether it was handed over before: then it goes marked."""
        return self.again or self.tries > 0


@dataclass(frozen=True, slots=True)
class SentPart:
    """One part of one pass of a text; `reference` is -1 until the network has given one."""

    id: str
    tries: int
    number: int
    label: int
    reference: int
    state: PartState


class Ledger:
    """Reads and writes on the journal's connection; writes belong inside its transactions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    # -- incoming --------------------------------------------------------------------------------

    def is_committed(self, memory: str, slot: int, pdu: str) -> bool:
        """Whether exactly this PDU in this slot is ours already and only its deletion is missing."""
        row = self._connection.execute(
            "SELECT 1 FROM pdu WHERE on_modem = 1 AND memory = ? AND slot = ? AND pdu = ?",
            (memory, slot, pdu),
        ).fetchone()
        return row is not None

    def copied(self, memory: str, octets: str, since_wall_ns: int) -> tuple[str, Piece] | None:
        """Report and part of which these octets are a copy; None if they are none.

        Handed over directly they are one of whatever was the same before: a network that was not told that
        it arrived brings it again. From a store each is the copy of one that was handed over at most: who
        says the same twice is heard twice.
        """
        same = "pdu = ? AND report_id != '' AND at_wall_ns > ?"
        direct = self._connection.execute(
            f"SELECT * FROM pdu WHERE memory IN ('CMT', 'CDS', 'CBM') AND {same} ORDER BY id",  # noqa: S608
            (octets, since_wall_ns),
        ).fetchall()
        if memory not in DIRECT and not direct:
            return None
        stored = self._connection.execute(
            f"SELECT * FROM (SELECT * FROM pdu ORDER BY id DESC LIMIT {_COPIES_AMONG})"  # noqa: S608
            f" WHERE memory NOT IN ('CMT', 'CDS', 'CBM') AND {same} ORDER BY id",
            (octets, since_wall_ns),
        ).fetchall()
        others = [*direct, *stored] if memory in DIRECT else direct[len(stored) :]
        if not others:
            return None
        row = others[0]
        return str(row["report_id"]), Piece(row["number"], row["text"], row["pdu"], row["sent_at"])

    def message(self, key: str, now_wall_ns: int) -> Message | None:
        """The newest message with this key that may still lack a part."""
        row = self._connection.execute(
            "SELECT * FROM message WHERE key = ? AND key != '' AND at_wall_ns > ?"
            " ORDER BY at_wall_ns DESC LIMIT 1",
            (key, now_wall_ns - SAME_WITHIN_NS),
        ).fetchone()
        return _message(row) if row else None

    def overdue(self, now_wall_ns: int) -> list[Message]:
        """Messages whose missing parts are given up now, and of which that has not been said yet."""
        rows = self._connection.execute("SELECT message.* FROM awaited JOIN message USING (report_id)")
        found = [_message(row) for row in rows]
        return [message for message in found if is_overdue(message.first_wall_ns, now_wall_ns)]

    def wait_for(self, message: Message, *, more: bool) -> None:
        """Keep that parts of a message are missing and not yet given up, or that nothing is waited for."""
        self._connection.execute("DELETE FROM awaited WHERE report_id = ?", (message.report_id,))
        if more:
            row = (message.report_id, message.first_wall_ns)
            self._connection.execute("INSERT INTO awaited VALUES (?, ?)", row)

    def pieces(self, report_id: str) -> list[Piece]:
        """The parts of a message that have come, in the order they came."""
        rows = self._connection.execute("SELECT * FROM pdu WHERE report_id = ? ORDER BY id", (report_id,))
        return [
            Piece(row["number"], row["text"], row["pdu"], row["sent_at"], _read(row["pdu"])) for row in rows
        ]

    def add_pdu(
        self, memory: str, slot: int, piece: Piece, report_id: str, now_wall_ns: int, *, on_modem: bool = True
    ) -> None:
        """Keep a PDU; it stays after its deletion from the modem."""
        self._connection.execute(
            "INSERT INTO pdu (memory, slot, pdu, on_modem, report_id, number, text, sent_at, at_wall_ns)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                memory,
                slot,
                piece.pdu,
                int(on_modem),
                report_id,
                piece.number,
                piece.text,
                piece.sent_at,
                now_wall_ns,
            ),
        )

    def set_message(self, message: Message, key: str = "") -> None:
        """Keep how far a message has come."""
        self._connection.execute(
            "INSERT INTO message VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (report_id) DO UPDATE SET revision = excluded.revision",
            (message.report_id, key, message.total, message.revision, message.first_wall_ns),
        )

    def deleted(self, slots: list[tuple[str, int]]) -> None:
        """Note that these slots of the modem are free again."""
        self._connection.executemany(
            "UPDATE pdu SET on_modem = 0 WHERE on_modem = 1 AND memory = ? AND slot = ?", slots
        )

    def forget(self, before_wall_ns: int) -> None:
        """Drop texts of ours that are older and over. What came in is Retention's.

        Wall time may have jumped: what is to be sent, or may still be reported on, stays whatever its age.
        """
        self._connection.execute(
            f"DELETE FROM outgoing WHERE at_wall_ns < ? AND state NOT IN {_UNDER_WAY}"  # noqa: S608
            " AND id NOT IN (SELECT id FROM sent_part WHERE state = 'SENT')",
            (before_wall_ns,),
        )
        self._connection.execute("DELETE FROM awaited WHERE report_id NOT IN (SELECT report_id FROM message)")
        for table in ("sent_part", "passed_on"):
            self._connection.execute(f"DELETE FROM {table} WHERE id NOT IN (SELECT id FROM outgoing)")  # noqa: S608

    # -- outgoing --------------------------------------------------------------------------------

    def queue(self, outgoing: Outgoing, now_wall_ns: int) -> None:
        """Keep a text to be sent."""
        self._connection.execute(
            "INSERT INTO outgoing (id, recipient, text, at_least_once, state, at_wall_ns)"
            " VALUES (?, ?, ?, ?, 'queued', ?)",
            (outgoing.id, outgoing.recipient, outgoing.text, int(outgoing.at_least_once), now_wall_ns),
        )
        if outgoing.modems:
            self._connection.execute(
                "INSERT INTO passed_on VALUES (?, ?, ?)", (outgoing.id, outgoing.modems, int(outgoing.again))
            )

    def next_outgoing(self, now_wall_ns: int) -> Outgoing | None:
        """The oldest text that may be sent now; alerts before courtesies."""
        return self._one(
            "state = 'queued' AND not_before_wall_ns <= ?",
            (now_wall_ns,),
            first="at_least_once DESC, ",
        )

    def movable(self) -> list[Outgoing]:
        """Texts that another modem may take: no modem had them before; a courtesy of which no part is out."""
        return self._all(
            "state = 'queued' AND modems IS NULL AND (at_least_once OR NOT EXISTS"
            " (SELECT 1 FROM sent_part WHERE sent_part.id = outgoing.id AND sent_part.state != 'queued'))"
        )

    def left(self) -> list[tuple[Outgoing, int]]:
        """Texts that were left to another modem, and until when (wall time) they are to be taken."""
        texts = self._all("state = 'left'")
        until = "SELECT not_before_wall_ns FROM outgoing WHERE id = ?"
        return [(one, int(self._connection.execute(until, (one.id,)).fetchone()[0])) for one in texts]

    def interrupted(self) -> list[Outgoing]:
        """Texts whose sending had begun when the service died: nobody knows whether they left."""
        return self._all("state = 'sending'")

    def set_outgoing(self, id: str, state: str, *, tries: int = 0, not_before_wall_ns: int = 0) -> None:
        """Keep how far a text has come."""
        self._connection.execute(
            "UPDATE outgoing SET state = ?, tries = ?, not_before_wall_ns = ? WHERE id = ?",
            (state, tries, not_before_wall_ns, id),
        )

    def cut(self, id: str, tries: int, parts: int, now_wall_ns: int) -> int:
        """Keep that a text goes in `parts` parts this time; the label that its parts share.

        Labels follow each other across restarts: two texts with one label would be joined on the phone.
        """
        row = self._connection.execute("SELECT label FROM sent_part ORDER BY rowid DESC LIMIT 1").fetchone()
        label = (row["label"] if row else 0) % 255 + 1
        self._connection.executemany(
            "INSERT INTO sent_part (id, pass, number, label, state, at_wall_ns)"
            " VALUES (?, ?, ?, ?, 'queued', ?)",
            [(id, tries, number, label, now_wall_ns) for number in range(1, parts + 1)],
        )
        return label

    def parts(self, id: str, tries: int) -> list[SentPart]:
        """The parts of one pass of a text, in order."""
        rows = self._connection.execute(
            "SELECT * FROM sent_part WHERE id = ? AND pass = ? ORDER BY number", (id, tries)
        )
        return [_sent_part(row) for row in rows]

    def passes(self, id: str) -> list[list[PartState]]:
        """The states of all parts of a text, pass by pass, oldest first."""
        rows = self._connection.execute("SELECT * FROM sent_part WHERE id = ? ORDER BY pass, number", (id,))
        made: dict[int, list[PartState]] = {}
        for row in rows:
            made.setdefault(row["pass"], []).append(row["state"])
        return list(made.values())

    def find_parts(self, reference: int, since_wall_ns: int) -> list[SentPart]:
        """Parts that a status report with this reference may mean, the newest first."""
        rows = self._connection.execute(
            "SELECT * FROM sent_part WHERE reference = ? AND at_wall_ns > ? AND state IN ('SENT', 'UNKNOWN')"
            " ORDER BY at_wall_ns DESC, rowid DESC",
            (reference, since_wall_ns),
        )
        return [_sent_part(row) for row in rows]

    def unreported(self, before_wall_ns: int) -> list[SentPart]:
        """Parts accepted before that time of which nothing more has been heard."""
        rows = self._connection.execute(
            "SELECT * FROM sent_part WHERE state = 'SENT' AND at_wall_ns <= ? ORDER BY rowid",
            (before_wall_ns,),
        )
        return [_sent_part(row) for row in rows]

    def set_part(self, part: SentPart, state: PartState, reference: int | None = None) -> None:
        """Keep what became of a part."""
        self._connection.execute(
            "UPDATE sent_part SET state = ?, reference = ? WHERE id = ? AND pass = ? AND number = ?",
            (state, part.reference if reference is None else reference, part.id, part.tries, part.number),
        )

    def accepted(self, part: SentPart, reference: int, now_wall_ns: int) -> None:
        """Keep that the network took a part, and under which reference it will report on it."""
        self.set_part(part, "SENT", reference)
        self._connection.execute(
            "UPDATE sent_part SET at_wall_ns = ? WHERE id = ? AND pass = ? AND number = ?",
            (now_wall_ns, part.id, part.tries, part.number),
        )

    def outgoing(self, id: str) -> Outgoing | None:
        """A text by its id."""
        return self._one("outgoing.id = ?", (id,))

    def _one(self, condition: str, values: tuple[object, ...], first: str = "") -> Outgoing | None:
        return next(iter(self._all(condition, values, first, most=1)), None)

    def _all(
        self, condition: str, values: tuple[object, ...] = (), first: str = "", most: int = -1
    ) -> list[Outgoing]:
        order = f"{first}at_wall_ns, outgoing.id LIMIT {most}"
        rows = self._connection.execute(f"{_TEXTS} WHERE {condition} ORDER BY {order}", values)
        return [_outgoing(row) for row in rows]


def _message(row: sqlite3.Row) -> Message:
    return Message(row["report_id"], row["total"], row["revision"], row["at_wall_ns"])


def _read(octets: str) -> pdu.Deliver | None:
    """A kept PDU; None for one that could not be read when it came."""
    try:
        message = pdu.decode(octets)
    except pdu.BadPdu:
        return None
    return message if isinstance(message, pdu.Deliver) else None


def _outgoing(row: sqlite3.Row) -> Outgoing:
    return Outgoing(
        row["id"],
        row["recipient"],
        row["text"],
        bool(row["at_least_once"]),
        row["tries"],
        row["modems"] or 0,
        bool(row["again"]),
    )


def _sent_part(row: sqlite3.Row) -> SentPart:
    return SentPart(row["id"], row["pass"], row["number"], row["label"], row["reference"], row["state"])
