"""Who is on duty and which modems are ours: what nodes are left with for the time without a hub."""

from typing import Any

import msgspec
from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update

from siaga_central.domain.mask import masked
from siaga_central.domain.modem import Modem
from siaga_central.store import events, policies, wants
from siaga_central.store.schema import duty_phone, modem_number, node, want
from siaga_core.errors import SiagaError
from siaga_core.wire.roster import NAME, DutyPhone, Gateway, Roster

SUBJECT = "roster"
_BAD_PHONE = "a phone needs a number written as +62… and a name of 1 to 60 characters"
_BAD_MODEM = "a modem's number is written as +62…"
_OURS = "that number is one of our own modems; a phone on duty is a person's"
_ON_DUTY = "that number is a phone on duty; a modem's number is its SIM's"
_BAD_ROSTER = "there are at most 50 phones on duty and 20 modems"


class BadRoster(SiagaError):
    """What was asked does not make a roster."""


def add_phone(connection: Connection, number: str, name: str, actor: str, now_us: int) -> None:
    """Put a phone last on the list, or give one that is on it another name. Raises BadRoster."""
    _checked(DutyPhone(name=name, number=number), DutyPhone, _BAD_PHONE)
    if connection.execute(select(modem_number.c.node).where(modem_number.c.number == number)).first():
        raise BadRoster(_OURS)
    if connection.execute(select(duty_phone).where(duty_phone.c.number == number)).first() is None:
        last = connection.execute(select(func.coalesce(func.max(duty_phone.c.place), 0))).scalar_one()
        connection.execute(insert(duty_phone).values(number=number, name=name, place=int(last) + 1))
    else:
        connection.execute(update(duty_phone).where(duty_phone.c.number == number).values(name=name))
    body = {"name": name, "number": masked(number)}
    events.append(connection, now_us, "roster.phone_added", SUBJECT, actor, body)


def remove_phone(connection: Connection, number: str, actor: str, now_us: int, reason: str = "") -> None:
    """Take a phone off the list. Raises BadRoster."""
    row = phone(connection, number)
    connection.execute(delete(duty_phone).where(duty_phone.c.number == number))
    body = {"name": row.name, "number": masked(number), "reason": reason}
    events.append(connection, now_us, "roster.phone_removed", SUBJECT, actor, body)


def move_phone(connection: Connection, number: str, earlier: bool, actor: str, now_us: int) -> None:
    """Have a phone texted one place earlier or later; at the end of the list nothing. Raises BadRoster."""
    row = phone(connection, number)
    order = [one.number for one in phones(connection)]
    at = order.index(number)
    to = at - 1 if earlier else at + 1
    if not 0 <= to < len(order):
        return
    order[at], order[to] = order[to], order[at]
    for place, each in enumerate(order, 1):
        connection.execute(update(duty_phone).where(duty_phone.c.number == each).values(place=place))
    body = {"name": row.name, "number": masked(number), "place": str(to + 1)}
    events.append(connection, now_us, "roster.phone_moved", SUBJECT, actor, body)


def phone(connection: Connection, number: str) -> Row[Any]:
    """One phone on duty. Raises BadRoster."""
    row = connection.execute(select(duty_phone).where(duty_phone.c.number == number)).one_or_none()
    if row is None:
        raise BadRoster("that number is not on duty")
    return row


def set_modem(
    connection: Connection,
    node_id: str,
    number: str,
    takes_urgent: bool,
    actor: str,
    now_us: int,
    service: Modem = "modem",
) -> None:
    """Say which number a node's modem has, and whether it takes others' urgent texts. Raises BadRoster.

    A number is of one modem: a SIM that was in another one has been moved.
    """
    _checked(Gateway(node=node_id, number=number, takes_urgent=takes_urgent), Gateway, _BAD_MODEM)
    if connection.execute(select(node.c.id).where(node.c.id == node_id)).first() is None:
        raise BadRoster(f"there is no node {node_id}")
    if connection.execute(select(duty_phone.c.number).where(duty_phone.c.number == number)).first():
        raise BadRoster(_ON_DUTY)
    its = and_(modem_number.c.node == node_id, modem_number.c.service == service)
    connection.execute(delete(modem_number).where(or_(its, modem_number.c.number == number)))
    row = {"node": node_id, "service": service, "number": number, "takes_urgent": takes_urgent}
    connection.execute(insert(modem_number).values(row))
    body = {"node": node_id, "modem": service, "number": number, "takes_urgent": takes_urgent}
    events.append(connection, now_us, "roster.modem", SUBJECT, actor, body)


def phones(connection: Connection) -> list[Row[Any]]:
    """Phones on duty, the first to be texted first."""
    return list(connection.execute(select(duty_phone).order_by(duty_phone.c.place)))


def modems(connection: Connection) -> list[Row[Any]]:
    """Our modems and their numbers, a node's first one first."""
    return list(
        connection.execute(select(modem_number).order_by(modem_number.c.node, modem_number.c.service))
    )


def publish(connection: Connection, instead: str, actor: str, now_us: int) -> list[str]:
    """Want the present roster of every node with a modem; their names. A roster that is known stays."""
    gateways = [
        Gateway(node=row.node, number=row.number, takes_urgent=row.takes_urgent) for row in modems(connection)
    ]
    duty = [DutyPhone(name=row.name, number=row.number) for row in phones(connection)]
    policy = policies.nodes(connection, now_us)[1]
    made = Roster(duty=duty, gateways=gateways, instead=instead, policy=policy)
    body = msgspec.to_builtins(_checked(made, Roster, _BAD_ROSTER))
    nodes = list(dict.fromkeys(gateway.node for gateway in gateways))
    for one in nodes:
        wants.wish(connection, one, "modem", NAME, body, actor, now_us)
    return nodes


def convergence(connection: Connection) -> list[Row[Any]]:
    """How far each node is with its roster."""
    return list(connection.execute(select(want).where(want.c.name == NAME).order_by(want.c.node)))


def _checked(given: Any, kind: type[Any], why: str) -> Any:
    try:
        return msgspec.convert(msgspec.to_builtins(given), kind)
    except msgspec.ValidationError as error:
        raise BadRoster(why) from error
