"""What each family of modems wants to hear and says by itself: data from firmware-config/modems."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from siaga_core.service import config
from siaga_core.service.config import ConfigError

Quirk = Literal["list_hangs", "empty_slot_is_ok", "report_index_lies", "hang_up_needs_chup", "no_voice"]
Seconds = Annotated[float, Meta(gt=0, le=600)]
# Words of a start that several families share; a profile says its own.
_BOOT = ("RDY", "Call Ready", "SMS Ready", "SMS DONE", "PB DONE", "^SYSSTART")


class Limits(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long kinds of commands may take, in seconds."""

    answer_s: Seconds = 4
    list_s: Seconds = 20
    send_s: Seconds = 60
    network_s: Seconds = 15


class Audio(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[audio]`: how a call's sound is had as raw PCM, signed 16 bit little-endian, mono.

    `prepare` is said once when the port was opened, `open` when a call is connected, each must be OK; then
    `ask` must be answered by a line that begins with `expects`. `close` is said when the call is over.
    """

    prepare: list[str] = field(default_factory=list)
    open: list[str]
    ask: str
    expects: str
    close: list[str] = field(default_factory=list)
    rate_hz: Literal[8000] = 8000
    frame_octets: Literal[320] = 320


class Profile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One family. `announce`, `reject` and `reset` are tried in order until one is answered OK."""

    identify: list[str]
    init: list[str]
    announce: list[str]
    reject: list[str]
    stores: list[Literal["SM", "ME", "MT", "SR"]] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    boot: list[str] = field(default_factory=lambda: list(_BOOT))
    reset: list[str] = field(default_factory=lambda: ["AT+CFUN=1,1"])
    boot_s: Seconds = 25
    pin_tries: str = ""
    quirks: list[Quirk] = field(default_factory=list)
    limits: Limits = field(default_factory=Limits)
    audio: Audio | None = None

    def has(self, quirk: Quirk) -> bool:
        """Whether the family is known for this."""
        return quirk in self.quirks


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


def every_event(profiles: dict[str, Profile]) -> tuple[str, ...]:
    """What any family says by itself: until a modem has said which it is."""
    return tuple(sorted({event for profile in profiles.values() for event in profile.events}))


def own_words(profiles: dict[str, Profile], name: str) -> tuple[str, ...]:
    """What a modem of that family says by itself; of an unknown one, whatever any family says."""
    words = every_event(profiles) if name == "generic" else tuple(profiles[name].events)
    return (*words, *profiles[name].boot)


def _folder() -> Path:
    """In the source tree, or installed beside the environment: there the first is never found."""
    candidates = (
        Path(__file__).parents[3] / "firmware-config/modems",
        Path(sys.prefix) / "share/siaga/firmware-config/modems",
    )
    for candidate in candidates:
        if (candidate / "generic.toml").exists():
            return candidate
    raise ConfigError(candidates[-1], "", "there are no modem profiles; install siaga from its wheel again")
