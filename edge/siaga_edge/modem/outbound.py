"""Texts to citizens and field teams: queued durably, sent part by part, followed to the last word."""

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from msgspec import Struct

from siaga_core.service.clock import Clock
from siaga_core.service.logs import mask_number
from siaga_core.wire import outbound as wire
from siaga_core.wire.command import Command, OutcomeState, SendSms
from siaga_core.wire.envelope import Lane
from siaga_core.wire.outbound import SmsState, State
from siaga_edge.inbox import Inbox, wake
from siaga_edge.journal import Journal
from siaga_edge.modem import at, fate, pdu
from siaga_edge.modem.fate import PartState
from siaga_edge.modem.ledger import Ledger, Outgoing, SentPart
from siaga_edge.modem.number import to_e164
from siaga_edge.modem.port import Hung, NoAnswer, NoWord, Port, PortGone, Refused
from siaga_edge.modem.profile import Limits
from siaga_edge.modem.relay import Left, found, is_untaken, leave, take_back, withdraw
from siaga_edge.modem.sending import Sender
from siaga_edge.node import NodeConfig

log = logging.getLogger(__name__)

TRIES_MOST = 3
TRY_AGAIN_NS = 30 * 10**9
# A modem that works takes what was left for it within seconds, one that is put right within 90 s.
LEFT_MOST_NS = 120 * 10**9
# Status reports later than this are not ours any more: references come round after 256 texts.
REPORT_WITHIN_NS = 24 * 3600 * 10**9
AGAIN = "(ulang) "
Last = Literal["FAILED", "UNKNOWN"]
_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Other:
    """The node's other modem: where texts are left for it, and how it is woken."""

    folder: Path
    wake: Callable[[], object]


def other_modem(config: NodeConfig, service: str) -> Other | None:
    """Where `service` leaves texts; None on a node with one modem."""
    if config.modem is None or config.modemb is None:
        return None
    name = "modemb" if service == "modem" else "modem"
    return Other(config.relay_dir(name), partial(wake, config.socket_file(name)))


