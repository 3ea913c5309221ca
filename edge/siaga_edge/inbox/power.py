"""Asking siaga-health to take the modem's power away: a lease in the run directory that ends by itself."""

from pathlib import Path

from msgspec import Struct

from siaga_edge import run_file

FILE = "modem-power-asked.json"
# More than anybody may ask for: a modem without power takes no report.
CUT_MOST_S = 20.0


class PowerCut(Struct, frozen=True, kw_only=True):
    """Keep the modem's relay open until `until_mono_s` (CLOCK_MONOTONIC, one clock for the whole machine)."""

    until_mono_s: float
    reason: str


def ask(run_dir: Path, cut: PowerCut) -> None:
    """Replace the lease; a reader sees the old one or the new one. Not synced: true for this boot only."""
    run_file.replace(run_dir, FILE, cut)


def asked(run_dir: Path) -> PowerCut | None:
    """The lease as it stands; None without one."""
    return run_file.read(run_dir, FILE, PowerCut)


def is_cut(cut: PowerCut | None, now_mono_s: float) -> bool:
    """Whether the power is to be away now. Pure. One that asks for too long is not obeyed at all."""
    return cut is not None and 0 < cut.until_mono_s - now_mono_s <= CUT_MOST_S
