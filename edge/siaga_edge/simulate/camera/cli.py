"""`siaga-node simulate camera ...`: switch a simulated camera's faults on and off."""

import argparse
import json
import sys
from pathlib import Path

from siaga_edge.simulate.camera.control import CameraControl
from siaga_edge.simulate.camera.device import MODES, ONVIF_FAULTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments to the parser of `simulate camera`."""
    parser.add_argument("order", choices=(*MODES, "onvif", "state"), help="what the camera shall do")
    parser.add_argument("--camera", default="", help="its name; only `state` does without")
    parser.add_argument("--control", type=Path, required=True, help="the simulator's control socket")
    parser.add_argument("--seconds", type=float, help="normal again after this time")
    parser.add_argument("--fault", choices=ONVIF_FAULTS, help="with `onvif`: how it misbehaves")
    parser.add_argument("--clock-offset-s", type=float, help="with `onvif`: the camera's clock is off")
    parser.add_argument("--json", action="store_true", help="print the state as JSON")


def run(args: argparse.Namespace) -> int:
    """Do it; 0, or 2 when a camera's name is missing. Raises SimulatorGone, SimulatorRefused."""
    if args.order != "state" and not args.camera:
        sys.stderr.write("siaga-node simulate camera: name the camera with --camera\n")
        return 2
    control = CameraControl(args.control)
    if args.order == "state":
        state = control.state(args.camera)
    elif args.order == "onvif":
        state = control.onvif(args.camera, args.fault, args.clock_offset_s)
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
