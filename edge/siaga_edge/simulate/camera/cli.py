"""`siaga-node simulate camera ...`: switch a simulated camera's faults on and off."""

import argparse
import json
import sys
from pathlib import Path

from siaga_edge.simulate.camera.control import FAULTS, CameraControl
from siaga_edge.simulate.camera.device import MODES, ONVIF_FAULTS

_ORDERS = (
    "what the camera shall do. mute: answers, sends nothing; refuse: answers 503; change: other size and "
    "parameter sets in mid-stream, and back; jump: of the RTP time; clock: of the camera's clock in sender "
    "reports; reset: TCP reset; foreign: packets of another SSRC; lose: UDP packets"
)
_WITH_AMOUNT = ("jump", "clock", "foreign", "lose")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments to the parser of `simulate camera`."""
    parser.add_argument("order", choices=(*MODES, *FAULTS, "onvif", "state"), help=_ORDERS)
    parser.add_argument("--camera", default="", help="its name; only `state` does without")
    parser.add_argument("--control", type=Path, required=True, help="the simulator's control socket")
    parser.add_argument("--seconds", type=float, help="normal again after this time")
    parser.add_argument(
        "--by",
        type=float,
        help="with `jump` and `clock`: seconds, also negative; `lose`: per cent; `foreign`: 1 on, 0 off",
    )
    parser.add_argument("--fault", choices=ONVIF_FAULTS, help="with `onvif`: how it misbehaves")
    parser.add_argument("--clock-offset-s", type=float, help="with `onvif`: the camera's clock is off")
    parser.add_argument("--json", action="store_true", help="print the state as JSON")


def run(args: argparse.Namespace) -> int:
    """Do it; 0, or 2 when a camera's name or an amount is missing. Raises SimulatorGone, SimulatorRefused."""
    if args.order != "state" and not args.camera:
        sys.stderr.write("siaga-node simulate camera: name the camera with --camera\n")
        return 2
    if args.order in _WITH_AMOUNT and args.by is None:
        sys.stderr.write(f"siaga-node simulate camera: {args.order} needs --by\n")
        return 2
    control = CameraControl(args.control)
    if args.order == "state":
        state = control.state(args.camera)
    elif args.order == "onvif":
        state = control.onvif(args.camera, args.fault, args.clock_offset_s)
    elif args.order in FAULTS:
        state = control.fail(args.camera, args.order, args.by)
    else:
        state = control.switch(args.camera, args.order, args.seconds)
    if args.camera:
        state = {args.camera: state}
    if args.json:
        print(json.dumps(state))
        return 0
    for name, values in state.items():
        print(name, " ".join(f"{key}={value}" for key, value in values.items()))
    return 0
