"""A citizen's text read as a whole: what, how pressing, where, and the words that led there."""

from dataclasses import dataclass, replace
from functools import cache

from siaga_core.reading import aml
from siaga_core.reading.coordinates import Position, links, positions
from siaga_core.reading.fold import spellings, tokens
from siaga_core.reading.gazetteer import name_words
from siaga_core.reading.joined import Joined
from siaga_core.reading.lexicon import mean, plain_words, said_words
from siaga_core.reading.place import Place, place


@dataclass(frozen=True, slots=True)
class Reading:
    """A suggestion for an operator. `kind` is one of the city's codes or `LAIN`, `priority` P1 to P4.

    `emergency` is True if any word of danger or distress, a position or a phone's own location is there,
    whatever `doubts` say, and for several words that say nothing known: no word has to be known for a report
    to be one. A `location` is told with what is wrong with it; see `aml`. `links` are short map links, which
    say where to somebody who opens them.
    """

    kind: str
    priority: str
    emergency: bool
    place: Place
    positions: tuple[Position, ...] = ()
    words: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    location: aml.Location | None = None
    links: tuple[str, ...] = ()

    @property
    def is_placed(self) -> bool:
        """True if it says where: by a place's name, a position, a map link or the phone's own location."""
        return bool(self.place.known or self.positions or self.location or self.links)

    @property
    def says_something(self) -> bool:
        """True if more than words of an unknown meaning were found."""
        return bool(self.words) or self.is_placed


def read(text: str) -> Reading:
    """Return what `text` says; total for every string, the same for the same text, nothing is fetched."""
    located = aml.from_text(text)
    if located is not None:
        return _from_phone(text, located)
    return _from_words(text)


@cache
def _plain() -> frozenset[str]:
    return frozenset(plain_words())


@cache
def _joined() -> Joined:
    names = name_words()
    return Joined((*said_words(), *spellings(), *plain_words()), names)


def _from_words(text: str) -> Reading:
    folded, found = _joined().apart(text, tokens(text)), positions(text)
    where = place(text, folded, _plain())
    meaning = mean(folded, located=where.known or bool(found))
    reading = Reading(
        meaning.kind,
        meaning.priority,
        meaning.emergency,
        where,
        found,
        meaning.words,
        meaning.doubts,
        links=links(text),
    )
    is_placed = bool(found or reading.links) or where.known
    return _wanted_there(reading) if is_placed and not meaning.doubts else reading


def _wanted_there(reading: Reading) -> Reading:
    """Who tells 112 a place, and nothing idle with it, needs somebody there, with or without a reason."""
    priority = "P1" if reading.kind == "LAIN" and reading.positions else reading.priority
    return replace(reading, emergency=True, priority=priority)


def _from_phone(text: str, located: aml.Location) -> Reading:
    """A phone sends AML because somebody has called; words before the message count as in any text."""
    said = _from_words(text[: text.find('A"ML=')])
    priority = "P1" if said.kind == "LAIN" else said.priority
    return replace(said, emergency=True, priority=priority, location=located)
