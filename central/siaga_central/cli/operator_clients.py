"""Orders about operators' own MQTT clients: each has a name, a password, and an account whose role counts."""

from datetime import UTC, datetime

from sqlalchemy import Connection

from siaga_central.authority.passwords import new_password
from siaga_central.bus import broker
from siaga_central.cli.ledger import ADMIN, Answer, Office, Refused, good_password, known_user
from siaga_central.store import clients, nodes
from siaga_central.store.users import find as find_user
from siaga_core.wire.ids import client_name
from siaga_core.wire.topics import ALERT_FILTER, answer


def add(office: Office, name: str, user: str = "", password: str = "") -> Answer:
    """Register a client of an account, or give it a new password; `password` is made when none is given.

    The account is `user`, or what stands before the first '-' of the name. Registration comes first: after a
    power cut in between the client has no password and is added again.
    """
    client_name(name)
    account = user or name.partition("-")[0]
    known_user(office, account)
    with office.store.read() as connection:
        owner, node = clients.find(connection, name), nodes.find(connection, name)
        closed = bool(getattr(find_user(connection, account), "disabled", True))
    if node is not None:
        raise Refused(f"{name} is a node; the broker tells them apart by name, choose another")
    if owner is not None and owner.user != account:
        raise Refused(f"{name} belongs to {owner.user}; remove it first")
    if closed:
        raise Refused(f"the account {account} is closed")
    made = "" if password else new_password()
    chosen, now_us = good_password(password or made), office.now_us()
    if owner is None:
        office.store.write(lambda c: clients.add(c, name, account, ADMIN, now_us))
    broker.set_operator_password(office.config.broker_dir, name, chosen)
    office.reload_broker()
    return _credentials(office, name, account, made)


def _credentials(office: Office, name: str, account: str, made: str) -> Answer:
    """What its owner needs; a password only if it was made here, and never again."""
    config = office.config
    host = config.gateway.names[0]
    line = f"mosquitto_sub -V 5 -h {host} -p {config.broker.operator_port} --cafile hub-ca.pem"
    found: Answer = {"client": name, "user": account}
    found |= {"password": made} if made else {}
    return found | {
        "host": host,
        "port": config.broker.operator_port,
        "ca_file": str(office.authority.ca_file),
        "ca_sha256": office.authority.ca_sha256,
        "listen": f"{line} -u {name} -P '{made or 'PASSWORD'}' -q 1 -t '{ALERT_FILTER}' "
        f"-t '{answer(client_name(name))}' -v",
    }


def all_of_them(office: Office) -> Answer:
    """Every registered client and the account behind it."""
    with office.store.read() as connection:
        rows = clients.all_of_them(connection)
    return {
        "clients": [
            {
                "client": row.name,
                "user": row.user,
                "role": row.role,
                "since": datetime.fromtimestamp(row.made_us / 1e6, UTC).isoformat(timespec="seconds"),
            }
            for row in rows
        ]
    }


def remove(office: Office, name: str) -> Answer:
    """Take a client's registration and password away and end its connection.

    From the commit on it acknowledges nothing, whatever becomes of the broker's files.
    """
    with office.store.read() as connection:
        known = clients.find(connection, name) is not None
    if not known and not broker.has_operator(office.config.broker_dir, name):
        raise Refused(f"there is no client {name}")
    withdraw(office, [name])
    return {"client": name, "removed": True}


def withdraw(office: Office, names: list[str]) -> None:
    """Take every one of these away first, then end their connections: one that cannot be cut holds up none.

    Raises BrokerAway when the broker was not reached; they are refused all the same when they come again.
    """
    now_us = office.now_us()

    def work(connection: Connection) -> None:
        for name in names:
            if clients.find(connection, name) is not None:
                clients.remove(connection, name, ADMIN, now_us)

    office.store.write(work)
    for name in names:
        broker.remove_operator(office.config.broker_dir, name)
    if names:
        office.reload_broker()
    for name in names:
        office.cut_off(name)
