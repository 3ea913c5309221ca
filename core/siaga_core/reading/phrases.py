"""Finds the phrases of a word list in folded tokens, whatever affixes and slips they were typed with."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from siaga_core.reading.fold import Token, words
from siaga_core.reading.stems import Vocabulary

_GAP = 2


@dataclass(frozen=True, slots=True)
class Phrase:
    """What a label is known by; `strict` allows no other word between its words."""

    label: str
    weight: float
    parts: tuple[str, ...]
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """A phrase that was found, from token `first` to token `last`."""

    phrase: Phrase
    first: int
    last: int


def phrase(label: str, weight: float, typed: str) -> Phrase:
    """Fold `typed` as a citizen's text is; in `"kebakaran jenggot"` quotes keep the words together."""
    return Phrase(label, weight, words(typed), strict=typed.startswith('"'))


class Nearby:
    """Hits by where they begin, so that a text of any length is gone through once."""

    def __init__(self, hits: Iterable[Hit]) -> None:
        self._at: dict[int, list[Hit]] = {}
        self._longest = 0
        for hit in hits:
            self._at.setdefault(hit.first, []).append(hit)
            self._longest = max(self._longest, hit.last - hit.first)

    def around(self, hit: Hit) -> Iterator[Hit]:
        """Every hit that may hold all of `hit`: it begins no later, and ends no earlier."""
        for first in range(max(0, hit.last - self._longest), hit.first + 1):
            yield from self._at.get(first, ())


class Phrases:
    """A list of phrases, ready to be looked for."""

    def __init__(self, phrases: Iterable[Phrase], plain: Iterable[str] = (), *, slips: bool = True) -> None:
        known = list(phrases)
        self._vocabulary = Vocabulary((part for one in known for part in one.parts), plain, slips=slips)
        self._by_first: dict[str, list[Phrase]] = {}
        for one in known:
            self._by_first.setdefault(one.parts[0], []).append(one)

    def find(self, read: Sequence[Token]) -> list[Hit]:
        """Return every phrase once per place where it begins; of two on the same words the longer one."""
        senses = [self._vocabulary.senses(token.word) for token in read]
        hits = [
            Hit(one, at, last)
            for at, meant in enumerate(senses)
            for word in meant
            for one in self._by_first.get(word, ())
            if (last := _end(one, senses, at)) is not None
        ]
        told = _heaviest(hits)
        near = Nearby(told)
        return [hit for hit in told if not any(_covers(other, hit) for other in near.around(hit))]


def _end(one: Phrase, senses: Sequence[frozenset[str]], at: int) -> int | None:
    """Where `one`, which begins at `at`, ends; None if it does not go on."""
    gap = 0 if one.strict else _GAP
    for part in one.parts[1:]:
        upto = range(at + 1, min(at + 2 + gap, len(senses)))
        found = next((later for later in upto if part in senses[later]), None)
        if found is None:
            return None
        at = found
    return at


def _heaviest(hits: Iterable[Hit]) -> list[Hit]:
    """One word is told once per label, whichever of its forms the list has."""
    best: dict[tuple[str, int, int], Hit] = {}
    for hit in sorted(hits, key=lambda one: (one.phrase.weight, one.phrase.parts)):
        best[hit.phrase.label, hit.first, hit.last] = hit
    return sorted(best.values(), key=lambda one: (one.first, one.last, one.phrase.label))


def _covers(longer: Hit, hit: Hit) -> bool:
    """A longer phrase with the same label, and with all of the shorter one's words, speaks for both."""
    return (
        longer.phrase.label == hit.phrase.label
        and longer.first <= hit.first
        and hit.last <= longer.last
        and len(longer.phrase.parts) > len(hit.phrase.parts)
    )
