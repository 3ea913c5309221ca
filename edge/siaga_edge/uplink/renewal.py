"""Asks the hub for the time and renews the node's certificate: a month before its end, or after storage."""

import contextlib
import logging
import queue
from datetime import UTC, datetime

from siaga_core.service.clock import Clock, read_boot_id, write_floor
from siaga_core.service.workers import Heartbeat, Stop
from siaga_core.wire.anchor import ClockAnchor
from siaga_core.wire.health import ServiceState
from siaga_edge import enrolment
from siaga_edge.enrolment import ClaimFailed, HubTime
from siaga_edge.node import NodeConfig

log = logging.getLogger(__name__)

EVERY_S = 3600.0
# After a failure, sooner: an expired certificate keeps every record on the node.
AGAIN_S = 60.0
_POLL_S = 10.0
# How far the hub's own clock may be off; its domain/timeline counts on the same for what it receives.
HUB_ERROR_MS = 2000


class Renewal:
    """The worker; `look` is one round."""

    def __init__(
        self,
        config: NodeConfig,
        clock: Clock,
        notices: queue.Queue[ServiceState],
        anchors: "queue.Queue[ClockAnchor] | None" = None,
    ) -> None:
        self._config, self._clock, self._notices = config, clock, notices
        self._anchors: queue.Queue[ClockAnchor] = queue.Queue(8) if anchors is None else anchors

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
            told = enrolment.hub_time(self._config, self._clock)
            self._anchor(told)
            now = datetime.fromtimestamp(told.wall_ns / 1e9, UTC)
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

    def _anchor(self, told: HubTime) -> None:
        """Pass on what the hub said, and from now on believe no wall clock that is behind it."""
        with contextlib.suppress(OSError):
            write_floor(self._config.node.data_dir, told.wall_ns - (HUB_ERROR_MS + 3_600_000) * 10**6)
        with contextlib.suppress(queue.Full):
            self._anchors.put_nowait(anchor_of(told, read_boot_id()))


def anchor_of(told: HubTime, boot_id: str) -> ClockAnchor:
    """Cristian's rule: the hub looked at its clock somewhere between question and answer. Pure."""
    took_ns = told.told_boot_ns - told.asked_boot_ns
    return ClockAnchor(
        boot_id=boot_id,
        boot_ns=told.asked_boot_ns + took_ns // 2,
        utc_ns=told.wall_ns,
        source="hub",
        error_ms=HUB_ERROR_MS + took_ns // 2_000_000 + 1,
    )
