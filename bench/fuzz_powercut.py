"""Power cuts on a recorded ext4: every store, torn and reordered sectors, and stores broken on purpose."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.fuzz import Outcome

# The recorded device and its workloads are the tests' own; this only runs them longer.
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
if TYPE_CHECKING:
    from powercut.campaign import Workload

PARTS = ("journal", "modem", "files", "inbox", "ledger", "delivery", "hub", "footage")


def run(trials: int, seed: int, part: str = "") -> Outcome:
    """`trials` cuts over all workloads or those of `part`, recorded anew every 250; then their mutants."""
    from powercut.campaign import run as campaign
    from powercut.mutants import MUTANTS
    from powercut.test_powercut import WORKLOADS

    workloads, mutants = _of(WORKLOADS, part), _of(MUTANTS, part)
    lost = broken = cuts = acknowledged = 0
    share, rounds = -(-trials // len(workloads)), 0
    seconds: list[float] = []
    while rounds * 250 < share:
        for kind in workloads:
            workload = kind()
            verdict = campaign(workload, min(250, share - rounds * 250), seed + rounds)
            lost, broken = lost + verdict.lost, broken + verdict.broken
            cuts, acknowledged = cuts + verdict.cuts, acknowledged + verdict.acknowledged
            seconds += getattr(workload, "lost_s", [])
            found = f"; {verdict.first}" if verdict.first else ""
            sys.stderr.write(f"fuzz powercut: {cuts} cuts, {workload.name}{found}\n")
        rounds += 1
    missed = [one.name for one in mutants if not campaign(one(), 400, seed, stop_at_first=True).caught]
    for name in missed:
        sys.stderr.write(f"fuzz powercut: not noticed: {name}\n")
    extra: dict[str, float] = {
        "cuts": cuts,
        "broken": broken,
        "acknowledged": acknowledged,
        "mutants": len(mutants),
    }
    if seconds:
        ordered = sorted(seconds)
        extra["footage_lost_p50_s"] = round(ordered[len(ordered) // 2], 3)
        extra["footage_lost_p99_s"] = round(ordered[-(-len(ordered) * 99 // 100) - 1], 3)
    name = f"powercut {part}".strip()
    return Outcome(name, trials, lost + broken, 0, 0, len(missed), seed, extra)


def _of(workloads: "Sequence[type[Workload]]", part: str) -> "Sequence[type[Workload]]":
    return [one for one in workloads if one.name.partition(",")[0].partition(" ")[0].startswith(part)]
