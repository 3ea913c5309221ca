"""Answers to reporters by SMS, with their delivery state."""

from sqlalchemy import Connection, insert, select, update

from siaga_central.domain.delivery import NOT_CONFIRMED, replaces
from siaga_central.store import commands, events, incidents
from siaga_central.store.schema import reply
from siaga_core.wire.command import SendSms

# An answer that could not be sent for an hour would confuse more than it helps (policy value).
TTL_S = 3600.0


def write(
    connection: Connection,
    id: str,
    incident_id: str,
    to: str,
    text: str,
    actor: str,
    now_us: int,
    node: str,
) -> None:
    """Write an answer and queue the command that sends it; both have the id `id`."""
    row = {
        "id": id,
        "incident": incident_id,
        "to": to,
        "text": text,
        "written_by": actor,
        "written_us": now_us,
        "changed_us": now_us,
    }
    connection.execute(insert(reply).values(row))
    events.append(connection, now_us, "reply.written", incident_id, actor, {"reply": id, "text": text})
    commands.queue(connection, id, node, "modem", SendSms(to=to, text=text), actor, now_us, TTL_S)
    incidents.touch(connection, incident_id, now_us)


def delivered(connection: Connection, id: str, state: str, detail: str, actor: str, now_us: int) -> bool:
    """Note a delivery state; False when it is not news or no reply of ours."""
    row = connection.execute(select(reply).where(reply.c.id == id)).one_or_none()
    guessed = row is not None and row.state == "UNKNOWN" and row.detail == NOT_CONFIRMED
    if row is None or not replaces(row.state, state, guessed=guessed):
        return False
    connection.execute(
        update(reply).where(reply.c.id == id).values(state=state, detail=detail, changed_us=now_us)
    )
    body = {"reply": id, "state": state, "detail": detail}
    events.append(connection, now_us, "reply.state", row.incident, actor, body)
    return True
