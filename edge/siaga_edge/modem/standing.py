"""What hub and technician are told of how the modem is: each change once, and all of it in the run folder."""

import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path

from siaga_core.service.clock import Clock
from siaga_core.wire import health
from siaga_core.wire.health import Level, ServiceState
from siaga_edge.journal import Journal
from siaga_edge.modem import vitals
from siaga_edge.modem.status import ModemStatus, write_status
from siaga_edge.modem.vitals import Verdict

log = logging.getLogger(__name__)

STATUS_EVERY_S = 5.0


class Standing:
    """One modem's. Used by the thread that owns the journal."""

    def __init__(self, journal: Journal, run_dir: Path, service: str, clock: Clock) -> None:
        """`service`: under which name the modem is known, `modem` or `modemb`."""
        self._journal, self._run_dir, self._service, self._clock = journal, run_dir, service, clock
        self._said: tuple[Level, str] | None = None
        self._verdicts: dict[str, Verdict] = {}
        self._told_mono_s: dict[str, float] = {}
        self._told_level: dict[str, Level] = {}
        self._written_mono_s, self._was_ready = float("-inf"), False
        self.model, self.family, self.rung, self.swept_wall_ns = "", "generic", "", 0

    def say(self, level: Level, code: str, detail: str = "") -> None:
        """Tell the hub how the modem is, when that has changed and at each start: it may have been worse."""
        if self._said == (level, code):
            return
        self._said = (level, code)
        self.note(level, "modem", f"{code} {detail}".strip())

    def tell(self, verdict: Verdict) -> None:
        """Note how one thing about modem or SIM is: the first word after a start, and when its level changes.

        At the hub it may have been worse before the start. Each loop-back that came round is noted: when the
        last one did is what the hub shows.
        """
        self._verdicts[verdict.code], self._told_mono_s[verdict.code] = verdict, self._clock.mono_s()
        known = verdict.level != "unknown"
        changed = known and self._told_level.get(verdict.code) != verdict.level
        if known:
            self._told_level[verdict.code] = verdict.level
        if changed or (verdict.code, verdict.level) == (vitals.LOOP, "ok"):
            self.note(verdict.level, verdict.code, verdict.detail)

    def note(self, level: Level, code: str, detail: str) -> None:
        """Commit one event for the hub."""
        state = ServiceState(service=self._service, level=level, code=code, detail=detail)
        self._journal.append(health.SERVICE_KIND, state)

    def write(self, *, ready: bool, noise: int, slots: Mapping[str, tuple[int, int]]) -> None:
        """Write it down for `siaga-node modem status`, not more often than anybody looks."""
        now_s = self._clock.mono_s()
        if now_s - self._written_mono_s < STATUS_EVERY_S and ready == self._was_ready:
            return
        self._written_mono_s, self._was_ready = now_s, ready
        status = ModemStatus(
            at_wall_ns=self._clock.wall_ns(),
            ready=ready,
            model=self.model,
            profile=self.family,
            swept_wall_ns=self.swept_wall_ns,
            trouble="" if self._said is None or self._said[0] == "ok" else self._said[1],
            rung=self.rung,
            noise=noise,
            slots=dict(slots),
            verdicts={code: (one.level, one.detail) for code, one in self._verdicts.items()},
            ages_s={code: round(now_s - told_s, 1) for code, told_s in self._told_mono_s.items()},
        )
        with contextlib.suppress(OSError):
            write_status(self._run_dir, self._service, status)
