"""What each family of modems wants to hear: data from firmware-config/modems."""

import sys
from pathlib import Path

from msgspec import Struct

from siaga_core.service import config
from siaga_core.service.config import ConfigError


class Profile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One family. `announce` and `reject` are tried in order until one is answered OK."""

    identify: list[str]
    init: list[str]
    announce: list[str]
    reject: list[str]


def load_all() -> dict[str, Profile]:
    """Every profile by name; `generic` is the fall-back. Raises ConfigError."""
    folder = _folder()
    return {path.stem: config.load(path, Profile) for path in sorted(folder.glob("*.toml"))}


def choose(profiles: dict[str, Profile], model: str) -> tuple[str, Profile]:
    """The profile of a modem that calls itself `model`."""
    for name, profile in profiles.items():
        if any(word.casefold() in model.casefold() for word in profile.identify):
            return name, profile
    return "generic", profiles["generic"]


def _folder() -> Path:
    """Installed beside the environment, or in the source tree."""
    candidates = (
        Path(sys.prefix) / "share/siaga/firmware-config/modems",
        Path(__file__).parents[3] / "firmware-config/modems",
    )
    for candidate in candidates:
        if (candidate / "generic.toml").exists():
            return candidate
    raise ConfigError(candidates[0], "", "there are no modem profiles; install siaga from its wheel again")
