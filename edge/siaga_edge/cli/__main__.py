"""`siaga-node`: run, examine and enrol a node; train on simulated modems and cameras."""

import argparse
import json
import logging
import os
import select
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from siaga_core.service.main import require, run_main, stop_on_signals
from siaga_edge.cli import footage, modem

log = logging.getLogger(__name__)
DEFAULT_CONFIG = Path("/etc/siaga/node.toml")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 when all is well, 1 when something is not, 78 for a wrong configuration."""
    args = parser().parse_args(argv)
    require("edge", ("cryptography", "paho"))
    if argv is None and args.command == "footage":
        os.nice(10)  # the services go first
    return run_main(lambda: _to_the_end(args))


def _to_the_end(args: argparse.Namespace) -> int:
    """Do it and have it read; a reader who has gone, such as `head`, is no error of ours (as of SIGPIPE)."""
    try:
        status = int(args.deed(args))
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        poll = select.poll()
        poll.register(sys.stdout, 0)
        if not poll.poll(0):  # some other pipe
            raise
        # What is left of the buffer would raise again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="siaga-node", description=__doc__)
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add(commands, "run", "start the services that the config names", _run)
    doctor = _add(commands, "doctor", "one page: what is well, what is not, what to do", _doctor)
    doctor.add_argument("--json", action="store_true", help="findings as JSON")
    _add(commands, "config", "what is in force", _config)
    text = "the way to the hub"
    link = commands.add_parser("link", help=text, description=text)
    kinds = link.add_subparsers(dest="kind", required=True, metavar="DEED")
    status = _add(kinds, "status", "whether it is up, since when, why not; what waits for the hub", _link)
    status.add_argument("--json", action="store_true", help="link and streams as JSON")
    text = "footage on this node's disk: look, copy, keep, verify, mend"
    kinds = commands.add_parser("footage", help=text, description=text).add_subparsers(
        dest="kind", required=True, metavar="DEED"
    )
    footage.add_arguments(kinds, DEFAULT_CONFIG)
    recorder = _add(commands, "recorder", "how each camera is recorded now; its gaps by reason", _recorder)
    recorder.add_argument("--json", action="store_true", help="cameras as JSON")
    text = "this node's modem: how it is, what came in, a text out, a journal run through again"
    kinds = commands.add_parser("modem", help=text, description=text).add_subparsers(
        dest="kind", required=True, metavar="DEED"
    )
    modem.add_arguments(kinds, DEFAULT_CONFIG)
    text = "read what is left of a damaged store into a new file; the damaged one stays as it is"
    salvage = commands.add_parser("salvage", help=text, description=text)
    salvage.add_argument("damaged", type=Path, help="the file, such as journal-modem.db.damaged-1")
    salvage.add_argument("--into", type=Path, required=True, help="the new file; it must not exist yet")
    salvage.add_argument("--json", action="store_true", help="tables as JSON")
    salvage.set_defaults(deed=_salvage)
    enrol = _add(commands, "enrol", "make the node's key and claim its certificate", _enrol)
    enrol.add_argument("--token", required=True, help="single-use token of siaga-central node invite")
    enrol.add_argument("--ca", type=Path, required=True, help="the hub's CA, as the administrator gave it")
    _add_simulate(commands)
    return made


def _add(commands: Any, name: str, text: str, deed: Any) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    made.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="the node's config (%(default)s)")
    made.set_defaults(deed=deed)
    return made


def _add_simulate(commands: Any) -> None:
    from siaga_edge.simulate.camera import cli as camera
    from siaga_edge.simulate.modem import cli as played

    text = "practise: an SMS, a call, a modem's or a camera's trouble"
    group = commands.add_parser("simulate", help=text, description=text)
    kinds = group.add_subparsers(dest="kind", required=True, metavar="KIND")
    played.add_sms_arguments(_kind(kinds, "sms", "an SMS arrives at the simulated modem"))
    played.add_sent_arguments(_kind(kinds, "sent", "what the node has sent by the simulated modem"))
    played.add_call_arguments(_kind(kinds, "call", "somebody calls the simulated modem"))
    played.add_modem_arguments(_kind(kinds, "modem", "play a modem until told to stop"))
    cameras = _kind(kinds, "camera", "a simulated camera freezes, goes black, drops the line")
    camera.add_arguments(cameras)
    cameras.set_defaults(run=camera.run)
    group.set_defaults(deed=lambda args: args.run(args))


def _kind(kinds: Any, name: str, text: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = kinds.add_parser(name, help=text, description=text)
    return made


def _load(args: argparse.Namespace) -> Any:
    from siaga_edge import node

    return node.load(args.config)


def _run(args: argparse.Namespace) -> int:
    from siaga_core.service.workers import Stop
    from siaga_edge.cli.services import run

    stop = Stop()
    stop_on_signals(stop)
    return run(_load(args), args.config, stop)


def _doctor(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from siaga_edge.cli.doctor import examine, page

    findings = examine(_load(args))
    if args.json:
        print(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
    else:
        print(page(findings))
    return 0 if all(finding.passed for finding in findings) else 1


def _config(args: argparse.Namespace) -> int:
    import msgspec

    print(json.dumps(msgspec.to_builtins(_load(args), enc_hook=str), indent=2))
    return 0


def _link(args: argparse.Namespace) -> int:
    """0 when the hub is reached, 1 when it is not."""
    import time

    import msgspec

    from siaga_edge.cli.queue import as_rows, page, queued
    from siaga_edge.uplink.status import read_status

    config = _load(args)
    found, link = queued(config), read_status(config.node.run_dir)
    if args.json:
        print(json.dumps({"link": msgspec.to_builtins(link), "streams": as_rows(found)}))
    else:
        print(page(found, link, time.time_ns()))
    return 0 if link is not None and link.up else 1


def _recorder(args: argparse.Namespace) -> int:
    """0 when every camera is recorded, 1 when one is not or the recorder has not run."""
    import msgspec

    from siaga_edge.cli.recorder import page
    from siaga_edge.recorder.status import read_status

    status = read_status(_load(args).node.run_dir)
    print(json.dumps(msgspec.to_builtins(status)) if args.json else page(status))
    return 0 if status and all(one.state == "recording" for one in status.cameras) else 1


def _salvage(args: argparse.Namespace) -> int:
    """0 when everything could be read, 1 when something is lost."""
    from dataclasses import asdict

    from siaga_core.service.salvage import salvage_into, table_page

    saved = salvage_into(args.damaged, args.into)
    print(json.dumps([asdict(one) for one in saved]) if args.json else table_page(saved))
    return 1 if any(one.unread for one in saved) else 0


def _enrol(args: argparse.Namespace) -> int:
    from siaga_edge.enrolment import enrol

    until = enrol(_load(args), args.token, args.ca)
    print(f"terdaftar / enrolled; berlaku sampai / valid until {until}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
