"""Footage that nodes are to keep, until somebody lets it go with a reason."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from siaga_central.domain import hold as life
from siaga_central.domain.hold import POLICY, IllegalHold
from siaga_central.domain.nearest import Located, nearest
from siaga_central.store import coverage, events, nodes, wants
from siaga_central.store.schema import camera, hold, incident, site
from siaga_central.store.schema import node as node_table
from siaga_core.wire.recording import HOLDS_MOST, Hold, HoldState

HUB = "hub"
# Above this somebody should let go of what nobody needs, before nothing more can be held.
MANY = HOLDS_MOST * 8 // 10


def place(
    connection: Connection,
    id: str,
    camera_id: str,
    start_us: int,
    end_us: int,
    reason: str,
    actor: str,
    now_us: int,
    incident_id: str | None = None,
) -> None:
    """Ask the camera's node to keep a span until it is released. Raises IllegalHold."""
    life.check_span(start_us, end_us)
    life.check_reason(reason)
    node = connection.execute(select(camera.c.node).where(camera.c.id == camera_id)).scalar_one_or_none()
    if node is None:
        raise IllegalHold(f"there is no camera {camera_id}")
    values = {"id": id, "camera": camera_id, "node": node, "incident": incident_id}
    span = {"start_us": start_us, "end_us": end_us, "reason": reason}
    connection.execute(insert(hold).values(**values, **span, asked_by=actor, asked_us=now_us, state="asked"))
    _wish(connection, node, actor, now_us)
    _tell(connection, id, "asked", actor, now_us, span)


def for_incident(
    connection: Connection, row: Row[Any], ids: Sequence[str], actor: str, now_us: int
) -> list[str]:
    """Hold what the nearest cameras saw of an incident with a place; their names. `ids` for new holds."""
    if row.latitude is None or row.longitude is None:
        return []
    found = connection.execute(
        select(camera, site.c.latitude.label("site_latitude"), site.c.longitude.label("site_longitude"))
        .join(node_table, node_table.c.id == camera.c.node)
        .join(site, site.c.id == node_table.c.site)
    ).all()
    located = [
        Located(
            one.id,
            one.site_latitude if one.latitude is None else one.latitude,
            one.site_longitude if one.longitude is None else one.longitude,
        )
        for one in found
    ]
    near = nearest(row.latitude, row.longitude, located, POLICY.cameras)
    chosen = [name for name, metres in near if metres is not None and metres <= POLICY.within_m]
    start_us, end_us = row.opened_us - POLICY.before_us, row.opened_us + POLICY.after_us
    held = {
        one.camera
        for one in of_incident(connection, row.id)
        if one.start_us <= start_us <= end_us <= one.end_us
    }
    for id, name in zip(ids, [name for name in chosen if name not in held], strict=False):
        place(connection, id, name, start_us, end_us, "nearest to the incident", actor, now_us, row.id)
    return chosen


def release(connection: Connection, id: str, reason: str, actor: str, now_us: int) -> None:
    """Let go of footage; nobody does that silently. Raises IllegalHold."""
    life.check_reason(reason)
    row = find(connection, id)
    if row is None:
        raise IllegalHold(f"there is no hold {id}")
    if row.state == "released":
        return
    values = {"state": life.after(row.state, "release"), "released_by": actor, "released_us": now_us}
    connection.execute(update(hold).where(hold.c.id == id).values(**values, danger=""))
    _wish(connection, row.node, actor, now_us)
    _tell(connection, id, "released", actor, now_us, {"reason": reason})


def settle(connection: Connection, node: str, said: HoldState, now_us: int) -> bool:
    """What a node says became of a hold; False when the hold is not one of its own. A loss alarms."""
    row = find(connection, said.id)
    if row is None or row.node != node:
        return False
    state = life.after(row.state, said.state)
    text = msgspec.json.encode(said).decode()
    if (state, text) == (row.state, row.told) or row.state == "released":
        return True
    values = {"state": state, "told": text, "told_us": now_us}
    connection.execute(update(hold).where(hold.c.id == row.id).values(**values))
    if state != row.state:
        _tell(connection, row.id, state, f"node:{node}", now_us, msgspec.to_builtins(said))
    if state == "lost":
        nodes.alarm(
            connection, node, f"hold-{row.camera}"[:40], f"held footage of {row.camera} is lost", now_us
        )
    return True


