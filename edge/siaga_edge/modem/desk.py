"""The node's front desk: conversations, alarms and the roster, wired to the modem's journal."""

import logging
import sqlite3
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from msgspec import Struct

from siaga_core.service.clock import Boot, Clock
from siaga_core.wire import carried, want
from siaga_core.wire.envelope import BadRecord, Lane
from siaga_core.wire.report import Report
from siaga_core.wire.roster import NAME, Roster, decode_roster
from siaga_core.wire.want import Want, WantState
from siaga_edge.inbox import Inbox, siren
from siaga_edge.inbox.siren import LEASE_S, SirenLease
from siaga_edge.journal import Journal
from siaga_edge.modem import alarm_tables, talk, template
from siaga_edge.modem.call import Leg
from siaga_edge.modem.conversation import Instant
from siaga_edge.modem.duty import Duty
from siaga_edge.modem.handover import Handover, Marks
from siaga_edge.modem.neighbour import Neighbour
from siaga_edge.modem.number import to_e164
from siaga_edge.modem.talk import Talk

log = logging.getLogger(__name__)

SCHEMA = (
    f"{talk.SCHEMA};{alarm_tables.SCHEMA};"
    "CREATE TABLE IF NOT EXISTS applied_want (name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT"
)
# Somebody waits for a word that may become true any moment; else only clocks run.
BUSY_TICK_S, IDLE_TICK_S = 0.5, 5.0
_LEASE_AGAIN_S = 5.0
_KEEP_NS = 90 * 86_400 * 10**9


class Desk:
    """Used by the thread that owns the journal; `Duty` and `Talk` may be replaced by a test's own."""

    def __init__(
        self,
        journal: Journal,
        inbox: Inbox,
        clock: Clock,
        boot: Boot,
        new_id: Callable[[], str],
        marks: Marks,
        run_dir: Path,
        wake_health: Callable[[], object],
        service: str = "modem",
        own: Collection[str] = (),
        neighbour: Neighbour | None = None,
    ) -> None:
        """`journal` was opened with SCHEMA; `own` are this node's SIMs' numbers; `neighbour` its other modem.

        Raises BadText when a text would not be one part.
        """
        template.texts()
        self._journal, self._inbox, self._clock, self._boot = journal, inbox, clock, boot
        self._run_dir, self._wake_health = run_dir, wake_health
        self._service, self._own = service, frozenset(own)
        self.talk, self.duty = Talk(journal, new_id, neighbour), Duty(journal, new_id, neighbour)
        self._handover = Handover(journal, marks, service)
        self._roster, self._version = Roster(), 0
        self._ticked_mono_s = self._leased_mono_s = float("-inf")
        self._leased, self._can_ask = False, True
        self._read_roster()

    def heard(self, report: Report, records: list[tuple[str, Struct, Lane]]) -> None:
        """A report is being committed; belongs inside its transaction. Never keeps it from being one."""
        if report.sms is None or carried.is_carried(report.sms.text):
            return
        now = self._now()
        if report.reporter_e164 in self._ours():
            return
        if not self.duty.answered(report, self._roster, now, records):  # type: ignore[arg-type]
            self.talk.wrote(report, now)

    def missed(self, _connection: sqlite3.Connection, leg: Leg) -> None:
        """A call was not answered; belongs inside the transaction that notes its end."""
        self.talk.rang(to_e164(leg.number), leg.report_id, self._now())

    def tick(self) -> None:
        """Do what has become due or true."""
        now_s = self._clock.mono_s()
        if now_s - self._ticked_mono_s < BUSY_TICK_S / 2:
            return
        self._ticked_mono_s = now_s
        self._read_roster()
        now, waiting, roster = self._now(), self._handover.waiting(), self._roster
        self.duty.raise_and_tell(now, waiting, roster)
        parties = self.duty.parties(now, waiting, roster.policy)
        self.talk.speak(now, waiting, parties, self._ours(), roster)
        self._sound(now, now_s)

    def due_s(self) -> float:
        """How long until `tick` is wanted again."""
        return BUSY_TICK_S if self.talk.owes or self.duty.is_alarmed else IDLE_TICK_S

    def forget(self) -> None:
        """Drop what is too old to matter. Belongs inside a transaction."""
        before_wall_ns = self._clock.wall_ns() - _KEEP_NS
        self.talk.forget(before_wall_ns)
        self.duty.forget(before_wall_ns)

    @property
    def roster(self) -> Roster:
        """The roster in force."""
        return self._roster

    def _ours(self) -> frozenset[str]:
        return self._own | {gateway.number for gateway in self._roster.gateways}

    def _now(self) -> Instant:
        return Instant(self._boot.id, self._clock.boot_ns(), self._clock.wall_ns())

    def _sound(self, now: Instant, now_s: float) -> None:
        reason = self.duty.siren(now)
        if reason and now_s - self._leased_mono_s >= _LEASE_AGAIN_S:
            self._lease(SirenLease(until_mono_s=now_s + LEASE_S, reason=reason), now_s)
        elif not reason and self._leased:
            self._lease(SirenLease(until_mono_s=now_s, reason="answered"), float("-inf"))
        self._leased = bool(reason)

    def _lease(self, lease: SirenLease, leased_mono_s: float) -> None:
        self._leased_mono_s = leased_mono_s
        try:
            siren.ask(self._run_dir, self._service, lease)
        except OSError as error:  # phones are texted all the same
            if self._can_ask:
                log.warning("siren cannot be asked for cause=%s", error)
            self._can_ask = False
            return
        self._can_ask = True
        self._wake_health()

    def _read_roster(self) -> None:
        wish = self._inbox.wants("modem").get(NAME)
        if wish is None or wish.version == self._version:
            return
        self._version = wish.version
        try:
            self._roster = decode_roster(bytes(wish.body))
            self._note(wish, WantState(name=NAME, version=wish.version, state="applied"))
        except BadRecord as error:
            self._note(wish, WantState(name=NAME, version=wish.version, state="refused", detail=str(error)))

    def _note(self, wish: Want, state: WantState) -> None:
        """Tell the hub once of each version; the first modem speaks for both."""
        if self._service != "modem":
            return
        row = self._journal.connection.execute(
            "SELECT version FROM applied_want WHERE name = ?", (wish.name,)
        ).fetchone()
        if row is not None and row["version"] == wish.version:
            return

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR REPLACE INTO applied_want VALUES (?, ?)", (wish.name, wish.version))

        records: Sequence[tuple[str, Struct, Lane]] = [(want.KIND, state, "urgent")]
        self._journal.append_all(records, write)
        log.info("roster version=%d state=%s phones=%d", wish.version, state.state, len(self._roster.duty))
