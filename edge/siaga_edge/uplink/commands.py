"""Taking a command: committed to the inbox, journaled as received, the service woken; in that order."""

import logging
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Literal

from siaga_core.service.clock import Clock
from siaga_core.service.database import open_reader
from siaga_core.service.logs import mask_number
from siaga_core.wire import command, health, want
from siaga_core.wire.command import Command, Outcome, OutcomeState, decode_command
from siaga_core.wire.envelope import BadRecord
from siaga_core.wire.health import ServiceState
from siaga_core.wire.ids import NodeId
from siaga_core.wire.want import Want, WantState
from siaga_edge.inbox import InboxWriter
from siaga_edge.journal import Journal

log = logging.getLogger(__name__)

# A stream of nonsense must not fill the urgent lane: one record says how many there were.
_REPORT_BAD_EVERY_S = 60.0
# Past this a command is gone from the hub too, and need not be known again.
_KEEP_MS = 30 * 86_400_000


class CommandTaker:
    """Takes what arrives on the command topic. When `take` returns, it may be confirmed to the broker."""

    def __init__(
        self,
        node: NodeId,
        services: Collection[str],
        inbox_file: Path,
        journal: Journal,
        wake: Callable[[str], object],
        clock: Clock,
    ) -> None:
        """`services` are those that this node runs and that take commands."""
        self._node, self._services = node, services
        self.inbox, self._inbox_file = InboxWriter(inbox_file), inbox_file
        self._journal, self._wake, self._clock = journal, wake, clock
        if self.inbox.damaged is not None:
            journal.note_damage("uplink", self.inbox.damaged, "orders that were not confirmed come again")
        self.bad = 0
        self._bad_reported_s = float("-inf")

    def take(self, payload: bytes) -> None:
        """Take one command; whatever it is, its outcome is in the journal afterwards."""
        try:
            order = decode_command(payload)
        except BadRecord as error:
            self._refuse(f"{len(payload)} bytes: {error}")
            return
        if order.node != self._node:
            self._refuse(f"command {order.id} is meant for {order.node}")
        elif order.service not in self._services:
            self._note(order, "failed", f"this node runs no {order.service}")
        elif order.expires_ms * 1_000_000 <= self._clock.wall_ns() and not self._known(order):
            self._note(order, "expired", "it reached the node too late")
        else:
            self._accept(order)

    def want(self, wish: Want) -> None:
        """Take a desired state; one that is not newer than what is known changes nothing."""
        if wish.node != self._node:
            self._refuse(f"desired state {wish.name} is meant for {wish.node}")
        elif wish.service not in self._services:
            self._note_want(wish, "refused", f"this node runs no {wish.service}")
        elif self.inbox.put_want(wish):
            self._note_want(wish, "taken")
            self._wake(wish.service)

    def forget_old(self) -> None:
        """Drop commands that expired long ago."""
        self.inbox.forget(self._clock.wall_ns() // 1_000_000 - _KEEP_MS)

    def close(self) -> None:
        """Let another writer in."""
        self.inbox.close()

    def _accept(self, order: Command) -> None:
        fresh = self.inbox.put(order)
        self._note(order, "received")
        if fresh:
            self._wake(order.service)

    def _note(self, order: Command, state: OutcomeState, detail: str = "") -> None:
        self._journal.append(command.KIND, Outcome(id=order.id, state=state, detail=detail))
        log.info(
            "command id=%s service=%s state=%s to=%s",
            order.id,
            order.service,
            state,
            mask_number(getattr(order.order, "to", None)),
        )

    def _note_want(self, wish: Want, state: Literal["taken", "refused"], detail: str = "") -> None:
        noted = WantState(name=wish.name, version=wish.version, state=state, detail=detail)
        self._journal.append(want.KIND, noted)
        log.info("desired state name=%s version=%d state=%s", wish.name, wish.version, state)

    def _known(self, order: Command) -> bool:
        reader = open_reader(self._inbox_file)
        try:
            return reader.execute("SELECT 1 FROM command WHERE id = ?", (order.id,)).fetchone() is not None
        finally:
            reader.close()

    def _refuse(self, why: str) -> None:
        self.bad += 1
        log.warning("command not understood count=%d cause=%s", self.bad, why)
        if self._clock.mono_s() - self._bad_reported_s < _REPORT_BAD_EVERY_S:
            return
        self._bad_reported_s = self._clock.mono_s()
        state = ServiceState(
            service="uplink", level="warn", code="uplink.badcommand", detail=f"{self.bad} so far; {why}"[:400]
        )
        self._journal.append(health.SERVICE_KIND, state)
