"""Which of a node's modems sends a text. Pure."""

from collections.abc import Set
from typing import Literal

Modem = Literal["modem", "modemb"]


def choose(written_to: Modem | None, known: Set[str], unwell: Set[str]) -> Modem:
    """The modem that a citizen wrote to while it is well: he knows its number; else another that is well.

    When none is, the first choice: the node itself hands over what a modem cannot send.
    """
    first: Modem = written_to or "modem"
    order: tuple[Modem, ...] = (first, "modem", "modemb")
    well = (name for name in order if (name in known or name == first) and name not in unwell)
    return next(well, first)
