"""What the hub makes of a contact: suggestions for an operator, read as the node reads them. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from siaga_central.domain.place import PHONE_RADIUS_M, PIN_RADIUS_M, Spot
from siaga_core.reading.fold import words
from siaga_core.reading.lexicon import UNKNOWN
from siaga_core.reading.spots import listed
from siaga_core.reading.text import Reading, read
from siaga_core.wire.report import Report


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Kind, priority and place; `presses`: it may make an incident that is there more urgent."""

    category: str
    priority: str
    place: str
    presses: bool = False
    spot: Spot | None = None


def suggest(given: Report) -> Suggestion:
    """What the contact is probably about; a call says nothing by itself and is urgent."""
    if given.sms is None:
        return Suggestion(UNKNOWN, "P2", "")
    return of_reading(read(given.sms.text))


def of_reading(reading: Reading) -> Suggestion:
    """A reading as an incident takes it; nothing is suppressed, and what is not known is urgent."""
    presses = reading.emergency and reading.says_something
    return Suggestion(reading.kind, _priority(reading), place_words(reading), presses, spot_of(reading))


def place_words(reading: Reading) -> str:
    """The reporter's own words, with the kecamatan if the words do not say it; else a link to open."""
    words, district = reading.place.words or next(iter(reading.links), ""), reading.place.district
    if district and district.casefold() not in words.casefold():
        return f"{words}, {district}"
    return words


def spot_of(reading: Reading) -> Spot | None:
    """The best that a text says of where: a pin, what the phone says of itself, a listed name; or nothing."""
    if reading.positions:
        pin = reading.positions[0]
        return Spot(pin.latitude, pin.longitude, PIN_RADIUS_M, "coordinates", pin.words)
    if reading.location is not None and (fix := reading.location.fix) is not None:
        return Spot(fix.latitude, fix.longitude, fix.radius_m or PHONE_RADIUS_M, "phone", "AML")
    if (found := listed(reading.place.names, reading.place.district)) is None:
        return None
    return Spot(found.latitude, found.longitude, found.radius_m, "listed", found.name)


def named(text: str, known: Iterable[Spot]) -> Spot | None:
    """The spot whose own name, of two words or more, stands in the text; of several the longest name."""
    said = f" {' '.join(words(text))} "
    found = [one for one in known if " " in (name := _folded(one.words)) and f" {name} " in said]
    return max(found, key=lambda one: len(one.words), default=None)


@lru_cache(4096)
def _folded(name: str) -> str:
    return " ".join(words(name))


def _priority(reading: Reading) -> str:
    """An exercise in which somebody cries for help may have become serious: a person reads it soon."""
    if "exercise" in reading.doubts and reading.emergency:
        return min("P2", reading.priority)
    return reading.priority
