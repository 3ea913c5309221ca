"""The processes of `script/fuzz outage`: a hub, journal writers, both ends of the PUBACK design.

`python -m bench.outage_parts hub|writer|control-hub|control-node …`
"""

import contextlib
import sqlite3
import sys
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from sqlalchemy import Connection

from siaga_central.authority.authority import Authority
from siaga_central.authority.voice import Voice
from siaga_central.bus.client import Bus, Connect
from siaga_central.cli.run import connect, life, shipper
from siaga_central.hub import load
from siaga_central.ingest.policy import Policy
from siaga_central.ingest.worker import Ingest
from siaga_central.outbox.worker import Outbox
from siaga_central.store import events
from siaga_central.store.writer import Store
from siaga_core.service.clock import Boot, SystemClock
from siaga_core.service.database import open_writer
from siaga_core.service.workers import Heartbeat, Stop, Supervisor
from siaga_core.wire.health import ServiceState
from siaga_edge.journal import Journal


def hub(folder: Path, host: str, port: int) -> int:
    """Bus, ingest and outbox as `siaga-central run` has them; the broker is somebody else's child here."""
    clock, now = SystemClock(), datetime.now(UTC)
    authority = Authority(folder / "authority")
    chain, key = authority.own("hub", now)
    store = Store(f"sqlite:///{folder / 'hub.db'}", clock)
    bus = Bus(Connect(host, port, authority.ca_file, chain, key))
    voice = Voice(authority, "life-one", 1, now)
    supervisor = Supervisor(clock)
    supervisor.add("bus", bus.work)
    supervisor.add("ingest", Ingest(store, bus, clock, Policy(), voice).work)
    supervisor.add("outbox", Outbox(store, bus, clock, voice).work)
    return supervisor.run()


def backed_hub(config_file: Path) -> int:
    """The same with a second place, and a person who enters something ten times a second."""
    config, clock, now = load(config_file), SystemClock(), datetime.now(UTC)
    authority = Authority(config.authority_dir)
    store = Store(config.database_url, clock)
    voice = Voice(authority, *life(store, clock, config.hub.data_dir), now)
    bus = Bus(connect(config, authority, now))
    ship = shipper(config, config_file, store, clock)
    assert ship is not None
    supervisor = Supervisor(clock)
    supervisor.add("bus", bus.work)
    supervisor.add("ingest", Ingest(store, bus, clock, Policy(), voice).work)
    supervisor.add("outbox", Outbox(store, bus, clock, voice).work)
    supervisor.add("backup", ship.work)
    entered = config_file.parent / "entered"
    supervisor.add("person", lambda stop, heartbeat: _enter(store, entered, stop, heartbeat))
    return supervisor.run()


def _enter(store: Store, entered: Path, stop: Stop, heartbeat: Heartbeat) -> None:
    number = len(entered.read_text().splitlines()) if entered.exists() else 0
    with entered.open("a", buffering=1) as said:
        while not stop.wait(0.1):
            number += 1
            subject = str(number)
            store.write(partial(_note, subject))
            said.write(f"{subject} {time.time()}\n")
            heartbeat.beat()


def _note(subject: str, connection: Connection) -> int:
    return events.append(connection, 0, "note", subject, "rina")


def writer(journal_file: Path, said_file: Path, records_s: float) -> int:
    """Append records at a steady rate; a number is written to `said_file` only after its append returned."""
    journal = Journal(journal_file, SystemClock(), Boot(1, "fuzz"))
    started_s, number = time.monotonic(), 0
    with said_file.open("a", buffering=1) as said:
        while True:
            number += 1
            text = f"{journal_file.parent.parent.name}-{number}"
            state = ServiceState(service="modem", level="ok", code="fuzz", detail=text)
            lane = "urgent" if number % 3 == 0 else "bulk"
            seq = journal.append("fuzz", state, "urgent" if lane == "urgent" else "bulk")
            said.write(f"{lane} {seq} {text}\n")
            time.sleep(max(0.0, started_s + number / records_s - time.monotonic()))


