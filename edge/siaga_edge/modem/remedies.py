"""What can be done to a modem from outside: open its device, switch its USB socket, ask for its power."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from siaga_core.errors import SiagaError
from siaga_core.service.clock import Clock
from siaga_core.service.workers import Stop
from siaga_edge.inbox import power
from siaga_edge.inbox.power import PowerCut
from siaga_edge.modem import ladder
from siaga_edge.modem.ladder import Rung
from siaga_edge.modem.port import Port
from siaga_edge.modem.profile import Profile
from siaga_edge.node import Modem

log = logging.getLogger(__name__)

# The hub needs to see the device leave (USB 2.0 §7.1.7.3: 2.5 µs; drivers need far longer to let go of it).
USB_OFF_S = 2.0


class Unavailable(SiagaError):
    """This node cannot do that to its modem; the message says why."""


class Remedies(Protocol):
    """The service's hands. A test's own move a simulated modem in simulated time."""

    def open(self, events: tuple[str, ...]) -> Port:
        """Open the device. Raises PortMissing."""

    def pause(self, stop: Stop, seconds: float) -> None:
        """Let time pass, or end early when the service is to stop."""

    def waits_s(self, profile: Profile) -> Mapping[Rung, float]:
        """The rungs there are, and how long each may need until it has helped."""

    def usb(self, stop: Stop) -> str:
        """Take the USB device away from the kernel and give it back; what was done. Raises Unavailable."""

    def power(self) -> str:
        """Have the power switched off and on; what was asked. Raises Unavailable."""


class LocalRemedies:
    """On the machine itself; `sys_root` lets a test show another machine's /sys."""

    def __init__(
        self,
        settings: Modem,
        run_dir: Path,
        clock: Clock,
        wake_health: Callable[[], object],
        *,
        second: bool,
        sys_root: Path = Path("/sys"),
    ) -> None:
        """`second`: another modem of this node takes over what this one cannot send."""
        self._settings, self._run_dir, self._clock = settings, run_dir, clock
        self._wake_health, self._second, self._sys_root = wake_health, second, sys_root
        # Remembered while the device is there: one that hangs may take its name with it.
        self._usb: Path | None = None

    def open(self, events: tuple[str, ...]) -> Port:
        """Open the device, and remember where it is plugged in. Raises PortMissing."""
        port = Port(self._settings.port, self._settings.baud, self._settings.answer_limit_s, events)
        self._usb = usb_device(Path(self._settings.port), self._sys_root) or self._usb
        return port

    def pause(self, stop: Stop, seconds: float) -> None:
        """Sleep, or end early."""
        stop.wait(seconds)

    def waits_s(self, profile: Profile) -> Mapping[Rung, float]:
        """USB only for a device on USB, power only where the relay is said to be wired."""
        waits: dict[Rung, float] = {"drain": 0.0, "reopen": 0.0, "restart": profile.boot_s}
        if self._usb is not None:
            waits["usb"] = ladder.USB_S
        if self._settings.power_relay:
            waits["power"] = ladder.POWER_OFF_S + profile.boot_s
        if self._second:
            waits["second"] = 0.0
        return waits

    def usb(self, stop: Stop) -> str:
        """Deauthorize the device and authorize it again (Linux, Documentation/usb/authorization.rst)."""
        if self._usb is None:
            raise Unavailable("the modem is not on USB")
        switch = self._usb / "authorized"
        try:
            switch.write_text("0")
            stop.wait(USB_OFF_S)
            switch.write_text("1")
        except OSError as error:
            raise Unavailable(f"{switch} cannot be written: {error}; see 70-siaga.rules") from error
        return f"usb device {self._usb.name} taken away and given back"

    def power(self) -> str:
        """Ask siaga-health, which alone drives GPIO."""
        until_mono_s = self._clock.mono_s() + ladder.POWER_OFF_S
        power.ask(self._run_dir, PowerCut(until_mono_s=until_mono_s, reason="the modem does not answer"))
        if not self._wake_health():
            raise Unavailable("siaga-health does not run, and it alone can switch the modem's power")
        return f"power off for {ladder.POWER_OFF_S:.0f} s asked of siaga-health"


def usb_device(port: Path, sys_root: Path) -> Path | None:
    """The USB device that a serial device belongs to, as /sys shows it; None for one that is on no USB."""
    place = (sys_root / "class/tty" / port.resolve().name / "device").resolve()
    for folder in (place, *place.parents):
        if (folder / "authorized").exists() and (folder / "idVendor").exists():
            return folder
    return None
