"""Alarms that the node raises by itself while no hub takes its reports: siren, duty phones, their answers."""

import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from siaga_core.reading import field
from siaga_core.reading.text import read
from siaga_core.service.logs import mask_number
from siaga_core.wire import carried
from siaga_core.wire import duty as wire
from siaga_core.wire.duty import DutyState
from siaga_core.wire.report import Report
from siaga_core.wire.roster import DutyPhone, NodePolicy, Roster
from siaga_edge.journal import Journal
from siaga_edge.modem import away, gravity, template
from siaga_edge.modem.away import Alarm
from siaga_edge.modem.conversation import SESSION_S, Instant
from siaga_edge.modem.handover import Waiting
from siaga_edge.modem.ledger import Ledger, Outgoing
from siaga_edge.modem.neighbour import Neighbour
from siaga_edge.modem.rises import Rises
from siaga_edge.modem.same_matter import Decision, TheirAlarm, decide

log = logging.getLogger(__name__)

# Duty phones are texted within this, so that a flood of reports leaves the SIM able to send at all.
TEXTS_A_MINUTE = 6
# A round must not hold up the next sweep, however many wrote while the hub was away.
BEGUN_AT_ONCE = 20
# A modem that hangs in the middle of its turn keeps nobody from being called.
TURN_WITHIN_S = 5.0
_KEPT_NS = 86_400 * 10**9
# A phone whose answers do not say which alarm they mean is asked once in this time.
ASKED_AGAIN_NS = 300 * 10**9
Records = list[tuple[str, DutyState, str]]


