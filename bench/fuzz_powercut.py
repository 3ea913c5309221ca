"""Power cuts on a recorded ext4: every store, torn and reordered sectors, and 20 stores that are broken."""

import sys
from pathlib import Path

from bench.fuzz import Outcome

# The recorded device and its workloads are the tests' own; this only runs them longer.
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))


def run(trials: int, seed: int) -> Outcome:
    """`trials` cuts over all workloads, recorded anew every 250 cuts; then each mutant until it is caught."""
    from powercut.campaign import run as campaign
    from powercut.mutants import MUTANTS
    from powercut.test_powercut import WORKLOADS

    lost = broken = cuts = acknowledged = 0
    share, rounds = -(-trials // len(WORKLOADS)), 0
    while rounds * 250 < share:
        for workload in WORKLOADS:
            verdict = campaign(workload(), min(250, share - rounds * 250), seed + rounds)
            lost, broken = lost + verdict.lost, broken + verdict.broken
            cuts, acknowledged = cuts + verdict.cuts, acknowledged + verdict.acknowledged
            found = f"; {verdict.first}" if verdict.first else ""
            sys.stderr.write(f"fuzz powercut: {cuts} cuts, {workload.name}{found}\n")
        rounds += 1
    missed = [one.name for one in MUTANTS if not campaign(one(), 400, seed, stop_at_first=True).caught]
    for name in missed:
        sys.stderr.write(f"fuzz powercut: not noticed: {name}\n")
    extra: dict[str, float] = {
        "cuts": cuts,
        "broken": broken,
        "acknowledged": acknowledged,
        "mutants": len(MUTANTS),
    }
    return Outcome("powercut", trials, lost + broken, 0, 0, len(missed), seed, extra)
