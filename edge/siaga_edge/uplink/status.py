"""How the link is now, for the command line: a file in the run directory, gone with the power."""

from pathlib import Path

import msgspec
from msgspec import Struct

FILE = "link.json"


class LinkStatus(Struct, frozen=True, kw_only=True):
    """Whether the broker is reached, since when by the node's clock, and if not, why."""

    up: bool
    since_wall_ns: int
    reason: str = ""


def write_status(run_dir: Path, status: LinkStatus) -> None:
    """Replace the file; a reader sees the old one or the new one. Not synced: true for this boot only."""
    run_dir.mkdir(parents=True, exist_ok=True)
    part = run_dir / f".{FILE}.part"
    part.write_bytes(msgspec.json.encode(status))
    part.replace(run_dir / FILE)


def read_status(run_dir: Path) -> LinkStatus | None:
    """What the uplink said last; None if it has not run since the machine started."""
    try:
        return msgspec.json.decode((run_dir / FILE).read_bytes(), type=LinkStatus)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
