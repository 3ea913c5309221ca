"""A call's sound: raw PCM on a second pseudo-terminal, carried to a citizen or to another simulated modem."""

import contextlib
import logging
import socket
from collections import deque
from pathlib import Path

from siaga_edge.simulate.modem.machine import AtError, Call, Handler, Machine, Now
from siaga_edge.simulate.modem.reach import Reach
from siaga_edge.simulate.modem.request import Request
from siaga_edge.simulate.modem.terminal import Terminal

log = logging.getLogger(__name__)

FRAME_OCTETS, FRAME_S = 320, 0.02  # 8 kHz, 16 bit, mono
SILENCE = bytes(FRAME_OCTETS)
# Between the modems: what a network's own delay holds, and no more.
_AHEAD_MOST, _UP_MOST = 50, 16_000


def socket_file(control: Path) -> Path:
    """Where a modem takes the sound of its calls with others."""
    return Path(f"{control}.audio")


class Audio:
    """The sound of one modem's calls. Used by the thread of its port."""

    def __init__(self, machine: Machine, link: Path, control: Path, reach: Reach) -> None:
        self._machine, self._reach, self._link = machine, reach, link
        self._terminal: Terminal | None = None
        self._path = socket_file(control)
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.bind(str(self._path))
        self._socket.setblocking(False)
        self._up, self._down = bytearray(), deque[bytes](maxlen=_AHEAD_MOST)
        self._next_mono_s: float | None = None

    def plug_in(self) -> None:
        """Make the device appear."""
        self._terminal = Terminal(self._link)

    def unplug(self) -> None:
        """Take it away."""
        if self._terminal is not None:
            self._terminal.close()
            self._terminal = None

    def close(self) -> None:
        """Take device and socket away."""
        self.unplug()
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def due_mono_s(self) -> float | None:
        """When the next frame is due."""
        return self._next_mono_s

    def turn(self, now: Now) -> None:
        """Let the sound flow that is due."""
        self._take_in()
        self._let_citizens_go()
        call = next((call for call in self._machine.calls if call.state == "active"), None)
        if call is None:
            self._next_mono_s = None
            self._up.clear()
            self._down.clear()
            return
        due_s = now.mono_s if self._next_mono_s is None else self._next_mono_s
        while now.mono_s >= due_s:
            self._exchange(call)
            due_s += FRAME_S
        self._next_mono_s = due_s

    def _take_in(self) -> None:
        if self._terminal is not None and not self._is_dead():
            self._up += self._terminal.read()
            del self._up[:-_UP_MOST]
        with contextlib.suppress(BlockingIOError):
            while True:
                self._down.append(self._socket.recv(4096))

    def _is_dead(self) -> bool:
        """The second call of some firmware: it says mode 1, takes nothing and gives nothing."""
        return self._machine.faults.pcm == "second_dead" and self._machine.pcm_uses > 1

    def _exchange(self, call: Call) -> None:
        machine, fault = self._machine, self._machine.faults.pcm
        said = SILENCE
        if machine.pcm_open and len(self._up) >= FRAME_OCTETS:
            said = bytes(self._up[:FRAME_OCTETS])
            del self._up[:FRAME_OCTETS]
        other = self._carry(call, SILENCE if fault == "dumb" else said)
        if fault == "deaf":
            other = SILENCE
        elif fault == "echo":
            other = said
        if machine.pcm_open and fault != "never" and not self._is_dead() and self._terminal is not None:
            self._terminal.write(other)

    def _carry(self, call: Call, said: bytes) -> bytes:
        """Bring what this side says to the other; what the other says."""
        citizen = self._machine.citizens.get(call.id)
        if citizen is not None:
            citizen.heard += said
            frame = citizen.says[citizen.said : citizen.said + FRAME_OCTETS]
            citizen.said += FRAME_OCTETS
            return frame.ljust(FRAME_OCTETS, b"\0")
        way = self._reach.peers.get(call.number)
        if way is not None:
            with contextlib.suppress(OSError):
                self._socket.sendto(said, str(socket_file(way)))
        return self._down.popleft() if self._down else SILENCE

    def _let_citizens_go(self) -> None:
        """Who is not on the line any more has heard what he has heard."""
        there = {call.id for call in self._machine.calls}
        for id in [id for id in self._machine.citizens if id not in there]:
            citizen = self._machine.citizens.pop(id)
            if citizen.hears:
                Path(citizen.hears).write_bytes(citizen.heard)


def _pcm(name: str) -> Handler:
    """+CPCMREG, +QPCMV, ^DDSETEX: each family has its own, and works only in a call."""

    def handle(machine: Machine, request: Request, _now: Now) -> list[str]:
        if machine.profile.pcm_command != name:
            raise AtError
        if request.form == "test":
            return [f"{name}: (0,1)"]
        if request.form == "read":
            return [f"{name}: {1 if machine.pcm_open else 0}{',0' if name == '+QPCMV' else ''}"]
        wanted = request.number(0, 0) != 0
        if wanted and not any(call.state == "active" for call in machine.calls):
            raise AtError("CME", 3)
        machine.pcm_open = wanted and machine.faults.pcm != "refused"
        machine.pcm_uses += wanted
        return []

    return handle


def _voice_format(machine: Machine, request: Request, _now: Now) -> list[str]:
    """^CVOICE?: not locked, 8000 Hz, 16 bit, frames of 20 ms (as chan_dongle reads it)."""
    return ["^CVOICE:0,8000,16,20"] if request.form == "read" and machine.profile.pcm_command else []


COMMANDS: dict[str, Handler] = {
    **{name: _pcm(name) for name in ("+CPCMREG", "+QPCMV", "^DDSETEX")},
    "^CVOICE": _voice_format,
}
