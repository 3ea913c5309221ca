"""`script/fuzz`: long random proofs; one JSON line each, replayable by seed."""

import argparse
import importlib
import json
import logging
import sys
import time
from dataclasses import asdict, dataclass, field
from types import ModuleType

NAMES = (
    "holds",
    "journal",
    "kill",
    "longcut",
    "modem",
    "outage",
    "pdu",
    "powercut",
    "relay",
    "restore",
    "wire",
)


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
    parser.add_argument("part", nargs="?", default="", help="one part of it alone, such as powercut footage")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None, help="default: the time")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.list or options.name is None:
        for name in NAMES:
            module = _module(name)
            print(f"{name:12s} {(module.__doc__ or '').partition(chr(10))[0]}")
            if parts := getattr(module, "PARTS", ()):
                print(f"{'':12s} parts: {', '.join(parts)}")
        return 0 if options.list else 2
    module = _module(options.name)
    if options.part and options.part not in getattr(module, "PARTS", ()):
        parser.error(f"{options.name} has no part {options.part!r}; --list names them")
    seed = int(time.time()) if options.seed is None else options.seed
    part = (options.part,) if options.part else ()
    logging.disable(logging.WARNING)  # thousands of bad inputs are told of by the figures
    outcome: Outcome = module.run(options.trials, seed, *part)
    found = asdict(outcome)
    extra = found.pop("extra")
    print(json.dumps({**found, **extra, "met": outcome.met}))
    return 0 if outcome.met else 1


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"bench.fuzz_{name}")


if __name__ == "__main__":
    sys.exit(main())
