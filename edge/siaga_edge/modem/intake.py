"""Taking messages in: read every store, commit, and only then let the modem forget."""

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from msgspec import Struct

from siaga_core.service.clock import Clock
from siaga_core.service.logs import mask_number
from siaga_core.wire import report as wire
from siaga_core.wire.envelope import Lane
from siaga_core.wire.report import Report
from siaga_edge.journal import Journal
from siaga_edge.modem import assembly, at, bringup, pdu
from siaga_edge.modem.assembly import Piece
from siaga_edge.modem.ledger import DIRECT, Ledger, Message
from siaga_edge.modem.port import NoAnswer, Port, Refused
from siaga_edge.modem.profile import Profile

log = logging.getLogger(__name__)

# What a slot gives by itself is believed when it comes out the same so many times.
SAME_READINGS = 2
PLAIN = Profile(identify=[], init=[], announce=[], reject=[])
READINGS_MOST = 4
# A store that counts more than it lists is read slot by slot, so seldom and so long at most.
LOOK_AGAIN_S, LOOK_MOST_S = 300.0, 5.0
# Some modems hand a message over and store it as well; the same octets on both ways within this are one.
COPY_WITHIN_NS = 600 * 10**9
Heard = Callable[[Report, list[tuple[str, Struct, Lane]]], None]


@dataclass
class Batch:
    """What one store's listing makes: records of one transaction, and what is told after it."""

    records: list[tuple[str, Struct, Lane]] = field(default_factory=list)
    reports: list[pdu.StatusReport] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


