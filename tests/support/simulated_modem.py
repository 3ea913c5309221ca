"""A simulated modem in its own process, as a technician would start it."""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from siaga_edge.simulate.modem.control import Control
from siaga_edge.simulate.modem.dialogue import Dialogue
from siaga_edge.simulate.modem.machine import Sim
from siaga_edge.simulate.modem.port import Port, present
from siaga_edge.simulate.modem.profile import PROFILES


@dataclass(frozen=True, slots=True)
class SimulatedModem:
    """Where it is and how to direct it."""

    link: Path
    control_file: Path
    control: Control
    process: subprocess.Popen[str]


@contextlib.contextmanager
def simulated_modem(directory: Path, *options: str) -> Iterator[SimulatedModem]:
    """Start one in `directory` with further command line `options`; ended afterwards."""
    link, control_file = directory / "modem", directory / "modem.sock"
    command = [sys.executable, "-m", "siaga_edge.simulate.modem", "--link", str(link)]
    command += ["--control", str(control_file), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline().startswith("READY"), "the simulated modem did not start"
        with Control(control_file) as control:
            yield SimulatedModem(link, control_file, control, process)
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@contextlib.contextmanager
def modem_in_thread(
    directory: Path, profile: str = "sim7600", sim: Sim | None = None, *, audio: bool = False
) -> Iterator[tuple[Path, Control]]:
    """The same modem in a thread of this process: there at once; its device and its control.

    With `audio` the sound of its calls is on a second device, `modem-audio` beside it.
    """
    link, control_file = directory / "modem", directory / "modem.sock"
    sound = directory / "modem-audio" if audio else None
    port = Port(Dialogue(PROFILES[profile], present(), sim=sim), link, control_file, sound)
    port.plug_in()
    thread = threading.Thread(target=port.run, name="simulated-modem", daemon=True)
    thread.start()
    try:
        with Control(control_file) as control:
            yield link, control
    finally:
        port.stop()
        thread.join(5)
