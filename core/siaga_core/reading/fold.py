"""Indonesian as it is typed on a phone, folded into plain tokens that know where they stood.

`TOLOOONG kbkrn d jln Raden Patah!!` → tolong kebakaran di jalan raden patah. Folding is for comparing only:
what people see is always the text itself, by the tokens' positions.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

import msgspec

from siaga_core.reading.tables import table

_TOKEN = re.compile(r"[^\W_]+(?:[@$][^\W_]+)*(?:['’`][^\W_]+)*")
_LETTERS = str.maketrans("013456789@$", "oieasgtbgas")
_NUMBERED = re.compile(r"(rt|rw|km|no|nomor|blok|blk|gg|gang|lt|lantai|kav|jl|jln|fase|tahap)(\d{1,4})")
_COUNTED = re.compile(
    r"(\d+)(org|orng|orang|rmh|rumah|jam|menit|mnt|meter|mtr|km|mobil|mbl|motor|anak|thn|tahun|hari|bulan|bln"
    r"|lantai|lt|korban|kapal|ruko|unit|kali|x|th|m|cm)"
)
_TWICE = re.compile(r"([a-z]{2,})2(nya|an|kan)?")
_LETTER_AND_NUMBER = re.compile(r"[a-z]\d+[a-z]?|\d+[a-z]|\d{2,}[a-z]+|[a-z]+\d{2,}")
_RUN = re.compile(r"(\D)\1+")
_MOST_CHARACTERS = 4000


class _Spelling(msgspec.Struct, frozen=True):
    written: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Token:
    """One folded word and the half-open range of the text it was read from."""

    word: str
    start: int
    end: int


def tokens(text: str) -> tuple[Token, ...]:
    """Return the folded words of `text`; total for every string, and only its first 4,000 characters."""
    found: list[Token] = []
    for match in _TOKEN.finditer(text[:_MOST_CHARACTERS]):
        found += [Token(word, match.start(), match.end()) for word in _words(match.group()) if word]
    return tuple(found)


def words(text: str) -> tuple[str, ...]:
    """Return only the words of `tokens`: what a word list is folded with."""
    return tuple(token.word for token in tokens(text))


def spellings() -> frozenset[str]:
    """Return the short spellings that are written out, and what they are written as."""
    return frozenset(_short()) | {word for full in _short().values() for word in words(full)}


@cache
def _short() -> dict[str, str]:
    written = table("spelling", _Spelling).written
    return {typed: meant for meant, spellings in written.items() for typed in spellings}


def _words(raw: str) -> list[str]:
    plain = _plain(raw)
    if numbered := _NUMBERED.fullmatch(plain):
        return [*_spelled(numbered[1]), numbered[2]]
    if counted := _COUNTED.fullmatch(plain):
        return [counted[1], *_spelled(counted[2])]
    if twice := _TWICE.fullmatch(plain):
        return _spelled(twice[1])
    return _spelled(plain if plain in _short() else _as_letters(plain))


def _plain(raw: str) -> str:
    """Lower case without diacritics and apostrophes; letters of other scripts stay as they are."""
    apart = unicodedata.normalize("NFKD", raw.casefold())
    return "".join(letter for letter in apart if letter.isalnum() or letter in "@$")


def _as_letters(plain: str) -> str:
    """Undo `s4k1t` and `t0long`, but leave numbers and names of blocks: `12`, `c7`, `b12a`, `10an`."""
    if not any(letter.isalpha() for letter in plain) or _LETTER_AND_NUMBER.fullmatch(plain):
        return plain
    return plain.translate(_LETTERS)


def _spelled(word: str) -> list[str]:
    """The word without repeated letters, written out where it is a usual abbreviation, maybe as several."""
    short = _short()
    single = _RUN.sub(r"\1", word)
    base = word.removesuffix("nya")
    written = short.get(word) or short.get(single) or (short.get(base) if len(base) > 2 else None)
    return [_RUN.sub(r"\1", part) for part in written.split()] if written else [single]
