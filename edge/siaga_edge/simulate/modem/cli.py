"""What `siaga-node simulate sms|call|modem` does: exercises for technicians, without radio."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from siaga_edge.simulate.modem import __main__ as modem
from siaga_edge.simulate.modem.control import DEFAULT_SOCKET, Control


def add_sms_arguments(parser: argparse.ArgumentParser) -> None:
    """`simulate sms`: a text arrives at the simulated modem."""
    _common(parser)
    parser.add_argument("--text", required=True)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--flash", action="store_true", help="class 0: shown on a phone's screen at once")
    parser.set_defaults(run=run_sms)


def add_call_arguments(parser: argparse.ArgumentParser) -> None:
    """`simulate call`: somebody calls the simulated modem."""
    _common(parser)
    parser.add_argument("--rings", type=int, default=5)
    parser.add_argument("--withheld", action="store_true", help="the caller hides the number")
    parser.set_defaults(run=run_call)


def add_sent_arguments(parser: argparse.ArgumentParser) -> None:
    """`simulate sent`: what the node has sent by the simulated modem."""
    _common(parser)
    parser.add_argument("--to", metavar="NUMBER", help="to this number alone")
    parser.set_defaults(run=run_sent)


def add_modem_arguments(parser: argparse.ArgumentParser) -> None:
    """`simulate modem`: play a modem until told to stop."""
    modem.add_arguments(parser)
    parser.set_defaults(run=modem.serve)


def run_sms(arguments: argparse.Namespace) -> int:
    """Let the text arrive and say when the modem announced it. Raises SimulatorMissing, OrderRefused."""
    with Control(arguments.control) as control:
        parts = control.sms(arguments.sender, arguments.text, repeat=arguments.repeat, flash=arguments.flash)
    announced = sum(part["announcement"] == "sent" for part in parts)
    _print(
        arguments,
        {"parts": parts},
        f"SMS dari {arguments.sender}: {len(parts)} bagian, {announced} diumumkan modem",
    )
    return 0


def run_sent(arguments: argparse.Namespace) -> int:
    """Show the texts that would be on people's phones now, oldest first. Raises SimulatorMissing."""
    with Control(arguments.control) as control:
        sent = [one for one in control.sent() if arguments.to in (None, one["to"])]
    lines = "\n".join(f"ke {one['to']}: {one['text']}" for one in sent)
    _print(arguments, {"sent": sent}, lines or "belum ada SMS keluar")
    return 0


def run_call(arguments: argparse.Namespace) -> int:
    """Let somebody call; status 1 if the network finds the modem busy or away."""
    with Control(arguments.control) as control:
        answer = control.call(arguments.sender, rings=arguments.rings, withheld=arguments.withheld)
    rang = answer["call"] is not None
    caller = "nomor disembunyikan" if arguments.withheld else arguments.sender
    _print(
        arguments,
        answer,
        f"Panggilan dari {caller}: " + ("berdering" if rang else "sibuk atau tidak terjangkau"),
    )
    return 0 if rang else 1


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="sender", default="+6281234567890", metavar="NUMBER")
    parser.add_argument("--control", type=Path, default=DEFAULT_SOCKET, help="control socket (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print the modem's whole answer")


def _print(arguments: argparse.Namespace, answer: dict[str, Any], sentence: str) -> None:
    sys.stdout.write((json.dumps(answer) if arguments.json else sentence) + "\n")
