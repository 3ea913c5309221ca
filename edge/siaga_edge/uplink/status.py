"""How the link is now, for the command line: a file in the run directory, gone with the power."""

from pathlib import Path

from msgspec import Struct

from siaga_edge import run_file

FILE = "link.json"


class LinkStatus(Struct, frozen=True, kw_only=True):
    """Whether the broker is reached, since when by the node's clock, and if not, why."""

    up: bool
    since_wall_ns: int
    reason: str = ""


def write_status(run_dir: Path, status: LinkStatus) -> None:
    """Replace the file; a reader sees the old one or the new one. Not synced: true for this boot only."""
    run_file.replace(run_dir, FILE, status)


def read_status(run_dir: Path) -> LinkStatus | None:
    """What the uplink said last; None if it has not run since the machine started."""
    return run_file.read(run_dir, FILE, LinkStatus)
