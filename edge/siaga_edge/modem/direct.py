"""Messages that a modem hands over without storing them: safe before anything else is done, then confirmed.

A class 0 message (it flashes on a phone's screen) comes so on many modems whatever AT+CNMI says, everything
does on one that has forgotten its settings, and status reports are asked for in this way. It is said once.
"""

import contextlib
import logging
import sqlite3
from collections.abc import Callable

from siaga_edge.modem import at, pdu, vitals
from siaga_edge.modem.intake import Intake
from siaga_edge.modem.port import Port, Refused
from siaga_edge.modem.retention import is_full

log = logging.getLogger(__name__)


class DirectDelivery:
    """Used by the thread that owns port and journal."""

    def __init__(self, intake: Intake, make_way: Callable[[], bool] = lambda: False) -> None:
        """`make_way`: after a commit that found the disk full, whether there may be room now."""
        self._intake, self._make_way = intake, make_way
        self._confirms, self._unconfirmed = False, 0

    def hear(self, event: at.Event) -> bool:
        """Commit what an event hands over; False if it hands nothing over. Sends nothing to the modem."""
        one = at.direct(event)
        if one is None or (not event.line.startswith(at.DIRECT) and not _is_message(one)):
            return False
        while not self._taken(one):
            log.warning("the disk was full when a message was handed over; older raw messages gave way")
        self._unconfirmed += one.memory != "CBM"
        return True

    def _taken(self, one: at.Direct) -> bool:
        try:
            self._intake.take_direct(one)
        except sqlite3.OperationalError as error:
            if not is_full(error) or not self._make_way():
                raise
            return False
        return True

    def ask(self, port: Port) -> None:
        """Find out whether the modem wants confirmations; a start may change it. Raises the port's errors."""
        try:
            self._confirms = at.confirms(port.command("AT+CSMS?"))
        except Refused:
            self._confirms = False

    def tend(self, port: Port) -> None:
        """Pass on what reports say of texts of ours, and confirm what has been committed.

        Unconfirmed, the modem hands over nothing more, and the network brings it again (27.005 §3.4.4).
        Raises the port's errors.
        """
        self._intake.hand_on()
        while self._unconfirmed:
            self._unconfirmed -= 1
            if self._confirms:
                with contextlib.suppress(Refused):  # too late: it comes again
                    port.command("AT+CNMA")


class DeliveryReports:
    """What the network says of texts of ours, and that some of it cannot be read."""

    def __init__(
        self, came: Callable[[pdu.StatusReport], None], tell: Callable[[vitals.Verdict], None]
    ) -> None:
        self._came, self._tell, self._unread = came, tell, 0

    def came(self, report: pdu.StatusReport) -> None:
        """One that can be read."""
        self._came(report)
        self._tell(vitals.Verdict("modem.report", "ok"))

    def unreadable(self, why: str) -> None:
        """One that nobody can read: it is kept, and texts that it may be about stay uncertain."""
        self._unread += 1
        detail = f"{self._unread} delivery reports could not be read: {why}"
        self._tell(vitals.Verdict("modem.report", "warn", detail))


def _is_message(one: at.Direct) -> bool:
    """Whether octets without an announcement are a message: a modem with its echo on repeats what we send."""
    try:
        pdu.decode(one.pdu)
    except pdu.BadPdu:
        return False
    return True
