"""Words that were typed without the spaces between them, taken apart: `adamalingmasukrumah`, `ditiban`.

Only what is made of known words is cut, and only a word that means nothing by itself; what was typed is
still cut from the text by the pieces' positions.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from siaga_core.reading.fold import Token, words

# Shorter runs are cut only behind `di`, `ke`, `dari`: a long word of the language is no run of words.
_SHORTEST_RUN = 10
# Enough for an SMS of one part; what is longer is no sentence.
_LONGEST_RUN = 200
_SHORTEST_PIECE, _LONGEST_PIECE = 3, 16
_SMALL = frozenset(
    ("di", "ke", "yg", "sp", "tj", "no", "rt", "rw", "tg", "kp", "bs", "ga", "gk", "pt", "jl", "ad")
)
_BEFORE_A_NAME = ("di", "ke", "dari", "dr")
_UNKNOWN = 3.0
_MOST_UNKNOWN = 0.2


class Joined:
    """Takes runs of `known` words apart, and `di`, `ke`, `dari` off one of `names`."""

    def __init__(self, known: Iterable[str], names: Iterable[str]) -> None:
        self._names = frozenset(name for name in names if len(name) > _SHORTEST_PIECE)
        self._known = self._names | _SMALL | {one for one in known if len(one) >= _SHORTEST_PIECE}

    def apart(self, text: str, read: Sequence[Token]) -> tuple[Token, ...]:
        """Return `read`, folded from `text`, with every run of known words as its words, else as it was."""
        return tuple(piece for token in read for piece in _cut(text, token, self._pieces(token.word)))

    def _pieces(self, word: str) -> tuple[str, ...]:
        if word in self._known:
            return (word,)
        for before in _BEFORE_A_NAME:
            if word.startswith(before) and word[len(before) :] in self._names:
                return (before, word[len(before) :])
        if not _SHORTEST_RUN <= len(word) <= _LONGEST_RUN:
            return (word,)
        pieces = self._fewest(word)
        return pieces if self._is_made_of_words(pieces) else (word,)

    def _fewest(self, word: str) -> tuple[str, ...]:
        """The cut into the fewest known words and the fewest unknown letters."""
        best: list[tuple[float, int]] = [(0.0, 0)]
        for end in range(1, len(word) + 1):
            unknown = (best[end - 1][0] + _UNKNOWN, end - 1)
            ways = [
                (best[start][0] + 1.0, start)
                for start in range(max(0, end - _LONGEST_PIECE), end - 1)
                if word[start:end] in self._known
            ]
            best.append(min([unknown, *ways]))
        cuts = [len(word)]
        while cuts[-1]:
            cuts.append(best[cuts[-1]][1])
        cuts.reverse()
        return _with_unknown_together(word, cuts, self._known)

    def _is_made_of_words(self, pieces: Sequence[str]) -> bool:
        unknown = sum(len(piece) for piece in pieces if piece not in self._known)
        words = sum(piece in self._known and len(piece) >= _SHORTEST_PIECE for piece in pieces)
        return words > 1 and unknown <= _MOST_UNKNOWN * sum(map(len, pieces))


def _with_unknown_together(word: str, cuts: Sequence[int], known: frozenset[str]) -> tuple[str, ...]:
    pieces: list[str] = []
    is_open = False
    for start, end in pairwise(cuts):
        piece = word[start:end]
        if piece in known or not is_open:
            pieces.append(piece)
        else:
            pieces[-1] += piece
        is_open = piece not in known
    return tuple(pieces)


def _cut(text: str, token: Token, pieces: Sequence[str]) -> list[Token]:
    """Each piece folded, where it stands in the text."""
    if len(pieces) == 1:
        return [token]
    starts = _letters(text[token.start : token.end])
    if len(starts) != len(token.word):
        starts = [0] * len(token.word)
    found: list[Token] = []
    at = 0
    for piece in pieces:
        after = at + len(piece)
        start = token.start + starts[at]
        end = token.start + starts[after] if after < len(starts) and starts[after] else token.end
        found += [Token(word, start, end) for word in words(piece)]
        at = after
    return found


def _letters(raw: str) -> list[int]:
    """Where in `raw` every letter of its folded form stands: repeated letters are one."""
    plain = raw.casefold()
    return [at for at, letter in enumerate(plain) if at == 0 or plain[at - 1] != letter]
