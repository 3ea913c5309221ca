"""What the kernel says of its clock: struct timex of adjtimex(2), read alone, and what follows from it."""

import ctypes
from dataclasses import dataclass

from siaga_core.wire.envelope import ClockState

# linux/timex.h
_STA_UNSYNC = 0x0040
_STA_NANO = 0x2000
_TIME_ERROR = 5
# Who disciplines the clock tells the kernel its error at every answer; then the kernel lets it grow by
# 500 ppm. The longest pause of chrony and systemd-timesyncd is 2048 s: above this nobody answers any more.
HOLDOVER_ABOVE_MS = 2000
# systemd-timesyncd tells the kernel an error of 0 and believes servers up to RootDistanceMaxSec=5 away
# (timesyncd.conf(5)).
TIMESYNCD_ERROR_MS = 5000
# chrony corrects by rate and does not tell the kernel what is left. An ordinary crystal needs less than this
# (domain/timeline of the hub counts on 100); above it seconds may be left.
SLEWED_ABOVE_PPM = 150.0
# Left below it: chrony takes the less time the larger a correction is (chrony.conf(5), correctiontimeratio);
# with polls of 1024 s and answers that scatter by 50 ms it is sqrt(250e-6 * 3 * 0.05 * 1024) = 196 ms.
SLEWED_LEFT_MS = 200
_TICK_US = 10_000  # a second in 100 (USER_HZ)


class _Timeval(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_long), ("tv_usec", ctypes.c_long))


class _Timex(ctypes.Structure):
    """struct timex, linux/timex.h; `long` is the machine's own, padding as the C compiler's."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time", _Timeval),
        ("tick", ctypes.c_long),
        ("ppsfreq", ctypes.c_long),
        ("jitter", ctypes.c_long),
        ("shift", ctypes.c_int),
        ("stabil", ctypes.c_long),
        ("jitcnt", ctypes.c_long),
        ("calcnt", ctypes.c_long),
        ("errcnt", ctypes.c_long),
        ("stbcnt", ctypes.c_long),
        ("tai", ctypes.c_int),
        ("reserved", ctypes.c_int * 11),
    )


@dataclass(frozen=True, slots=True)
class KernelClock:
    """One look; `bound_us` is maxerror and what the kernel itself has still to slew away.

    `rate_ppm` is how much faster than its crystal the clock is made to run at present.
    """

    is_disciplined: bool
    bound_us: int
    rate_ppm: float = 0.0


def read() -> KernelClock | None:
    """Return what the kernel says, None where it says nothing. Changes nothing (modes 0)."""
    timex = _Timex()
    try:
        state: int = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return None
    if state == -1:
        return None
    left = abs(timex.offset)
    left_us = -(-left // 1000) if timex.status & _STA_NANO else left
    disciplined = state != _TIME_ERROR and not timex.status & _STA_UNSYNC
    rate_ppm = (timex.tick - _TICK_US) * 100 + timex.freq / 65536
    return KernelClock(disciplined, int(timex.maxerror + left_us), rate_ppm)


def judge(kernel: KernelClock | None, *, by_timesyncd: bool) -> tuple[ClockState, int | None]:
    """Return the state of wall time and the bound of its error in ms, None when there is none. Pure.

    The kernel itself drops to undisciplined after 16 s of error (NTP_PHASE_LIMIT), about nine hours without
    an answer, and at once when somebody sets the clock by hand.
    """
    if kernel is None or not kernel.is_disciplined or abs(kernel.rate_ppm) > SLEWED_ABOVE_PPM:
        return "unknown", None
    bound_ms = -(-kernel.bound_us // 1000)
    state: ClockState = "synced" if bound_ms <= HOLDOVER_ABOVE_MS else "holdover"
    return state, bound_ms + SLEWED_LEFT_MS + (TIMESYNCD_ERROR_MS if by_timesyncd else 0)
