"""The alert that operators' own clients see on MQTT: enough to act on, no personal data."""

from typing import Literal

from msgspec import Struct

Priority = Literal["P1", "P2", "P3", "P4"]


class Alert(Struct, frozen=True, kw_only=True):
    """One open incident. Retained while it is open; an empty retained payload clears it.

    `acknowledged_by` is the account, or the field team, that answers for it; empty while nobody does.
    """

    v: Literal[1] = 1
    incident: str
    number: str  # what people say: `K-20261123-0007`
    priority: Priority
    category: str  # code of docs/glossary.md: KBR, LKA, ...
    state: str
    source: Literal["sms", "call", "camera", "manual"]
    place: str = ""
    reports: int = 1
    opened_ms: int
    changed_ms: int
    acknowledged_by: str = ""
    acknowledged_ms: int | None = None
