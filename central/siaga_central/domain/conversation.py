"""Which incident a new contact belongs to. The machine never merges two people."""

from collections.abc import Sequence
from dataclasses import dataclass

from siaga_central.domain.place import Spot, contradicts

# The same number again within this time speaks of the same incident, whatever it says (policy value).
SAME_WITHIN_US = 10 * 60 * 1_000_000
# Later, of an incident that is still open, unless it speaks of something else (policy value).
FOLLOWS_WITHIN_US = 24 * 3600 * 1_000_000
# So many words of one incident in that time are each heard; of more, one a minute (policy value).
LOUD_MOST = 5
_MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True)
class Said:
    """What a contact speaks of; kind `` while nobody knows."""

    kind: str = ""
    spot: Spot | None = None


NOTHING = Said()


@dataclass(frozen=True, slots=True)
class Open:
    """An open incident that this number has reported; `contact_us`: its contact nearest to the new one.

    `kinds`: what else its own texts spoke of; it may have become graver since.
    """

    incident: str
    contact_us: int
    about: Said = NOTHING
    kinds: frozenset[str] = frozenset()

    def speaks_of(self, kind: str) -> bool:
        """Whether this kind has been named of it."""
        return bool(kind) and (kind == self.about.kind or kind in self.kinds)


def belongs_to(
    number: str | None, open_incidents: Sequence[Open], at_us: int, said: Said = NOTHING
) -> str | None:
    """Return the incident to attach to, or None for a new one. A withheld number is always new.

    All times are of when the reporter spoke: after an outage the hub has in a minute what took a night.
    """
    if number is None:
        return None
    apart_us = {one.incident: abs(at_us - one.contact_us) for one in open_incidents}
    recent = [one for one in open_incidents if apart_us[one.incident] <= SAME_WITHIN_US]
    lasting = [one for one in open_incidents if apart_us[one.incident] <= FOLLOWS_WITHIN_US]
    alike = [one for one in lasting if not is_different(said, one)]
    same_kind = [one for one in alike if one.speaks_of(said.kind)]
    found = recent or same_kind or alike
    return min(found, key=lambda one: apart_us[one.incident]).incident if found else None


def silence_for(newest: str, received_us: Sequence[int]) -> str:
    """What an alarm is silenced for: the newest word alone, in a flood the minute in which it came."""
    last_us = max(received_us)
    lately = sum(last_us - one <= SAME_WITHIN_US for one in received_us)
    return newest if lately <= LOUD_MOST else f"minute-{last_us // _MINUTE_US}"


def is_different(said: Said, one: Open) -> bool:
    """Whether a contact clearly speaks of something else: of another kind, or at a place too far away."""
    about = one.about
    kinds = bool(said.kind and about.kind) and not one.speaks_of(said.kind)
    places = said.spot is not None and about.spot is not None and contradicts(said.spot, about.spot)
    return kinds or places
