"""Supervised workers: threads that must prove that they work.

A worker calls `beat()` when it has done something that shows its world answers (a reply to AT, a committed
batch), not when it merely ran. A worker silent for longer than its limit ends the process: a stuck C call
cannot be cured from inside. A worker that raises a Transient is started again with back-off; any other
exception is a bug and ends the process too, so that systemd starts it clean.
"""

import faulthandler
import logging
import os
import random
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from siaga_core.errors import SiagaError, Transient
from siaga_core.service.clock import Clock, SystemClock
from siaga_core.service.notify import notify, watchdog_interval_s

log = logging.getLogger(__name__)

# A wedged worker's process: distinct from Python's 1 and from a shell's 126 and up (sysexits.h EX_SOFTWARE).
EXIT_STALLED = 70


class Stop:
    """Asked to end; `wait` is the only sleep a worker may use."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ask everyone to end."""
        self._event.set()

    def is_set(self) -> bool:
        """Whether the end was asked for."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleep at most `seconds`; True as soon as the end was asked for."""
        return self._event.wait(seconds)


@dataclass
class Heartbeat:
    """Proof of work of one worker."""

    clock: Clock
    last_mono_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.last_mono_s = self.clock.mono_s()

    def beat(self) -> None:
        """Say that something was done that proves the worker's world answers."""
        self.last_mono_s = self.clock.mono_s()

    def silent_s(self) -> float:
        """Seconds since the last proof."""
        return self.clock.mono_s() - self.last_mono_s


Work = Callable[[Stop, Heartbeat], None]


@dataclass(slots=True)
class _Worker:
    name: str
    work: Work
    silence_limit_s: float
    heartbeat: Heartbeat
    thread: threading.Thread | None = None


class Supervisor:
    """Runs workers until asked to stop; `run` returns the process's exit status."""

    def __init__(self, clock: Clock | None = None, *, rng: random.Random | None = None) -> None:
        self.stop = Stop()
        self._clock = clock or SystemClock()
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._workers: list[_Worker] = []
        self._failed = threading.Event()

    def add(self, name: str, work: Work, *, silence_limit_s: float = 60) -> None:
        """Add a worker that must beat at least every `silence_limit_s`."""
        self._workers.append(_Worker(name, work, silence_limit_s, Heartbeat(self._clock)))

    def run(self, *, poll_s: float = 0.5) -> int:
        """Start the workers, tell systemd, watch; 0 after a clean stop, 1 after a bug, 70 after a stall."""
        for worker in self._workers:
            worker.heartbeat.beat()
            worker.thread = threading.Thread(
                target=self._serve, args=(worker,), name=worker.name, daemon=True
            )
            worker.thread.start()
        notify("READY=1")
        interval_s = watchdog_interval_s()
        poll_s = min(poll_s, interval_s / 3) if interval_s else poll_s
        while not self.stop.wait(poll_s):
            if self._failed.is_set():
                return self._end(1)
            if stalled := self._stalled():
                log.error("worker stalled name=%s silent_s=%.0f", stalled.name, stalled.heartbeat.silent_s())
                faulthandler.dump_traceback(sys.stderr, all_threads=True)
                return EXIT_STALLED
            notify("WATCHDOG=1")
        return self._end(1 if self._failed.is_set() else 0)

    def _end(self, status: int) -> int:
        notify("STOPPING=1")
        self.stop.set()
        for worker in self._workers:
            if worker.thread is not None:
                worker.thread.join(timeout=5)
                if worker.thread.is_alive():
                    log.warning("worker did not end in 5 s name=%s", worker.name)
        return status

    def _stalled(self) -> _Worker | None:
        return next((w for w in self._workers if w.heartbeat.silent_s() > w.silence_limit_s), None)

    def _serve(self, worker: _Worker) -> None:
        tries = 0
        while not self.stop.is_set():
            started_mono_s = self._clock.mono_s()
            try:
                worker.work(self.stop, worker.heartbeat)
            except Transient as error:
                tries = 0 if self._clock.mono_s() - started_mono_s > 60 else tries + 1
                pause_s = back_off_s(tries, self._rng.random())
                log.warning("worker paused name=%s pause_s=%.1f cause=%s", worker.name, pause_s, error)
                worker.heartbeat.beat()
                self.stop.wait(min(pause_s, worker.silence_limit_s / 2))
            except SiagaError as error:  # not a bug: a person has to do what the message says
                log.error("worker ended name=%s cause=%s", worker.name, error)
                self._failed.set()
                return
            except Exception:  # the boundary: a bug must end the process, not hide
                log.exception("worker failed name=%s", worker.name)
                self._failed.set()
                return
            else:
                if not self.stop.is_set():
                    log.error("worker ended by itself name=%s", worker.name)
                    self._failed.set()
                return


def back_off_s(tries: int, jitter: float, *, first_s: float = 0.5, most_s: float = 30) -> float:
    """Return the pause before try number `tries` + 1: doubling, capped, spread by `jitter` in [0, 1)."""
    doublings = min(max(tries - 1, 0), 16)
    return min(most_s, first_s * float(2**doublings)) * (0.75 + jitter / 2)


def die(status: int) -> None:
    """End the process at once, without waiting for threads that may be stuck."""
    sys.stderr.flush()
    sys.stdout.flush()
    os._exit(status)
