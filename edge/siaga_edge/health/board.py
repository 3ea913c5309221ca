"""The board's pins: data from firmware-config/boards, the only place where they are written."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from siaga_core.errors import SiagaError
from siaga_core.service import config
from siaga_core.service.config import ConfigError


class Pin(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One pin: its BCM number, where it is on the header, what is wired to it."""

    bcm: Annotated[int, Meta(ge=0, le=27)]
    header: Annotated[int, Meta(ge=1, le=40)]
    direction: Literal["in", "out"]
    note: str


class Board(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One board."""

    name: str
    gpio_chip: str
    watchdog_max_s: float
    uart: str
    pins: dict[str, Pin]


class PinTaken(SiagaError):
    """Two roles on one pin."""


def load(name: str, folder: Path | None) -> Board:
    """Read a board. Raises ConfigError, PinTaken."""
    path = (folder or _folder()) / f"{name}.toml"
    board = config.load(path, Board)
    seen: dict[int, str] = {}
    for role, pin in board.pins.items():
        if pin.bcm in seen:
            raise PinTaken(f"{path}: {role} and {seen[pin.bcm]} are both on BCM {pin.bcm}")
        seen[pin.bcm] = role
    return board


def _folder() -> Path:
    """Installed beside the environment, or in the source tree."""
    candidates = (
        Path(sys.prefix) / "share/siaga/firmware-config/boards",
        Path(__file__).parents[3] / "firmware-config/boards",
    )
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise ConfigError(candidates[0], "", "there are no boards; install siaga from its wheel again")