class Duty:
    """The alarms of one modem. Used by the thread that owns the journal."""

    def __init__(
        self, journal: Journal, new_id: Callable[[], str], neighbour: Neighbour | None = None
    ) -> None:
        """`journal` was opened with SCHEMA and the ledger's; `neighbour`: this node's other modem."""
        self._journal, self._new_id, self._neighbour = journal, new_id, neighbour
        self._connection = journal.connection
        self._ledger, self._rises = Ledger(journal.connection), Rises(journal.connection)
        self._settled: set[str] = set()  # reports that have their alarm or need none

    def answered(self, report: Report, roster: Roster, now: Instant, records: Records) -> bool:
        """Whether this text is a field team's; its answer is taken. Belongs inside the report's transaction.

        A stranger's word is noted and changes nothing: his text is a citizen's like any other. What a phone
        on duty writes beside an answer stays a report, and is never answered like a citizen's.
        """
        number = report.reporter_e164
        if report.sms is None or number is None:
            return False
        text, told = report.sms.text, self._told(now)
        names = {phone.number: phone.name for phone in roster.duty}
        was_told = any(one.number == number for one in told)
        is_duty = was_told or number in names or self._was_alerted(number, now)
        hubs = self._codes_of_hub(number, now) if is_duty else set()
        ours = hubs | {one.code for one in told if one.is_open}
        reply = field.parse(text, ours if is_duty else None)
        if reply is None:
            if is_duty and field.is_meant(text):
                self._ask(number, told, now, records)
            return is_duty
        found = field.match(reply, number, told)
        if isinstance(found, field.Unmatched) and number in names and field.may_join(reply, told):
            found = field.Matched(reply.code or "")
        if isinstance(found, field.Matched):
            self._take(found.code, reply.deed, number, report, records, names.get(number, ""))
        elif found.why == "stranger" and reply.code is not None:
            body = _step(self._row(reply.code), "stranger", number=number, text=text)
            records.append((wire.KIND, body, "urgent"))
        elif reply.code not in hubs:
            self._ask(number, told, now, records)
        if is_duty and (isinstance(found, field.Matched) or reply.code in hubs or field.is_brief(text)):
            row = (report.report_id, now.wall_ns)
            self._connection.execute("INSERT OR IGNORE INTO alarm_answer VALUES (?, ?)", row)
        return is_duty

    def raise_and_tell(self, now: Instant, waiting: Mapping[str, Waiting], roster: Roster) -> None:
        """Raise alarms for reports that no hub takes, text the next phones, end what the hub has taken.

        What is written since may make an open alarm graver: then phones that were texted are texted again.
        """
        self._settled &= waiting.keys()
        due = [one for id, one in waiting.items() if id not in self._settled and _is_due(one, now, roster)]
        if due:
            self._raise(due, now, roster)
        phones, written = [phone.number for phone in roster.duty], _by_party(waiting)
        for row in self._not_over():
            if row["report_id"] not in waiting:
                self._end(row)
                continue
            report = waiting[row["report_id"]].report
            texts = self._texts(row, written[_party(report)], roster)
            row = self._rise(row, texts, now)
            self._tell_risen(row, report.reporter_e164, now)
            place = away.next_phone(_alarm(row, now), phones, roster.policy)
            if place is not None and self._texts_last_minute(now) < TEXTS_A_MINUTE:
                text = self._rises.body(row, texts, report.reporter_e164, again=False)
                self._tell(row, roster.duty[place], text, now)
        self._hand_back(now, waiting)

    def _raise(self, due: list[Waiting], now: Instant, roster: Roster) -> None:
        """Begin an alarm for each that needs one of its own, or that the other modem may not be alarming."""
        ours, begun = {gateway.number for gateway in roster.gateways}, 0
        with self._neighbour.turn() if self._neighbour else contextlib.nullcontext(True) as is_our_turn:
            theirs = self._neighbour.alarms(now) if self._neighbour else {}
            for one in due:
                if begun >= BEGUN_AT_ONCE:
                    break
                also = theirs.get(_party(one.report))
                decision = self._decide(one, now, roster, ours, also, is_our_turn=is_our_turn)
                if decision in ("own", "also"):
                    self._begin(one, now, also.code if also and decision == "also" else "")
                    begun += 1
                if decision != "wait":
                    self._settled.add(one.report.report_id)

    def _decide(
        self,
        one: Waiting,
        now: Instant,
        roster: Roster,
        ours: set[str],
        theirs: TheirAlarm | None,
        *,
        is_our_turn: bool,
    ) -> Decision:
        if not self._wakes(one, now, roster, ours):
            return "none"
        age_s = one.since.until_s(now)
        waited_s = age_s - roster.policy.away_after_s
        if not is_our_turn and waited_s < TURN_WITHIN_S:
            return "wait"
        return decide(one.report.sms.text if one.report.sms else None, age_s, waited_s, theirs)

    def parties(self, now: Instant, waiting: Mapping[str, Waiting], policy: NodePolicy) -> dict[str, str]:
        """Number -> `deserted` when nobody can read its report, `taken` when a duty phone answers for it.

        `done` when one has: what is written since is another matter.
        """
        found: dict[str, str] = {}
        for row in self._not_over():
            if row["state"] == "done":
                found.setdefault(row["party"], "done")
                continue
            hub_has_it = row["report_id"] not in waiting
            if away.is_deserted(_alarm(row, now), hub_has_it=hub_has_it, policy=policy):
                found[row["party"]] = "deserted"
            elif row["state"] in ("accepted", "underway"):
                found[row["party"]] = "taken"
        return found

    def siren(self, now: Instant) -> str:
        """Why the siren has to sound, empty if it need not."""
        rows = self._open()
        alarms = [replace(_alarm(row, now), age_s=self._rises.age_s(row, now)) for row in rows]
        if not away.siren(alarms):
            return ""
        return ", ".join(row["code"] for row in rows if row["state"] == "sounding")[:100]

    @property
    def is_alarmed(self) -> bool:
        """Whether an alarm is open."""
        states = "', '".join(away.OPEN)
        query = f"SELECT 1 FROM alarm WHERE state IN ('{states}') LIMIT 1"  # noqa: S608
        return self._connection.execute(query).fetchone() is not None

    def forget(self, before_wall_ns: int) -> None:
        """Drop alarms that are older and over. Belongs inside a transaction.

        Wall time may have jumped: of what is not over the hub does not have the report, and it stays.
        """
        self._connection.execute("DELETE FROM alarm WHERE wall_ns < ? AND state = 'over'", (before_wall_ns,))
        for table in ("alarm_told", "alarm_back", "alarm_untaken", "alarm_rise", "alarm_heard"):
            self._connection.execute(f"DELETE FROM {table} WHERE code NOT IN (SELECT code FROM alarm)")  # noqa: S608
        for table in ("alarm_asked", "alarm_answer"):
            self._connection.execute(f"DELETE FROM {table} WHERE wall_ns < ?", (before_wall_ns,))  # noqa: S608

    def _wakes(self, one: Waiting, now: Instant, roster: Roster, ours: set[str]) -> bool:
        if not self._calls(one.report, roster, ours):
            return False
        has_alarm = self._has_alarm(one)
        return away.begins(one.since.until_s(now), has_alarm=has_alarm, policy=roster.policy)

    def _calls(self, report: Report, roster: Roster, ours: set[str]) -> bool:
        """Whether this is a call for help, and neither a record, nor our own, nor what a phone answered."""
        text = report.sms.text if report.sms else ""
        if carried.is_carried(text) or report.reporter_e164 in ours:
            return False
        phones = {phone.number for phone in roster.duty}
        if report.reporter_e164 in phones and field.parse(text) is not None:
            return False
        answer = "SELECT 1 FROM alarm_answer WHERE report_id = ?"
        return self._connection.execute(answer, (report.report_id,)).fetchone() is None

    def _texts(self, row: sqlite3.Row, written: Sequence[Report], roster: Roster) -> list[str]:
        """What the alarm's party, of which all is `written`, has texted from the alarm's report on."""
        ours = {gateway.number for gateway in roster.gateways}
        ids = [report.report_id for report in written]
        first, *later = written[ids.index(row["report_id"]) :]
        calls = [first, *(report for report in later if self._calls(report, roster, ours))]
        return [report.sms.text for report in calls if report.sms is not None]

    def _rise(self, row: sqlite3.Row, texts: Sequence[str], now: Instant) -> sqlite3.Row:
        """The alarm, as grave as what was written since makes it."""
        code = row["code"]
        kinds = self._rises.kinds(code) or [gravity.reading(text).kind for text in texts[:1]]
        text = gravity.graver(row["priority"], kinds, texts) if row["state"] in away.OPEN else None
        if text is None:
            return row
        said = gravity.reading(text)
        kind = kinds[-1] if said.kind == "LAIN" and kinds else said.kind
        is_loud = row["state"] == "quiet" and away.first_state(said.priority) == "sounding"
        state = "sounding" if is_loud else row["state"]

        def write(connection: sqlite3.Connection) -> None:
            given = (said.priority, state, code)
            connection.execute("UPDATE alarm SET priority = ?, state = ? WHERE code = ?", given)
            self._rises.add(code, kind, text, now)

        self._journal.append_all([(wire.KIND, _step(row, "sounded"), "urgent")] if is_loud else [], write)
        log.warning("alarm is graver code=%s was=%s is=%s", code, row["priority"], said.priority)
        return self._row(code)

    def _tell_risen(self, row: sqlite3.Row, number: str | None, now: Instant) -> None:
        """Text again whom it was said to before it became so grave; a team may be on its way unprepared."""
        if row["state"] not in away.OPEN:
            return
        for phone in self._rises.owed(row["code"]):
            if self._texts_last_minute(now) >= TEXTS_A_MINUTE:
                return
            text = self._rises.body(row, [], number, again=True)
            self._text(row, DutyPhone(name=phone["name"], number=phone["number"]), text, now)

    def _has_alarm(self, one: Waiting) -> bool:
        """One alarm per number and half hour: a flood is one alarm, and an old report raises none anew."""
        party = _party(one.report)
        rows = self._connection.execute("SELECT * FROM alarm WHERE party = ?", (party,)).fetchall()
        return any(row["state"] in away.OPEN or _began(row).until_s(one.since) < SESSION_S for row in rows)

    def _begin(self, one: Waiting, now: Instant, also: str) -> None:
        """`also`: the code of the other modem's alarm for the same number."""
        report = one.report
        text = report.sms.text if report.sms else "panggilan tak terjawab"
        said = read(text) if report.sms else None
        priority = said.priority if said else "P2"
        what = f"{said.kind}: {text}" if said else text
        codes = {row["code"] for row in self._connection.execute("SELECT code FROM alarm")} | {also}
        code = field.code_of(os.urandom(16), codes)
        state = away.first_state(priority)
        if also:
            what = f"(juga {also}) {what}"
        body = template.alarm(code, priority, what, report.reporter_e164)
        kind = said.kind if said else ""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO alarm (code, report_id, party, priority, state, text, boot, boot_ns, wall_ns)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    code, report.report_id, _party(report), priority, state, body,
                    now.boot_id, now.boot_ns, now.wall_ns,
                ),
            )  # fmt: skip
            self._rises.add(code, kind, text, now, also)

        step = DutyState(code=code, report_id=report.report_id, deed="sounded")
        self._journal.append_all([(wire.KIND, step, "urgent")] if state == "sounding" else [], write)
        log.warning("hub not reached, alarm code=%s priority=%s state=%s", code, priority, state)

    def _tell(self, row: sqlite3.Row, phone: DutyPhone, text: str, now: Instant) -> None:
        def count(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE alarm SET told = told + 1, told_boot = ?, told_boot_ns = ?, told_wall_ns = ?"
                " WHERE code = ?",
                (now.boot_id, now.boot_ns, now.wall_ns, row["code"]),
            )

        self._text(row, phone, text, now, count)

    def _text(
        self,
        row: sqlite3.Row,
        phone: DutyPhone,
        text: str,
        now: Instant,
        also: Callable[[sqlite3.Connection], None] | None = None,
    ) -> None:
        """Queue an alert; what `also` writes is committed with it."""
        id = self._new_id()

        def write(connection: sqlite3.Connection) -> None:
            if also is not None:
                also(connection)
            told = (id, row["code"], phone.number, phone.name, now.wall_ns)
            connection.execute("INSERT INTO alarm_told VALUES (?, ?, ?, ?, ?)", told)
            self._rises.heard(row["code"], phone.number)
            self._ledger.queue(Outgoing(id, phone.number, text, True, 0), now.wall_ns)

        step = _step(row, "told", id=id, name=phone.name, number=phone.number)
        self._journal.append_all([(wire.KIND, step, "urgent")], write)
        log.warning("duty phone texted code=%s to=%s", row["code"], mask_number(phone.number))

    def _ask(self, number: str, told: Sequence[field.Told], now: Instant, records: Records) -> None:
        """Ask a phone that was texted which of its open alarms it means, or it believes that it has one.

        Counts among the texts of a minute, but does not wait for them: open alarms may be many. The hub hears
        of it before it hears the answer, so that it does not ask again.
        """
        codes = list(dict.fromkeys(one.code for one in told if one.number == number and one.is_open))
        asked = self._connection.execute(
            "SELECT 1 FROM alarm_asked WHERE number = ? AND wall_ns > ? AND wall_ns <= ?",
            (number, now.wall_ns - ASKED_AGAIN_NS, now.wall_ns),
        ).fetchone()
        if not codes or asked is not None:
            return
        id = self._new_id()
        self._connection.execute("INSERT INTO alarm_asked VALUES (?, ?, ?)", (id, number, now.wall_ns))
        self._ledger.queue(Outgoing(id, number, template.which(codes), False, 0), now.wall_ns)
        for code in reversed(codes):
            name = self._name(code, number)
            step = _step(self._row(code), "asked", id=id, name=name, number=number)
            records.insert(0, (wire.KIND, step, "urgent"))
        log.info("duty phone asked which alarm to=%s open=%d", mask_number(number), len(codes))

    def _name(self, code: str, number: str) -> str:
        row = self._connection.execute(
            "SELECT name FROM alarm_told WHERE code = ? AND number = ?", (code, number)
        ).fetchone()
        return str(row["name"]) if row is not None else ""

    def _take(
        self, code: str, deed: field.Deed, number: str, report: Report, records: Records, name: str = ""
    ) -> None:
        """`name` is the roster's, for a phone that was not texted of this alarm."""
        row = self._row(code)
        if not field.is_news(row["state"] if row["state"] in field.RANK else "told", deed):
            return
        if row["state"] != "over":
            self._connection.execute("UPDATE alarm SET state = ? WHERE code = ?", (deed, code))
            text = report.sms.text if report.sms else ""
            body = _step(row, deed, name=self._name(code, number) or name, number=number, text=text)
            records.append((wire.KIND, body, "urgent"))
        self._connection.execute("DELETE FROM alarm_untaken WHERE code = ?", (code,))
        log.info("duty phone answered code=%s deed=%s from=%s", code, deed, mask_number(number))

    def _end(self, row: sqlite3.Row) -> None:
        def write(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE alarm SET state = 'over' WHERE code = ?", (row["code"],))
            if row["state"] in away.UNANSWERED:
                connection.execute("INSERT OR IGNORE INTO alarm_untaken VALUES (?)", (row["code"],))

        loud = row["priority"] in away.LOUD
        self._journal.append_all([(wire.KIND, _step(row, "over"), "urgent")] if loud else [], write)
        log.info("hub has the report, alarm over code=%s", row["code"])

    def _hand_back(self, now: Instant, waiting: Mapping[str, Waiting]) -> None:
        """Tell the phones that were texted, once, that the hub has what they were texted of.

        What nobody took is said to be so. Only when no alarm is open any more: until then a phone would be
        told of some and still be called by others. What a phone said was done is among it: its team too must
        know whom to speak to now.
        """
        if self.is_alarmed:
            return
        owed: dict[tuple[str, str], list[sqlite3.Row]] = {}
        for row in self._not_told_back(now):
            if row["report_id"] in waiting:
                return
            owed.setdefault((row["number"], row["name"]), []).append(row)
        for (number, name), rows in owed.items():
            if self._texts_last_minute(now) >= TEXTS_A_MINUTE:
                return
            self._tell_back(number, name, rows, now)

    def _tell_back(self, number: str, name: str, rows: list[sqlite3.Row], now: Instant) -> None:
        id = self._new_id()
        text = template.back(
            [row["code"] for row in rows if not row["untaken"]],
            [row["code"] for row in rows if row["untaken"]],
        )

        def write(connection: sqlite3.Connection) -> None:
            told = [(row["code"], number, id, now.wall_ns) for row in rows]
            connection.executemany("INSERT INTO alarm_back VALUES (?, ?, ?, ?)", told)
            self._ledger.queue(Outgoing(id, number, text, False, 0), now.wall_ns)

        steps = [_step(row, "back", id=id, name=name, number=number) for row in rows]
        self._journal.append_all([(wire.KIND, step, "urgent") for step in steps], write)
        log.info("duty phone told that the hub is back to=%s alarms=%d", mask_number(number), len(rows))

    def _not_told_back(self, now: Instant) -> list[sqlite3.Row]:
        return self._connection.execute(
            "SELECT a.code, a.report_id, t.number, t.name, u.code IS NOT NULL AS untaken"
            " FROM alarm_told t JOIN alarm a USING (code) LEFT JOIN alarm_untaken u USING (code)"
            " LEFT JOIN alarm_back b ON b.code = t.code AND b.number = t.number"
            " WHERE b.code IS NULL AND a.state IN ('over', 'done') AND t.wall_ns > ?"
            " GROUP BY a.code, t.number ORDER BY min(t.wall_ns), t.id",
            (now.wall_ns - _KEPT_NS,),
        ).fetchall()

    def _not_over(self) -> Sequence[sqlite3.Row]:
        """Alarms of which the hub has not been seen to have the report, those that a team ended too."""
        return self._connection.execute(
            "SELECT * FROM alarm WHERE state != 'over' ORDER BY priority, wall_ns"
        ).fetchall()

    def _open(self) -> Sequence[sqlite3.Row]:
        states = "', '".join(away.OPEN)
        return self._connection.execute(
            f"SELECT * FROM alarm WHERE state IN ('{states}') ORDER BY priority, wall_ns"  # noqa: S608
        ).fetchall()

    def _row(self, code: str) -> sqlite3.Row:
        row: sqlite3.Row = self._connection.execute("SELECT * FROM alarm WHERE code = ?", (code,)).fetchone()
        return row

    def _told(self, now: Instant) -> list[field.Told]:
        rows = self._connection.execute(
            "SELECT t.code, t.number, t.wall_ns, a.state FROM alarm_told t JOIN alarm a USING (code)"
            " WHERE t.wall_ns > ? ORDER BY t.wall_ns, t.id",
            (now.wall_ns - _KEPT_NS,),
        )
        return [
            field.Told(row["code"], row["number"], row["wall_ns"], row["state"] in away.OPEN) for row in rows
        ]

    def _was_alerted(self, number: str, now: Instant) -> bool:
        """Whether the hub has had an alert sent to this number lately: its answer is for the hub."""
        row = self._connection.execute(
            "SELECT 1 FROM outgoing WHERE recipient = ? AND at_least_once = 1 AND at_wall_ns > ? LIMIT 1",
            (number, now.wall_ns - _KEPT_NS),
        ).fetchone()
        return row is not None

    def _codes_of_hub(self, number: str, now: Instant) -> set[str]:
        """Codes that the hub has had texted to this number lately: what is said of them is for the hub."""
        rows = self._connection.execute(
            "SELECT text FROM outgoing WHERE recipient = ? AND at_least_once = 1 AND at_wall_ns > ?"
            " AND id NOT IN (SELECT id FROM alarm_told)",
            (number, now.wall_ns - _KEPT_NS),
        )
        return {word for row in rows for word in row["text"].split()[:3] if field.is_code(word)}

    def _texts_last_minute(self, now: Instant) -> int:
        since_wall_ns = now.wall_ns - 60 * 10**9
        row = self._connection.execute(
            "SELECT (SELECT count(*) FROM alarm_told WHERE wall_ns > ?)"
            " + (SELECT count(DISTINCT id) FROM alarm_back WHERE wall_ns > ?)"
            " + (SELECT count(*) FROM alarm_asked WHERE wall_ns > ?)",
            (since_wall_ns,) * 3,
        ).fetchone()
        return int(row[0])


def _is_due(one: Waiting, now: Instant, roster: Roster) -> bool:
    return one.since.until_s(now) >= roster.policy.away_after_s


def _by_party(waiting: Mapping[str, Waiting]) -> dict[str, list[Report]]:
    """What waits of each who wrote or rang, in the order it came."""
    found: dict[str, list[Report]] = {}
    for one in waiting.values():
        found.setdefault(_party(one.report), []).append(one.report)
    return found


def _party(report: Report) -> str:
    """Who wrote or rang; a short code may flood as well, and who hides his number is nobody else."""
    return report.reporter_e164 or report.reporter or report.report_id


def _began(row: sqlite3.Row) -> Instant:
    return Instant(row["boot"], row["boot_ns"], row["wall_ns"])


def _alarm(row: sqlite3.Row, now: Instant) -> Alarm:
    told_at = Instant(row["told_boot"], row["told_boot_ns"], row["told_wall_ns"])
    return Alarm(row["state"], _began(row).until_s(now), row["told"], told_at.until_s(now))


def _step(
    row: sqlite3.Row, deed: wire.DutyDeed, *, id: str = "", name: str = "", number: str = "", text: str = ""
) -> DutyState:
    return DutyState(
        code=row["code"], report_id=row["report_id"], deed=deed, id=id, name=name, number=number, text=text
    )
