"""Answers to reporters by SMS, with their delivery state."""

from collections.abc import Callable

from sqlalchemy import Connection, insert, select, update

from siaga_central.domain import texts
from siaga_central.domain.delivery import NOT_CONFIRMED, replaces
from siaga_central.store import commands, events, incidents, modems
from siaga_central.store.schema import modem_number, reply, report
from siaga_core.wire.command import SendSms
from siaga_core.wire.duty import AutoReply

# An answer that could not be sent for an hour would confuse more than it helps (policy value).
TTL_S = 3600.0
# A number with several incidents is not told the same again within this.
HANDLED_AGAIN_US = 300_000_000


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
    service = modems.sender(connection, node, to)
    commands.queue(connection, id, node, service, SendSms(to=to, text=text), actor, now_us, TTL_S)
    incidents.touch(connection, incident_id, now_us)


def by_node(connection: Connection, node: str, said: AutoReply, at_us: int, now_us: int) -> bool:
    """Note what a node has answered by itself; False if its report is not known here."""
    incident_id = connection.execute(
        select(report.c.incident).where(report.c.id == said.report_id)
    ).scalar_one_or_none()
    if incident_id is None:
        return False
    if connection.execute(select(reply.c.id).where(reply.c.id == said.id)).first() is not None:
        return True
    actor = f"node:{node}"
    row = {"id": said.id, "incident": incident_id, "to": said.to, "text": said.text, "written_by": actor}
    connection.execute(insert(reply).values(**row, written_us=at_us, changed_us=now_us))
    body = {"reply": said.id, "template": said.template, "at_us": at_us, "by_node": True}
    events.append(connection, now_us, "reply.auto", incident_id, actor, body)
    return True


def tell_handled(
    connection: Connection, incident_id: str, actor: str, now_us: int, new_id: Callable[[], str]
) -> list[str]:
    """Tell an incident's reporters that somebody sees to it: once each; the numbers.

    Only to subscribers, through the node that heard them last, and not to our own modems.
    """
    found = select(report.c.reporter_e164, report.c.node).where(
        report.c.incident == incident_id, report.c.source.in_(("sms", "call"))
    )
    nodes = {row.reporter_e164: row.node for row in connection.execute(found.order_by(report.c.received_us))}
    was_told = select(reply.c.to).where(reply.c.text == texts.HANDLED)
    lately = (reply.c.incident == incident_id) | (reply.c.written_us > now_us - HANDLED_AGAIN_US)
    known = {row.to for row in connection.execute(was_told.where(lately))}
    known |= {row.number for row in connection.execute(select(modem_number.c.number))}
    told = [number for number in nodes if number is not None and number not in known]
    for number in told:
        node = nodes[number]
        write(connection, new_id(), incident_id, number, texts.HANDLED, actor, now_us, node)
    return told


def is_known(connection: Connection, id: str) -> bool:
    """Whether it is an answer of ours, or one that a node gave by itself."""
    return connection.execute(select(reply.c.id).where(reply.c.id == id)).first() is not None


def delivered(
    connection: Connection,
    id: str,
    state: str,
    detail: str,
    actor: str,
    now_us: int,
    at_us: int | None = None,
) -> bool:
    """Note a delivery state; False when it is not news or no reply of ours. `at_us`: by the node's clock."""
    row = connection.execute(select(reply).where(reply.c.id == id)).one_or_none()
    guessed = row is not None and row.state == "UNKNOWN" and row.detail == NOT_CONFIRMED
    if row is None or not replaces(row.state, state, guessed=guessed):
        return False
    connection.execute(
        update(reply).where(reply.c.id == id).values(state=state, detail=detail, changed_us=now_us)
    )
    by_node = {} if at_us is None else {"at_us": at_us, "by_node": True}
    body = {"reply": id, "state": state, "detail": detail, **by_node}
    events.append(connection, now_us, "reply.state", row.incident, actor, body)
    return True
