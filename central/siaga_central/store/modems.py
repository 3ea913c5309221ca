"""What the hub knows of a node's modems: which it has, which are not well, which one a number wrote to."""

from typing import cast

from sqlalchemy import Connection, func, select

from siaga_central.domain.modem import Modem, choose
from siaga_central.store.schema import mark, report, service_state

MODEMS: tuple[Modem, Modem] = ("modem", "modemb")
# What keeps a text from leaving; a SIM that expires soon or a signal that is weak does not.
_STOPS = ("modem", "modem.loop", "modem.network")


def sender(connection: Connection, node: str, number: str) -> Modem:
    """The service of `node` that a text to `number` is ordered from."""
    return choose(_written_to(connection, node, number), _known(connection, node), _unwell(connection, node))


def by_node(connection: Connection) -> dict[str, list[str]]:
    """Node -> the services of its modems that have ever been heard of, first modem first."""
    found = select(mark.c.node, mark.c.stream).distinct().order_by(mark.c.node, mark.c.stream)
    nodes: dict[str, list[str]] = {}
    for row in connection.execute(found):
        name = row.stream.partition(".")[0]
        if name in MODEMS and name not in nodes.setdefault(row.node, []):
            nodes[row.node].append(name)
    return {node: names for node, names in nodes.items() if names}


def _written_to(connection: Connection, node: str, number: str) -> Modem | None:
    """The modem that heard this number last; None for one that never wrote, or if it is called otherwise."""
    found = select(func.json_extract(report.c.body, "$.modem")).where(
        report.c.node == node, report.c.reporter_e164 == number, report.c.source.in_(("sms", "call"))
    )
    name = connection.execute(found.order_by(report.c.received_us.desc()).limit(1)).scalar_one_or_none()
    return cast(Modem, name) if name in MODEMS else None


def _known(connection: Connection, node: str) -> set[str]:
    streams = connection.execute(select(mark.c.stream).where(mark.c.node == node)).scalars()
    return {name for stream in streams if (name := stream.partition(".")[0]) in MODEMS}


def _unwell(connection: Connection, node: str) -> set[str]:
    of_stops = service_state.c.code.in_(_STOPS) & (service_state.c.level == "crit")
    found = select(service_state.c.service).where(service_state.c.node == node, of_stops)
    return set(connection.execute(found).scalars())
