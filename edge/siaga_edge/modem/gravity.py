"""What a citizen's further texts change about an alarm: whether it is graver, what a phone reads. Pure."""

from collections.abc import Collection, Sequence
from functools import lru_cache

from siaga_core.reading.text import Reading, read
from siaga_edge.modem.away import LOUD

# Septets that a part leaves for words beside code, kind and number; what the gravest have of them at least.
ROOM, FIRST_LEAST = 78, 40


@lru_cache(maxsize=4096)  # texts of open alarms are looked at every round
def reading(text: str) -> Reading:
    """What a text says."""
    return read(text)


def graver(priority: str, kinds: Collection[str], texts: Sequence[str]) -> str | None:
    """The newest of the gravest texts that say more than phones have been told; None if none does.

    More pressing, or as pressing and of a kind that is not among `kinds`: another team may be needed.
    """

    def is_graver(text: str) -> bool:
        said = reading(text)
        is_other = said.kind not in (*kinds, "LAIN") and said.priority <= priority and said.priority in LOUD
        return said.priority < priority or is_other

    found = [text for text in reversed(texts) if is_graver(text)]
    return min(found, key=lambda text: reading(text).priority, default=None)


def words(gravest: str, texts: Sequence[str]) -> str:
    """What a phone reads that has read nothing yet; `texts` are all, in the order they came.

    The gravest first, then what was written since, the newest first. Where they name no place an older text
    that does comes next: the team has to find it.
    """
    first = next((text for text in texts if text.startswith(gravest)), gravest)  # parts of it may have come
    at = texts.index(first) if first in texts else -1
    older, newer = list(reversed(texts[: max(at, 0)])), list(reversed(texts[at + 1 :]))
    is_placed = any(reading(text).is_placed for text in (first, *newer))
    where = (
        []
        if is_placed
        else [reading(text).place.words or text for text in older if reading(text).is_placed][:1]
    )
    rest = [one for one in dict.fromkeys((*where, *newer, *older)) if one != first]
    if not rest:
        return first
    room = max(FIRST_LEAST, ROOM - len(" / ".join(("", *where, *newer)))) if where or newer else ROOM
    head = first if len(first) <= room else f"{first[: room - 3].rstrip()}..."
    return " / ".join((head, *rest))
