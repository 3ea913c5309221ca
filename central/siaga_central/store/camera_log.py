"""What somebody did at a node with a camera's footage, as the node told it: in the camera's log (SOP R03)."""

from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from siaga_central.store import events, nodes
from siaga_central.store.schema import camera, event
from siaga_core.wire.grant import Grant, GrantUse
from siaga_core.wire.recording import HoldState

GRANTED, USED = "footage.granted", "footage.grant_used"


def node_of(connection: Connection, name: str) -> str | None:
    """The node that a camera hangs on; None for no camera of ours."""
    return connection.execute(select(camera.c.node).where(camera.c.id == name)).scalar()


def granted(connection: Connection, grant: Grant, actor: str, now_us: int) -> None:
    """Put a grant on record before anybody carries it away."""
    body = msgspec.to_builtins(grant)
    events.append(connection, now_us, GRANTED, grant.id, actor, body)
    events.append(connection, now_us, "camera.footage_granted", grant.camera, actor, body)


def used(connection: Connection, node: str, said: GrantUse, now_us: int) -> bool:
    """Note one use; False when the camera is not this node's. One that no grant of ours allows alarms."""
    if node_of(connection, said.camera) != node:
        return False
    body = {key: value for key, value in msgspec.to_builtins(said).items() if value not in ("", 0)}
    events.append(connection, now_us, f"camera.footage_{said.state}", said.camera, f"node:{node}", body)
    if said.state == "begun":
        events.append(connection, now_us, USED, said.grant, f"node:{node}", {"use": said.use})
        if (why := _against(connection, node, said)) != "":
            nodes.alarm(connection, node, "footage-grant", why, now_us)
    return True


def held_at_node(connection: Connection, node: str, said: HoldState, now_us: int) -> bool:
    """Note a hold that a technician has made or ended; False when the camera is not this node's."""
    if node_of(connection, said.camera) != node:
        return False
    body = {"hold": said.id, "note": said.note, "size_bytes": said.size_bytes, "reason": said.reason}
    kind = f"camera.hold_at_node_{said.state}"
    events.append(connection, now_us, kind, said.camera, f"node:{node}", body)
    return True


def _against(connection: Connection, node: str, said: GrantUse) -> str:
    """What is wrong with a use; empty: a grant of ours allows it."""
    grant = _grant(connection, said.grant)
    if grant is None:
        return f"footage of {said.camera} was copied under {said.grant}, which this hub has not granted"
    within = grant["start_wall_ns"] <= said.start_wall_ns and said.end_wall_ns <= grant["end_wall_ns"]
    if (grant["node"], grant["camera"]) != (node, said.camera) or not within:
        return f"footage of {said.camera} was copied beyond what {said.grant} grants"
    counted = select(func.count()).where(event.c.kind == USED, event.c.subject == said.grant)
    if connection.execute(counted).scalar_one() > grant["uses"]:
        return f"the grant {said.grant} was used more often than it allows"
    return ""


def _grant(connection: Connection, id: str) -> dict[str, Any] | None:
    found = select(event.c.body).where(event.c.kind == GRANTED, event.c.subject == id)
    text = connection.execute(found).scalar()
    return None if text is None else dict(msgspec.json.decode(text))