class Intake:
    """Sweeps the modem's stores. Used by the thread that owns port and journal."""

    def __init__(
        self,
        journal: Journal,
        modem: str,
        clock: Clock,
        new_id: Callable[[], str],
        on_status: Callable[[pdu.StatusReport], None],
        heard: Heard = lambda _report, _records: None,
        is_loop: Callable[[str, str], bool] = lambda _sender, _text: False,
        unreadable: Callable[[str], None] = lambda _why: None,
    ) -> None:
        """`heard` is told of each report inside the transaction that commits it, and may add records.

        `is_loop` says of sender and text whether they are a modem's own trial, which is kept and no report.
        `unreadable` is told of each status report that is kept and says nothing.
        """
        self._journal, self._modem, self._clock, self._new_id = journal, modem, clock, new_id
        self._ledger = Ledger(journal.connection)
        # Used and total of each store, as it said when it was last selected.
        self.slots: dict[str, tuple[int, int]] = {}
        self.selection = bringup.SELECTIONS[0]  # how a store is selected
        self._blind_stores: set[str] = set()
        self._selectable: set[str] = set()
        self._has_listed = False
        self._scanned: set[str] = set()
        self._hidden: dict[str, int] = {}
        self._looked_mono_s: dict[str, float] = {}
        self._look_from: dict[str, int] = {}
        self._on_status, self._heard, self._is_loop, self._unreadable = on_status, heard, is_loop, unreadable
        self._told_of = Batch()

    def sweep(self, port: Port, memories: list[str], profile: Profile = PLAIN) -> int:
        """Take everything out of the modem's stores; how many messages. Raises the port's errors."""
        return sum(self._sweep_store(port, memory, profile) for memory in memories)

    def _sweep_store(self, port: Port, memory: str, profile: Profile = PLAIN) -> int:
        if not self._select(port, memory):
            return 0
        found = self._read(port, memory, profile)
        if self._has_listed and memory not in self._scanned:
            found = found + self._unlisted(port, memory, found)
        if not found:
            return 0
        self.commit(memory, found)
        # What is committed may be forgotten by the modem; a crash from here on is met by is_committed.
        deleted = [(memory, one.index) for one in found if self._delete(port, one)]
        if deleted:
            self._journal.append_all([], lambda _connection: self._ledger.deleted(deleted))
        return len(found)

    def _select(self, port: Port, memory: str) -> bool:
        """Have a store be the one that is read; False if the modem refuses, as some do one for good.

        One that could be had before, or any while none could, is blind then: what lies there is not seen.
        """
        if not memory:
            return True
        # Until one has been accepted it may want to be asked in another way.
        for selection in (self.selection, *(() if self._selectable else bringup.SELECTIONS)):
            try:
                told = at.slots(port.command(selection.format(memory)))
                if told is None and memory in self.slots:
                    port.settle()  # that was the answer to something else, and so would be those that follow
                    told = at.slots(port.command(selection.format(memory)))
            except Refused as error:
                if at.is_unknown(error.code):
                    continue
                break
            self.selection = selection
            if not self._selectable:
                self._blind_stores.clear()  # the others are none of this modem's
            self._selectable.add(memory)
            if told is not None:
                self.slots[memory] = told
            return True
        if memory in self._selectable or not self._selectable:
            self._blind_stores.add(memory)
        return False

    def _read(self, port: Port, memory: str, profile: Profile) -> list[at.Stored]:
        """What lies in the store that is selected. A damaged reading is read again, never deleted on."""
        noise_before = port.noise
        try:
            if memory in self._scanned:
                return self._scan(port, memory)
            listed = port.command("AT+CMGL=4", profile.limits.list_s, quiet_s=profile.limits.answer_s)
        except NoAnswer:
            if not profile.has("list_hangs"):
                raise
            log.warning("modem gave no listing; reading its slots one by one memory=%s", memory)
            self._scanned.add(memory)
            return self._scan(port, memory)
        except Refused as error:
            return self._without_listing(port, memory, error)
        self._listed(memory)
        if at.in_text_mode(listed):
            log.warning("modem lists in text mode; it has restarted without a word memory=%s", memory)
            port.command("AT+CMGF=0")
            listed = port.command("AT+CMGL=4", profile.limits.list_s, quiet_s=profile.limits.answer_s)
        found, noisy = at.stored(listed), port.noise != noise_before
        doubtful = [one for one in found if noisy or not one.whole]
        if not doubtful:
            return found
        again = [self._read_slot(port, one.index) for one in doubtful]
        return [one for one in found if one not in doubtful] + [one for one in again if one is not None]

    def _without_listing(self, port: Port, memory: str, error: Refused) -> list[at.Stored]:
        """What can be had of a modem that refuses AT+CMGL=4. Raises the refusal if it has listed before."""
        if error.code == at.NOTHING_LISTED:
            self._listed(memory)
            return []
        if self._has_listed or not at.is_unknown(error.code):
            raise error
        found = self._scan(port, memory)
        used, _total = self.slots.get(memory, (1, 0))
        (self._blind_stores.add if len(found) < used else self._blind_stores.discard)(memory)
        return found

    @property
    def is_blind(self) -> bool:
        """Whether the modem has no way to give the messages of a store."""
        return bool(self._blind_stores)

    def _listed(self, memory: str) -> None:
        self._has_listed = True
        self._blind_stores.discard(memory)

    @property
    def hidden(self) -> int:
        """Messages that stores count, and neither list nor give."""
        return sum(self._hidden.values())

    def _unlisted(self, port: Port, memory: str, listed: list[at.Stored]) -> list[at.Stored]:
        """What a store counts and does not list, slot by slot; seldom, as each slot is a command."""
        used, total = self.slots.get(memory, (0, 0))
        known, now_s, found = {one.index for one in listed}, self._clock.mono_s(), list[at.Stored]()
        if used <= len(known):
            self._hidden.pop(memory, None)
            return []
        if now_s - self._looked_mono_s.get(memory, float("-inf")) < LOOK_AGAIN_S:
            return []
        self._looked_mono_s[memory] = now_s
        port.settle()  # the listing may have been ended by an OK that was not its own, and comes yet
        begin = self._look_from.pop(memory, 0)
        for index in (*range(begin, total + 1), *range(begin)):
            if len(known) + len(found) >= used:
                break
            if self._clock.mono_s() - now_s > LOOK_MOST_S:
                self._look_from[memory] = index  # the next look goes on here
                break
            if index not in known and (one := self._read_slot(port, index)) is not None:
                found.append(one)
        self._hidden[memory] = used - len(known) - len(found)
        text = "modem counts more messages than it lists memory=%s used=%d listed=%d read=%d"
        log.warning(text, memory, used, len(known), len(found))
        return found

    def _scan(self, port: Port, memory: str) -> list[at.Stored]:
        """Every slot by itself (Huawei, gammu issue 4), until as many are found as the store has used."""
        used, total = self.slots.get(memory, (0, 0))
        found: list[at.Stored] = []
        for index in range(total + 1):  # some count from 0
            if len(found) >= used:
                break
            one = self._read_slot(port, index)
            found += [] if one is None else [one]
        return found

    def _read_slot(self, port: Port, index: int) -> at.Stored | None:
        """One slot; None if it is empty, or if no two readings agree.

        An answer to +CMGR does not name its slot: after an OK out of nowhere each is that of the slot before,
        and what lies in this one would be deleted unread. Two readings that agree are of this slot.
        """
        seen: list[str] = []
        for _ in range(READINGS_MOST):
            try:
                read = at.read_message(port.command(f"AT+CMGR={index}"))
            except Refused:
                return None
            if read is None:
                return None
            octets, whole = read
            seen.append(octets)
            if seen.count(octets) >= SAME_READINGS:
                return at.Stored(index, octets, whole)
        log.warning("sms is read differently each time; left on the modem slot=%d", index)
        return None

    def commit(self, memory: str, found: list[at.Stored]) -> None:
        """Commit raw PDUs and the reports they make in one transaction; returns when both are durable."""
        self._commit(memory, found)
        self.hand_on()

    def take_direct(self, one: at.Direct) -> None:
        """Commit what the modem handed over without storing it, and the report it makes; durable on return.

        May be called in the middle of another command's answer, even of the one that sends a text: what it
        says of texts of ours waits for `hand_on`.
        """
        self._commit(one.memory, [at.Stored(0, one.pdu)])

    def hand_on(self) -> None:
        """Tell what has been committed of texts of ours, and which status reports nobody can read.

        What is told raises when the disk is full; that one and the rest are told the next time.
        """
        told = self._told_of
        while told.reports:
            self._on_status(told.reports[0])
            del told.reports[0]
        while told.unreadable:
            self._unreadable(told.unreadable[0])
            del told.unreadable[0]

    def _commit(self, memory: str, found: list[at.Stored]) -> None:
        batch = Batch()
        now_wall_ns = self._clock.wall_ns()

        def write(_connection: sqlite3.Connection) -> None:
            for one in found:
                if not self._ledger.is_committed(memory, one.index, one.pdu):
                    self._take(batch, memory, one, now_wall_ns)

        self._journal.append_made(write, batch.records)
        self._told_of.reports += batch.reports
        self._told_of.unreadable += batch.unreadable

    def freed(self, memory: str, slot: int) -> None:
        """Note that a slot of the modem is free again."""
        self._journal.append_all([], lambda _connection: self._ledger.deleted([(memory, slot)]))

    def _take(self, batch: Batch, memory: str, one: at.Stored, now_wall_ns: int) -> None:
        if memory == "CBM":  # a broadcast to everybody in the cell: kept, and no citizen's report
            self._keep(memory, one, Piece(0, "", one.pdu, None), "", now_wall_ns)
            return
        if (copied := self._ledger.copied(memory, one.pdu, now_wall_ns - COPY_WITHIN_NS)) is not None:
            report_id, piece = copied
            self._keep(memory, one, piece, report_id, now_wall_ns)
            return
        if (lines := at.lines_of(one.pdu)) is not None:
            self._take_lines(batch, memory, one, lines, now_wall_ns)
            return
        try:
            message = pdu.decode(one.pdu)
        except pdu.BadPdu as error:
            self._take_unreadable(batch, memory, one, error, now_wall_ns)
            return
        if isinstance(message, pdu.StatusReport):
            # Kept as it came: one wrong bit makes a citizen's message look like this.
            self._keep(memory, one, Piece(0, "", one.pdu, message.sent_at), "", now_wall_ns)
            batch.reports.append(message)
            return
        self._take_message(batch, memory, one, message, now_wall_ns)

    def _take_unreadable(
        self, batch: Batch, memory: str, one: at.Stored, error: pdu.BadPdu, now_wall_ns: int
    ) -> None:
        """Shown to an operator; what came as a status report is no citizen's, and is kept and told."""
        log.warning("sms not readable memory=%s slot=%d cause=%s", memory, one.index, error)
        if memory == "CDS":
            self._keep(memory, one, Piece(0, "", one.pdu, None), "", now_wall_ns)
            batch.unreadable.append(str(error))
            return
        report_id = self._new_id()
        self._keep(memory, one, Piece(1, "", one.pdu, None), report_id, now_wall_ns)
        made = assembly.undecodable(report_id, self._modem, one.pdu, error)
        batch.records.append((wire.KIND, made, "urgent"))

    def _take_lines(
        self, batch: Batch, memory: str, one: at.Stored, lines: tuple[str, str], now_wall_ns: int
    ) -> None:
        """What did not come as octets: the modem was in text mode, or the second line was lost."""
        if memory == "CDS":
            self._take_unreadable(batch, memory, one, pdu.BadPdu("came in text mode"), now_wall_ns)
            return
        report_id = self._new_id()
        made = assembly.in_text_mode(report_id, self._modem, one.pdu, *lines)
        self._keep(memory, one, Piece(1, lines[1], one.pdu, None), report_id, now_wall_ns)
        batch.records.append((wire.KIND, made, "urgent"))
        if made.sms is not None and made.sms.undecodable is None:
            self._heard(made, batch.records)

    def _keep(self, memory: str, one: at.Stored, piece: Piece, report_id: str, now_wall_ns: int) -> None:
        on_modem = memory not in DIRECT
        self._ledger.add_pdu(memory, one.index, piece, report_id, now_wall_ns, on_modem=on_modem)

    def _take_message(
        self, batch: Batch, memory: str, one: at.Stored, message: pdu.Deliver, now_wall_ns: int
    ) -> None:
        if message.part is None and self._is_loop(message.sender, message.text):
            self._keep(memory, one, Piece(0, "", one.pdu, message.sent_at), "", now_wall_ns)
            return
        key = assembly.key(message)
        number, total = (message.part.number, message.part.total) if key and message.part else (1, 1)
        known = self._ledger.message(key, now_wall_ns)
        pieces = self._ledger.pieces(known.report_id) if known else []
        if known and any(assembly.is_another(piece, number, message, pieces, total) for piece in pieces):
            known, pieces = None, []
        progress = (
            replace(known, revision=known.revision + 1)
            if known
            else Message(self._new_id(), total, 1, now_wall_ns)
        )
        piece = Piece(number, message.text, one.pdu, message.sent_at, message)
        self._keep(memory, one, piece, progress.report_id, now_wall_ns)
        if any(old.number == number for old in pieces):
            return  # a part that came twice adds nothing
        self._ledger.set_message(progress, key)
        told = self._told(progress, [*pieces, piece], now_wall_ns)
        batch.records.append((wire.KIND, told, "urgent"))
        self._heard(told, batch.records)
        log.info(
            "sms accepted report=%s from=%s part=%d/%d len=%d",
            progress.report_id,
            mask_number(message.sender),
            number,
            total,
            len(message.text),
        )

    def _told(self, progress: Message, pieces: list[Piece], now_wall_ns: int) -> Report:
        """The report of a message, and what is to be waited for. Belongs inside a transaction."""
        overdue = assembly.is_overdue(progress.first_wall_ns, now_wall_ns)
        missing = len({piece.number for piece in pieces}) < progress.total
        self._ledger.wait_for(progress, more=missing and not overdue)
        message = next(piece.message for piece in pieces if piece.message is not None)
        return assembly.report(
            progress.report_id,
            progress.revision,
            self._modem,
            message,
            pieces,
            progress.total,
            overdue=overdue,
        )

    def give_up_missing(self) -> int:
        """Revise the reports whose missing parts did not come in time; how many. They may still come."""
        now_wall_ns = self._clock.wall_ns()
        late = self._ledger.overdue(now_wall_ns)
        records: list[tuple[str, Struct, Lane]] = []

        def write(_connection: sqlite3.Connection) -> None:
            for message in late:
                progress = replace(message, revision=message.revision + 1)
                self._ledger.set_message(progress)
                told = self._told(progress, self._ledger.pieces(message.report_id), now_wall_ns)
                records.append((wire.KIND, told, "urgent"))

        if late:
            self._journal.append_made(write, records)
            log.warning("sms parts did not come reports=%s", ",".join(one.report_id for one in late))
        return len(late)

    def _delete(self, port: Port, one: at.Stored) -> bool:
        try:
            port.command(f"AT+CMGD={one.index}")
        except Refused as error:
            log.warning("sms not deleted slot=%d cause=%s", one.index, error)
            return False
        return True
