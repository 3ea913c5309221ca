"""Whether footage of a span exists, as far as the hub was told: facts, no picture (SOP R38). Pure."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

# `gone`: it was there and retention took it; `none`: it is not there, and nobody knows whether it ever was.
Word = Literal["there", "held", "missing", "gone", "none", "unknown"]
Answer = Literal["found", "partly", "none", "unknown"]
_GOOD = ("there", "held")
# Gaps are dated by the node, stretches by the hub; in their errors they lie beside each other.
_NEAR_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Recorded:
    """Unbroken footage, UTC nanoseconds; `begins`: the node said that there is nothing right before it."""

    start_ns: int
    end_ns: int
    begins: bool = False
    error_ns: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of a camera's footage: ordered stretches, gaps with reasons, what is held for certain.

    Retention has left what is at or after `kept_since_ns`. None: the node has not said.
    """

    recorded: tuple[Recorded, ...]
    gaps: tuple[tuple[int, int, str], ...] = ()
    held: tuple[tuple[int, int], ...] = ()
    kept_since_ns: int | None = None

    @property
    def upto_ns(self) -> int | None:
        """The latest moment of which the node has spoken."""
        return max((one.end_ns for one in self.recorded), default=None)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a span and what became of it."""

    start_ns: int
    end_ns: int
    word: Word
    reason: str = ""


def look(start_ns: int, end_ns: int, told: Told) -> tuple[Piece, ...]:
    """The span in pieces, in order, nothing left out. What was not told is unknown, not absent."""
    edges = {start_ns, end_ns}
    for begin_ns, until_ns in (*_spans(told), *told.held):
        edges |= {edge for edge in (begin_ns, until_ns) if start_ns < edge < end_ns}
    if told.kept_since_ns is not None and start_ns < told.kept_since_ns < end_ns:
        edges.add(told.kept_since_ns)
    pieces: list[Piece] = []
    for begin_ns, until_ns in itertools.pairwise(sorted(edges)):
        word, reason = _at(begin_ns, until_ns, told)
        if pieces and (pieces[-1].word, pieces[-1].reason) == (word, reason):
            begin_ns = pieces.pop().start_ns
        pieces.append(Piece(begin_ns, until_ns, word, reason))
    return tuple(pieces)


def answer(pieces: Sequence[Piece]) -> Answer:
    """The one word that an applicant gets."""
    words = {piece.word for piece in pieces}
    if words <= set(_GOOD):
        return "found"
    if words & set(_GOOD):
        return "partly"
    return "unknown" if "unknown" in words else "none"


def _spans(told: Told) -> list[tuple[int, int]]:
    return [(one.start_ns, one.end_ns) for one in told.recorded]


def _at(begin_ns: int, until_ns: int, told: Told) -> tuple[Word, str]:
    if any(start <= begin_ns and until_ns <= end for start, end in told.held):
        return "held", ""
    recorded = any(one.start_ns <= begin_ns and until_ns <= one.end_ns for one in told.recorded)
    is_left = told.kept_since_ns is None or begin_ns >= told.kept_since_ns
    if recorded:
        return ("there" if is_left else "gone"), ""
    return _hole(begin_ns, until_ns, told, is_left=is_left)


def _hole(begin_ns: int, until_ns: int, told: Told, *, is_left: bool) -> tuple[Word, str]:
    """A part without footage: missing if the node said so; none beyond retention; else nobody knows."""
    after = next((one for one in told.recorded if one.start_ns >= until_ns), None)
    first_ns = max((one.end_ns for one in told.recorded if one.end_ns <= begin_ns), default=begin_ns)
    last_ns = until_ns if after is None else after.start_ns
    reasons = [
        why
        for start_ns, end_ns, why in told.gaps
        if start_ns < last_ns + _NEAR_NS and end_ns > first_ns - _NEAR_NS
    ]
    if reasons and after is not None:
        return "missing", "; ".join(dict.fromkeys(one for one in reasons if one))
    if not is_left:
        return "none", ""
    # Before the first stretch the node was not asked yet, or its word has not come.
    is_told = after is not None and after.begins and after is not told.recorded[0]
    return ("missing" if is_told else "unknown"), ""
