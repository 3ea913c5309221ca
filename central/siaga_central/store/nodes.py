"""Sites, nodes and cameras: the registry and how each is doing."""

from typing import Any

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from siaga_central.domain.place import NAMED_RADIUS_M, Spot
from siaga_central.store import events
from siaga_central.store.schema import camera, node, service_state, site
from siaga_core.errors import SiagaError
from siaga_core.wire.health import CameraState, Health, LinkState, ServiceState


class Unknown(SiagaError):
    """A site, node or camera that is not in the registry."""


def add_site(connection: Connection, id: str, name: str, district: str, actor: str, now_us: int) -> None:
    """Add a site."""
    connection.execute(insert(site).values(id=id, name=name, district=district))
    events.append(connection, now_us, "site.added", id, actor, {"name": name, "district": district})


def add(connection: Connection, id: str, site_id: str, name: str, actor: str, now_us: int) -> None:
    """Add a node to a site; nothing when it is there. Raises Unknown for an unknown site."""
    if connection.execute(select(site.c.id).where(site.c.id == site_id)).scalar_one_or_none() is None:
        raise Unknown(f"there is no site {site_id}; add it first")
    if find(connection, id) is not None:
        return
    connection.execute(insert(node).values(id=id, site=site_id, name=name, state="invited"))
    events.append(connection, now_us, "node.added", id, actor, {"site": site_id, "name": name})


def add_camera(
    connection: Connection,
    id: str,
    node_id: str,
    name: str,
    latitude: float | None,
    longitude: float | None,
    actor: str,
    now_us: int,
) -> None:
    """Add a camera to a node. Raises Unknown for an unknown node."""
    if find(connection, node_id) is None:
        raise Unknown(f"there is no node {node_id}; invite it first")
    row = {"id": id, "node": node_id, "name": name, "latitude": latitude, "longitude": longitude}
    connection.execute(insert(camera).values(row))
    events.append(connection, now_us, "camera.added", id, actor, row)


def find(connection: Connection, id: str) -> Row[Any] | None:
    """One node, or None."""
    return connection.execute(select(node).where(node.c.id == id)).one_or_none()


def known(connection: Connection) -> frozenset[str]:
    """Ids of nodes whose records are taken."""
    rows = connection.execute(select(node.c.id).where(node.c.state != "revoked"))
    return frozenset(row.id for row in rows)


def cameras_of(connection: Connection, node_id: str) -> frozenset[str]:
    """Ids of a node's cameras."""
    return frozenset(
        row.id for row in connection.execute(select(camera.c.id).where(camera.c.node == node_id))
    )


def named_spots(connection: Connection) -> list[Spot]:
    """Where cameras and sites with a place stand, by their names as operators read them."""
    cameras = select(camera.c.name, camera.c.latitude, camera.c.longitude)
    sites = select(site.c.name, site.c.latitude, site.c.longitude)
    return [
        Spot(row.latitude, row.longitude, NAMED_RADIUS_M, "listed", row.name)
        for row in connection.execute(cameras.union(sites))
        if row.latitude is not None and row.longitude is not None
    ]


def set_state(connection: Connection, id: str, state: str, actor: str, now_us: int) -> None:
    """Make a node claimed or revoked."""
    connection.execute(update(node).where(node.c.id == id).values(state=state))
    events.append(connection, now_us, f"node.{state}", id, actor)


def heard(connection: Connection, id: str, now_us: int) -> None:
    """The node has spoken. It counts as online; the change alone is an event."""
    row = find(connection, id)
    if row is None:
        return
    connection.execute(update(node).where(node.c.id == id).values(heard_us=now_us, online=True))
    if not row.online:
        events.append(connection, now_us, "node.online", id, f"node:{id}")


def silent(connection: Connection, id: str, why: str, now_us: int) -> bool:
    """The node is not heard any more; False when that is known."""
    changed = connection.execute(update(node).where(node.c.id == id, node.c.online).values(online=False))
    if changed.rowcount:
        events.append(connection, now_us, "node.silent", id, "hub", {"why": why})
    return bool(changed.rowcount)


