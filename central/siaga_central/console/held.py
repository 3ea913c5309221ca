"""What a page shows of a hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from siaga_central.store import holds, views
from siaga_core.wire.recording import HoldState


@dataclass(frozen=True, slots=True)
class Shown:
    """A hold with what its node said of it, and the incident's number if it has one."""

    row: Row[Any]
    camera: str
    said: HoldState | None
    number: str = ""


def shown(connection: Connection, rows: Sequence[Row[Any]]) -> list[Shown]:
    """What a page shows of holds."""
    cameras = {camera.id: camera.name for camera in views.cameras(connection)}
    found = []
    for row in rows:
        line = views.incident_line(connection, row.incident) if row.incident else None
        number = line.incident.number if line is not None else ""
        found.append(Shown(row, cameras.get(row.camera, row.camera), holds.reported(row), number))
    return found