def find(connection: Connection, id: str) -> Row[Any] | None:
    """One hold, or None."""
    return connection.execute(select(hold).where(hold.c.id == id)).one_or_none()


def of_incident(connection: Connection, incident_id: str) -> Sequence[Row[Any]]:
    """Holds of an incident, oldest first; released ones too."""
    found = select(hold).where(hold.c.incident == incident_id).order_by(hold.c.asked_us, hold.c.id)
    return connection.execute(found).all()


def wanted(connection: Connection, node: str | None = None) -> Sequence[Row[Any]]:
    """Holds that are not released, of one node or of all, the most endangered first."""
    found = select(hold).where(hold.c.state.in_(life.WANTED)).order_by(hold.c.danger == "", hold.c.start_us)
    return connection.execute(found if node is None else found.where(hold.c.node == node)).all()


def reported(row: Row[Any]) -> HoldState | None:
    """What the node said last of a hold."""
    return msgspec.json.decode(row.told, type=HoldState) if row.told else None


def sweep(connection: Connection, now_us: int) -> int:
    """Say which unconfirmed holds retention comes near to, and let go of those of long closed incidents.

    Returns how many were changed.
    """
    changed = 0
    for row in wanted(connection):
        if _is_over(connection, row, now_us):
            release(connection, row.id, "its incident was closed long ago", HUB, now_us)
            changed += 1
            continue
        changed += _endanger(connection, row, now_us)
    return changed


def _endanger(connection: Connection, row: Row[Any], now_us: int) -> int:
    confirmed = row.state in ("held", "lost") or (row.state == "waiting" and row.end_us > now_us)
    since_ns = None if confirmed else coverage.kept_since_ns(connection, row.camera)
    danger = life.danger(row.start_us, None if since_ns is None else since_ns // 1000)
    if danger == row.danger:
        return 0
    connection.execute(update(hold).where(hold.c.id == row.id).values(danger=danger))
    if danger:
        _tell(connection, row.id, "endangered", HUB, now_us, {"level": danger})
        detail = f"{row.camera}: footage that is to be held is not confirmed and will soon be overwritten"
        nodes.alarm(connection, row.node, f"hold-{row.camera}"[:40], detail, now_us)
    return 1


def _is_over(connection: Connection, row: Row[Any], now_us: int) -> bool:
    if row.incident is None:
        return False
    closed_us = connection.execute(select(incident.c.closed_us).where(incident.c.id == row.incident)).scalar()
    return closed_us is not None and now_us - int(closed_us) > POLICY.kept_after_closing_us


def _wish(connection: Connection, node: str, actor: str, now_us: int) -> None:
    """Make the node's desired state what is held now. Raises IllegalHold when it would be too much."""
    rows = sorted(wanted(connection, node), key=lambda row: str(row.id))
    if len(rows) > HOLDS_MOST:
        raise IllegalHold(f"{node} has {HOLDS_MOST} holds; release some that nobody needs any more")
    if len(rows) == MANY:
        nodes.alarm(connection, node, "holds", f"{MANY} of at most {HOLDS_MOST} holds are in use", now_us)
    holds = [
        Hold(id=row.id, camera=row.camera, start_wall_ns=row.start_us * 1000, end_wall_ns=row.end_us * 1000)
        for row in rows
    ]
    body = {"holds": [msgspec.to_builtins(one) for one in holds]}
    wants.wish(connection, node, "recorder", "holds", body, actor, now_us)


def _tell(
    connection: Connection, id: str, what: str, actor: str, now_us: int, details: dict[str, Any]
) -> None:
    """Write it into the incident's log, or the hold's own, and into the camera's (SOP R03)."""
    row = find(connection, id)
    assert row is not None
    body = {"hold": id, "camera": row.camera, **details}
    events.append(connection, now_us, f"hold.{what}", row.incident or id, actor, body)
    events.append(connection, now_us, f"camera.hold_{what}", row.camera, actor, body)
