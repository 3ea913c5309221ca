"""The modem service and a simulated modem in one thread and in simulated time: hours in seconds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from siaga_core.service.workers import Stop
from siaga_edge.modem import ladder
from siaga_edge.modem.ladder import Rung
from siaga_edge.modem.port import Port, PortGone, PortMissing
from siaga_edge.modem.profile import Profile
from siaga_edge.simulate.modem.dialogue import Dialogue
from siaga_edge.simulate.modem.machine import Now

WALL_S = 1_795_000_000.0
RESETS = (b"+CFUN=1,1", b"+CRESET", b"^RESET")


@dataclass
class World:
    """Time, the modem and its plug. `boot_s`: how long the modem boots after each start."""

    dialogue: Dialogue
    boot_s: float = 2.0
    now_s: float = 0.0
    plugged: bool = True
    # What brings a modem back that has hung itself up for good; empty while it has not.
    cured_by: frozenset[str] = frozenset()
    port: "VirtualPort | None" = None
    agenda: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    look: Callable[[], None] = lambda: None

    # -- the clock of the service (siaga_core.service.clock.Clock) ------------------------------------

    def mono_s(self) -> float:
        """Simulated seconds."""
        return self.now_s

    def boot_ns(self) -> int:
        """The same in nanoseconds."""
        return int(self.now_s * 1e9) + 1

    def wall_ns(self) -> int:
        """The same on a wall clock that is right."""
        return int((WALL_S + self.now_s) * 1e9)

    def present(self) -> Now:
        """For the modem."""
        return Now(self.now_s, WALL_S + self.now_s)

    # -- time passes --------------------------------------------------------------------------------

    def run_until(self, until_s: float, enough: Callable[[], bool] = lambda: False) -> None:
        """Let everything happen that is due, in order."""
        self._turn()
        while not enough() and self.now_s < until_s:
            self.now_s = max(self.now_s, min(until_s, self._next_s()))
            self._turn()

    def at(self, after_s: float, what: Callable[[], None]) -> None:
        """Do something later."""
        self.agenda.append((self.now_s + after_s, what))
        self.agenda.sort(key=lambda entry: entry[0])

    def _next_s(self) -> float:
        due = self.dialogue.due_mono_s()
        times = [self.now_s + 0.25, self.agenda[0][0] if self.agenda else self.now_s + 0.25]
        if due is not None and due > self.now_s:
            times.append(due)
        return min(times)

    def _turn(self) -> None:
        while self.agenda and self.agenda[0][0] <= self.now_s:
            self.agenda.pop(0)[1]()
        self.look()
        self.dialogue.advance(self.present())
        while octets := self.dialogue.output(self.present()):
            if self.port is not None and self.plugged:
                self.port.take(octets)

    # -- what can be done to the modem --------------------------------------------------------------

    def write(self, octets: bytes) -> None:
        """The node wrote. A modem that has hung itself up may still hear a reset."""
        if not self.plugged:
            raise OSError(5, "Input/output error")
        if "restart" in self.cured_by and any(word in octets for word in RESETS):
            self.start()
        elif not self.cured_by:
            self.dialogue.feed(octets, self.present())

    def start(self) -> None:
        """It starts anew, and is well."""
        self.cured_by = frozenset()
        self.dialogue.power_on(self.present(), boot_s=self.boot_s)

    def pull(self, seconds: float) -> None:
        """The plug is out for a while."""
        self.plugged = False
        self.dialogue.power_off(self.present())
        if self.port is not None:
            self.port.vanish()
        self.at(seconds, self._plug_in)

    def _plug_in(self) -> None:
        self.plugged = True
        self.start()


class VirtualPort(Port):
    """Our port, with the world instead of a device and a reader's thread; all else is the product's."""

    def __init__(self, world: World, answer_limit_s: float, events: tuple[str, ...]) -> None:
        self._world = world
        super().__init__("virtual", 115200, answer_limit_s, events, world.mono_s)

    def connect(self, *_: Any, **__: Any) -> None:
        """Be the one that hears. Raises PortMissing."""
        if not self._world.plugged:
            raise PortMissing("modem virtual cannot be opened: it is not there; check plug and supply")
        self.alive, self._world.port = True, self

    def close(self) -> None:
        """Hear no more."""
        if self._world.port is self:
            self._world.port = None
        self._close_wake()

    def take(self, octets: bytes) -> None:
        """What the device gives."""
        self._take_octets(octets)

    def vanish(self) -> None:
        """The device is gone."""
        self._lines.put(None)

    def wait(self, woken: int, limit_s: float) -> bool:  # noqa: ARG002
        """Until a line has come or the time is over."""
        until_s = self._world.now_s + max(limit_s, 0.001)
        self._world.run_until(until_s, lambda: not self._lines.empty())
        return False

    def _write(self, text: str) -> None:
        try:
            self._world.write(text.encode("latin-1", "replace"))
        except OSError as error:
            raise PortGone(f"modem virtual cannot be written: {error}") from error

    def _next(self, limit_s: float) -> str | None:
        if self._lines.empty():
            until_s = self._world.now_s + limit_s
            self._world.run_until(until_s, lambda: not self._lines.empty())
        return self._lines.get_nowait()

    def _call(self) -> None:
        """Nobody sleeps on a descriptor here."""


class VirtualRemedies:
    """The service's hands in that world: every rung is there."""

    port: type[VirtualPort] = VirtualPort

    def __init__(self, world: World, answer_limit_s: float) -> None:
        self._world, self._limit_s = world, answer_limit_s

    def open(self, events: tuple[str, ...]) -> Port:
        """Raises PortMissing."""
        return self.port(self._world, self._limit_s, events)

    def pause(self, stop: Stop, seconds: float) -> None:
        """Time passes."""
        self._world.run_until(self._world.now_s + seconds, stop.is_set)

    def waits_s(self, profile: Profile) -> Mapping[Rung, float]:
        """All of them."""
        power_s = ladder.POWER_OFF_S + profile.boot_s
        return {"drain": 0, "reopen": 0, "restart": profile.boot_s, "usb": ladder.USB_S, "power": power_s}

    def usb(self, stop: Stop) -> str:
        """The socket is switched: what hangs in the USB side comes back, what hangs deeper does not."""
        cured, left = "usb" in self._world.cured_by, self._world.cured_by
        self._world.pull(2.0)
        self.pause(stop, 2.0)
        if left and not cured:
            self._world.cured_by = left
        return "switched"

    def power(self) -> str:
        """Off for five seconds."""
        self._world.pull(ladder.POWER_OFF_S)
        return "switched"
