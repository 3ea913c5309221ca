"""`siaga-node footage`: what the technician at the camera site can ask of the recorder's disk."""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from siaga_core.wib import FORMS

HELP = {
    "list": "each camera: how much, from when to when, gaps and why, held, room, days until overwritten",
    "find": "segments, gaps and holds of a span of one camera",
    "clip": "copy a span into a file, under a grant that the hub has signed; the use is put on record",
    "hold": "list holds; keep a span from being overwritten; let go of a hold made here",
    "verify": "every file against its hash, the chain of segments, the index, and what the hub was told",
    "rebuild": "make the index anew from the files alone; the recorder must stand still",
    "salvage": "copy whole fragments of a damaged or foreign card into a new folder; the card is only read",
}
STATUS = {
    "list": "0 listed; 1 no disk, no index or a foreign disk",
    "find": "0 all of the span is there; 3 a part; 4 nothing; 1 the question was wrong",
    "clip": "0 copied; 3 copied, with gaps; 4 no footage; 1 refused or failed, nothing was left there",
    "hold": "0 kept; 3 a part is missing; 4 lost; 5 asked, the recorder has not answered yet; 1 refused",
    "verify": "0 nothing bad; 6 something bad; 1 nothing could be verified",
    "rebuild": "0 made; 3 made, and some files or old rows were not readable; 1 refused, nothing was changed",
    "salvage": "0 everything is whole; 3 something is not; 1 nothing was copied",
}
TIMES = f"WIB: {FORMS}"


def add_arguments(kinds: Any, default_config: Path) -> None:
    """The commands below `siaga-node footage`."""
    made = {name: _add(kinds, name, default_config) for name in HELP}
    for name in ("find", "clip"):
        made[name].add_argument("camera", help="its id, as `footage list` shows it")
        made[name].add_argument("start", metavar="from", help=TIMES)
        made[name].add_argument("end", metavar="to", help="as from; without a day the first after it")
    made["clip"].add_argument("--grant", type=Path, required=True, help="file of siaga-central footage grant")
    made["clip"].add_argument("--out", type=Path, required=True, help="the new file; it must not exist yet")
    made["clip"].add_argument(
        "--tight", action="store_true", help="code the first pictures anew: nothing before FROM is in it"
    )
    hold = made["hold"]
    hold.add_argument("camera", nargs="?", help="without it the holds are listed")
    hold.add_argument("start", nargs="?", metavar="from", help=TIMES)
    hold.add_argument("end", nargs="?", metavar="to", help="as from; without a day the first after it")
    hold.add_argument("--reason", default="", help="why; kept with the hold and told to the hub")
    hold.add_argument("--release", metavar="ID", help="let go of a hold that was made here")
    verify = made["verify"]
    verify.add_argument("--heads", type=Path, help="file of siaga-central footage heads --out")
    verify.add_argument(
        "--head", action="append", default=[], metavar="NUMBER:HEAD", help="a head that was printed earlier"
    )
    verify.add_argument("--offline", action="store_true", help="do not ask the hub for heads")
    salvage = made["salvage"]
    salvage.add_argument("source", type=Path, help="the footage folder of the mounted card")
    salvage.add_argument("--into", type=Path, required=True, help="a new folder on another disk")


def _add(kinds: Any, name: str, default_config: Path) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = kinds.add_parser(
        name, help=HELP[name], description=HELP[name], epilog=f"exit status: {STATUS[name]}"
    )
    if name != "salvage":
        made.add_argument(
            "--config", type=Path, default=default_config, help="the node's config (%(default)s)"
        )
    made.add_argument("--json", action="store_true", help="answer as JSON")
    made.set_defaults(deed=DEEDS[name])
    return made


def _list(args: argparse.Namespace) -> int:
    from siaga_edge.cli import footage_report as report

    found = report.take_inventory(_load(args))
    return _say(args, report.inventory_row(found), report.inventory_page(found), 0)


def _find(args: argparse.Namespace) -> int:
    from siaga_edge.cli import footage_report as report

    found = report.find(_load(args), args.camera, *_span(args))
    return _say(args, report.found_row(found), report.found_page(found), found.status)


def _clip(args: argparse.Namespace) -> int:
    from siaga_edge.cli import footage_clip as clip
    from siaga_edge.recorder.export import NoFootage

    try:
        made = clip.copy(_load(args), args.camera, _span(args), args.grant, args.out, tight=args.tight)
    except NoFootage as error:
        return _say(args, {"error": str(error)}, str(error), 4)
    return _say(args, clip.row(made), clip.page(made), made.status)


def _hold(args: argparse.Namespace) -> int:
    from siaga_edge.cli import footage_hold as hold

    config = _load(args)
    if args.release:
        confirmed = hold.release(config, args.release)
        text = "dilepas/released" if confirmed else "diminta, belum dijawab/asked, not answered yet"
        return _say(args, {"id": args.release, "released": confirmed}, text, 0 if confirmed else 5)
    if args.camera is None:
        found = hold.standings(config)
        return _say(args, {"holds": [hold.row(one) for one in found]}, hold.page(found), 0)
    if args.end is None:
        raise hold.HoldRefused("say camera, from and to; see --help")
    one = hold.place(config, args.camera, _span(args), args.reason)
    return _say(args, hold.row(one), hold.page([one]), one.status)


def _verify(args: argparse.Namespace) -> int:
    from siaga_edge.cli import footage_check as check

    found = check.check(_load(args), args.heads, args.head, offline=args.offline)
    return _say(args, check.as_row(found), check.verdict_page(found), found.status)


def _rebuild(args: argparse.Namespace) -> int:
    from siaga_edge.cli import footage_check as check

    made = check.make_index_anew(_load(args))
    status = 3 if made.unreadable or made.own_unread else 0
    return _say(args, check.as_row(made), check.rebuilt_page(made), status)


def _salvage(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from siaga_edge.cli import footage_check as check

    found = check.copy_out(args.source, args.into)
    status = 0 if all(one.state == "whole" for one in found) else 3
    rows = {"files": [asdict(one) for one in found]}
    return _say(args, rows, check.rescued_page(found, args.into), status)


DEEDS = {
    "list": _list,
    "find": _find,
    "clip": _clip,
    "hold": _hold,
    "verify": _verify,
    "rebuild": _rebuild,
    "salvage": _salvage,
}


def _load(args: argparse.Namespace) -> Any:
    from siaga_edge import node

    return node.load(args.config)


def _span(args: argparse.Namespace) -> tuple[int, int]:
    from siaga_core.wib import span_ns

    return span_ns(args.start, args.end, time.time_ns())


def _say(args: argparse.Namespace, row: dict[str, Any], page: str, status: int) -> int:
    print(json.dumps(row, ensure_ascii=False) if args.json else page)
    return status
