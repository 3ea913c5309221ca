"""Which words of a vocabulary a typed word may stand for: affixes, one wrong letter, left-out vowels."""

from collections.abc import Iterable
from functools import lru_cache

_PARTICLES = ("nya", "lah", "kah", "pun", "ku", "mu")
_SUFFIXES = ("kan", "an", "i", "in", "ken", "ne")
# Prefix, and what it may have swallowed from the root: `menabrak` is `tabrak`, `nyolong` is `colong`.
_PREFIXES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("memper", ("",)),
    ("diper", ("",)),
    ("keper", ("",)),
    ("di", ("",)),
    ("ter", ("",)),
    ("ke", ("",)),
    ("ber", ("",)),
    ("se", ("",)),
    ("peny", ("s", "c")),
    ("meny", ("s", "c")),
    ("peng", ("", "k")),
    ("meng", ("", "k")),
    ("pem", ("", "p", "b")),
    ("mem", ("", "p", "b")),
    ("pen", ("", "t", "c", "j")),
    ("men", ("", "t", "c", "j")),
    ("per", ("",)),
    ("pe", ("",)),
    ("me", ("",)),
    ("nge", ("",)),
    ("ny", ("s", "c")),
    ("ng", ("", "k")),
    ("n", ("t", "c", "j")),
    ("m", ("p", "b")),
)
# Minang ends Malay words its own way: `hanyuik` is `hanyut`, `sakik` `sakit`, `masuak` `masuk`.
_MINANG = (("uik", "ut"), ("uih", "us"), ("iak", "ik"), ("uak", "uk"), ("uah", "uh"), ("ik", "it"))
_VOWELS = frozenset("aiueo")
_SHORTEST_ROOT = 3
_FUZZY_FROM = 6
_FUZZY_STEM_FROM = 7
# No word of the language is longer; longer runs are looked at by `joined` only.
_LONGEST_WORD = 40


def stems(word: str) -> frozenset[str]:
    """Return every root `word` may be built on, itself included."""
    found = set(_without_endings(word))
    for stem in tuple(found):
        found |= _without_beginning(stem)
    for stem in tuple(found):
        if stem.startswith(("ber", "per", "ter", "ke")):
            found |= _without_beginning(stem)
    return frozenset(found)


def _without_endings(word: str) -> set[str]:
    found = {word}
    for endings in (_PARTICLES, _SUFFIXES):
        for stem in tuple(found):
            found |= {stem.removesuffix(end) for end in endings if len(stem) - len(end) >= _SHORTEST_ROOT}
    minang = ((stem, end, malay) for stem in found for end, malay in _MINANG if stem.endswith(end))
    return found | {stem.removesuffix(end) + malay for stem, end, malay in minang}


def _without_beginning(word: str) -> set[str]:
    return {
        lost + word.removeprefix(prefix)
        for prefix, swallowed in _PREFIXES
        if word.startswith(prefix)
        for lost in swallowed
        if len(lost) + len(word) - len(prefix) >= _SHORTEST_ROOT
    }


def _one_left_out(word: str) -> set[str]:
    return {word[:at] + word[at + 1 :] for at in range(len(word))}


def one_edit_apart(one: str, other: str) -> bool:
    """True for one letter wrong, missing, too many, or two neighbours swapped."""
    if abs(len(one) - len(other)) > 1 or one == other:
        return False
    start = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if start is None:
        return True
    rest, rest_other = one[start:], other[start:]
    return (
        rest[1:] == rest_other[1:]
        or rest[1:] == rest_other
        or rest == rest_other[1:]
        or (rest[1::-1] == rest_other[:2] and rest[2:] == rest_other[2:])
    )


def _bones(word: str) -> str:
    return "".join(letter for letter in word if letter not in _VOWELS)


def _abbreviates(short: str, word: str) -> bool:
    letters = iter(word)
    return all(letter in letters for letter in short)


class Vocabulary:
    """Folded words, and which of them a typed word may mean; `plain` words are only ever themselves.

    Without `slips` a word means only itself and what it is built on.
    """

    def __init__(self, known: Iterable[str], plain: Iterable[str] = (), *, slips: bool = True) -> None:
        self._known = frozenset(known)
        self._plain = frozenset(plain)
        self._near: dict[str, set[str]] = {}
        self._bones: dict[str, set[str]] = {}
        for word in self._known if slips else ():
            self._index(word)
        self.senses = lru_cache(maxsize=4096)(self._senses)

    def _index(self, word: str) -> None:
        if word.isdigit():
            return
        if len(word) >= _FUZZY_FROM:
            for key in {word} | _one_left_out(word):
                self._near.setdefault(key, set()).add(word)
        if len(_bones(word)) >= _SHORTEST_ROOT:
            self._bones.setdefault(_bones(word), set()).add(word)

    def _senses(self, word: str) -> frozenset[str]:
        """Exact and by affixes first; only a word that is nothing else is taken for a mistyped one."""
        if word in self._plain:
            return frozenset({word})
        if len(word) > _LONGEST_WORD:
            return frozenset()
        if word in self._known:
            return frozenset({word} | (stems(word) & self._known))
        built = stems(word) & self._known
        if built or stems(word) & self._plain:
            return built
        return frozenset(self._mistyped(word) or self._shortened(word))

    def _mistyped(self, word: str) -> set[str]:
        if len(word) < _FUZZY_FROM - 1:
            return set()
        whole = self._near_to(word)
        return whole or {
            near for stem in stems(word) if len(stem) >= _FUZZY_STEM_FROM for near in self._near_to(stem)
        }

    def _near_to(self, word: str) -> set[str]:
        keys = {word} | _one_left_out(word)
        close = {near for key in keys for near in self._near.get(key, ())}
        return {near for near in close if near[0] == word[0] and one_edit_apart(word, near)}

    def _shortened(self, word: str) -> set[str]:
        found: set[str] = set()
        for stem in {word, word.removesuffix("nya")}:
            if len(_bones(stem)) >= _SHORTEST_ROOT:
                found |= {full for full in self._bones.get(_bones(stem), ()) if _abbreviates(stem, full)}
        return found
