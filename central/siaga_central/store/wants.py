"""Desired state of nodes: what the hub wants, and how far each node has come."""

from typing import Any

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from siaga_central.store import events
from siaga_central.store.schema import want
from siaga_core.wire.want import Want, WantState


def wish(
    connection: Connection, node: str, service: str, name: str, body: dict[str, Any], actor: str, now_us: int
) -> int:
    """Want `body` of a node from now on; the version, which grows only when the body is another one."""
    text = msgspec.json.encode(body, order="sorted").decode()
    row = find(connection, node, name)
    if row is not None and row.body == text:
        return int(row.version)
    version = 1 if row is None else int(row.version) + 1
    values = {"service": service, "version": version, "body": text, "changed_us": now_us}
    if row is None:
        connection.execute(insert(want).values(node=node, name=name, **values))
    else:
        connection.execute(update(want).where(_is(node, name)).values(**values))
    events.append(connection, now_us, "want.changed", node, actor, {"name": name, "version": version})
    return version


def find(connection: Connection, node: str, name: str) -> Row[Any] | None:
    """One desired state, or None."""
    return connection.execute(select(want).where(_is(node, name))).one_or_none()


def settle(connection: Connection, node: str, state: WantState, now_us: int) -> None:
    """What a node says became of a version; an older version than was settled changes nothing."""
    row = find(connection, node, state.name)
    if row is None or state.version < row.node_version:
        return
    values = {"node_version": state.version, "node_state": state.state, "node_detail": state.detail}
    connection.execute(update(want).where(_is(node, state.name)).values(**values, node_us=now_us))
    if (row.node_version, row.node_state) != (state.version, state.state):
        body = msgspec.to_builtins(state)
        events.append(connection, now_us, "want.settled", node, f"node:{node}", body)


def all_of_them(connection: Connection) -> list[Want]:
    """Every desired state as it travels, for saying it again after a broker has forgotten."""
    return [_as_wire(row) for row in connection.execute(select(want))]


def unsettled(connection: Connection, changed_after_us: int) -> list[tuple[Want, int]]:
    """Desired states changed after `changed_after_us` that their node has not taken, oldest first."""
    rows = connection.execute(
        select(want)
        .where(want.c.changed_us > changed_after_us, want.c.node_version < want.c.version)
        .order_by(want.c.changed_us)
    )
    return [(_as_wire(row), row.changed_us) for row in rows]


def _as_wire(row: Row[Any]) -> Want:
    return Want(
        node=row.node,
        service=row.service,
        name=row.name,
        version=row.version,
        body=msgspec.Raw(row.body.encode()),
    )


def _is(node: str, name: str) -> Any:
    return (want.c.node == node) & (want.c.name == name)
