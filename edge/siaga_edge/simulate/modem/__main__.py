"""`python -m siaga_edge.simulate.modem`: play a modem until told to stop."""

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from siaga_core.errors import SiagaError
from siaga_core.service.main import run_main
from siaga_edge.simulate.modem.control import DEFAULT_SOCKET
from siaga_edge.simulate.modem.dialogue import Dialogue
from siaga_edge.simulate.modem.faults import Faults
from siaga_edge.simulate.modem.machine import Sim
from siaga_edge.simulate.modem.port import Port, present
from siaga_edge.simulate.modem.profile import PROFILES
from siaga_edge.simulate.modem.terminal import NameTaken


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be chosen when a modem is started."""
    parser.add_argument("--link", type=Path, required=True, help="name of the device, e.g. /run/siaga/modem")
    parser.add_argument("--control", type=Path, default=DEFAULT_SOCKET, help="control socket (%(default)s)")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="sim7600")
    parser.add_argument("--line", choices=("clean", "slow", "lossy", "one-byte", "garbage"), default="clean")
    parser.add_argument("--seed", type=int, default=0, help="of losses and noise")
    parser.add_argument("--delay-ms", type=int, default=0, help="before each command is carried out")
    parser.add_argument("--number", default="", help="the SIM's own, for --peer")
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="NUMBER=CONTROL",
        help="texts to NUMBER arrive at the modem of that control socket (its own: a loop-back); repeatable",
    )
    parser.add_argument(
        "--expired", action="store_true", help="the SIM is past its term: texts are accepted, none arrives"
    )
    parser.add_argument("--audio", type=Path, help="name of a second device, for the sound of calls as PCM")
    parser.add_argument("--pin", default="", help="PIN of the SIM; none asked if empty")


class CannotPlay(SiagaError):
    """Device or control socket cannot be made under the name that was given."""

    def __init__(self, path: Path, error: OSError) -> None:
        reason = error.strerror or str(error)
        super().__init__(f"{path}: tidak dapat dibuat; periksa foldernya / check its folder: {reason}")


def serve(arguments: argparse.Namespace) -> int:
    """Play the modem; says READY on stdout once device and socket are there."""
    dialogue = Dialogue(
        PROFILES[arguments.profile],
        present(),
        sim=Sim(pin=arguments.pin),
        line=arguments.line,
        faults=Faults(delay_ms=arguments.delay_ms, expired=arguments.expired),
        seed=arguments.seed,
    )
    try:
        port = Port(dialogue, arguments.link, arguments.control, arguments.audio)
    except OSError as error:
        raise CannotPlay(arguments.control, error) from error
    ways = (peer.partition("=") for peer in arguments.peer)
    port.reach(arguments.number, {number: Path(way) for number, _, way in ways})

    def stop(_number: int, _frame: FrameType | None) -> None:
        port.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        port.plug_in()
    except NameTaken:
        port.close()
        raise
    except OSError as error:
        port.close()
        raise CannotPlay(arguments.link, error) from error
    sys.stdout.write(f"READY {arguments.link} {arguments.control}\n")
    sys.stdout.flush()
    port.run()
    return 0


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m siaga_edge.simulate.modem", description=__doc__)
    add_arguments(parser)
    arguments = parser.parse_args(argv)
    return run_main(lambda: serve(arguments))


if __name__ == "__main__":
    sys.exit(main())
