"""One part of a text to the network, with learned patience; and its word when that comes late."""

import logging
from dataclasses import dataclass

from siaga_core.service.clock import Clock
from siaga_edge.modem import at, patience, pdu
from siaga_edge.modem.patience import TABLE, Event, Patience
from siaga_edge.modem.port import Hung, NoWord, Port, Refused
from siaga_edge.modem.profile import Limits

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Open:
    """A part of which the network's word may still come."""

    until_mono_s: float
    hung: bool
    reference: int | None = None


class Sender:
    """All that goes out by one modem goes through here, one part at a time. Used by the port's owner.

    While a word may still come nothing else is sent: a reference does not say whose it is.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: _Open | None = None
        # Somebody still has to hear of the last part's word: nobody else may begin a part of his own.
        self.is_kept = False
        self.patience, self.table = Patience(), TABLE
        self._restarted = False

    def send(self, port: Port, part: pdu.Submit, limits: Limits) -> int:
        """Hand a part over; its message reference. Raises Refused, BadAnswer, NoWord, NoAnswer, PortGone.

        After NoWord and Hung the word may still come: see `waits` and `late`.
        """
        self._open, self._restarted, begun_s = None, False, self._clock.mono_s()
        limit_s = patience.limit_s(self.patience, limits)
        until_s = begun_s + limits.send_most_s
        try:
            reference = port.send(part.length, part.pdu, limit_s)
        except NoWord as error:
            if not self._restarted:
                self._learn("unsaid")
            self._open = _Open(until_s, hung=False) if error.may_come else None
            raise
        except Hung:
            self._learn("hung")
            self._open = _Open(until_s, hung=True)
            raise
        except Refused:
            if self._clock.mono_s() - begun_s > limits.send_s:
                self._learn("slow")  # a quick refusal need not have asked the network
            raise
        self._learn("slow" if self._clock.mono_s() - begun_s > limits.send_s else "fast")
        return reference

    def hear(self, line: str) -> bool:
        """Take a reference that comes outside a send: it is the last part's. False for any other line."""
        if not line.startswith(at.REFERENCE):
            return False
        try:
            reference = at.sent_reference([line])
        except at.BadAnswer:
            return True
        if self.waits:
            assert self._open is not None
            self._open.reference = reference
            self._learn("slow")
        return True

    def restarted(self) -> None:
        """The modem has started anew: what it leaves unsaid now tells nothing about the network."""
        self._restarted = True

    def answers(self) -> None:
        """The modem does what it is told again: what it did not say while it hung it will not say now.

        It carries commands out one after the other, so its word on the text would have come before.
        """
        if self._open is not None and self._open.hung and self._open.reference is None:
            self._open = None

    @property
    def waits(self) -> bool:
        """Whether a word may still come."""
        one = self._open
        return one is not None and one.reference is None and self._clock.mono_s() < one.until_mono_s

    def late(self) -> int | None:
        """The reference of the last part, if it has come late."""
        return None if self._open is None else self._open.reference

    def _learn(self, event: Event) -> None:
        before, self.patience = self.patience, patience.learn(self.patience, event, self.table)
        if before.mode != self.patience.mode:
            log.info(
                "patience with the network was=%s is=%s after=%s", before.mode, self.patience.mode, event
            )
