"""How a modem is now, for the command line: a file in the run directory, gone with the power."""

from pathlib import Path

import msgspec
from msgspec import Struct

# The service writes its status every 5 s, and at every change.
OLD_S = 30.0


class ModemStatus(Struct, frozen=True, kw_only=True):
    """How a modem is now, for the command line.

    `verdicts`: level and detail by code; `ages_s`: how old each was at `at_wall_ns`.
    """

    at_wall_ns: int
    ready: bool
    model: str = ""
    profile: str = ""
    swept_wall_ns: int = 0
    trouble: str = ""
    rung: str = ""
    noise: int = 0
    slots: dict[str, tuple[int, int]] = {}
    verdicts: dict[str, tuple[str, str]] = {}
    ages_s: dict[str, float] = {}


def write_status(run_dir: Path, service: str, status: ModemStatus) -> None:
    """Replace the file; a reader sees the old one or the new one. Not synced: true for this boot only."""
    run_dir.mkdir(parents=True, exist_ok=True)
    part = run_dir / f".{service}.json.part"
    part.write_bytes(msgspec.json.encode(status))
    part.replace(run_dir / f"{service}.json")


def read_status(run_dir: Path, service: str) -> ModemStatus | None:
    """What the service said last; None if it has not run since the machine started."""
    try:
        return msgspec.json.decode((run_dir / f"{service}.json").read_bytes(), type=ModemStatus)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
