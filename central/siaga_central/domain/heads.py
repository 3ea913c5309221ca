"""How often a node must say where its chain of segments stands, and when it has not. Pure."""

# Once a minute (docs/protocol.md, recording.coverage); a loaded node is some seconds late.
EVERY_S = 60
MISSED_AFTER_S = 100
# A node that is heard of otherwise and says no head for so long withholds it, or its recorder stands still.
SILENT_AFTER_S = 300


def missed(before_boot_ns: int, boot_ns: int) -> int:
    """Heads that should have come between two of one boot, by the node's own clock."""
    between_s = (boot_ns - before_boot_ns) / 1e9
    return 0 if between_s <= MISSED_AFTER_S else max(1, round(between_s / EVERY_S) - 1)
