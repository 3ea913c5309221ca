"""What an administrator can order: the same functions whether the hub runs (over its socket) or not."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from siaga_central.authority import passwords
from siaga_central.cli import footage_orders, operator_clients, roster_orders
from siaga_central.cli.ledger import ADMIN, Answer, Office, Refused, good_password, known_user
from siaga_central.domain.hold import IllegalHold
from siaga_central.domain.retention import IllegalRetention
from siaga_central.domain.role import ROLES
from siaga_central.ingest import projection
from siaga_central.ingest.policy import Policy
from siaga_central.ingest.projection import Moment
from siaga_central.store import certificates, claims, clients, links, nodes, policies, records, users
from siaga_central.store.schema import node as node_table
from siaga_core.service.clock import new_id
from siaga_core.wire.ids import camera_id, node_id

INVITATION_S = 72 * 3600


def add_user(office: Office, name: str, full_name: str, role: str, password: str) -> Answer:
    """Add an account."""
    if role not in ROLES:
        raise Refused(f"{role} is no role; choose one of {', '.join(ROLES)}")
    hashed = passwords.hash_password(good_password(password))
    now_us = office.now_us()
    with office.store.read() as connection:
        if users.find(connection, name) is not None:
            raise Refused(f"there is an account {name} already")
    office.store.write(lambda c: users.add(c, name, full_name, role, hashed, ADMIN, now_us))
    return {"user": name, "role": role}


def set_password(office: Office, name: str, password: str) -> Answer:
    """Change a password and end the account's sessions."""
    known_user(office, name)
    hashed, now_us = passwords.hash_password(good_password(password)), office.now_us()
    office.store.write(lambda c: users.set_password(c, name, hashed, ADMIN, now_us))
    return {"user": name}


def disable_user(office: Office, name: str) -> Answer:
    """Close an account and end its sessions."""
    known_user(office, name)
    now_us = office.now_us()

    def work(connection: Any) -> list[str]:
        users.disable(connection, name, ADMIN, now_us)
        return clients.of_account(connection, name)

    removed = office.store.write(work)
    operator_clients.withdraw(office, removed)
    return {"user": name, "disabled": True, "clients_removed": removed}


def list_users(office: Office) -> Answer:
    """Every account."""
    with office.store.read() as connection:
        rows = users.all_of_them(connection)
    keys = ("name", "full_name", "role", "disabled")
    return {"users": [{key: getattr(row, key) for key in keys} for row in rows]}


def add_site(office: Office, site: str, name: str, district: str = "") -> Answer:
    """Add a site."""
    now_us = office.now_us()
    office.store.write(lambda c: nodes.add_site(c, site, name, district, ADMIN, now_us))
    return {"site": site}


def add_camera(
    office: Office,
    camera: str,
    node: str,
    name: str,
    latitude: float | None = None,
    longitude: float | None = None,
) -> Answer:
    """Add a camera to a node."""
    camera_id(camera)
    now_us = office.now_us()
    office.store.write(lambda c: nodes.add_camera(c, camera, node, name, latitude, longitude, ADMIN, now_us))
    return {"camera": camera, "node": node}


def invite_node(office: Office, node: str, site: str, name: str) -> Answer:
    """Put a node into the registry and make its single-use token."""
    node_id(node)
    with office.store.read() as c:
        if clients.find(c, node) is not None:
            raise Refused(
                f"{node} is an operator's client; the broker tells them apart by name, choose another"
            )
    token, now_us = passwords.new_password(6), office.now_us()
    digest, expires_us = hashlib.sha256(token.encode()).hexdigest(), now_us + INVITATION_S * 1_000_000

    def work(connection: Any) -> None:
        nodes.add(connection, node, site, name, ADMIN, now_us)
        claims.make(connection, digest, node, ADMIN, now_us, expires_us)

    office.store.write(work)
    return {
        "node": node,
        "token": token,
        "expires": datetime.fromtimestamp(expires_us / 1e6, UTC).isoformat(),
        "ca_file": str(office.authority.ca_file),
        "ca_sha256": office.authority.ca_sha256,
        "gateway_port": office.config.gateway.port,
    }


def list_nodes(office: Office) -> Answer:
    """Every node and how it is."""
    with office.store.read() as connection:
        rows = connection.execute(node_table.select().order_by(node_table.c.id)).all()
    keys = ("id", "site", "name", "state", "online", "level", "heard_us")
    return {"nodes": [{key: getattr(row, key) for key in keys} for row in rows]}


