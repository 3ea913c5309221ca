"""What a field team's text says of an alert it was sent: matched by code, then by sender. Pure.

A team answers in a hurry: `TERIMA 4F7K`, `4f7k otw`, `1`, `SELESAI`. Only short texts are answers: a sentence
with `terima kasih` in it is a report like any other.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

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


def parse(text: str) -> FieldReply | None:
    """The answer in `text`, None if it is not one."""
    words = re.findall(r"[0-9A-Za-z]+", text)
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


def is_news(state: str, deed: str) -> bool:
    """Whether `deed` changes an alert that stands at `state`: an answer that comes twice says nothing new."""
    return RANK[deed] > RANK[state]
