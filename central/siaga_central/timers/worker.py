"""What falls due: silent nodes and teams, commands and octets out of time, endangered holds, call-backs."""

from sqlalchemy import Connection

from siaga_central.store import (
    assignments,
    callbacks,
    commands,
    coverage,
    erasure,
    events,
    fates,
    holds,
    nodes,
)
from siaga_central.store.writer import Store
from siaga_core.service.clock import Clock
from siaga_core.service.workers import Heartbeat, Stop

EVERY_S = 1.0
# Health comes every 10 s; liveness is the age of the last word, the broker's last will only speeds it up.
SILENT_AFTER_US = 45_000_000
# A node that has begun may still be cutting a clip when the command's time ends.
GRACE_US = 600_000_000
# Retention moves by a minute in a minute; holds are warned of a day before.
HOLDS_EVERY_S = 60.0
# What is erased has been kept for months.
ERASE_EVERY_S = 3600.0


class Timers:
    """The worker; `sweep` is one round."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._holds_mono_s = self._erased_mono_s = float("-inf")

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """Look every second until asked to stop."""
        while not stop.wait(EVERY_S):
            self.sweep()
            heartbeat.beat()

    def sweep(self) -> None:
        """Note what has fallen due; writes only when something has."""
        now_us = self._clock.wall_ns() // 1000
        with self._store.read() as connection:
            is_due = any(_due(connection, now_us))
        if is_due:
            self._store.write(lambda connection: _note(connection, now_us))
        if self._clock.mono_s() - self._holds_mono_s >= HOLDS_EVERY_S:
            self._holds_mono_s = self._clock.mono_s()
            self._store.write(lambda connection: _minute(connection, now_us))
        if self._clock.mono_s() - self._erased_mono_s >= ERASE_EVERY_S:
            erased = self._store.write(lambda connection: erasure.sweep(connection, now_us))
            if erased < erasure.ROUND_MOST:  # else the rest in a second
                self._erased_mono_s = self._clock.mono_s()


def _due(connection: Connection, now_us: int) -> tuple[list[str], list[str], list[str], dict[str, list[str]]]:
    """(silent nodes, overdue commands, callers to be rung again, incidents whose teams do not answer)."""
    silent = nodes.unheard_since(connection, now_us - SILENT_AFTER_US)
    overdue = [row.id for row in commands.overdue(connection, now_us, GRACE_US)]
    waiting = callbacks.fallen_due(connection, now_us), assignments.fallen_silent(connection, now_us)
    return silent, overdue, *waiting


def _minute(connection: Connection, now_us: int) -> None:
    holds.sweep(connection, now_us)
    coverage.silent(connection, now_us)


def _note(connection: Connection, now_us: int) -> None:
    # Looked at again here, where nobody else writes: a node may have spoken since.
    silent, overdue, to_ring, unanswered = _due(connection, now_us)
    for id, names in unanswered.items():
        events.append(connection, now_us, assignments.SILENT, id, "hub", {"name": ", ".join(names)})
    for id in to_ring:
        events.append(connection, now_us, callbacks.DUE, id, "hub", {})
    for node in silent:
        nodes.silent(connection, node, f"not heard for {SILENT_AFTER_US // 1_000_000} s", now_us)
    for command in overdue:
        fates.settle(connection, command, "expired", fates.EXPIRED, {}, "hub", now_us)
