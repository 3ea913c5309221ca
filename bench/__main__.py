"""`script/bench`: runs a benchmark by name and prints one JSON line per figure."""

import argparse
import importlib
import sys
from types import ModuleType

NAMES = ("journal", "ingest", "wear", "drain", "nodes", "restore", "lexicon", "record", "clip", "find", "sms")


def main() -> int:
    """1 when a goal is missed, 2 for an unknown name."""
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    parser.add_argument("name", nargs="?", choices=NAMES)
    parser.add_argument("--list", action="store_true", help="names and goals")
    parser.add_argument("--all", action="store_true", help="every benchmark")
    parser.add_argument("--table", action="store_true", help="with --all: a Markdown table instead of JSON")
    parser.add_argument("--vs", choices=("motion",), default="", help="with record: against this recorder")
    options = parser.parse_args()
    if options.vs and options.name != "record":
        parser.error("--vs goes with record")
    if options.list:
        for name in NAMES:
            module = _module(name)
            print(f"{name:12s} {module.GOAL:16s} {(module.__doc__ or '').partition(chr(10))[0]}")
        return 0
    if not options.all and options.name is None:
        parser.error("name a benchmark, or use --list or --all")
    names = NAMES if options.all else (f"record_{options.vs}" if options.vs else options.name,)
    if options.table:
        print("| benchmark | figure | ours | anchor | ratio | goal |\n|---|---|---|---|---|---|")
    met = True
    for figure in (figure for name in names for figure in _module(name).run()):
        met = met and figure.met
        if options.table:
            print(
                f"| {figure.bench} | {figure.figure} | {figure.ours} {figure.unit} |"
                f" {figure.anchor} {figure.unit} ({figure.anchor_is}) | {figure.ratio} | {figure.goal} |",
                flush=True,
            )
        else:
            print(figure.line(), flush=True)
    return 0 if met else 1


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"bench.{name}")


if __name__ == "__main__":
    sys.exit(main())
