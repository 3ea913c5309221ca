"""Certificates issued to nodes."""

from sqlalchemy import Connection, insert, select, update

from siaga_central.store import events
from siaga_central.store.schema import certificate


def add(
    connection: Connection, serial: str, node: str, pem: str, key_id: str, not_after_us: int, now_us: int
) -> None:
    """Note an issued certificate; `serial` and `key_id` are hexadecimal."""
    row = {"serial": serial, "node": node, "pem": pem, "key_id": key_id, "not_after_us": not_after_us}
    connection.execute(insert(certificate).values(row))
    events.append(connection, now_us, "certificate.issued", node, "hub", {"serial": serial})


def is_good(connection: Connection, serial: str, node: str) -> bool:
    """Whether this certificate was issued to this node and is not revoked."""
    found = connection.execute(
        select(certificate.c.revoked_us).where(certificate.c.serial == serial, certificate.c.node == node)
    ).one_or_none()
    return found is not None and found.revoked_us is None


def pem_of(connection: Connection, node: str, key_id: str) -> str | None:
    """A certificate of this node for this key that is not revoked, or None."""
    found = connection.execute(
        select(certificate.c.pem).where(
            certificate.c.node == node, certificate.c.key_id == key_id, certificate.c.revoked_us.is_(None)
        )
    ).first()
    return None if found is None else str(found.pem)


def of_key_prefix(connection: Connection, prefix: str) -> list[tuple[str, str]]:
    """(node, PEM) of certificates not revoked whose key's id begins so; `prefix` in hexadecimal."""
    found = select(certificate.c.node, certificate.c.pem).where(
        certificate.c.key_id.startswith(prefix, autoescape=True), certificate.c.revoked_us.is_(None)
    )
    return [(str(row.node), str(row.pem)) for row in connection.execute(found)]


def revoke(connection: Connection, node: str, actor: str, now_us: int) -> list[str]:
    """Revoke every certificate of a node; their serials."""
    live = (certificate.c.node == node) & certificate.c.revoked_us.is_(None)
    serials = [row.serial for row in connection.execute(select(certificate.c.serial).where(live))]
    connection.execute(update(certificate).where(live).values(revoked_us=now_us))
    for serial in serials:
        events.append(connection, now_us, "certificate.revoked", node, actor, {"serial": serial})
    return serials


def revoked(connection: Connection) -> list[tuple[str, int]]:
    """(serial, when) of every revoked certificate."""
    rows = connection.execute(select(certificate).where(certificate.c.revoked_us.is_not(None)))
    return [(row.serial, row.revoked_us) for row in rows]
