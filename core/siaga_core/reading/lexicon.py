"""What a text is probably about and how pressing it sounds: a suggestion with its reasons, never a filter.

An emergency word is never hidden: doubt (jest, advertisement, negation) lowers the priority
and is named, kind and words stay. The lists are general language; Batam's operators have to review them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import msgspec

from siaga_core.reading.fold import Token, words
from siaga_core.reading.gazetteer import name_words
from siaga_core.reading.phrases import Hit, Nearby, Phrase, Phrases, phrase
from siaga_core.reading.tables import table

UNKNOWN = "LAIN"
# What decides when two kinds weigh the same: what costs a life sooner comes first.
ORDER = ("TRR", "KDRT", "SLM", "KBR", "LKA", "KRM", "AMB", "NRK", "PHN", "BCN", "KON", "HWN", "LAIN")
PRIORITY = {"BCN": "P2", "HWN": "P2", "PHN": "P2", "KON": "P2", "LAIN": "P2", "NRK": "P3"}
_SURE, _LIKELY, _HINT = 5.0, 3.0, 1.0
_ENOUGH = 3.0
_SHORT_CRY = 4
# One sign of idle talk does not set aside a text that names a place: what its other words say is not known.
_SURELY_IDLE = -3.0
_AGAINST = {
    "jest": 5.0,
    "courtesy": 4.5,
    "far": 4.0,
    "media": 4.0,
    "question": 4.0,
    "exercise": 4.0,
    "withdrawn": 4.0,
    "advert": 3.5,
    "elsewhere": 2.0,
}
_USUALLY_AGAINST = 3.0
# Roads, lost things and greetings are in true reports too: `motor raib di parkiran`, `lift macet`.
_OF_NO_WEIGHT_BESIDE_DANGER = {"office": 0.0, "chat": 1.0}


class _Kind(msgspec.Struct, frozen=True):
    sure: list[str]
    likely: list[str]
    hint: list[str]


class _Together(msgspec.Struct, frozen=True):
    kind: str
    all: frozenset[str]
    weight: float


class _After(msgspec.Struct, frozen=True):
    causes: frozenset[str]
    weight: dict[str, float]


class _Urgent(msgspec.Struct, frozen=True):
    words: list[str]
    distress: list[str]
    victims: list[str]


class _Lexicon(msgspec.Struct, frozen=True):
    kinds: dict[str, _Kind]
    after: _After
    urgent: _Urgent


class _Plain(msgspec.Struct, frozen=True):
    plain: list[str]
    neutral: list[str]


class _Combined(msgspec.Struct, frozen=True):
    together: list[_Together]
    groups: dict[str, list[str]]


class _Doubts(msgspec.Struct, frozen=True):
    figures: list[str]
    negations: list[str]
    signs: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Meaning:
    """Kind, priority hint and why.

    `emergency` says that some word of danger or distress is there, or that nothing tells what the words
    mean: what is not known to be idle is taken for a report.
    """

    kind: str
    priority: str
    emergency: bool
    words: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Signs:
    """What was found, sorted by what it is good for."""

    dangers: tuple[Hit, ...]
    doubted: tuple[Hit, ...]
    groups: frozenset[str]
    urgent: tuple[Hit, ...]
    victims: tuple[Hit, ...]
    doubts: frozenset[str]
    doubt_hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class _Doubting:
    """What was found of doubt: figures of speech, the words that are denied, and signs of idle talk."""

    figures: Nearby
    negated: frozenset[int]
    named: frozenset[str]
    signs: tuple[Hit, ...]


def mean(read: Sequence[Token], *, located: bool = False) -> Meaning:
    """Weigh the words of a text; `located` texts name a place or position and are taken more seriously."""
    signs = _signs(read)
    kind, weight = _kind((*signs.dangers, *signs.doubted), signs.groups)
    undoubted = _kind(signs.dangers, signs.groups)[1] if signs.dangers else 0.0
    serious = _seriousness(signs, undoubted, located)
    pressing = "distress" in signs.groups or bool(signs.urgent and (located or len(read) <= _SHORT_CRY))
    priority = _priority(kind, weight, undoubted, serious, signs, pressing=pressing, located=located)
    unknown = not signs.doubts and len(read) > 1
    emergency = weight >= _ENOUGH or bool(signs.urgent) or unknown
    return Meaning(kind, priority, emergency, _said(read, kind, signs), tuple(sorted(signs.doubts)))


def plain_words() -> tuple[str, ...]:
    """Return ordinary words, folded, that must not be taken for a slip of another."""
    return tuple(folded for one in _ordinary().plain for folded in words(one))


def said_words() -> frozenset[str]:
    """Return every folded word of danger, of distress and of what goes with them."""
    return frozenset(part for one in _meant() for part in one.parts)


def _signs(read: Sequence[Token]) -> _Signs:
    lexicon, doubts = _phrases()
    hits = lexicon.find(read)
    doubting = _doubting_hits(doubts.find(read), read)
    speaking = Nearby(hit for hit in hits if hit.phrase.label in ORDER or hit.phrase.label == "neutral")
    every = [hit for hit in hits if hit.phrase.label in ORDER]
    kinds = [hit for hit in every if not any(_says_more(other, hit) for other in speaking.around(hit))]
    dangers, doubted = _parted(kinds, doubting)
    is_negated = any(_negates(hit, doubting) for hit in doubted)
    return _Signs(
        dangers,
        doubted,
        frozenset(hit.phrase.label for hit in hits if hit.phrase.label not in ORDER),
        _parted([hit for hit in hits if hit.phrase.label == "urgent"], doubting)[0],
        _parted([hit for hit in hits if hit.phrase.label == "victims"], doubting)[0],
        doubting.named | ({"negation"} if is_negated else frozenset()),
        doubting.signs,
    )


def _doubting_hits(found: Sequence[Hit], read: Sequence[Token]) -> _Doubting:
    negations = [hit for hit in found if hit.phrase.label == "negation" and _is_exact(hit, read)]
    others = [hit for hit in found if hit.phrase.label != "negation"]
    return _Doubting(
        Nearby(hit for hit in others if hit.phrase.label == "figure"),
        frozenset(hit.last + 1 for hit in negations),
        frozenset(hit.phrase.label for hit in others),
        tuple(hit for hit in others if hit.phrase.label != "figure"),
    )


def _parted(hits: Sequence[Hit], doubting: _Doubting) -> tuple[tuple[Hit, ...], tuple[Hit, ...]]:
    """What is meant as it is said, and what is not."""
    doubted = [_in_doubt(hit, doubting) for hit in hits]
    meant = tuple(hit for hit, is_doubted in zip(hits, doubted, strict=True) if not is_doubted)
    return meant, tuple(hit for hit, is_doubted in zip(hits, doubted, strict=True) if is_doubted)


def _says_more(longer: Hit, hit: Hit) -> bool:
    """`serangan jantung` is no attack: a sure phrase speaks for the words it is made of."""
    ends = (longer.first, longer.last)
    more = len(longer.phrase.parts) > len(hit.phrase.parts) and longer.phrase.weight >= hit.phrase.weight
    return more and longer.phrase.weight >= _SURE and hit.first in ends and hit.last in ends


def _in_doubt(hit: Hit, doubting: _Doubting) -> bool:
    covered = any(
        doubt.first <= hit.first and hit.last <= doubt.last for doubt in doubting.figures.around(hit)
    )
    return covered or _negates(hit, doubting)


def _is_exact(hit: Hit, read: Sequence[Token]) -> bool:
    """No slip and no affix makes a `not`: a danger is not doubted for a mistyped word."""
    return tuple(token.word for token in read[hit.first : hit.last + 1]) == hit.phrase.parts


def _negates(hit: Hit, doubting: _Doubting) -> bool:
    """`tidak ada nafas` is worse, not better: an illness is never negated."""
    return hit.phrase.label != "AMB" and hit.first in doubting.negated


def _kind(hits: Sequence[Hit], groups: frozenset[str]) -> tuple[str, float]:
    weights: dict[str, float] = {}
    for said in {hit.phrase for hit in hits}:
        weights[said.label] = weights.get(said.label, 0.0) + said.weight
    for together in _combined().together:
        if together.all <= groups:
            weights[together.kind] = weights.get(together.kind, 0.0) + together.weight
    if any(weights.get(cause, 0.0) >= _SURE for cause in _lexicon().after.causes):
        weights = {kind: weight * _lexicon().after.weight.get(kind, 1.0) for kind, weight in weights.items()}
    best = max(weights, key=lambda kind: (weights[kind], -ORDER.index(kind)), default=UNKNOWN)
    weight = weights.get(best, 0.0)
    return (best, weight) if weight >= _ENOUGH else (UNKNOWN, weight)


def _seriousness(signs: _Signs, undoubted: float, located: bool) -> float:
    """What speaks for a report, against what speaks for idle talk; above nought it is taken for one."""
    speaks_for = (
        min(undoubted, 8.0) / 2 + len(signs.urgent) + 1.5 * len(signs.victims) + (1.5 if located else 0.0)
    )
    weights = _OF_NO_WEIGHT_BESIDE_DANGER if undoubted >= _SURE else {}
    different = {hit.phrase for hit in signs.doubt_hits}
    return speaks_for - sum(weights.get(doubt.label, doubt.weight) for doubt in different)


def _priority(
    kind: str,
    weight: float,
    undoubted: float,
    serious: float,
    signs: _Signs,
    *,
    pressing: bool,
    located: bool,
) -> str:
    if serious <= 0 and signs.doubts:
        if undoubted >= _ENOUGH:
            return max("P2", PRIORITY.get(kind, "P1"))
        if weight >= _ENOUGH or signs.urgent:
            return "P3"
        return "P4" if serious < _SURELY_IDLE else "P2"
    if undoubted < _ENOUGH:
        return "P1" if pressing and not signs.doubts else "P2"
    usual = PRIORITY.get(kind, "P1")
    if undoubted <= _LIKELY and not (signs.urgent or signs.victims or located):
        return max("P2", usual)
    if usual == "P2" and (signs.urgent or signs.victims) and not signs.doubts:
        return "P1"
    return usual


def _said(read: Sequence[Token], kind: str, signs: _Signs) -> tuple[str, ...]:
    told = [hit for hit in (*signs.dangers, *signs.doubted) if hit.phrase.label == kind]
    at = {place for hit in (*told, *signs.urgent, *signs.victims) for place in (hit.first, hit.last)}
    return tuple(read[place].word for place in sorted(at))


@cache
def _ordinary() -> _Plain:
    return table("plain", _Plain)


@cache
def _combined() -> _Combined:
    return table("together", _Combined)


@cache
def _lexicon() -> _Lexicon:
    return table("lexicon", _Lexicon)


@cache
def _phrases() -> tuple[Phrases, Phrases]:
    doubts = table("doubts", _Doubts)
    plain = (*plain_words(), *name_words())
    return Phrases(_meant(), plain), Phrases(_doubting(doubts), plain, slips=False)


def _meant() -> Iterator[Phrase]:
    lexicon = _lexicon()
    for label, kind in lexicon.kinds.items():
        for weight, typed in ((_SURE, kind.sure), (_LIKELY, kind.likely), (_HINT, kind.hint)):
            yield from (phrase(label, weight, text) for text in typed)
    for label, typed in _combined().groups.items():
        yield from (phrase(label, 0.0, text) for text in typed)
    yield from (phrase("urgent", 1.0, text) for text in lexicon.urgent.words)
    yield from (phrase("distress", 1.0, text) for text in lexicon.urgent.distress)
    yield from (phrase("neutral", _SURE, f'"{text}"') for text in _ordinary().neutral)
    yield from (phrase("victims", 1.0, text) for text in lexicon.urgent.victims)


def _doubting(doubts: _Doubts) -> Iterator[Phrase]:
    yield from (phrase("figure", 0.0, f'"{text}"') for text in doubts.figures)
    yield from (phrase("negation", 0.0, text) for text in doubts.negations)
    for label, typed in doubts.signs.items():
        yield from (phrase(label, _AGAINST.get(label, _USUALLY_AGAINST), text) for text in typed)
