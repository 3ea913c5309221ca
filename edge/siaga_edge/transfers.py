"""Files on their way up: a service publishes them into one folder, the uplink carries them over HTTPS.

A transfer is `<name>` beside `<name>.json` (the ticket, published last). Footage and pictures never travel
over MQTT. The uplink deletes both when the gateway has confirmed the hash.
"""

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from siaga_core.service.files import sync_directory, write_atomic


class Ticket(Struct, frozen=True, kw_only=True):
    """What a waiting file is."""

    kind: str  # "clip" or "picture"
    name: str  # file name inside the folder
    camera: str
    size_bytes: int
    sha256: str
    command_id: str = ""  # of a clip
    taken_wall_ns: int = 0  # of a picture
    result: dict[str, Any] = {}  # of a clip: what the hub is told of it


def publish(folder: Path, ticket: Ticket) -> None:
    """Announce a file that is already whole and synced in `folder`; durable when this returns."""
    sync_directory(folder)
    write_atomic(folder / f"{ticket.name}.json", msgspec.json.encode(ticket))


def waiting(folder: Path) -> list[Ticket]:
    """Tickets of files ready to go, pictures first (small), then oldest first; broken ones left out."""
    found: list[tuple[float, Ticket]] = []
    for path in folder.glob("*.json"):
        try:
            ticket = msgspec.json.decode(path.read_bytes(), type=Ticket)
            found.append((path.stat().st_mtime, ticket))
        except (OSError, msgspec.DecodeError):
            continue
    return [ticket for _, ticket in sorted(found, key=lambda item: (item[1].kind != "picture", item[0]))]


def find(folder: Path, name: str) -> Ticket | None:
    """The ticket of a file that was published and has not arrived, or None."""
    try:
        return msgspec.json.decode((folder / f"{name}.json").read_bytes(), type=Ticket)
    except (OSError, msgspec.DecodeError):
        return None


def discard(folder: Path, ticket: Ticket) -> None:
    """Forget a transfer that has arrived: the ticket first, so that no ticket names a missing file."""
    (folder / f"{ticket.name}.json").unlink(missing_ok=True)
    (folder / ticket.name).unlink(missing_ok=True)
