"""Where a text says it is: listed names, and what stands behind `jalan`, `perum`, `blok` …

The words are the reporter's own, cut from the text; the list only says where to cut, and the kecamatan.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from siaga_core.reading.fold import Token, words
from siaga_core.reading.gazetteer import Named, named, places

_MOST_OF_A_NAME = 3
_PART_ENDS = frozenset(",.;:!?()\n\r")


@dataclass(frozen=True, slots=True)
class Place:
    """`words` as the reporter wrote them, `names` as listed, `district` (kecamatan) if a name tells it."""

    words: str = ""
    names: tuple[str, ...] = ()
    district: str = ""

    @property
    def known(self) -> bool:
        """True if the text says anything of where."""
        return bool(self.words)


@dataclass(frozen=True, slots=True)
class _Span:
    first: int
    last: int


def place(text: str, read: Sequence[Token], plain: frozenset[str] = frozenset()) -> Place:
    """Return the place that `text`, folded as `read`, names; nothing found is an empty place."""
    listed = named(read, plain)
    spans = [_with_neighbours(read, one) for one in listed]
    taken = frozenset(at for one in listed for at in range(one.first, one.last + 1))
    ends = taken | _ends_of_parts(text, read)
    spans += [
        span for at in range(len(read)) if (span := _unlisted(read, at, ends)) and _is_free(span, spans)
    ]
    spans += [span for at in range(len(read)) if (span := _detail(read, at)) and _is_free(span, spans)]
    spans += [
        span
        for at in range(len(read))
        if (span := _behind_in(read, at, ends, plain)) and _is_free(span, spans)
    ][:1]
    merged = [_undoubled(read, span, listed) for span in _merged(spans)]
    said = ", ".join(_once(text[read[span.first].start : read[span.last].end] for span in merged))
    district = next((one.district for one in listed if one.district), "")
    return Place(said, tuple(dict.fromkeys(one.name for one in listed)), district)


def _undoubled(read: Sequence[Token], span: _Span, listed: Sequence[Named]) -> _Span:
    """One half of `Nagoya, Nagoya`, if that is a listed name; names that are doubled themselves stay."""
    count = span.last - span.first + 1
    middle = span.first + count // 2
    halves = [[token.word for token in read[at : at + count // 2]] for at in (span.first, middle)]
    is_name = any((one.first, one.last) == (span.first, middle - 1) for one in listed)
    return _Span(span.first, middle - 1) if count % 2 == 0 and is_name and halves[0] == halves[1] else span


def _once(phrases: Iterable[str]) -> list[str]:
    """Without those whose words stand in another one: who names a place twice means one."""
    kept: list[str] = []
    for phrase in phrases:
        if not any(_is_in(phrase, one) for one in kept):
            kept = [one for one in kept if not _is_in(one, phrase)] + [phrase]
    return kept


def _is_in(phrase: str, other: str) -> bool:
    return f" {' '.join(words(phrase))} " in f" {' '.join(words(other))} "


@cache
def _lists() -> dict[str, frozenset[str]]:
    """The list's single words, folded as texts are."""
    lists = {name: _folded(listed) for name, listed in places().before.items()}
    lists["name"] = frozenset().union(
        *(lists[of] for of in ("junction", "road", "estate", "settlement", "sight"))
    )
    lists["behind"] = _folded(places().behind.words)
    lists["ends"] = _folded(places().ends.words)
    lists["nowhere"] = _folded(places().nowhere.words)
    return lists


def _folded(listed: frozenset[str]) -> frozenset[str]:
    return frozenset(folded[0] for one in listed if len(folded := words(one)) == 1)


def _ends_of_parts(text: str, read: Sequence[Token]) -> frozenset[int]:
    """The tokens behind a comma, full stop or other end of a part: no name goes on over it."""
    pairs = enumerate(pairwise(read), 1)
    return frozenset(
        at for at, (one, other) in pairs if not _PART_ENDS.isdisjoint(text[one.end : other.start])
    )


def _with_neighbours(read: Sequence[Token], one: Named) -> _Span:
    """`simpang kabil`, `depan pasar fanindo`, `kezia residence`: what stands beside a name belongs to it."""
    first, leading = one.first, _lists()["name"] | _lists()["near"]
    while first > 0 and one.first - first < 2 and read[first - 1].word in leading:
        first -= 1
    last = one.last
    while last + 1 < len(read) and last - one.last < 2 and read[last + 1].word in _lists()["behind"]:
        last += 1
    return _Span(first, last)


def _unlisted(read: Sequence[Token], at: int, ends: frozenset[int]) -> _Span | None:
    """`jalan melati`, `perumahan x y`, `simpang jam`, and `x residence`."""
    lists = _lists()
    word = read[at].word
    if word in lists["behind"] and at > 0 and read[at - 1].word not in lists["ends"] | lists["nowhere"]:
        return _Span(at - 1, at)
    if word not in lists["name"]:
        return None
    last = at
    while last + 1 < len(read) and last - at < _MOST_OF_A_NAME and last + 1 not in ends:
        if not _goes_on(read[last + 1].word, last == at):
            break
        last += 1
    first = at - 1 if at > 0 and read[at - 1].word in lists["near"] else at
    return _Span(first, last) if last > at else None


def _goes_on(word: str, is_first: bool) -> bool:
    lists = _lists()
    if word in lists["ends"] or word in lists["inside"] or word in lists["at"]:
        return False
    return not (is_first and word in lists["nowhere"])


def _detail(read: Sequence[Token], at: int) -> _Span | None:
    """`blok c7`, `rt 03`, `km 8`: a word and its number or letter."""
    if read[at].word not in _lists()["inside"] or at + 1 == len(read):
        return None
    value = read[at + 1]
    is_letter = value.end - value.start == 1
    return _Span(at, at + 1) if is_letter or any(letter.isdigit() for letter in value.word) else None


def _behind_in(read: Sequence[Token], at: int, ends: frozenset[int], plain: frozenset[str]) -> _Span | None:
    """`di kopkar`: an unknown word behind `di`, `ke`, `lokasi` may be a name that the lists do not have."""
    lists = _lists()
    if read[at].word not in lists["at"] | lists["near"] or at + 1 == len(read):
        return None
    word = read[at + 1].word
    if word in lists["nowhere"] | lists["ends"] | lists["at"] | lists["near"] | plain or not word.isalpha():
        return None
    last = at + 1
    while last + 1 < len(read) and last - at < _MOST_OF_A_NAME and last + 1 not in ends:
        if not _goes_on(read[last + 1].word, False):
            break
        last += 1
    return _Span(at + 1, last)


def _is_free(span: _Span, taken: Sequence[_Span]) -> bool:
    return all(span.last < other.first or other.last < span.first for other in taken)


def _merged(spans: Sequence[_Span]) -> list[_Span]:
    """In the text's order, neighbours as one."""
    merged: list[_Span] = []
    for span in sorted(spans, key=lambda one: one.first):
        if merged and span.first <= merged[-1].last + 1:
            merged[-1] = _Span(merged[-1].first, max(span.last, merged[-1].last))
        else:
            merged.append(span)
    return merged
