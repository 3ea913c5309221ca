"""The health service's one thread: it alone drives GPIO; siren and lamp are asked of it."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from siaga_core.service.clock import (
    Clock,
    above_floor,
    kernel_clock_state,
    read_boot,
    read_floor_ns,
    stamp,
)
from siaga_core.service.files import write_atomic
from siaga_core.service.workers import Heartbeat, Stop
from siaga_core.wire import anchor, health
from siaga_core.wire.anchor import ClockAnchor
from siaga_core.wire.command import SoundSiren
from siaga_core.wire.envelope import ClockState, Lane
from siaga_core.wire.health import Health, Level, Reading, ServiceState
from siaga_edge.health import panel, readings, rules, timekeeping
from siaga_edge.health.board import load
from siaga_edge.health.gpio import Panel
from siaga_edge.health.panel import Shown, Siren
from siaga_edge.inbox import Inbox, WakeSocket, power
from siaga_edge.inbox.reader import EXTRA_SCHEMA
from siaga_edge.inbox.siren import asked
from siaga_edge.journal import Journal
from siaga_edge.journal.marks import read_marks
from siaga_edge.node import Health as Settings
from siaga_edge.node import NodeConfig

log = logging.getLogger(__name__)

TICK_S = 0.25
CLEAN_EVERY_S = 3600.0
# The uplink writes its ledger whenever the hub acknowledges; health gives it something every few seconds.
LINK_OLD_S = 120.0


class HealthService:
    """Made and used in one thread."""

    def __init__(
        self,
        config: NodeConfig,
        settings: Settings,
        clock: Clock,
        kernel: Callable[[], tuple[ClockState, int | None]] = kernel_clock_state,
    ) -> None:
        self._config, self._settings, self._clock, self._kernel = config, settings, clock, kernel
        self._boot, self._noted = read_boot(config.node.data_dir), timekeeping.Noted()
        file = config.journal_file("health")
        self._journal = Journal(file, clock, self._boot, extra_schema=EXTRA_SCHEMA)
        self._inbox = Inbox(config.inbox_file, "health", self._journal)
        self._wake = WakeSocket(config.socket_file("health"))
        self._panel: Panel | None = None
        if settings.panel and settings.pin_factory != "none":
            self._panel = Panel(load(settings.board, settings.board_dir), settings.pin_factory)
        self._levels: dict[str, Level] = {}
        self._level: Level = "unknown"
        self._siren: Siren | None = None
        self._shown: Shown | None = None
        self._power_is_cut = False
        self._sampled_mono_s = self._cleaned_mono_s = float("-inf")

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """Sample, show and sound until asked to stop."""
        for id in self._inbox.interrupted():
            self._inbox.finish(id, "failed", "the node was interrupted while the siren sounded")
        while not stop.is_set():
            now_s = self._clock.mono_s()
            if now_s - self._sampled_mono_s >= self._settings.every_s:
                self._sampled_mono_s = now_s
                self._sample()
                heartbeat.beat()
            self._take_orders(now_s)
            self._show(now_s)
            self._power(now_s)
            self._clean(now_s)
            self._wake.wait(TICK_S)

    def close(self) -> None:
        """Siren and lamps off, files closed."""
        if self._panel is not None:
            self._panel.close()
        self._publish(Shown("amber", siren=False))
        self._wake.close()
        self._inbox.close()
        self._journal.close()

    def _sample(self) -> None:
        disks = {"data": self._config.node.data_dir}
        if self._config.recorder is not None:
            disks["footage"] = self._config.recorder.footage_dir
        judged = [self._judge(name, value) for name, value in readings.read(disks)]
        level = rules.worst(reading.level for reading in judged)
        sample = Health(uptime_s=readings.uptime_s(), level=level, readings=judged)
        records: list[tuple[str, Struct, Lane]] = [(health.KIND, sample, "bulk")]
        records += [(anchor.KIND, told, "bulk") for told in self._anchor()]
        self._journal.append_all(records)
        if level != self._level:
            bad = ", ".join(f"{one.name} {one.value:g}" for one in judged if one.level in ("warn", "crit"))
            state = ServiceState(service="health", level=level, code="node", detail=bad)
            self._journal.append(health.SERVICE_KIND, state)
            self._level = level

    def _anchor(self) -> list[ClockAnchor]:
        """What the disciplined clock says, when that is due."""
        floor_ns = read_floor_ns(self._config.node.data_dir)
        known = above_floor(self._clock.wall_ns(), floor_ns, *self._kernel())
        at = stamp(self._clock, self._boot, *known)
        self._noted, told = timekeeping.look(self._noted, at, self._clock.mono_s())
        return [] if told is None else [told]

    def _judge(self, name: str, value: float | None) -> Reading:
        reading = rules.judge(name, value, self._levels.get(name, "ok"))
        self._levels[name] = reading.level
        return reading

    def _take_orders(self, now_s: float) -> None:
        for order in self._inbox.waiting(self._clock.wall_ns()):
            if not isinstance(order.order, SoundSiren):
                self._inbox.finish(order, "failed", f"health does not know {type(order.order).__name__}")
                continue
            if self._panel is None:
                self._inbox.finish(order, "failed", "this node has no siren; its [health] names no panel")
                continue
            self._inbox.begin(order)
            if self._siren is not None:
                self._inbox.finish(self._siren.command, "done", "another order took over")
            self._siren = panel.order(order.id, order.order.duration_s, now_s)
            log.info("siren ordered incident=%s duration_s=%d", order.order.incident, order.order.duration_s)
            if self._siren is None:
                self._inbox.finish(order, "done", "silenced")

    def _show(self, now_s: float) -> None:
        lease = asked(self._config.node.run_dir)
        shown = panel.show(
            self._level,
            link=self._has_link(),
            siren=self._siren,
            now_mono_s=now_s,
            asked_until_mono_s=lease.until_mono_s if lease else 0.0,
        )
        if self._siren is not None and not panel.sounds(self._siren, now_s):
            self._inbox.finish(self._siren.command, "done")
            self._siren = None
        if shown != self._shown:
            if self._panel is not None:
                self._panel.show(shown)
            self._publish(shown)
            self._shown = shown

    def _power(self, now_s: float) -> None:
        """The modem's power, as the modem's own service asks for it."""
        lease = power.asked(self._config.node.run_dir)
        cut = power.is_cut(lease, now_s)
        if cut == self._power_is_cut or self._panel is None or not self._panel.cut_modem_power(cut):
            return
        self._power_is_cut = cut
        if cut and lease is not None:
            log.warning("modem power taken away reason=%s", lease.reason)
        state = ServiceState(service="health", level="ok", code="modem.power", detail="off" if cut else "on")
        self._journal.append(health.SERVICE_KIND, state)
        self._publish(self._shown or Shown("amber", siren=False))

    def _has_link(self) -> bool:
        """Whether the hub has acknowledged anything lately."""
        newest_s = 0.0
        for name in ("delivery.db", "delivery.db-wal"):
            path: Path = self._config.node.data_dir / name
            if path.exists():
                newest_s = max(newest_s, path.stat().st_mtime)
        return self._clock.wall_ns() / 1e9 - newest_s < LINK_OLD_S

    def _publish(self, shown: Shown) -> None:
        """What a technician without a view of the lamp can read."""
        power_on = not self._power_is_cut
        text = json.dumps({"lamp": shown.lamp, "siren": shown.siren, "modem_power": power_on})
        write_atomic(self._config.node.run_dir / "panel.json", text.encode())

    def _clean(self, now_s: float) -> None:
        if now_s - self._cleaned_mono_s >= CLEAN_EVERY_S:
            self._cleaned_mono_s = now_s
            self._journal.prune(read_marks(self._config.delivery_file))
