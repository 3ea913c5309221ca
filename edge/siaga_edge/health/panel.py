"""What lamp and siren do: by the node's level, its link and the siren orders. Pure."""

from dataclasses import dataclass
from typing import Literal

from siaga_core.wire.health import Level

Lamp = Literal["green", "amber", "red"]
# A siren that nobody silences ends by itself.
SIREN_MOST_S = 600.0
# A lease that reaches further was left by another boot, or made by a mistake.
ASKED_MOST_S = 60.0


@dataclass(frozen=True, slots=True)
class Siren:
    """An order to sound until a moment of the monotonic clock."""

    command: str
    until_mono_s: float


@dataclass(frozen=True, slots=True)
class Shown:
    """What the panel shows."""

    lamp: Lamp
    siren: bool


def order(command: str, duration_s: float, now_mono_s: float) -> Siren | None:
    """The siren after an order; None for silence."""
    return Siren(command, now_mono_s + min(duration_s, SIREN_MOST_S)) if duration_s > 0 else None


def sounds(siren: Siren | None, now_mono_s: float) -> bool:
    """Whether the hub's order still holds."""
    return siren is not None and now_mono_s < siren.until_mono_s


def show(
    level: Level, *, link: bool, siren: Siren | None, now_mono_s: float, asked_until_mono_s: float = 0.0
) -> Shown:
    """Green: all well. Amber (both lamps): something to look at, or no link. Red: somebody has to come.

    The siren sounds by the hub's order, or while a service of this node asks for it because no hub takes
    its reports; then the lamp is red too.
    """
    asked = now_mono_s < asked_until_mono_s <= now_mono_s + ASKED_MOST_S
    lamp: Lamp = "red" if level == "crit" or asked else "amber" if level == "warn" or not link else "green"
    return Shown(lamp, asked or sounds(siren, now_mono_s))
