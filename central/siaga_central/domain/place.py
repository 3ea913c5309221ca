"""Where an incident is, who says so, and how certain that is. Pure."""

from dataclasses import dataclass

from siaga_central.domain.nearest import distance_m

# Who is believed before whom. A person at the hub has asked the caller; a pin knows better than a name.
RANK = {"listed": 1, "camera": 2, "coordinates": 3, "phone": 3, "operator": 4}
# A pin that somebody has sent, or typed; maps and phones are off by so much in a street.
PIN_RADIUS_M = 50.0
# A phone that says where it is without saying how well it knows.
PHONE_RADIUS_M = 500.0
# A report that names a camera or a site means what is there or round the next corner.
NAMED_RADIUS_M = 200.0
# What a camera overlooks.
CAMERA_RADIUS_M = 100.0


@dataclass(frozen=True, slots=True)
class Spot:
    """Degrees WGS 84; the incident is within `radius_m`; `source` as in RANK; `words` are what says it."""

    latitude: float
    longitude: float
    radius_m: float
    source: str
    words: str = ""


def replaces(new: Spot, old: Spot | None) -> bool:
    """Whether `new` becomes the incident's place; nothing but an operator overrules an operator."""
    if old is None or new.source == "operator":
        return new != old
    if RANK[new.source] != RANK[old.source]:
        return RANK[new.source] > RANK[old.source]
    return new.radius_m < old.radius_m


def contradicts(new: Spot, old: Spot) -> bool:
    """Whether both cannot be true: they lie farther apart than they are uncertain."""
    apart_m = distance_m(new.latitude, new.longitude, old.latitude, old.longitude)
    return apart_m > new.radius_m + old.radius_m
