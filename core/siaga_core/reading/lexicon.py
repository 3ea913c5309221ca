"""What a text is probably about and how pressing it sounds: a suggestion with its reasons, never a filter.

An emergency word is never hidden: doubt (jest, advertisement, negation) lowers the priority
and is named, kind and words stay. The lists are general language; Batam's operators have to review them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import msgspec

from siaga_core.reading.fold import Token, words
from siaga_core.reading.phrases import Hit, Phrase, Phrases, phrase
from siaga_core.reading.tables import table

UNKNOWN = "LAIN"
# What decides when two kinds weigh the same: what costs a life sooner comes first.
ORDER = ("TRR", "KDRT", "SLM", "KBR", "LKA", "KRM", "AMB", "NRK", "PHN", "BCN", "KON", "HWN", "LAIN")
PRIORITY = {"BCN": "P2", "HWN": "P2", "PHN": "P2", "KON": "P2", "LAIN": "P2", "NRK": "P3"}
_SURE, _LIKELY, _HINT = 5.0, 3.0, 1.0
_ENOUGH = 3.0
_SHORT_CRY = 4
_AGAINST = {"jest": 5.0, "media": 4.0, "exercise": 4.0, "withdrawn": 4.0, "advert": 3.5, "elsewhere": 2.0}
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


class _Urgent(msgspec.Struct, frozen=True):
    words: list[str]
    distress: list[str]
    victims: list[str]


class _Lexicon(msgspec.Struct, frozen=True):
    plain: list[str]
    neutral: list[str]
    kinds: dict[str, _Kind]
    groups: dict[str, list[str]]
    together: list[_Together]
    urgent: _Urgent


class _Doubts(msgspec.Struct, frozen=True):
    figures: list[str]
    negations: list[str]
    signs: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Meaning:
    """Kind, priority hint and why; `emergency` says that some word of danger or distress is there."""

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


def mean(read: Sequence[Token], *, located: bool = False) -> Meaning:
    """Weigh the words of a text; `located` texts name a place or position and are taken more seriously."""
    signs = _signs(read)
    kind, weight = _kind((*signs.dangers, *signs.doubted), signs.groups)
    undoubted = _kind(signs.dangers, signs.groups)[1] if signs.dangers else 0.0
    serious = _seriousness(signs, undoubted, located)
    pressing = "distress" in signs.groups or bool(signs.urgent and (located or len(read) <= _SHORT_CRY))
    priority = _priority(kind, weight, undoubted, serious, signs, pressing=pressing, located=located)
    emergency = weight >= _ENOUGH or bool(signs.urgent)
    return Meaning(kind, priority, emergency, _said(read, kind, signs), tuple(sorted(signs.doubts)))


def plain_words() -> tuple[str, ...]:
    """Return ordinary words, folded, that must not be taken for a slip of another."""
    return tuple(folded for one in _lexicon().plain for folded in words(one))


def _signs(read: Sequence[Token]) -> _Signs:
    lexicon, doubts = _phrases()
    hits = lexicon.find(read)
    doubting = [hit for hit in doubts.find(read) if hit.phrase.label != "negation" or _is_exact(hit, read)]
    every = [hit for hit in hits if hit.phrase.label in ORDER]
    speaking = [hit for hit in hits if hit in every or hit.phrase.label == "neutral"]
    kinds = [hit for hit in every if not any(_says_more(other, hit) for other in speaking)]
    doubted = [hit for hit in kinds if _in_doubt(hit, doubting)]
    named = {hit.phrase.label for hit in doubting if hit.phrase.label != "negation"}
    return _Signs(
        tuple(hit for hit in kinds if hit not in doubted),
        tuple(doubted),
        frozenset(hit.phrase.label for hit in hits if hit not in every),
        tuple(hit for hit in hits if hit.phrase.label == "urgent" and not _in_doubt(hit, doubting)),
        tuple(hit for hit in hits if hit.phrase.label == "victims" and not _in_doubt(hit, doubting)),
        frozenset(named | ({"negation"} if any(_negates(hit, doubting) for hit in doubted) else set())),
        tuple(hit for hit in doubting if hit.phrase.label not in ("negation", "figure")),
    )


def _says_more(longer: Hit, hit: Hit) -> bool:
    """`serangan jantung` is no attack: a sure phrase speaks for the words it is made of."""
    ends = (longer.first, longer.last)
    more = len(longer.phrase.parts) > len(hit.phrase.parts) and longer.phrase.weight >= hit.phrase.weight
    return more and longer.phrase.weight >= _SURE and hit.first in ends and hit.last in ends


def _in_doubt(hit: Hit, doubting: Sequence[Hit]) -> bool:
    covered = any(
        doubt.phrase.label == "figure" and doubt.first <= hit.first and hit.last <= doubt.last
        for doubt in doubting
    )
    return covered or _negates(hit, doubting)


def _is_exact(hit: Hit, read: Sequence[Token]) -> bool:
    """No slip and no affix makes a `not`: a danger is not doubted for a mistyped word."""
    return tuple(token.word for token in read[hit.first : hit.last + 1]) == hit.phrase.parts


def _negates(hit: Hit, doubting: Sequence[Hit]) -> bool:
    """`tidak ada nafas` is worse, not better: an illness is never negated."""
    if hit.phrase.label == "AMB":
        return False
    return any(doubt.phrase.label == "negation" and doubt.last + 1 == hit.first for doubt in doubting)


def _kind(hits: Sequence[Hit], groups: frozenset[str]) -> tuple[str, float]:
    weights: dict[str, float] = {}
    for said in {hit.phrase for hit in hits}:
        weights[said.label] = weights.get(said.label, 0.0) + said.weight
    for together in _lexicon().together:
        if together.all <= groups:
            weights[together.kind] = weights.get(together.kind, 0.0) + together.weight
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
        return "P3" if weight >= _ENOUGH or signs.urgent else "P4"
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
def _lexicon() -> _Lexicon:
    return table("lexicon", _Lexicon)


@cache
def _phrases() -> tuple[Phrases, Phrases]:
    doubts = table("doubts", _Doubts)
    return Phrases(_meant(), plain_words()), Phrases(_doubting(doubts), plain_words(), slips=False)


def _meant() -> Iterator[Phrase]:
    lexicon = _lexicon()
    for label, kind in lexicon.kinds.items():
        for weight, typed in ((_SURE, kind.sure), (_LIKELY, kind.likely), (_HINT, kind.hint)):
            yield from (phrase(label, weight, text) for text in typed)
    for label, typed in lexicon.groups.items():
        yield from (phrase(label, 0.0, text) for text in typed)
    yield from (phrase("urgent", 1.0, text) for text in lexicon.urgent.words)
    yield from (phrase("distress", 1.0, text) for text in lexicon.urgent.distress)
    yield from (phrase("neutral", _SURE, f'"{text}"') for text in lexicon.neutral)
    yield from (phrase("victims", 1.0, text) for text in lexicon.urgent.victims)


def _doubting(doubts: _Doubts) -> Iterator[Phrase]:
    yield from (phrase("figure", 0.0, f'"{text}"') for text in doubts.figures)
    yield from (phrase("negation", 0.0, text) for text in doubts.negations)
    for label, typed in doubts.signs.items():
        yield from (phrase(label, _AGAINST.get(label, _USUALLY_AGAINST), text) for text in typed)
