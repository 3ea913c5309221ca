"""Orders about phones on duty and our own modems; each leaves its nodes with the new roster."""

from typing import Any

import msgspec

from siaga_central.cli.ledger import ADMIN, Answer, Office
from siaga_central.store import modems, policies, roster


def add_phone(office: Office, number: str, name: str) -> Answer:
    """Put a phone last on the list of those on duty."""
    now_us = office.now_us()
    return _changed(office, lambda c: roster.add_phone(c, number, name, ADMIN, now_us))


def remove_phone(office: Office, number: str, reason: str = "") -> Answer:
    """Take a phone off the list."""
    now_us = office.now_us()
    return _changed(office, lambda c: roster.remove_phone(c, number, ADMIN, now_us, reason))


def set_modem(
    office: Office, node: str, number: str, takes_urgent: bool = True, second: bool = False
) -> Answer:
    """Say which number a node's modem has, or its second one."""
    now_us, service = office.now_us(), modems.MODEMS[second]
    return _changed(office, lambda c: roster.set_modem(c, node, number, takes_urgent, ADMIN, now_us, service))


def set_policy(office: Office, values: dict[str, Any]) -> Answer:
    """Decide other times and limits for nodes that act by themselves; in force as soon as a node has it."""
    now_us = office.now_us()
    return _changed(office, lambda c: policies.set_nodes(c, values, ADMIN, now_us))


def show(office: Office) -> Answer:
    """Who is on duty, which modems are ours, and how far each node is with it."""
    with office.store.read() as connection:
        phones, ours = roster.phones(connection), roster.modems(connection)
        states = roster.convergence(connection)
        policy = policies.nodes(connection, office.now_us())[1]
    return {
        "phones": [{"number": row.number, "name": row.name} for row in phones],
        "modems": [
            {
                "node": row.node,
                "modem": row.service,
                "number": row.number,
                "takes_urgent": row.takes_urgent,
            }
            for row in ours
        ],
        "nodes": [
            {"node": row.node, "version": row.version, "has": row.node_version, "state": row.node_state}
            for row in states
        ],
        "instead": office.config.city.instead,
        "policy": msgspec.to_builtins(policy),
    }


def _changed(office: Office, change: Any) -> Answer:
    instead, now_us = office.config.city.instead, office.now_us()

    def work(connection: Any) -> list[str]:
        change(connection)
        return roster.publish(connection, instead, ADMIN, now_us)

    return {"nodes": office.store.write(work)}
