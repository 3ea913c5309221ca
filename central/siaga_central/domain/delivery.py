"""States of a reply to a reporter; reports about it may come late and out of order."""

# A higher rank replaces a lower one; DELIVERED and FAILED are the network's last words.
_RANK = {"QUEUED": 0, "SENT": 1, "UNKNOWN": 2, "FAILED": 3, "DELIVERED": 4}


def replaces(old: str, new: str) -> bool:
    """Whether a reply that is `old` becomes `new`; never back, and never from one last word to the other."""
    if old in ("DELIVERED", "FAILED"):
        return False
    return _RANK[new] > _RANK[old]
