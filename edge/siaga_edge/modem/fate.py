"""What became of a text, from what became of its parts. Pure.

A text may have been handed over more than once, each time as one pass of all its parts: an alert whose way
is in doubt goes again, marked. A part is `queued`, `sending` while nobody knows, `SENT` when the network has
accepted it, then what the network's report says, `UNKNOWN` when the answer or the report never came.
"""

from collections.abc import Sequence
from typing import Literal

from siaga_core.wire.outbound import State

PartState = Literal["queued", "sending", "SENT", "DELIVERED", "FAILED", "UNKNOWN"]
ON_ITS_WAY = frozenset({"queued", "sending"})


def of_text(passes: Sequence[Sequence[PartState]]) -> State:
    """The state of a text; `passes` oldest first, each with the states of all its parts.

    One whole passage is enough; otherwise the newest pass decides, its worst part before the others.
    """
    if any(one and all(part == "DELIVERED" for part in one) for one in passes):
        return "DELIVERED"
    newest = passes[-1] if passes else []
    if "FAILED" in newest:
        return "FAILED"
    if "UNKNOWN" in newest:
        return "UNKNOWN"
    return "QUEUED" if not newest or ON_ITS_WAY & set(newest) else "SENT"