def revoke_node(office: Office, node: str) -> Answer:
    """Revoke a node's certificates; its records are refused from now on."""
    now_us = office.now_us()

    def work(connection: Any) -> list[str]:
        if nodes.find(connection, node) is None:
            raise Refused(f"there is no node {node}")
        nodes.set_state(connection, node, "revoked", ADMIN, now_us)
        return certificates.revoke(connection, node, ADMIN, now_us)

    serials = office.store.write(work)
    with office.store.read() as connection:
        revoked = certificates.revoked(connection)
    office.authority.write_crl(revoked, datetime.fromtimestamp(now_us / 1e6, UTC))
    office.reload_broker()
    office.cut_off(node)
    return {"node": node, "revoked": serials}


def link_status(office: Office) -> Answer:
    """Each node's way here: up or not, when last heard, what has come of each stream, what is against it."""
    now_us = office.now_us()
    with office.store.read() as connection:
        rows = connection.execute(node_table.select().order_by(node_table.c.id)).all()
        found = [links.of(connection, row, now_us) for row in rows]
    return {"nodes": [msgspec.to_builtins(one) for one in found]}


def replay(office: Office, node: str | None = None) -> Answer:
    """Apply records that fitted nothing when they came: of a kind or a camera that was not known yet."""
    policy = Policy(siren_nodes=tuple(office.config.hub.siren_nodes))
    moment = Moment(office.now_us(), lambda: new_id(office.clock), policy)
    done, left = office.store.write(lambda c: projection.replay(c, node, moment))
    return {"applied": done, "left": left}


def settle(office: Office, node: str, code: str) -> Answer:
    """Say that a person has looked into what is against a node; it shows again when it happens again."""
    now_us = office.now_us()
    if not office.store.write(lambda c: nodes.settle(c, node, code, ADMIN, now_us)):
        raise Refused(f"{node} has no open alarm {code}; see `siaga-central link status`")
    return {"node": node, "settled": code}


def show_policy(office: Office, about: str = policies.HOLDS) -> Answer:
    """What is in force for held footage or for retention, and every version of it."""
    with office.store.read() as connection:
        version, policy = policies.in_force(connection, about, office.now_us())
        rows = policies.versions(connection, about)
    keys = ("number", "valid_from_us", "set_by", "set_us")
    versions = [{key: getattr(row, key) for key in keys} for row in rows]
    return {"version": version, "values": msgspec.to_builtins(policy), "versions": versions}


def set_policy(
    office: Office, values: dict[str, Any], valid_from: str | None = None, about: str = policies.HOLDS
) -> Answer:
    """Decide other values for held footage or retention, from now on or from a moment to come."""
    now_us = office.now_us()
    from_us = now_us if valid_from is None else _moment_us(valid_from)
    try:
        number = office.store.write(lambda c: policies.set_values(c, about, values, from_us, ADMIN, now_us))
    except (IllegalHold, IllegalRetention) as error:
        raise Refused(str(error)) from error
    return {"version": number, "valid_from_us": from_us}


def _moment_us(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refused(f"{text} is no moment; write it as 2027-01-01T00:00:00+07:00") from error
    if moment.tzinfo is None:
        raise Refused(f"{text} has no time zone; write it as {text}+07:00")
    return int(moment.timestamp() * 1e6)


def quarantine(office: Office) -> Answer:
    """What was refused, counted by reason."""
    with office.store.read() as connection:
        return {"refused": records.refused(connection)}


ORDERS: dict[str, Callable[..., Answer]] = {
    "user add": add_user,
    "user password": set_password,
    "user disable": disable_user,
    "user list": list_users,
    "operator-client add": operator_clients.add,
    "operator-client list": operator_clients.all_of_them,
    "operator-client remove": operator_clients.remove,
    "site add": add_site,
    "camera add": add_camera,
    "node invite": invite_node,
    "node list": list_nodes,
    "node revoke": revoke_node,
    "roster phone-add": roster_orders.add_phone,
    "roster phone-remove": roster_orders.remove_phone,
    "roster modem": roster_orders.set_modem,
    "roster policy": roster_orders.set_policy,
    "roster show": roster_orders.show,
    "footage grant": footage_orders.grant,
    "footage heads": footage_orders.heads,
    "link status": link_status,
    "link quarantine": quarantine,
    "link replay": replay,
    "link settle": settle,
    "policy show": show_policy,
    "policy set": set_policy,
}


def carry_out(office: Office, order: str, keys: dict[str, Any]) -> Answer:
    """Carry out one order. Raises SiagaError."""
    return ORDERS[order](office, **keys)
