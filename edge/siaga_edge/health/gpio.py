"""Lamp, siren and the modem's power on real pins, or on the mock's: gpiozero with the named factory."""

from typing import Any

from gpiozero import OutputDevice
from gpiozero.exc import BadPinFactory, GPIOZeroError

from siaga_core.errors import SiagaError
from siaga_edge.health.board import Board
from siaga_edge.health.panel import Shown


class PanelMissing(SiagaError):
    """The named pin factory or a pin is not to be had."""


class Panel:
    """The wired panel. Off when it is closed, and when the process dies (relays fall back)."""

    def __init__(self, board: Board, factory: str) -> None:
        """Raises PanelMissing; never falls back to another factory."""
        self.factory: Any = _factory(factory, board)
        try:
            self._green, self._red, self._siren = (
                OutputDevice(board.pins[role].bcm, initial_value=False, pin_factory=self.factory)
                for role in ("lamp_green", "lamp_red", "siren")
            )
            # Its relay is normally closed: the modem has power while nobody drives the pin.
            self._modem_power = (
                OutputDevice(board.pins["modem_power"].bcm, initial_value=False, pin_factory=self.factory)
                if "modem_power" in board.pins
                else None
            )
        except (GPIOZeroError, KeyError) as error:
            raise PanelMissing(f"{board.name}: {error}; check pins and pin_factory = {factory!r}") from error

    def show(self, shown: Shown) -> None:
        """Drive the pins."""
        self._green.value = shown.lamp in ("green", "amber")
        self._red.value = shown.lamp in ("red", "amber")
        self._siren.value = shown.siren

    def cut_modem_power(self, cut: bool) -> bool:
        """Take the modem's power away or give it back; False if this board has no relay for it."""
        if self._modem_power is None:
            return False
        self._modem_power.value = cut
        return True

    def close(self) -> None:
        """Everything off; the modem has power."""
        for device in (self._siren, self._red, self._green, self._modem_power):
            if device is not None:
                device.close()
        self.factory.close()


def _factory(name: str, board: Board) -> Any:
    try:
        if name == "mock":
            from gpiozero.pins.mock import MockFactory

            return MockFactory()
        from gpiozero.pins.lgpio import LGPIOFactory

        return LGPIOFactory(chip=_chip_number(board))
    except (ImportError, BadPinFactory, GPIOZeroError, OSError) as error:
        raise PanelMissing(
            f"pin factory {name!r} is not to be had here: {error}; install python3-lgpio"
        ) from error


# Linux gives chips their numbers in the order they are found; the first two dozen hold every board known.
_CHIPS_MOST = 24


def _chip_number(board: Board) -> int:
    """The number of the chip whose label the board names: it differs between kernels, the label does not."""
    import lgpio

    for number in range(_CHIPS_MOST):
        try:
            handle = lgpio.gpiochip_open(number)
        except lgpio.error:
            continue
        _status, _lines, _name, label = lgpio.gpio_get_chip_info(handle)
        lgpio.gpiochip_close(handle)
        if label == board.gpio_chip:
            return number
    raise PanelMissing(f"{board.name}: no GPIO chip here is {board.gpio_chip!r}; is this the right board?")
