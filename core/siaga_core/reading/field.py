"""What a field team's text says of an alert it was sent: matched by code, then by sender. Pure.

A team answers in a hurry: `TERIMA 4F7K`, `4f7k otw`, `1`, `SELESAI`. From anybody only short texts made of
known words are answers: a sentence with `terima kasih` in it is a report like any other. From a phone on duty
a deed and a code of ours among the first words count, whatever follows.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from siaga_core.reading.text import read

Deed = Literal["accepted", "underway", "done"]

# No 0/O, 1/I/L, 2/Z, 5/S, 8/B: a code is read aloud, off a small screen, and typed with one thumb.
CODE_LETTERS = "34679ACDEFGHJKMNPQRTUVWXY"
CODE_LENGTH = 4
_WORDS: dict[str, Deed] = {
    "terima": "accepted", "diterima": "accepted", "trima": "accepted", "siap": "accepted", "ok": "accepted",
    "oke": "accepted", "1": "accepted", "ya": "accepted", "86": "accepted",
    "otw": "underway", "meluncur": "underway", "berangkat": "underway", "jalan": "underway", "2": "underway",
    "selesai": "done", "slesai": "done", "beres": "done", "tuntas": "done", "3": "done",
}  # fmt: skip
# Beside the word that counts and the code; anything else makes the text no answer.
_FILLERS = frozenset({"kode", "pak", "bu", "ndan", "min", "kami", "sudah", "sdh", "segera", "siaga", "ulang"})
_WORDS_MOST = 5
# Of a text from a phone on duty: where its deed and its code are looked for.
_FIRST_WORDS = 8
_NOT = frozenset(
    {"belum", "blm", "blum", "blom", "tidak", "tdk", "tak", "gak", "ga", "nggak", "bukan", "jangan", "batal"}
)
_THANKS = frozenset({"kasih", "kasi", "ksh", "ksih", "kasihnya"})
# A road, unless he says that he has set out.
_BEFORE_JALAN = frozenset({"sudah", "sdh", "kami", "segera"})
# Beside a deed without a code these are somebody's emergency and no answer.
_CALLS = frozenset(
    {"ada", "tolong", "tlg", "bantu", "bantuan", "darurat", "korban", "luka", "butuh", "kirim"}
)
RANK: dict[str, int] = {"told": 0, "accepted": 1, "underway": 2, "done": 3}


@dataclass(frozen=True, slots=True)
class FieldReply:
    """An answer: what is said, and the code it names, None if it names none."""

    deed: Deed
    code: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """An alert that somebody was sent: its code, to which number, when (any clock that grows)."""

    code: str
    number: str
    told_at: float
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class Matched:
    """The alert that an answer means."""

    code: str


@dataclass(frozen=True, slots=True)
class Unmatched:
    """Why an answer counts for nothing; one stable word."""

    why: Literal["stranger", "unknown-code", "ambiguous", "nothing-open"]


def parse(text: str, ours: Collection[str] | None = None) -> FieldReply | None:
    """The answer in `text`, None if it is not one.

    `ours`: codes that may be answered, if it comes from a phone on duty; without it the text is anybody's and
    has to consist of known words. A code that is none of ours may be returned as well: it is a wrong one.
    """
    words = re.findall(r"[0-9A-Za-z]+", text)
    exact = _exact(words)
    return exact if exact is not None or ours is None else _from_duty(text, words, ours)


def is_meant(text: str) -> bool:
    """Whether a text from a phone on duty begins like an answer, whatever it turns out to be."""
    words = re.findall(r"[0-9A-Za-z]+", text)
    return bool(_deeds(_leading(words)))


def is_brief(text: str) -> bool:
    """Whether a text is short and speaks of nothing that has happened: beside an answer it is a courtesy."""
    words = re.findall(r"[0-9A-Za-z]+", text.lower())
    if len(words) > _WORDS_MOST or not _CALLS.isdisjoint(words):
        return False
    said = read(text)
    return said.kind == "LAIN" and not said.place.known


def _from_duty(text: str, words: list[str], ours: Collection[str]) -> FieldReply | None:
    first = words[:_FIRST_WORDS]
    leading = _deeds(_leading(first))
    deeds = leading or _deeds(first)[:1]
    if not deeds:
        return None
    deed = max(deeds, key=RANK.__getitem__)
    named = {word.upper() for word in first if word.upper() in ours}
    if len(named) == 1:
        return FieldReply(deed, named.pop())
    if named or not leading:
        return None
    for word, after in pairwise(first):
        if word.lower() in _WORDS and is_code(after.upper()) and _is_typed_as_code(after, text):
            return FieldReply(deed, after.upper())
    return FieldReply(deed, None) if is_brief(text) else None


def _is_typed_as_code(word: str, text: str) -> bool:
    return any(letter.isdigit() for letter in word) or (word.isupper() and not text.isupper())


def _leading(words: list[str]) -> list[str]:
    """The words that a text begins with and that answers are made of, and the one after them."""
    for place, word in enumerate(words):
        if not (word.lower() in _WORDS or word.lower() in _FILLERS or is_code(word.upper())):
            return words[: place + 1]
    return words


def _deeds(words: list[str]) -> list[Deed]:
    """What words among others say is done: not what is denied, thanked for, a road or a count."""
    low = [word.lower() for word in words]
    found: list[Deed] = []
    for place, word in enumerate(low):
        before, after = low[max(0, place - 2) : place], low[place + 1 : place + 2]
        counts = word.isdigit() and word != "86"
        is_number = counts and (place > 0 or not after or not is_code(after[0].upper()))
        is_road = word == "jalan" and place > 0 and before[-1] not in _BEFORE_JALAN
        is_other = is_number or is_road or not _NOT.isdisjoint(before) or not _THANKS.isdisjoint(after)
        if word in _WORDS and not is_other:
            found.append(_WORDS[word])
    return found


def _exact(words: list[str]) -> FieldReply | None:
    if not 0 < len(words) <= _WORDS_MOST:
        return None
    deeds: list[Deed] = []
    codes: list[str] = []
    for word in words:
        if (deed := _WORDS.get(word.lower())) is not None:
            deeds.append(deed)
        elif is_code(word.upper()):
            codes.append(word.upper())
        elif word.lower() not in _FILLERS:
            return None
    if not deeds or len(set(codes)) > 1:
        return None
    return FieldReply(max(deeds, key=RANK.__getitem__), codes[0] if codes else None)


def is_code(text: str) -> bool:
    """Whether `text` has the shape of an alert's code."""
    return len(text) == CODE_LENGTH and all(letter in CODE_LETTERS for letter in text)


