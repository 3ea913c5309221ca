"""Messages that a modem hands over without storing them: safe before anything else is done, then confirmed.

A class 0 message (it flashes on a phone's screen) comes so on many modems whatever AT+CNMI says, everything
does on one that has forgotten its settings, and status reports are asked for in this way. It is said once.
"""

import contextlib
from collections.abc import Callable
from functools import partial

from siaga_edge.modem import at, pdu, vitals
from siaga_edge.modem.intake import Intake
from siaga_edge.modem.port import Port, Refused

WithRoom = Callable[[Callable[[], None]], None]


class DirectDelivery:
    """Used by the thread that owns port and journal."""

    def __init__(self, intake: Intake, with_room: WithRoom = lambda commit: commit()) -> None:
        """`with_room` does a commit, and again when the disk was full and there is room now."""
        self._intake, self._with_room = intake, with_room
        self._confirms, self._unconfirmed = False, 0

    def hear(self, event: at.Event) -> bool:
        """Commit what an event hands over; False if it hands nothing over. Sends nothing to the modem."""
        one = at.direct(event)
        if one is None or (not event.line.startswith(at.DIRECT) and not _is_message(one)):
            return False
        self._with_room(partial(self._intake.take_direct, one))
        self._unconfirmed += one.memory != "CBM"
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
