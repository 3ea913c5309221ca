"""Commands to nodes, from asked to done."""

from typing import Any

import msgspec
from sqlalchemy import Connection, Row, insert, or_, select, update

from siaga_central.domain.delivery import NOT_CONFIRMED
from siaga_central.store import events
from siaga_central.store.schema import command, node
from siaga_core.wire.command import Command, Order, Service

# Reports of a command's fate may come late: a later state never goes back to an earlier one.
_RANK = {"queued": 0, "sent": 1, "received": 2, "started": 3, "done": 4, "failed": 4, "expired": 4}
FINAL = frozenset({"done", "failed", "expired"})


def queue(
    connection: Connection,
    command_id: str,
    node_id: str,
    service: Service,
    order: Order,
    actor: str,
    now_us: int,
    ttl_s: float,
) -> None:
    """Queue one command; it is sent until the node says it has it, and never after its time."""
    wire = Command(
        id=command_id,
        node=node_id,
        service=service,
        order=order,
        issued_ms=now_us // 1000,
        expires_ms=now_us // 1000 + int(ttl_s * 1000),
        issuer=actor,
    )
    kind = str(type(order).__struct_config__.tag)
    connection.execute(
        insert(command).values(
            id=command_id,
            node=node_id,
            service=service,
            kind=kind,
            payload=msgspec.json.encode(wire).decode(),
            issued_us=now_us,
            expires_us=now_us + int(ttl_s * 1e6),
            issuer=actor,
            changed_us=now_us,
        )
    )
    events.append(connection, now_us, "command.queued", command_id, actor, {"node": node_id, "kind": kind})


def to_send(connection: Connection, now_us: int, again_before_us: int) -> list[Row[Any]]:
    """Unconfirmed commands to nodes that are online: never sent, or last before `again_before_us`."""
    return list(
        connection.execute(
            select(command)
            .join(node, node.c.id == command.c.node)
            .where(
                node.c.online,
                command.c.state.in_(("queued", "sent")),
                command.c.expires_us > now_us,
                or_(command.c.sent_us.is_(None), command.c.sent_us < again_before_us),
            )
            .order_by(command.c.issued_us, command.c.id)
            .limit(200)
        )
    )


def overdue(connection: Connection, now_us: int, grace_us: int) -> list[Row[Any]]:
    """Commands whose time is over and of which the node has said nothing final."""
    return list(
        connection.execute(
            select(command).where(
                or_(
                    command.c.state.in_(("queued", "sent")) & (command.c.expires_us <= now_us),
                    command.c.state.in_(("received", "started"))
                    & (command.c.expires_us <= now_us - grace_us),
                )
            )
        )
    )


def sent(connection: Connection, ids: list[str], now_us: int) -> None:
    """Note that commands were published; the node has not confirmed them yet."""
    connection.execute(update(command).where(command.c.id.in_(ids)).values(sent_us=now_us))
    connection.execute(
        update(command)
        .where(command.c.id.in_(ids), command.c.state == "queued")
        .values(state="sent", changed_us=now_us)
    )


def find(connection: Connection, id: str) -> Row[Any] | None:
    """One command, or None."""
    return connection.execute(select(command).where(command.c.id == id)).one_or_none()


def settle(
    connection: Connection, id: str, state: str, detail: str, result: dict[str, Any], actor: str, now_us: int
) -> bool:
    """Note what became of a command; False when that is not news.

    That a command has expired is the hub's guess while its node is silent; the node's last word replaces it.
    """
    row = find(connection, id)
    if row is None:
        return False
    guessed = row.state == "expired" and row.detail == NOT_CONFIRMED and state in FINAL and actor != "hub"
    if not guessed and (row.state in FINAL or _RANK[state] <= _RANK[row.state]):
        return False
    text = msgspec.json.encode(result).decode()
    connection.execute(
        update(command)
        .where(command.c.id == id)
        .values(state=state, detail=detail, result=text, changed_us=now_us)
    )
    events.append(connection, now_us, f"command.{state}", id, actor, {"detail": detail, "result": result})
    return True
