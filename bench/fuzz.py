"""`script/fuzz`: long random proofs; one JSON line each, replayable by seed."""

import argparse
import importlib
import json
import sys
import time
from dataclasses import asdict, dataclass, field

NAMES = ("journal", "longcut", "outage", "pdu", "powercut", "restore", "wire")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a proof found; `uncaught` counts mutants that went unnoticed."""

    fuzz: str
    trials: int
    lost: int
    doubled: int
    undelivered: int
    uncaught: int
    seed: int
    extra: dict[str, float] = field(default_factory=dict)  # what else the proof has measured

    @property
    def met(self) -> bool:
        """Whether nothing at all went wrong."""
        failed = self.lost or self.doubled or self.undelivered or self.uncaught
        return not failed and self.extra.get("control_loses", 1) == 1


def main() -> int:
    """1 when anything was lost, doubled or left uncaught."""
    parser = argparse.ArgumentParser(prog="script/fuzz", description=__doc__)
    parser.add_argument("name", nargs="?", choices=NAMES)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None, help="default: the time")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.list or options.name is None:
        for name in NAMES:
            module = importlib.import_module(f"bench.fuzz_{name}")
            print(f"{name:12s} {(module.__doc__ or '').partition(chr(10))[0]}")
        return 0 if options.list else 2
    seed = int(time.time()) if options.seed is None else options.seed
    outcome: Outcome = importlib.import_module(f"bench.fuzz_{options.name}").run(options.trials, seed)
    found = asdict(outcome)
    extra = found.pop("extra")
    print(json.dumps({**found, **extra, "met": outcome.met}))
    return 0 if outcome.met else 1


if __name__ == "__main__":
    sys.exit(main())
