"""What the machine says of its own clock is read as the kernel means it."""

import ctypes
import sys
import time
from pathlib import Path

import pytest

from siaga_core.service import adjtimex
from siaga_core.service.adjtimex import KernelClock, judge
from siaga_core.service.clock import (
    SystemClock,
    above_floor,
    kernel_clock_state,
    read_floor_ns,
    write_floor,
)


@pytest.mark.skipif(sys.maxsize < 2**32, reason="offsets of 64-bit Linux")
def test_the_structure_is_the_kernels() -> None:
    timex = adjtimex._Timex
    assert ctypes.sizeof(timex) == 208
    assert (timex.maxerror.offset, timex.status.offset, timex.tick.offset, timex.tai.offset) == (
        24,
        40,
        88,
        160,
    )


def test_this_kernel_answers_and_its_word_fits_together() -> None:
    kernel = adjtimex.read()
    assert kernel is not None
    assert 0 <= kernel.bound_us <= 17_000_000
    state, error_ms = kernel_clock_state()
    assert (state == "unknown") == (error_ms is None)


@pytest.mark.parametrize(
    ("kernel", "by_timesyncd", "judged"),
    [
        (None, False, ("unknown", None)),
        (KernelClock(False, 16_000_000), False, ("unknown", None)),
        (KernelClock(True, 12_300), False, ("synced", 213)),
        (KernelClock(True, 0), False, ("synced", 200)),
        (KernelClock(True, 2_000_000), False, ("synced", 2200)),
        (KernelClock(True, 2_000_001), False, ("holdover", 2201)),
        (KernelClock(True, 15_000_000), False, ("holdover", 15_200)),
        # It tells the kernel 0 after every answer: the kernel's word alone would be a false claim.
        (KernelClock(True, 0), True, ("synced", 5200)),
        # While chrony takes eight seconds away by rate the kernel still says 12 ms.
        (KernelClock(True, 12_300, -83_333.0), False, ("unknown", None)),
        (KernelClock(True, 12_300, 149.0), False, ("synced", 213)),
    ],
)
def test_a_bound_is_never_rounded_down_nor_taken_from_an_undisciplined_clock(
    kernel: KernelClock | None, by_timesyncd: bool, judged: tuple[str, int | None]
) -> None:
    assert judge(kernel, by_timesyncd=by_timesyncd) == judged


def test_the_boot_scale_only_grows_and_is_near_the_time_since_boot() -> None:
    clock = SystemClock()
    seen = [clock.boot_ns() for _ in range(2000)]
    assert seen == sorted(seen)
    # The crystal's own rate: within 500 ppm of the disciplined clock, and a second for where both began.
    since_boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert abs(clock.boot_ns() - since_boot_ns) < 10**9 + since_boot_ns // 2000


def test_a_wall_clock_before_what_has_certainly_passed_is_never_called_synced(tmp_path: Path) -> None:
    floor_ns = read_floor_ns(tmp_path)
    assert above_floor(floor_ns - 1, floor_ns, "synced", 12) == ("floor", None)
    assert above_floor(floor_ns, floor_ns, "synced", 12) == ("synced", 12)
    write_floor(tmp_path, 1_795_000_000 * 10**9)
    assert read_floor_ns(tmp_path) == 1_795_000_000 * 10**9
    (tmp_path / "time-floor").write_text("torn")
    assert read_floor_ns(tmp_path) == floor_ns


def test_a_floor_that_hardly_differs_costs_no_write_and_a_hub_put_right_is_believed(tmp_path: Path) -> None:
    hour_ns, far_ns = 3600 * 10**9, 1_895_000_000 * 10**9
    write_floor(tmp_path, far_ns)
    write_floor(tmp_path, far_ns + hour_ns - 1)
    assert read_floor_ns(tmp_path) == far_ns
    write_floor(tmp_path, far_ns - 1000 * hour_ns)
    assert read_floor_ns(tmp_path) == far_ns - 1000 * hour_ns
