"""What the end of a command means for what it was asked for."""

from typing import Any

from sqlalchemy import Connection

from siaga_central.domain.delivery import NOT_CONFIRMED
from siaga_central.store import assignments, clips, commands, duty_texts, replies

# What an operator reads when the node has said nothing.
EXPIRED = NOT_CONFIRMED


def settle(
    connection: Connection,
    id: str,
    state: str,
    detail: str,
    result: dict[str, Any],
    actor: str,
    now_us: int,
) -> bool:
    """Note what became of a command and of the text or clip behind it; False when it is not news."""
    row = commands.find(connection, id)
    if not commands.settle(connection, id, state, detail, result, actor, now_us):
        return False
    if row is None or state not in ("failed", "expired"):
        return True
    if row.kind == "sms.send":
        # What was on its way when the node fell silent may have left: saying FAILED would have it sent twice.
        uncertain = actor == "hub" and row.state != "queued"
        reached = "UNKNOWN" if uncertain else "FAILED"
        replies.delivered(connection, id, reached, detail or EXPIRED, actor, now_us)
        assignments.delivered(connection, id, reached, detail or EXPIRED, now_us)
        duty_texts.delivered(connection, id, reached, detail or EXPIRED, actor, now_us)
    elif row.kind == "clip.fetch":
        clips.fail(connection, id, detail or EXPIRED, now_us)
    return True
