"""States of a reply to a reporter; reports about it may come late and out of order."""

# A higher rank replaces a lower one; DELIVERED and FAILED are the network's last words.
_RANK = {"QUEUED": 0, "SENT": 1, "UNKNOWN": 2, "FAILED": 3, "DELIVERED": 4}


# The hub's own guess when a node has said nothing in time; whatever the node says later is better.
NOT_CONFIRMED = "the node did not confirm in time"


def replaces(old: str, new: str, *, guessed: bool = False) -> bool:
    """Whether a reply that is `old` becomes `new`; never back, and never from one last word to the other.

    `guessed`: nobody but the hub has said `old`.
    """
    if old in ("DELIVERED", "FAILED"):
        return False
    return guessed or _RANK[new] > _RANK[old]