class Outbound:
    """The sending side. Used by the thread that owns port and journal."""

    def __init__(
        self,
        journal: Journal,
        inbox: Inbox,
        clock: Clock,
        sender: Sender | None = None,
        other: Other | None = None,
    ) -> None:
        """`sender`: all that goes out by this modem goes through it; `other`: None on a node with one."""
        self._journal, self._inbox, self._clock = journal, inbox, clock
        self._sender, self._other = sender or Sender(clock), other
        self._ledger = Ledger(journal.connection)
        # The text of which the network's word may still come, and why it is in doubt.
        self._awaited: tuple[Outgoing, SentPart, str] | None = None
        self._stuck: set[Path] = set()  # files left by one modem to the other that cannot be removed

    def recover(self) -> None:
        """Settle what was being sent when the service died or the modem went.

        A text between two parts goes on with the next one; of a part under way nobody knows, once its word
        can come no more.
        """
        self._conclude()
        for text in self._ledger.interrupted():
            if self._awaited is None or text.id != self._awaited[0].id:
                self._in_doubt(text, "the node was interrupted while sending; it may have left")

    def take_orders(self) -> None:
        """Commit texts the hub has asked for to the queue."""
        for order in self._inbox.waiting(self._clock.wall_ns()):
            if isinstance(order.order, SendSms):
                self._take(order, order.order)
            else:
                self._inbox.finish(order, "failed", f"a modem does not know {type(order.order).__name__}")

    def send_next(self, port: Port, limits: Limits = _LIMITS) -> bool:
        """Send the next part of the next text; False if nothing waits, or the last one's word may still come.

        Raises NoAnswer and PortGone after noting that nobody knows whether the part left.
        """
        self._sender.answers()
        self._conclude()
        text = None if self._sender.waits else self._ledger.next_outgoing(self._clock.wall_ns())
        if text is None:
            return False
        try:
            part, octets = self._next_part(text)
        except pdu.BadPdu as error:
            self._finish(text, "FAILED", str(error))
            return True
        self._hand_over(port, text, part, octets, limits)
        return True

    def _hand_over(
        self, port: Port, text: Outgoing, part: SentPart, octets: pdu.Submit, limits: Limits
    ) -> None:
        self._note(text, "sending", part, "sending")
        try:
            reference = self._sender.send(port, octets, limits)
        except Refused as error:
            self._refused(text, part, str(error))
        except at.BadAnswer as error:
            self._in_doubt(text, str(error))
        except (NoWord, Hung) as error:
            self._awaited, self._sender.is_kept = (text, part, str(error)), True
            self._conclude()
            if isinstance(error, Hung):
                raise
        except (NoAnswer, PortGone) as error:
            self._in_doubt(text, str(error))
            raise
        else:
            self._accepted(text, part, reference)

    def _conclude(self) -> None:
        """Note the network's late word on a text, or that it can come no more."""
        if self._awaited is None or self._sender.waits:
            return
        (text, part, why), self._awaited, self._sender.is_kept = self._awaited, None, False
        if (reference := self._sender.late()) is not None:
            self._accepted(text, part, reference)
        else:
            self._in_doubt(text, why)

    def status(self, report: pdu.StatusReport) -> None:
        """Note what the network says became of a part. A stranger's report changes nothing."""
        since_wall_ns = self._clock.wall_ns() - REPORT_WITHIN_NS
        recipient = to_e164(report.recipient) or report.recipient
        for part in self._ledger.find_parts(report.reference, since_wall_ns):
            text = self._ledger.outgoing(part.id)
            if text is not None and (to_e164(text.recipient) or text.recipient) == recipient:
                if report.outcome != "PENDING":
                    why = "" if report.outcome == "DELIVERED" else _gave_up(report)
                    self._part_over(part, report.outcome, why)
                return

    def hand_over(self) -> int:
        """Leave every text that may move to the other modem, as this one does not work; how many.

        An alert is left first and let go of here afterwards: a power cut in between sends it twice. A
        courtesy is let go of first, and is then sent once or not at all.
        """
        if self._other is None:
            return 0
        texts = self._ledger.movable()
        for text in texts:
            if text.at_least_once:
                self._leave(text, "this modem does not work")
            else:
                self._journal.append_all([], partial(self._let_go, text.id))
                leave(self._other.folder, _left(text, again=False))
        if texts:
            self._other.wake()
        return len(texts)

    def take_over(self, folder: Path) -> None:
        """Queue what the other modem has left, each once."""
        for path, left in found(folder):
            if self._ledger.outgoing(left.id) is None:
                text = Outgoing(
                    left.id, left.recipient, left.text, left.at_least_once, 0, left.modems, left.again
                )
                self._journal.append_all([], partial(self._queue, text))
            self._removes(path, partial(path.unlink, missing_ok=True))  # queued, it is not queued again

    def take_back(self) -> None:
        """End the wait for the other modem: it has the alert, or it does not work either."""
        for text, until_wall_ns in self._ledger.left():
            if self._other is not None and not is_untaken(self._other.folder, text.id):
                self._settle(text.id, "done", "the other modem has it", [], partial(self._let_go, text.id))
                continue
            if self._clock.wall_ns() < until_wall_ns or not self._withdraws(text.id):
                continue
            newest = {part.state for part in self._ledger.parts(text.id, text.tries)}
            last = fate.of_text(self._ledger.passes(text.id))
            if newest & {"FAILED", "UNKNOWN"} and (last == "FAILED" or last == "UNKNOWN"):
                self._finish(
                    text, last, f"not sent in {TRIES_MOST} tries, and the other modem did not take it"
                )
            else:
                self._note(text, "queued", None, "queued")
            if self._other is not None:
                self._removes(self._other.folder / text.id, partial(take_back, self._other.folder, text.id))

    def _withdraws(self, id: str) -> bool:
        """Whether the other modem cannot take a text any more; while it can, it is not sent here as well."""
        if self._other is None:
            return True
        return self._removes(self._other.folder / id, partial(withdraw, self._other.folder, id))

    def _removes(self, path: Path, remove: Callable[[], None]) -> bool:
        """Whether what one modem left to the other could be removed; that it could not is told once."""
        try:
            remove()
        except OSError as error:
            if path not in self._stuck:
                log.warning("text left to a modem cannot be removed path=%s cause=%s", path, error)
            self._stuck.add(path)
            return False
        self._stuck.discard(path)
        return True

    def _leave(self, text: Outgoing, why: str, part: SentPart | None = None, state: Last = "UNKNOWN") -> None:
        """Leave an alert to the other modem, then let go of it here; `part`, the last one, is `state` now."""
        assert self._other is not None
        parts = self._ledger.parts(text.id, text.tries)
        again = text.may_have_left or any(one.state != "queued" for one in parts)
        leave(self._other.folder, _left(text, again=again))
        due_wall_ns = self._clock.wall_ns() + LEFT_MOST_NS

        def write(_connection: sqlite3.Connection) -> None:
            self._ledger.set_outgoing(text.id, "left", tries=text.tries, not_before_wall_ns=due_wall_ns)
            if part is not None:
                self._ledger.set_part(part, state)

        body = SmsState(message_id=text.id, state="QUEUED", detail=f"left to the other modem: {why}")
        self._journal.append_all([(wire.KIND, body, "urgent")], write)
        log.warning("sms left to the other modem id=%s again=%s cause=%s", text.id, again, why)
        self._other.wake()

    def _let_go(self, id: str, _connection: sqlite3.Connection) -> None:
        self._ledger.set_outgoing(id, "handed over")

    def _queue(self, text: Outgoing, _connection: sqlite3.Connection) -> None:
        self._ledger.queue(text, self._clock.wall_ns())

    def give_up_waiting(self) -> int:
        """Parts of which the network will not report any more are UNKNOWN; how many."""
        late = self._ledger.unreported(self._clock.wall_ns() - REPORT_WITHIN_NS)
        for part in late:
            self._part_over(part, "UNKNOWN", "the network never reported whether it arrived")
        return len(late)

    def _next_part(self, text: Outgoing) -> tuple[SentPart, pdu.Submit]:
        """The first part of this pass that is not handed over yet. Raises BadPdu."""
        words = (AGAIN if text.may_have_left else "") + text.text
        if not (parts := self._ledger.parts(text.id, text.tries)):
            count, now_wall_ns = len(pdu.encode(text.recipient, words, 0)), self._clock.wall_ns()

            def write(_connection: sqlite3.Connection) -> None:
                self._ledger.cut(text.id, text.tries, count, now_wall_ns)

            self._journal.append_all([], write)
            parts = self._ledger.parts(text.id, text.tries)
        octets = pdu.encode(text.recipient, words, parts[0].label)
        waiting = next(part for part in parts if part.state == "queued")
        return waiting, octets[waiting.number - 1]

    def _take(self, order: Command, sms: SendSms) -> None:
        text = Outgoing(order.id, sms.to, sms.text, sms.at_least_once, 0)
        now_wall_ns = self._clock.wall_ns()

        def write(_connection: sqlite3.Connection) -> None:
            self._ledger.queue(text, now_wall_ns)

        self._inbox.begin(
            order, [(wire.KIND, SmsState(message_id=order.id, state="QUEUED"), "urgent")], write
        )

    def _accepted(self, text: Outgoing, part: SentPart, reference: int) -> None:
        parts = self._ledger.parts(text.id, text.tries)
        last = part.number == len(parts)
        state, now_wall_ns = "sent" if last else "queued", self._clock.wall_ns()

        def write(_connection: sqlite3.Connection) -> None:
            self._ledger.set_outgoing(text.id, state, tries=text.tries)
            self._ledger.accepted(part, reference, now_wall_ns)

        if not last:
            self._journal.append_all([], write)
            return
        body = SmsState(message_id=text.id, state="SENT", parts_total=len(parts))
        self._settle(text.id, "done", "", [(wire.KIND, body, "urgent")], write)
        log.info("sms sent id=%s to=%s parts=%d", text.id, mask_number(text.recipient), len(parts))

    def _part_over(self, part: SentPart, state: PartState, why: str) -> None:
        """Note a part's last word; the text's, if it has changed."""
        records: list[tuple[str, SmsState, str]] = []

        def write(_connection: sqlite3.Connection) -> None:
            before = fate.of_text(self._ledger.passes(part.id))
            self._ledger.set_part(part, state)
            passes = self._ledger.passes(part.id)
            if (now := fate.of_text(passes)) != before:
                body = _state(part.id, now, passes, why)
                records.append((wire.KIND, body, "urgent"))

        self._journal.append_made(write, records)  # type: ignore[arg-type]

    def _refused(self, text: Outgoing, part: SentPart, why: str) -> None:
        self._gave_up(text, part, "FAILED", why)

    def _in_doubt(self, text: Outgoing, why: str) -> None:
        parts = self._ledger.parts(text.id, text.tries)
        part = next((part for part in parts if part.state == "sending"), None)
        self._gave_up(text, part, "UNKNOWN", why)

    def _gave_up(self, text: Outgoing, part: SentPart | None, state: Last, why: str) -> None:
        """After a pass that failed an alert goes again as a whole, marked: by this modem, then by the other.

        Parts of a courtesy that have left never do. What has come from the other modem does not go back.
        """
        if text.at_least_once and text.tries + 1 < TRIES_MOST:
            later = replace(text, tries=text.tries + 1)
            self._note(later, "queued", part, state, again_wall_ns=self._clock.wall_ns() + TRY_AGAIN_NS)
        elif text.at_least_once and not text.modems and self._other is not None:
            self._leave(text, f"{why}; the last of {TRIES_MOST} tries", part, state)
        else:
            self._finish(text, state, why, part)

    def _note(
        self,
        text: Outgoing,
        state: str,
        part: SentPart | None,
        part_state: PartState,
        *,
        again_wall_ns: int = 0,
    ) -> None:
        def write(_connection: sqlite3.Connection) -> None:
            self._ledger.set_outgoing(text.id, state, tries=text.tries, not_before_wall_ns=again_wall_ns)
            if part is not None:
                self._ledger.set_part(part, part_state)

        self._journal.append_all([], write)

    def _finish(self, text: Outgoing, state: Last, why: str, part: SentPart | None = None) -> None:
        """The last word of a text that is not sent on; its parts that have left may still be reported."""
        log.warning("sms not sent id=%s state=%s cause=%s", text.id, state, why)
        parts = self._ledger.parts(text.id, text.tries)
        left = sum(one.state in ("SENT", "DELIVERED") for one in parts)
        detail = f"{why} ({left} of {len(parts)} parts had left)" if left else why
        body = _state(text.id, state, self._ledger.passes(text.id), detail)

        def write(_connection: sqlite3.Connection) -> None:
            self._ledger.set_outgoing(text.id, state.lower(), tries=text.tries)
            if part is not None:
                self._ledger.set_part(part, state)

        outcome: OutcomeState = "failed" if state == "FAILED" else "done"
        self._settle(text.id, outcome, why, [(wire.KIND, body, "urgent")], write)

    def _settle(
        self,
        id: str,
        outcome: OutcomeState,
        why: str,
        records: list[tuple[str, Struct, Lane]],
        write: Callable[[sqlite3.Connection], None],
    ) -> None:
        """Commit what became of a text, and of the command that asked for it: the node's own have none."""
        if self._inbox.has_taken(id):
            self._inbox.finish(id, outcome, why, records=records, also=write)
        else:
            self._journal.append_all(records, write)


def _left(text: Outgoing, *, again: bool) -> Left:
    return Left(
        id=text.id,
        recipient=text.recipient,
        text=text.text,
        at_least_once=text.at_least_once,
        modems=text.modems + 1,
        again=again,
    )


def _state(id: str, state: State, passes: list[list[PartState]], why: str) -> SmsState:
    done = max((one.count("DELIVERED") for one in passes), default=0)
    total = len(passes[-1]) if passes else 1
    return SmsState(message_id=id, state=state, detail=why, parts_total=total, parts_done=done)


def _gave_up(report: pdu.StatusReport) -> str:
    return f"the network gave up (status {report.status:#04x})"
