"""Renews the node's certificate while a month is left, or as soon as it can when it expired in storage."""

import contextlib
import logging
import queue
from datetime import UTC, datetime

from siaga_core.service.clock import Clock
from siaga_core.service.workers import Heartbeat, Stop
from siaga_core.wire.health import ServiceState
from siaga_edge import enrolment
from siaga_edge.enrolment import ClaimFailed
from siaga_edge.node import NodeConfig

log = logging.getLogger(__name__)

EVERY_S = 3600.0
# After a failure, sooner: an expired certificate keeps every record on the node.
AGAIN_S = 60.0
_POLL_S = 10.0


class Renewal:
    """The worker; `look` is one round."""

    def __init__(self, config: NodeConfig, clock: Clock, notices: queue.Queue[ServiceState]) -> None:
        self._config, self._clock, self._notices = config, clock, notices

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """For the Supervisor: look every hour until asked to stop."""
        next_mono_s = self._clock.mono_s()
        while not stop.wait(min(_POLL_S, max(0.0, next_mono_s - self._clock.mono_s()))):
            heartbeat.beat()
            if self._clock.mono_s() < next_mono_s:
                continue
            next_mono_s = self._clock.mono_s() + (EVERY_S if self.look() else AGAIN_S)

    def look(self) -> bool:
        """Renew if it is due by the hub's clock; False when that did not work and should be tried soon."""
        try:
            now = datetime.fromtimestamp(enrolment.hub_wall_ns(self._config) / 1e9, UTC)
            if not enrolment.renewal_due(self._config, now):
                return True
            until = enrolment.renew(self._config)
        except (ClaimFailed, OSError, ValueError) as error:
            log.info("certificate not looked at cause=%s", error)
            return False
        log.info("certificate renewed until=%s", until)
        with contextlib.suppress(queue.Full):
            state = ServiceState(service="uplink", level="ok", code="uplink.renewed", detail=f"until {until}")
            self._notices.put_nowait(state)
        return True