def control_node(folder: Path, port: int, records_s: float) -> int:
    """The usual design: rows in a durable outbox, deleted when the broker has PUBACKed them."""
    database = open_writer(folder / "control.db")
    database.execute("CREATE TABLE IF NOT EXISTS outbox (number INTEGER PRIMARY KEY) STRICT")
    database.execute("CREATE TABLE IF NOT EXISTS made (number INTEGER PRIMARY KEY) STRICT")
    client, under_way, confirmed = _control_client(folder.name, port), dict[int, int](), list[int]()
    client.on_publish = lambda _c, _u, mid, _r, _p: confirmed.append(mid)
    row = database.execute("SELECT max(number) FROM made").fetchone()
    number, started_s, sent = row[0] or 0, time.monotonic(), 0
    while True:
        number, sent = number + 1, sent + 1
        with _transaction(database):
            database.execute("INSERT INTO outbox VALUES (?)", (number,))
            database.execute("INSERT INTO made VALUES (?)", (number,))
        _control_step(client, database, folder.name, under_way, confirmed)
        time.sleep(max(0.0, started_s + sent / records_s - time.monotonic()))


def _control_step(
    client: paho.Client,
    database: sqlite3.Connection,
    name: str,
    under_way: dict[int, int],
    confirmed: list[int],
) -> None:
    done = [under_way.pop(mid) for mid in confirmed if mid in under_way]
    confirmed.clear()
    with _transaction(database):
        database.executemany("DELETE FROM outbox WHERE number = ?", [(number,) for number in done])
    if not client.is_connected():
        under_way.clear()
        with contextlib.suppress(OSError):
            client.reconnect()
    busy = set(under_way.values())
    for (waiting,) in database.execute("SELECT number FROM outbox ORDER BY number LIMIT 100").fetchall():
        if waiting not in busy:
            message = client.publish(f"control/{name}", str(waiting).encode(), qos=1)
            under_way[message.mid] = waiting
    client.loop(0.001)


def control_hub(folder: Path, port: int) -> int:
    """Its other end: commits, then lets the broker forget; a durable session."""
    database = open_writer(folder / "control-hub.db")
    database.execute(
        "CREATE TABLE IF NOT EXISTS got (node TEXT, number INTEGER, PRIMARY KEY (node, number)) STRICT"
    )
    client = _control_client("control-hub", port, manual_ack=True)
    batch: list[paho.MQTTMessage] = []
    client.on_message = lambda _c, _u, message: batch.append(message)
    client.on_connect = lambda c, *_: c.subscribe("control/#", qos=1)
    while True:
        if not client.is_connected():
            with contextlib.suppress(OSError):
                client.reconnect()
        client.loop(0.05)
        with _transaction(database):
            rows = [(message.topic.rpartition("/")[2], int(message.payload)) for message in batch]
            database.executemany("INSERT OR IGNORE INTO got VALUES (?, ?)", rows)
        for message in batch:
            client.ack(message.mid, 1)
        batch.clear()


def _control_client(name: str, port: int, *, manual_ack: bool = False) -> paho.Client:
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=name,
        clean_session=False,
        protocol=MQTTProtocolVersion.MQTTv311,
        manual_ack=manual_ack,
    )
    client.max_inflight_messages_set(0)
    with contextlib.suppress(OSError):
        client.connect("127.0.0.1", port, 10)
    return client


@contextlib.contextmanager
def _transaction(database: sqlite3.Connection):  # type: ignore[no-untyped-def]
    database.execute("BEGIN IMMEDIATE")
    yield
    database.execute("COMMIT")


def main(words: list[str]) -> int:
    """Run one part until it is killed."""
    match words:
        case ["hub", folder, host, port]:
            return hub(Path(folder), host, int(port))
        case ["backed-hub", config]:
            return backed_hub(Path(config))
        case ["writer", journal, said, rate]:
            return writer(Path(journal), Path(said), float(rate))
        case ["control-node", folder, port, rate]:
            return control_node(Path(folder), int(port), float(rate))
        case ["control-hub", folder, port]:
            return control_hub(Path(folder), int(port))
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
