"""How grave each alarm of a node has become, and which phones have been told so."""

import sqlite3
from collections.abc import Sequence

from siaga_edge.modem import gravity, template
from siaga_edge.modem.conversation import Instant


class Rises:
    """Reads and writes on the journal's connection; writes belong inside its transactions.

    Rise 0 is the alarm as it began.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, code: str, kind: str, words: str, now: Instant, also: str = "") -> None:
        """Keep what phones are told of an alarm from now on; `also` as in `Duty._begin`."""
        before = self._newest(code)
        rise, also = (before["rise"] + 1, before["also"]) if before else (0, also)
        row = (code, rise, kind, words, also, now.boot_id, now.boot_ns, now.wall_ns)
        self._connection.execute("INSERT INTO alarm_rise VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def kinds(self, code: str) -> list[str]:
        """The kinds that phones have been told, the newest last."""
        rows = self._connection.execute("SELECT kind FROM alarm_rise WHERE code = ? ORDER BY rise", (code,))
        return [str(row["kind"]) for row in rows]

    def age_s(self, alarm: sqlite3.Row, now: Instant) -> float:
        """How long ago an alarm became as grave as it is."""
        row = self._newest(alarm["code"]) or alarm
        return Instant(row["boot"], row["boot_ns"], row["wall_ns"]).until_s(now)

    def body(self, alarm: sqlite3.Row, texts: Sequence[str], number: str | None, *, again: bool) -> str:
        """The text of an alarm now; `again`: to a phone that was texted before it became so grave."""
        row = self._newest(alarm["code"])
        if row is None:
            return str(alarm["text"])
        words = row["words"] if again else gravity.words(row["words"], texts)
        what = f"{row['kind']}: {words}" if row["kind"] else words
        what = f"(juga {row['also']}) {what}" if row["also"] and not again else what
        priority = f"KINI {alarm['priority']}" if again else alarm["priority"]
        return template.alarm(alarm["code"], priority, what, number)

    def heard(self, code: str, number: str) -> None:
        """Keep that a phone is texted of an alarm as it is now."""
        row = self._newest(code)
        given = (code, number, row["rise"] if row else 0)
        self._connection.execute("INSERT OR REPLACE INTO alarm_heard VALUES (?, ?, ?)", given)

    def owed(self, code: str) -> list[sqlite3.Row]:
        """Phones (number, name) that were texted of an alarm before it became as grave as it is."""
        return self._connection.execute(
            "SELECT t.number, t.name FROM alarm_told t LEFT JOIN alarm_heard h USING (code, number)"
            " WHERE t.code = ? AND ifnull(h.rise, 0) < (SELECT max(rise) FROM alarm_rise WHERE code = t.code)"
            " GROUP BY t.number ORDER BY min(t.wall_ns)",
            (code,),
        ).fetchall()

    def _newest(self, code: str) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._connection.execute(
            "SELECT * FROM alarm_rise WHERE code = ? ORDER BY rise DESC LIMIT 1", (code,)
        ).fetchone()
        return row
