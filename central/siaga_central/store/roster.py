"""Who is on duty and which modems are ours: what nodes are left with for the time without a hub."""

from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from siaga_central.store import events, wants
from siaga_central.store.schema import duty_phone, modem_number, node, want
from siaga_core.errors import SiagaError
from siaga_core.wire.roster import NAME, DutyPhone, Gateway, Roster


class BadRoster(SiagaError):
    """What was asked does not make a roster."""


def add_phone(connection: Connection, number: str, name: str, actor: str, now_us: int) -> None:
    """Put a phone last on the list, or give one that is on it another name. Raises BadRoster."""
    _checked(DutyPhone(name=name, number=number), DutyPhone)
    if connection.execute(select(duty_phone).where(duty_phone.c.number == number)).first() is None:
        last = connection.execute(select(func.coalesce(func.max(duty_phone.c.place), 0))).scalar_one()
        connection.execute(insert(duty_phone).values(number=number, name=name, place=int(last) + 1))
    else:
        connection.execute(update(duty_phone).where(duty_phone.c.number == number).values(name=name))
    events.append(connection, now_us, "roster.phone", "roster", actor, {"name": name, "on_duty": True})


def remove_phone(connection: Connection, number: str, actor: str, now_us: int) -> None:
    """Take a phone off the list. Raises BadRoster."""
    row = connection.execute(select(duty_phone).where(duty_phone.c.number == number)).one_or_none()
    if row is None:
        raise BadRoster("that number is not on duty; see `siaga-central roster show`")
    connection.execute(delete(duty_phone).where(duty_phone.c.number == number))
    events.append(connection, now_us, "roster.phone", "roster", actor, {"name": row.name, "on_duty": False})


def set_modem(
    connection: Connection, node_id: str, number: str, takes_urgent: bool, actor: str, now_us: int
) -> None:
    """Say which number a node's modem has, and whether it takes others' urgent texts. Raises BadRoster."""
    _checked(Gateway(node=node_id, number=number, takes_urgent=takes_urgent), Gateway)
    if connection.execute(select(node.c.id).where(node.c.id == node_id)).first() is None:
        raise BadRoster(f"there is no node {node_id}")
    connection.execute(delete(modem_number).where(modem_number.c.node == node_id))
    connection.execute(insert(modem_number).values(node=node_id, number=number, takes_urgent=takes_urgent))
    body = {"node": node_id, "takes_urgent": takes_urgent}
    events.append(connection, now_us, "roster.modem", "roster", actor, body)


def phones(connection: Connection) -> list[Row[Any]]:
    """Phones on duty, the first to be texted first."""
    return list(connection.execute(select(duty_phone).order_by(duty_phone.c.place)))


def modems(connection: Connection) -> list[Row[Any]]:
    """Our modems and their numbers."""
    return list(connection.execute(select(modem_number).order_by(modem_number.c.node)))


def publish(connection: Connection, instead: str, actor: str, now_us: int) -> list[str]:
    """Want the present roster of every node with a modem; their names. A roster that is known stays."""
    gateways = [
        Gateway(node=row.node, number=row.number, takes_urgent=row.takes_urgent) for row in modems(connection)
    ]
    duty = [DutyPhone(name=row.name, number=row.number) for row in phones(connection)]
    body = msgspec.to_builtins(_checked(Roster(duty=duty, gateways=gateways, instead=instead), Roster))
    for gateway in gateways:
        wants.wish(connection, gateway.node, "modem", NAME, body, actor, now_us)
    return [gateway.node for gateway in gateways]


def convergence(connection: Connection) -> list[Row[Any]]:
    """How far each node is with its roster."""
    return list(connection.execute(select(want).where(want.c.name == NAME).order_by(want.c.node)))


def _checked(given: Any, kind: type[Any]) -> Any:
    try:
        return msgspec.convert(msgspec.to_builtins(given), kind)
    except msgspec.ValidationError as error:
        raise BadRoster(f"{error}; numbers are written +62..., names have 1 to 60 characters") from error
