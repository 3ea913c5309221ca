"""Where an operator says an incident is, and what a page shows of it."""

from dataclasses import dataclass
from typing import Any

import msgspec
from fastapi import HTTPException
from sqlalchemy import Connection

from siaga_central.domain.place import CAMERA_RADIUS_M, PIN_RADIUS_M, Spot
from siaga_central.store import events, incidents, views
from siaga_core.reading.coordinates import is_outside, positions
from siaga_core.reading.spots import listed
from siaga_core.reading.text import read

NO_PLACE = "no position: type coordinates, a map link, a plus code or a listed place, or choose a camera"


@dataclass(frozen=True, slots=True)
class Shown:
    """A position as the sheet shows it; `offered`: what somebody said later that speaks against it."""

    spot: Spot | None
    is_outside: bool
    offered: Spot | None


def shown(connection: Connection, row: Any) -> Shown:
    """What the sheet shows of where an incident is."""
    spot = incidents.spot_of(row)
    offered: Spot | None = None
    for event in events.of(connection, row.id):
        if event.kind == "incident.located":
            offered = None
        elif event.kind == "incident.place_offered":
            offered = _offered(event.body)
    return Shown(spot, spot is not None and is_outside(spot.latitude, spot.longitude), offered)


def said(connection: Connection, where: str, camera: str) -> Spot | None:
    """What an operator typed or chose; None for nothing. Refuses words that are no position."""
    if where.strip():
        found = typed(where.strip())
        if found is None:
            raise HTTPException(422, NO_PLACE)
        return found
    return near_camera(connection, camera) if camera else None


def typed(words: str) -> Spot | None:
    """A position in an operator's words: coordinates in any notation, or a listed place."""
    if pins := positions(words):
        return Spot(pins[0].latitude, pins[0].longitude, PIN_RADIUS_M, "operator", words)
    found = by_name(words)
    if found is None:
        return None
    return Spot(found.latitude, found.longitude, found.radius_m, "operator", found.words)


def by_name(words: str) -> Spot | None:
    """A listed place that the words name."""
    place = read(words).place
    found = listed((words, *place.names), place.district)
    if found is None:
        return None
    return Spot(found.latitude, found.longitude, found.radius_m, "listed", found.name)


def near_camera(connection: Connection, camera_id: str) -> Spot:
    """Where a camera stands. Refuses one that is not there or has no position."""
    row = views.camera(connection, camera_id)
    if row is None:
        raise HTTPException(422, f"there is no camera {camera_id}")
    latitude = row.site_latitude if row.latitude is None else row.latitude
    longitude = row.site_longitude if row.longitude is None else row.longitude
    if latitude is None or longitude is None:
        raise HTTPException(422, f"nobody has said where camera {camera_id} stands")
    return Spot(latitude, longitude, CAMERA_RADIUS_M, "operator", row.name)


def _offered(body: str) -> Spot:
    return msgspec.json.decode(body, type=Spot)
