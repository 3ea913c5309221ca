"""Which cameras look at a place."""

import math
from dataclasses import dataclass

_EARTH_RADIUS_M = 6_371_008.8  # mean radius, IUGG


@dataclass(frozen=True, slots=True)
class Located:
    """Something with a place; None when nobody has said where it is."""

    id: str
    latitude: float | None
    longitude: float | None


def distance_m(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Great-circle distance in metres (haversine). Straight over water: islands are not told apart."""
    one, two = math.radians(latitude), math.radians(other_latitude)
    half = math.sin((two - one) / 2) ** 2
    half += math.cos(one) * math.cos(two) * math.sin(math.radians(other_longitude - longitude) / 2) ** 2
    return 2 * _EARTH_RADIUS_M * math.asin(math.sqrt(min(1.0, half)))


def nearest(
    latitude: float, longitude: float, cameras: list[Located], limit: int = 6
) -> list[tuple[str, float | None]]:
    """Return (camera id, metres) of the nearest, nearest first; those without a place last, with None."""
    placed = [
        (camera.id, distance_m(latitude, longitude, camera.latitude, camera.longitude))
        for camera in cameras
        if camera.latitude is not None and camera.longitude is not None
    ]
    placed.sort(key=lambda pair: (pair[1], pair[0]))
    unplaced: list[tuple[str, float | None]] = [
        (camera.id, None) for camera in cameras if camera.latitude is None or camera.longitude is None
    ]
    return [*placed, *unplaced][:limit]
