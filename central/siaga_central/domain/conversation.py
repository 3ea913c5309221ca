"""Which incident a new contact belongs to. The machine never merges two people."""

from dataclasses import dataclass

# The same number again within this time speaks of the same incident (policy value).
SAME_WITHIN_US = 10 * 60 * 1_000_000


@dataclass(frozen=True, slots=True)
class Open:
    """An open incident that this number has reported before."""

    incident: str
    last_contact_us: int


def belongs_to(number: str | None, open_incidents: list[Open], at_us: int) -> str | None:
    """Return the incident to attach to, or None for a new one. A withheld number is always new."""
    if number is None:
        return None
    recent = [one for one in open_incidents if abs(at_us - one.last_contact_us) <= SAME_WITHIN_US]
    return max(recent, key=lambda one: one.last_contact_us).incident if recent else None