def code_of(randomness: bytes, taken: Collection[str]) -> str:
    """A code that is not `taken`, made of `randomness`; a stranger guesses it once in 390,625 tries."""
    number = int.from_bytes(randomness, "big")
    while True:
        number, rest = divmod(number, len(CODE_LETTERS) ** CODE_LENGTH)
        digits = [rest // len(CODE_LETTERS) ** place % len(CODE_LETTERS) for place in range(CODE_LENGTH)]
        code = "".join(CODE_LETTERS[digit] for digit in digits)
        if code not in taken:
            return code
        if not number:
            number = rest + 1


def match(reply: FieldReply, sender: str | None, told: Iterable[Told]) -> Matched | Unmatched:
    """Which alert an answer means: the one it names, if this number was sent it; else the sender's only one.

    A code in a stranger's hand counts for nothing: whoever reads over a shoulder must not stop an alarm.
    """
    known = list(told)
    mine = [one for one in known if sender is not None and one.number == sender]
    if reply.code is not None:
        if any(one.code == reply.code for one in mine):
            return Matched(reply.code)
        return Unmatched("stranger" if any(one.code == reply.code for one in known) else "unknown-code")
    if not mine:
        return Unmatched("stranger")
    open_codes = {one.code for one in mine if one.is_open}
    if len(open_codes) > 1:
        return Unmatched("ambiguous")
    return Matched(open_codes.pop()) if open_codes else Unmatched("nothing-open")


def may_join(reply: FieldReply, told: Iterable[Told]) -> bool:
    """Whether a phone on duty that was not sent this code may answer it: a colleague may pass it on."""
    return any(one.code == reply.code and one.is_open for one in told)


def is_news(state: str, deed: str) -> bool:
    """Whether `deed` changes an alert that stands at `state`: an answer that comes twice says nothing new."""
    return RANK[deed] > RANK[state]
