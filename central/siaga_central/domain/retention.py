"""What the hub erases when its time is over: the octets of messages as the modem gave them. Pure.

A message's text, sender and time stay with its report. The octets prove what the modem said while somebody
may doubt how it was read; after that they are the same personal data a second time, and nobody reads them.
"""

import json
from dataclasses import dataclass
from typing import Any

DAY_US = 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class Policy:
    """What the city decides about it; the SOP says nothing of messages (store/policies)."""

    raw_messages_us: int = 90 * DAY_US  # after the hub received them; of an open incident until it is closed


POLICY = Policy()


class IllegalRetention(ValueError):
    """Values that nobody can mean."""


def checked(made: Policy) -> Policy:
    """The policy as it is. Raises IllegalRetention."""
    if not DAY_US <= made.raw_messages_us <= 3650 * DAY_US:
        raise IllegalRetention("raw_messages_us is one day to ten years, in microseconds")
    return made


def without_octets(body: str) -> str:
    """A report's JSON without the octets of its parts; the same text if there are none, or it is no report.

    Of the same body always the same: what a node says again is known by it.
    """
    try:
        told: Any = json.loads(body)
        parts = [part for part in told["sms"]["parts"] if part["pdu"]]
    except (ValueError, TypeError, KeyError):
        return body
    if not parts:
        return body
    for part in parts:
        part["pdu"] = ""
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))
