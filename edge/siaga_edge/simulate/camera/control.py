"""Telling a running simulator what shall be wrong: one JSON object per line on a Unix socket, one back."""

import json
import socket
from pathlib import Path
from typing import Any

from siaga_core.errors import SiagaError

# Faults of the stream beside the modes: other parameter sets, a TCP reset, a jump of the RTP time and of the
# camera's clock (seconds), packets of a foreign SSRC (1: on, 0: off), lost UDP packets (per cent).
FAULTS = ("change", "reset", "jump", "clock", "foreign", "lose")


class SimulatorGone(SiagaError):
    """No simulator listens on the control socket."""


class SimulatorRefused(SiagaError):
    """The simulator did not do what it was told."""


class CameraControl:
    """Client of a simulator's control socket. Every call opens a connection of its own."""

    def __init__(self, path: Path, *, limit_s: float = 60.0) -> None:
        self._path, self._limit_s = path, limit_s

    def switch(self, camera: str, mode: str, seconds: float | None = None) -> dict[str, Any]:
        """Let `camera` be in one of device.MODES; its state afterwards."""
        return self.tell({"do": mode, "camera": camera, "seconds": seconds})

    def fail(self, camera: str, fault: str, by: float | None = None) -> dict[str, Any]:
        """Let `camera` have one of FAULTS, by so much; its state afterwards."""
        return self.tell({"do": fault, "camera": camera, "by": by})

    def onvif(
        self, camera: str, fault: str | None = None, clock_offset_s: float | None = None
    ) -> dict[str, Any]:
        """Let the ONVIF side of `camera` misbehave, or its clock be off; its state afterwards."""
        return self.tell({"do": "onvif", "camera": camera, "fault": fault, "clock_offset_s": clock_offset_s})

    def state(self, camera: str = "") -> dict[str, Any]:
        """The state of one camera, or of all by name."""
        return self.tell({"do": "state", "camera": camera})

    def tell(self, order: dict[str, Any]) -> dict[str, Any]:
        """Send one order and return the answer. Raises SimulatorGone, SimulatorRefused."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(self._limit_s)
                connection.connect(str(self._path))
                connection.sendall(json.dumps(order).encode() + b"\n")
                with connection.makefile("rb") as lines:
                    line = lines.readline()
        except OSError as error:
            raise SimulatorGone(f"{self._path}: no simulator answers ({error}); is it running?") from error
        answer = json.loads(line or b'{"ok": false, "error": "it hung up"}')
        if not answer.pop("ok"):
            raise SimulatorRefused(f"the simulator refused {order['do']}: {answer.get('error')}")
        result: dict[str, Any] = answer["state"]
        return result
