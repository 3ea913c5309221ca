"""The only door to time. Durations come from the monotonic clock; wall time is data, never trusted."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from siaga_core.service import adjtimex
from siaga_core.service.files import write_atomic
from siaga_core.wire.envelope import ClockState, Stamp

# systemd-timesyncd makes it at its first answer, and is the only one to.
_TIMESYNCD = Path("/run/systemd/timesync/synchronized")


class Clock(Protocol):
    """What a service may ask of time; tests pass their own."""

    def mono_s(self) -> float:
        """Seconds that only grow, for durations and deadlines."""

    def boot_ns(self) -> int:
        """Nanoseconds since boot at the crystal's own rate, suspend included; never stepped, never slewed."""

    def wall_ns(self) -> int:
        """CLOCK_REALTIME, UTC nanoseconds since 1970; may jump either way."""


# A difference below it is the noise of reading two clocks one after the other, above it a suspend.
_SUSPENDED_LEAST_NS = 500_000_000


class SystemClock:
    """The machine's own clocks.

    CLOCK_BOOTTIME is slewed together with wall time (chrony: up to 83,333 ppm), so that a record made while
    the clock was being corrected would seem seconds away from itself. CLOCK_MONOTONIC_RAW is not; only
    the time spent suspended is taken from CLOCK_BOOTTIME.
    """

    def __init__(self) -> None:
        self._suspended_ns = 0

    def mono_s(self) -> float:
        return time.monotonic()

    def boot_ns(self) -> int:
        raw_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
        awake_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        suspended_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - awake_ns
        if suspended_ns > self._suspended_ns + _SUSPENDED_LEAST_NS:
            self._suspended_ns = suspended_ns
        return raw_ns + self._suspended_ns

    def wall_ns(self) -> int:
        return time.time_ns()


@dataclass(frozen=True, slots=True)
class Boot:
    """This boot of the machine: a counter of our own, and the kernel's random id."""

    seq: int
    id: str


_BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")


def read_boot_id(boot_id_file: Path = _BOOT_ID_FILE) -> str:
    """The kernel's random id of this boot."""
    return boot_id_file.read_text().strip()


def read_boot(state_dir: Path, boot_id_file: Path = _BOOT_ID_FILE) -> Boot:
    """Return this boot, counting it in `state_dir`/boot if it is new there.

    The count is durable before this returns, so two boots never share a number, whatever the clock says.
    """
    boot_id = read_boot_id(boot_id_file)
    counter = state_dir / "boot"
    try:
        seq_text, _, last_id = counter.read_text().strip().partition(" ")
        seq = int(seq_text)
    except (FileNotFoundError, ValueError):
        seq, last_id = 0, ""
    if last_id == boot_id:
        return Boot(seq, boot_id)
    state_dir.mkdir(parents=True, exist_ok=True)
    write_atomic(counter, f"{seq + 1} {boot_id}\n".encode())
    return Boot(seq + 1, boot_id)


def stamp(clock: Clock, boot: Boot, state: ClockState = "unknown", error_ms: int | None = None) -> Stamp:
    """Return the present moment in raw clocks; a pause between the two readings is added to the error."""
    boot_ns, wall_ns = clock.boot_ns(), clock.wall_ns()
    paused_ms = (clock.boot_ns() - boot_ns) // 1_000_000
    return Stamp(
        boot_seq=boot.seq,
        boot_id=boot.id,
        boot_ns=boot_ns,
        wall_ns=wall_ns,
        clock=state,
        error_ms=None if error_ms is None else error_ms + paused_ms,
    )


# 2026-01-01T00:00:00Z: there was no Siaga before it.
_EARLIEST_NS = 1_767_225_600 * 10**9
_FLOOR_WORTH_NS = 3600 * 10**9


def read_floor_ns(state_dir: Path) -> int:
    """Unix nanoseconds that have certainly passed: the hub has said so, or this software was made later."""
    try:
        said_ns = int((state_dir / "time-floor").read_text())
    except (OSError, ValueError):
        said_ns = 0
    return max(_EARLIEST_NS, said_ns)


def write_floor(state_dir: Path, floor_ns: int) -> None:
    """Keep what the hub says has passed, about once an hour. It may fall: a hub put right is believed."""
    if abs(floor_ns - read_floor_ns(state_dir)) >= _FLOOR_WORTH_NS:
        write_atomic(state_dir / "time-floor", f"{floor_ns}\n".encode())


def above_floor(
    wall_ns: int, floor_ns: int, state: ClockState, error_ms: int | None
) -> tuple[ClockState, int | None]:
    """What the kernel says of wall time, unless that cannot be: then `floor`, and no bound. Pure."""
    return ("floor", None) if wall_ns < floor_ns else (state, error_ms)


def kernel_clock_state() -> tuple[ClockState, int | None]:
    """Return whether the kernel's clock is disciplined, and the bound of its error in ms."""
    return adjtimex.judge(adjtimex.read(), by_timesyncd=_TIMESYNCD.exists())


def new_id(clock: Clock) -> str:
    """Return a fresh ULID."""
    from siaga_core.wire.ids import ulid

    return ulid(clock.wall_ns() // 1_000_000, os.urandom(10))
