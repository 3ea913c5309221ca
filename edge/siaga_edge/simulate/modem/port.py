"""The modem as a device: a pseudo-terminal under a lasting name, and the control socket beside it."""

import json
import logging
import selectors
import socket
import time
from pathlib import Path
from typing import Any

from siaga_core.service.database import AlreadyOpen, WriterLock
from siaga_edge.simulate.modem import orders
from siaga_edge.simulate.modem.audio import Audio
from siaga_edge.simulate.modem.dialogue import Dialogue
from siaga_edge.simulate.modem.director import Director
from siaga_edge.simulate.modem.machine import Now
from siaga_edge.simulate.modem.terminal import NameTaken, Terminal

log = logging.getLogger(__name__)

_ORDER_MAX_BYTES = 1024 * 1024
_IDLE_S = 0.2
_PLAYED = (
    "{path}: simulator lain sedang berjalan di sini; hentikan yang itu (Ctrl-C), atau pilih --link dan"
    " --control lain / another simulator plays here; stop that one, or choose another --link and --control"
)


def present() -> Now:
    """The machine's clocks."""
    return Now(time.monotonic(), time.time())


class Port:
    """Runs one dialogue on one terminal and one control socket, in one thread."""

    def __init__(self, dialogue: Dialogue, link: Path, control: Path, audio_link: Path | None = None) -> None:
        """`audio_link`: under this name the sound of calls comes and goes; None: there is none."""
        self._dialogue, self._link, self._control = dialogue, link, control
        self._director = Director(dialogue, self._unplug, self._power_on_later)
        reach, machine = self._director.reach, dialogue.machine
        self._audio = Audio(machine, audio_link, control, reach) if audio_link is not None else None
        self._selector = selectors.DefaultSelector()
        self._terminal: Terminal | None = None
        self._holds_name: WriterLock | None = None
        self._plug_at: float | None = None
        self._power_on_at: float | None = None
        self._listener = _listen(control)
        self._selector.register(self._listener, selectors.EVENT_READ, "listen")
        self._unfinished: dict[socket.socket, bytearray] = {}
        self._stopped = False

    def stop(self) -> None:
        """End `run` after its present turn."""
        self._stopped = True

    def run(self) -> None:
        """Serve until `stop`; then take device and socket away."""
        try:
            while not self._stopped:
                self._turn()
        finally:
            self.close()

    def close(self) -> None:
        """Take device and socket away."""
        if self._terminal is not None:
            self._terminal.close()
            self._terminal = None
        if self._audio is not None:
            self._audio.close()
        for connection in list(self._unfinished):
            self._forget(connection)
        if self._holds_name is not None:
            self._holds_name.release()
            self._holds_name = None
        self._listener.close()
        self._selector.close()
        self._control.unlink(missing_ok=True)

    def _turn(self) -> None:
        for key, _ in self._selector.select(self._pause_s()):
            if key.data == "listen":
                self._accept()
            elif key.data == "terminal":
                self._hear()
            else:
                self._obey(key.data)
        now = present()
        if self._plug_at is not None and now.mono_s >= self._plug_at:
            self._plug_at = None
            self.plug_in()
            self._dialogue.power_on(now)
        if self._power_on_at is not None and now.mono_s >= self._power_on_at:
            self._power_on_at = None
            self._dialogue.power_on(now)
        self._dialogue.advance(now)
        self._speak(now)
        machine = self._dialogue.machine
        self._director.reach.carry(machine.sent, expired=machine.faults.expired)
        signals, machine.signals = machine.signals, []
        for number, order in signals:
            self._director.reach.signal(number, order)
        if self._audio is not None:
            self._audio.turn(now)

    def _pause_s(self) -> float:
        sound = self._audio.due_mono_s() if self._audio is not None else None
        times = (self._dialogue.due_mono_s(), self._plug_at, self._power_on_at, sound)
        due = [at for at in times if at is not None]
        return max(0.0, min([_IDLE_S, *(at - time.monotonic() for at in due)]))

    def _hear(self) -> None:
        if self._terminal is not None and (octets := self._terminal.read()):
            self._dialogue.feed(octets, present())

    def _speak(self, now: Now) -> None:
        if self._terminal is None:
            return
        self._terminal.forgive_exclusive()
        octets = self._dialogue.output(now)
        self._terminal.write(octets)

    def reach(self, number: str, peers: dict[str, Path]) -> None:
        """Have texts to `peers` (control sockets by number) arrive there."""
        self._director.reach.number, self._director.reach.peers = number, peers

    def plug_in(self) -> None:
        """Make the device appear. Raises NameTaken while another simulator plays under its name."""
        if self._holds_name is None:
            self._holds_name = _hold(self._link)
        self._terminal = Terminal(self._link)
        self._selector.register(self._terminal.master, selectors.EVENT_READ, "terminal")
        if self._audio is not None:
            self._audio.plug_in()
        log.info("plugged in link=%s device=%s", self._link, self._terminal.name)

    def _unplug(self, seconds: float, now: Now) -> None:
        self._dialogue.power_off(now)
        self._plug_at = now.mono_s + seconds
        if self._terminal is not None:
            self._selector.unregister(self._terminal.master)
            self._terminal.close()
            self._terminal = None
        if self._audio is not None:
            self._audio.unplug()
        log.info("unplugged for_s=%.1f", seconds)

    def _power_on_later(self, seconds: float) -> None:
        self._power_on_at = time.monotonic() + seconds

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        self._unfinished[connection] = bytearray()
        self._selector.register(connection, selectors.EVENT_READ, connection)

    def _obey(self, connection: socket.socket) -> None:
        try:
            octets = connection.recv(65536)
        except OSError:
            octets = b""
        typed = self._unfinished[connection]
        typed += octets
        if not octets or len(typed) > _ORDER_MAX_BYTES:
            self._forget(connection)
            return
        *lines, rest = bytes(typed).split(b"\n")
        self._unfinished[connection] = bytearray(rest)
        for line in filter(bytes.strip, lines):
            answer = json.dumps(self._carry_out(line)).encode() + b"\n"
            try:
                connection.sendall(answer)
            except OSError:
                self._forget(connection)
                return

    def _carry_out(self, line: bytes) -> dict[str, Any]:
        try:
            return {"ok": True} | self._director.carry_out(orders.decode(line), present())
        except orders.BadOrder as error:
            return {"ok": False, "error": str(error)}

    def _forget(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        del self._unfinished[connection]
        connection.close()


def _hold(link: Path) -> WriterLock:
    """Keep others from playing under this name; it ends with the process."""
    try:
        return WriterLock(link.with_name(f".{link.name}"))
    except AlreadyOpen as error:
        raise NameTaken(_PLAYED.format(path=link)) from error


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as caller:
        caller.setblocking(False)
        try:
            caller.connect(str(path))
        except BlockingIOError:  # so many call it that one more has to wait
            return True
        except OSError:
            return False
        return True


def _listen(path: Path) -> socket.socket:
    if path.exists() and not path.is_socket():
        raise NameTaken(f"{path} exists and is no socket; choose another --control")
    if _answers(path):
        raise NameTaken(_PLAYED.format(path=path))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    listener.bind(str(path))
    path.chmod(0o660)
    listener.listen(8)
    return listener
