"""Texts to citizens and field teams: queued durably, sent one by one, followed to the last word."""

import logging
import sqlite3

from siaga_core.service.clock import Clock
from siaga_core.service.logs import mask_number
from siaga_core.wire import outbound as wire
from siaga_core.wire.command import Command, OutcomeState, SendSms
from siaga_core.wire.outbound import SmsState, State
from siaga_edge.inbox import Inbox
from siaga_edge.journal import Journal
from siaga_edge.modem import pdu
from siaga_edge.modem.ledger import Ledger, Outgoing
from siaga_edge.modem.number import to_e164
from siaga_edge.modem.port import NoAnswer, Port, PortGone, Refused

log = logging.getLogger(__name__)

# A network may take this long to accept a text (3GPP TS 27.005 gives no bound; operators' timers are 60 s).
SEND_LIMIT_S = 60.0
TRIES_MOST = 3
TRY_AGAIN_NS = 30 * 10**9
# Status reports later than this are not ours any more: references come round after 256 texts.
REPORT_WITHIN_NS = 24 * 3600 * 10**9
AGAIN = "(ulang) "


class Outbound:
    """The sending side. Used by the thread that owns port and journal."""

    def __init__(self, journal: Journal, inbox: Inbox, clock: Clock) -> None:
        self._journal, self._inbox, self._clock = journal, inbox, clock
        self._ledger = Ledger(journal.connection)
        self._reference = 0

    def recover(self) -> None:
        """Settle what was being sent when the service died: alerts go again, marked; courtesies never do."""
        for text in self._ledger.interrupted():
            if text.at_least_once:
                self._note(text, "queued", tries=1)
            else:
                self._finish(text, "UNKNOWN", "the node was interrupted while sending; it may have left")

    def take_orders(self) -> None:
        """Commit texts the hub has asked for to the queue."""
        for order in self._inbox.waiting(self._clock.wall_ns()):
            if isinstance(order.order, SendSms):
                self._take(order, order.order)
            else:
                self._inbox.finish(order, "failed", f"a modem does not know {type(order.order).__name__}")

    def send_next(self, port: Port) -> bool:
        """Send the next text; False if nothing waits. Raises NoAnswer and PortGone after noting it."""
        text = self._ledger.next_outgoing(self._clock.wall_ns())
        if text is None:
            return False
        self._note(text, "sending", tries=text.tries)
        self._reference = self._reference % 255 + 1
        try:
            words = (AGAIN if text.tries else "") + text.text
            parts = pdu.encode(text.recipient, words, self._reference)
            references = [port.send(part.length, part.pdu, SEND_LIMIT_S) for part in parts]
        except (Refused, pdu.BadPdu) as error:
            self._failed(text, str(error))
        except (NoAnswer, PortGone) as error:
            self._unsure(text, str(error))
            raise
        else:
            self._sent(text, references)
        return True

    def status(self, report: pdu.StatusReport) -> None:
        """Note what the network says became of a part. A stranger's report changes nothing."""
        since_wall_ns = self._clock.wall_ns() - REPORT_WITHIN_NS
        recipient = to_e164(report.recipient) or report.recipient
        for text, number in self._ledger.find_part(report.reference, since_wall_ns):
            if (to_e164(text.recipient) or text.recipient) == recipient:
                if report.outcome != "PENDING":
                    self._part_over(text, number, report)
                return

    def _take(self, order: Command, sms: SendSms) -> None:
        text = Outgoing(order.id, sms.to, sms.text, sms.at_least_once, 0)
        now_wall_ns = self._clock.wall_ns()

        def write(_connection: sqlite3.Connection) -> None:
            self._ledger.queue(text, now_wall_ns)

        self._inbox.begin(
            order, [(wire.KIND, SmsState(message_id=order.id, state="QUEUED"), "urgent")], write
        )

    def _sent(self, text: Outgoing, references: list[int]) -> None:
        state = SmsState(message_id=text.id, state="SENT", parts_total=len(references))

        def write(_connection: sqlite3.Connection) -> None:
            self._ledger.set_outgoing(text.id, "sent", tries=text.tries)
            for number, reference in enumerate(references, 1):
                self._ledger.add_part(text.id, number, reference)

        self._inbox.finish(text.id, "done", records=[(wire.KIND, state, "urgent")], also=write)
        log.info("sms sent id=%s to=%s parts=%d", text.id, mask_number(text.recipient), len(references))

    def _part_over(self, text: Outgoing, number: int, report: pdu.StatusReport) -> None:
        states: list[str] = []
        records: list[tuple[str, SmsState, str]] = []

        def write(_connection: sqlite3.Connection) -> None:
            states.extend(self._ledger.set_part(text.id, number, report.outcome))
            done = states.count("DELIVERED")
            state: State | None = None
            if "FAILED" in states:
                state = "FAILED"
            elif done == len(states):
                state = "DELIVERED"
            if state is not None:
                detail = "" if state == "DELIVERED" else f"the network gave up (status {report.status:#04x})"
                body = SmsState(
                    message_id=text.id, state=state, detail=detail, parts_total=len(states), parts_done=done
                )
                records.append((wire.KIND, body, "urgent"))

        self._journal.append_made(write, records)  # type: ignore[arg-type]

    def _failed(self, text: Outgoing, why: str) -> None:
        if text.at_least_once and text.tries + 1 < TRIES_MOST:
            self._later(text)
            return
        self._finish(text, "FAILED", why)

    def _unsure(self, text: Outgoing, why: str) -> None:
        if text.at_least_once and text.tries + 1 < TRIES_MOST:
            self._later(text)
            return
        self._finish(text, "UNKNOWN", why)

    def _later(self, text: Outgoing) -> None:
        self._note(text, "queued", tries=text.tries + 1, again_wall_ns=self._clock.wall_ns() + TRY_AGAIN_NS)

    def _note(self, text: Outgoing, state: str, *, tries: int, again_wall_ns: int = 0) -> None:
        def write(_connection: sqlite3.Connection) -> None:
            self._ledger.set_outgoing(text.id, state, tries=tries, not_before_wall_ns=again_wall_ns)

        self._journal.append_all([], write)

    def _finish(self, text: Outgoing, state: State, why: str) -> None:
        log.warning("sms not sent id=%s state=%s cause=%s", text.id, state, why)
        body = SmsState(message_id=text.id, state=state, detail=why)

        def write(_connection: sqlite3.Connection) -> None:
            self._ledger.set_outgoing(text.id, state.lower(), tries=text.tries)

        outcome: OutcomeState = "failed" if state == "FAILED" else "done"
        self._inbox.finish(text.id, outcome, why, records=[(wire.KIND, body, "urgent")], also=write)
