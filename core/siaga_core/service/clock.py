"""The only door to time. Durations come from the monotonic clock; wall time is data, never trusted."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from siaga_core.service.files import write_atomic
from siaga_core.wire.envelope import ClockState, Stamp


class Clock(Protocol):
    """What a service may ask of time; tests pass their own."""

    def mono_s(self) -> float:
        """Seconds that only grow, for durations and deadlines."""

    def boot_ns(self) -> int:
        """CLOCK_BOOTTIME: nanoseconds since boot, suspend included."""

    def wall_ns(self) -> int:
        """CLOCK_REALTIME, UTC nanoseconds since 1970; may jump either way."""


class SystemClock:
    """The machine's own clocks."""

    def mono_s(self) -> float:
        return time.monotonic()

    def boot_ns(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def wall_ns(self) -> int:
        return time.time_ns()


@dataclass(frozen=True, slots=True)
class Boot:
    """This boot of the machine: a counter of our own, and the kernel's random id."""

    seq: int
    id: str


def read_boot(state_dir: Path, boot_id_file: Path = Path("/proc/sys/kernel/random/boot_id")) -> Boot:
    """Return this boot, counting it in `state_dir`/boot if it is new there.

    The count is durable before this returns, so two boots never share a number, whatever the clock says.
    """
    boot_id = boot_id_file.read_text().strip()
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
    """Return the present moment in raw clocks."""
    return Stamp(
        boot_seq=boot.seq,
        boot_id=boot.id,
        boot_ns=clock.boot_ns(),
        wall_ns=clock.wall_ns(),
        clock=state,
        error_ms=error_ms,
    )


def kernel_clock_state() -> tuple[ClockState, int | None]:
    """Return whether the kernel's clock is disciplined, and its error bound in ms (adjtimex(2)).

    systemd-timesyncd and chrony both clear STA_UNSYNC; without either the answer is `unknown`.
    """
    marker = Path("/run/systemd/timesync/synchronized")
    if marker.exists():
        return "synced", None
    return ("synced", None) if _adjtimex_is_synced() else ("unknown", None)


def _adjtimex_is_synced() -> bool:
    import ctypes

    buffer = ctypes.create_string_buffer(512)  # struct timex is 208 bytes on 64-bit Linux
    try:
        state: int = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
    except (OSError, AttributeError):
        return False
    return state not in (-1, 5)  # 5 is TIME_ERROR: not synchronised


def new_id(clock: Clock) -> str:
    """Return a fresh ULID."""
    from siaga_core.wire.ids import ulid

    return ulid(clock.wall_ns() // 1_000_000, os.urandom(10))
