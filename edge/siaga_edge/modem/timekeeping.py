"""Asks the modem for the network's time now and then, and remembers whether it is worth believing."""

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from siaga_core.service.clock import Boot, Clock, kernel_clock_state, read_floor_ns
from siaga_core.service.files import write_atomic
from siaga_core.wire.anchor import ClockAnchor
from siaga_core.wire.envelope import ClockState
from siaga_edge.modem import network_time
from siaga_edge.modem.port import Refused

log = logging.getLogger(__name__)

EVERY_S = 600.0
# After a start the modem has to find its network first.
FIRST_AFTER_S = 60.0


class Asked(Protocol):
    """What is needed of the port."""

    def command(self, command: str) -> list[str]:
        """The answer to an AT command. Raises Refused."""


class NetworkTime:
    """One modem's clock. The verdict on it outlives a restart: `modem-time` in the data folder, yes or no."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        boot: Boot,
        kernel: Callable[[], tuple[ClockState, int | None]] = kernel_clock_state,
    ) -> None:
        self._folder, self._clock, self._boot, self._kernel = folder, clock, boot, kernel
        self._next_mono_s = clock.mono_s() + FIRST_AFTER_S

    def look(self, port: Asked) -> ClockAnchor | None:
        """An anchor, when it is time for one and the modem is believed. Raises what a silent port raises."""
        if self._clock.mono_s() < self._next_mono_s:
            return None
        self._next_mono_s = self._clock.mono_s() + EVERY_S
        asked_ns = self._clock.boot_ns()
        try:
            said_ns = network_time.utc_ns(port.command("AT+CCLK?"))
        except Refused:
            return None
        told_ns = self._clock.boot_ns()
        if said_ns is None or not self._is_believed(said_ns):
            return None
        floor_ns = read_floor_ns(self._folder)
        return network_time.anchor(said_ns, self._boot.id, asked_ns, told_ns, floor_ns)

    def _is_believed(self, said_ns: int) -> bool:
        """By the last comparison with a disciplined clock, now or before."""
        verdict = self._folder / "modem-time"
        before = verdict.read_text().strip() if verdict.exists() else ""
        _, error_ms = self._kernel()
        if error_ms is None:
            return before == "yes"
        now = "yes" if network_time.agrees(said_ns, self._clock.wall_ns(), error_ms) else "no"
        if now != before:
            log.info("network time compared agrees=%s", now)
            with contextlib.suppress(OSError):
                write_atomic(verdict, f"{now}\n".encode())
        return now == "yes"