def unheard_since(connection: Connection, before_us: int) -> list[str]:
    """Nodes that count as online and were last heard before `before_us`."""
    rows = connection.execute(select(node.c.id).where(node.c.online, node.c.heard_us < before_us))
    return [row.id for row in rows]


def health(connection: Connection, id: str, sample: Health, now_us: int) -> None:
    """Keep the newest health sample; a change of level is an event, a sample is not."""
    row = find(connection, id)
    if row is None:
        return
    text = msgspec.json.encode(sample).decode()
    connection.execute(
        update(node)
        .where(node.c.id == id)
        .values(level=sample.level, version=sample.version, health=text, health_us=now_us)
    )
    if row.level != sample.level:
        body = {"from": row.level, "to": sample.level}
        events.append(connection, now_us, "node.level", id, f"node:{id}", body)


def link(connection: Connection, id: str, state: LinkState, now_us: int) -> None:
    """A node's way here was lost or came back, as the node itself saw it."""
    events.append(connection, now_us, "node.link", id, f"node:{id}", msgspec.to_builtins(state))


def camera_state(connection: Connection, node_id: str, state: CameraState, now_us: int) -> bool:
    """Keep how a camera is; a change is an event. False when the camera is not this node's."""
    row = connection.execute(
        select(camera).where(camera.c.id == state.camera, camera.c.node == node_id)
    ).one_or_none()
    if row is None:
        return False
    values: dict[str, Any] = {"reason": state.reason, "clock_offset_ms": state.clock_offset_ms}
    values |= {key: value for key, value in (("model", state.model), ("firmware", state.firmware)) if value}
    if row.status != state.status:
        values |= {"status": state.status, "status_us": now_us}
        body = {"from": row.status, "to": state.status, "reason": state.reason}
        events.append(connection, now_us, "camera.status", state.camera, f"node:{node_id}", body)
    connection.execute(update(camera).where(camera.c.id == state.camera).values(**values))
    return True


def alarm(connection: Connection, node_id: str, code: str, detail: str, now_us: int) -> None:
    """Keep what the hub has against a node; it stays until a person has looked into it."""
    state = ServiceState(service="hub", level="crit", code=code, detail=detail[:400])
    service(connection, node_id, state, now_us, "hub")


def is_alarmed(connection: Connection, node_id: str, code: str) -> bool:
    """Whether an alarm of this code is open, so that nobody has looked into it yet."""
    mine = (
        (service_state.c.node == node_id) & (service_state.c.code == code) & (service_state.c.level != "ok")
    )
    return connection.execute(select(service_state.c.code).where(mine)).first() is not None


def settle(connection: Connection, node_id: str, code: str, actor: str, now_us: int) -> bool:
    """A person has looked into a trouble of a node; False if there was none open under this code."""
    mine = (
        (service_state.c.node == node_id) & (service_state.c.code == code) & (service_state.c.level != "ok")
    )
    rows = connection.execute(select(service_state).where(mine)).all()
    for row in rows:
        state = ServiceState(
            service=row.service, level="ok", code=code, detail=f"settled: {row.detail}"[:400]
        )
        service(connection, node_id, state, now_us, actor)
    return bool(rows)


def service(connection: Connection, node_id: str, state: ServiceState, now_us: int, actor: str = "") -> None:
    """Keep what a service says of itself; a change of level is an event."""
    same = (
        (service_state.c.node == node_id)
        & (service_state.c.service == state.service)
        & (service_state.c.code == state.code)
    )
    row = connection.execute(select(service_state).where(same)).one_or_none()
    values = {"level": state.level, "detail": state.detail, "changed_us": now_us}
    if row is None:
        key = {"node": node_id, "service": state.service, "code": state.code}
        connection.execute(insert(service_state).values(**key, **values))
    else:
        connection.execute(update(service_state).where(same).values(**values))
    if row is None or row.level != state.level or row.detail != state.detail:
        body = msgspec.to_builtins(state)
        events.append(connection, now_us, "service.state", node_id, actor or f"node:{node_id}", body)
