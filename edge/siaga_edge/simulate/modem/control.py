"""The near end of the control socket: what tests, benchmarks and the command line use to direct a modem."""

import json
import socket
from pathlib import Path
from types import TracebackType
from typing import Any

from siaga_core.errors import SiagaError, Transient

DEFAULT_SOCKET = Path("/run/siaga/modem-simulator.sock")
ANSWER_LIMIT_S = 10.0

Answer = dict[str, Any]


class SimulatorMissing(SiagaError, Transient):
    """Nobody listens on the control socket."""


class OrderRefused(SiagaError):
    """The simulator did not understand or could not do it."""


class Control:
    """One connection to a simulated modem. Every order returns the modem's answer or raises OrderRefused."""

    def __init__(self, path: Path = DEFAULT_SOCKET) -> None:
        """Raises SimulatorMissing."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(ANSWER_LIMIT_S)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise SimulatorMissing(
                f"no simulated modem answers on {path}; start one with:"
                f" python -m siaga_edge.simulate.modem --link PATH --control {path}"
            ) from error
        self._reader = self._socket.makefile("rb")

    def __enter__(self) -> "Control":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; the modem goes on."""
        self._reader.close()
        self._socket.close()

    def order(self, do: str, **keys: Any) -> Answer:
        """Send one order as the protocol names it. Raises OrderRefused or SimulatorMissing."""
        try:
            self._socket.sendall(json.dumps({"do": do} | keys).encode() + b"\n")
            line = self._reader.readline()
        except OSError as error:
            raise SimulatorMissing("the simulated modem does not answer any more") from error
        if not line:
            raise SimulatorMissing("the simulated modem has ended")
        answer: Answer = json.loads(line)
        if not answer.pop("ok"):
            raise OrderRefused(f"{do}: {answer.get('error')}")
        return answer

    def sms(self, sender: str, text: str, **keys: Any) -> list[Answer]:
        """A text arrives; one entry per part, with the times of storing and of +CMTI (None if not yet)."""
        parts: list[Answer] = self.order("sms", **({"from": sender, "text": text} | keys))["parts"]
        return parts

    def pdu(self, octets: str) -> Answer:
        """Octets arrive, in hexadecimal with the SMSC address; they may be nonsense."""
        part: Answer = self.order("pdu", hex=octets)["parts"][0]
        return part

    def call(self, sender: str = "", **keys: Any) -> Answer:
        """Somebody calls; an empty number is withheld."""
        return self.order("call", **({"from": sender} | keys))

    def hang_up(self) -> int:
        """Callers give up; how many."""
        return int(self.order("hangup")["calls"])

    def sent(self) -> list[Answer]:
        """What the node has sent, decoded, oldest first."""
        sent: list[Answer] = self.order("sent")["sent"]
        return sent

    def deliveries(self) -> list[Answer]:
        """What became of every message given to the modem."""
        deliveries: list[Answer] = self.order("deliveries")["deliveries"]
        return deliveries

    def report(self, reference: int, status: int = 0) -> bool:
        """The network reports on a sent message; False if there is none of this reference."""
        return bool(self.order("report", reference=reference, status=status)["reported"])

    def state(self) -> Answer:
        """Stores, settings, calls, counters."""
        return self.order("state")

    def fault(self, **settings: float | bool | str) -> Answer:
        """Set faults by name (see faults.Faults); what is in force now."""
        return self.order("fault", settings=settings)

    def clear_faults(self) -> Answer:
        """Put everything right."""
        return self.order("fault", clear=True)

    def hang(self, seconds: float, *, reset: bool = False) -> Answer:
        """The firmware is stuck for a while."""
        return self.order("hang", seconds=seconds, reset=reset)

    def reset(self) -> Answer:
        """The modem restarts by itself."""
        return self.order("reset")

    def say(self, octets: bytes) -> Answer:
        """The line carries these octets, whatever they are."""
        return self.order("say", hex=octets.hex())

    def peers(self, number: str, peers: dict[str, Path]) -> Answer:
        """Have what is sent to these numbers arrive at those modems; `number` is this one's own."""
        return self.order("peers", number=number, peers={one: str(way) for one, way in peers.items()})

    def unplug(self, seconds: float) -> Answer:
        """The plug is pulled and put back."""
        return self.order("unplug", seconds=seconds)
