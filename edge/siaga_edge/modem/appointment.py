"""How this node's two modems arrange a trial call: files in the run directory, gone with the power."""

import contextlib
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

# A stand is written every STAND_EVERY_S; one that is older is that of a service which does not run.
STAND_EVERY_S, STAND_MOST_S = 5.0, 15.0
Step = Literal["ready", "deaf", "heard"]
T = TypeVar("T")


class Stand(Struct, frozen=True, kw_only=True):
    """How a modem stands. `session` names one opening of its port; times are CLOCK_MONOTONIC's."""

    session: str
    at_mono_s: float
    is_free: bool
    wants: bool


class Appointment(Struct, frozen=True, kw_only=True):
    """One trial call: the first modem dials the second, each in the session named."""

    id: str
    dialler: str
    dialled: str
    until_mono_s: float


class Place:
    """The folder where both services meet. `mine` and `theirs` are names of services."""

    def __init__(self, run_dir: Path, mine: str, theirs: str) -> None:
        self._folder, self._mine, self._theirs = run_dir / "voice", mine, theirs

    def stand(self, stand: Stand) -> None:
        """Say how this modem stands."""
        self._write(f"{self._mine}.json", msgspec.json.encode(stand))

    def peer(self, now_mono_s: float) -> Stand | None:
        """How the other modem stands; None when its service does not say."""
        found = self._read(f"{self._theirs}.json", Stand)
        if found is None or not 0 <= now_mono_s - found.at_mono_s < STAND_MOST_S:
            return None
        return found

    def arrange(self, appointment: Appointment) -> None:
        """Announce a trial call; what is left of earlier ones goes."""
        for old in self._folder.glob("*.step"):
            old.unlink(missing_ok=True)
        self._write("trial.json", msgspec.json.encode(appointment))

    def arranged(self, session: str, now_mono_s: float) -> Appointment | None:
        """A trial call that is announced to this session of this modem."""
        found = self._read("trial.json", Appointment)
        is_mine = found is not None and found.dialled == session and now_mono_s < found.until_mono_s
        return found if is_mine else None

    def say(self, id: str, step: Step) -> None:
        """Tell the other side of a trial call."""
        self._write(f"{id}-{self._mine}-{step}.step", b"")

    def says(self, id: str, step: Step) -> bool:
        """Whether the other side of a trial call has said it."""
        return (self._folder / f"{id}-{self._theirs}-{step}.step").exists()

    def _write(self, name: str, content: bytes) -> None:
        with contextlib.suppress(OSError):  # a full run directory costs the trial, nothing else
            self._folder.mkdir(parents=True, exist_ok=True)
            part = self._folder / f".{self._mine}.part"
            part.write_bytes(content)
            part.replace(self._folder / name)

    def _read(self, name: str, kind: type[T]) -> T | None:
        try:
            return msgspec.json.decode((self._folder / name).read_bytes(), type=kind)
        except (OSError, msgspec.DecodeError):
            return None
