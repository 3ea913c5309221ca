"""What the hub's store promises, and what node and hub promise together when both lose power at once."""

import random
import sqlite3
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import closing
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from powercut.campaign import Complaint, Say, broken, lost
from siaga_central.store import events, records
from siaga_central.store.writer import Store
from siaga_core.service.clock import Boot
from siaga_core.wire.envelope import Lane, Record
from siaga_core.wire.health import ServiceState
from siaga_core.wire.ids import NodeId
from siaga_edge.journal import Journal, JournalReader
from siaga_edge.uplink.delivery import Mark
from siaga_edge.uplink.ledger import Ledger
from support.clock import FakeClock

STATE = ServiceState(service="modem", level="ok", code="ready")


class Storing:
    """A work of the hub's one writer that has returned is there, in the order in which it was asked for."""

    name = "hub"
    rounds = 40

    def open(self, folder: Path) -> Store:
        return Store(f"sqlite:///{folder / 'hub.db'}", FakeClock())

    def run(self, folder: Path, say: Say, rng: random.Random) -> None:
        with closing(self.open(folder)) as store:
            for number in range(self.rounds):
                group = [
                    store.submit(partial(_append, f"{number}.{one}")) for one in range(rng.randint(1, 4))
                ]
                self.acknowledge(group, say)

    def acknowledge(self, group: Sequence[Future[int]], say: Say) -> None:
        for future in group:
            say(f"event {future.result()}")

    def check(self, folder: Path, said: Sequence[str]) -> list[Complaint]:
        wanted = max((int(mark.split()[1]) for mark in said), default=0)
        if not wanted:
            return []
        with closing(sqlite3.connect(folder / "hub.db")) as connection:
            there = [row[0] for row in connection.execute("SELECT seq FROM event ORDER BY seq")]
        if len(there) < wanted:
            return [lost(f"event {len(there) + 1} of {wanted}")]
        return [] if there == list(range(1, len(there) + 1)) else [broken("events have a hole")]


def _append(subject: str, connection: Connection) -> int:
    return events.append(connection, 0, "test", subject, "x")


class Delivering:
    """A record that a node has accepted is in its journal or in the hub's database, whatever the moment.

    The broker between them holds messages in memory alone, as mosquitto does between its savings.
    """

    name = "delivery"
    rounds = 40
    lane: Lane = "urgent"

    def run(self, folder: Path, say: Say, rng: random.Random) -> None:
        journal, ledger, store = self._open(folder)
        broker: list[tuple[int, int]] = []
        sent = 0
        with closing(journal), closing(ledger), closing(store):
            say(f"epoch {journal.epoch}")
            for _ in range(self.rounds):
                for _ in range(rng.randint(1, 3)):
                    say(f"accepted {journal.append('service', STATE, self.lane)}")
                last = journal.append("service", STATE, self.lane)
                say(f"accepted {last}")
                broker.append((sent + 1, last))
                sent = last
                self.on_puback(journal, ledger, last)
                if rng.random() < 0.6:
                    for first, until in broker:
                        self.on_batch(folder, store, journal, ledger, first, until)
                    broker.clear()

    def on_puback(self, journal: Journal, ledger: Ledger, upto: int) -> None:
        """The broker has the batch, which means nothing."""

    def on_batch(
        self, folder: Path, store: Store, journal: Journal, ledger: Ledger, first: int, last: int
    ) -> None:
        """The hub commits a batch, then acknowledges it."""
        self.commit(store, self.read(folder, first, last))
        self.forget(journal, ledger, last)

    def read(self, folder: Path, first: int, last: int) -> list[Record]:
        """A batch as the uplink reads it."""
        with closing(JournalReader(folder / "journal.db", "modem")) as reader:
            return [one.as_wire(NodeId("n")) for one in reader.after(self.lane, first - 1, last - first + 1)]

    def commit(self, store: Store, given: list[Record]) -> None:
        """As ingest does."""

        def work(connection: Connection) -> None:
            key = ("n", given[0].stream, given[0].epoch)
            records.keep(connection, key, given, 0)
            records.advance(connection, key, [(given[0].seq, given[-1].seq)])

        store.write(work)

    def forget(self, journal: Journal, ledger: Ledger, upto: int) -> None:
        """As the node does at an acknowledgement."""
        mark = Mark(f"modem.{self.lane}", journal.epoch, upto)
        ledger.commit([mark])
        journal.prune([(mark.stream, mark.epoch, mark.upto)], keep_urgent_s=-1)

    def check(self, folder: Path, said: Sequence[str]) -> list[Complaint]:
        accepted = {int(mark.split()[1]) for mark in said if mark.startswith("accepted")}
        if not accepted:
            return []
        with closing(JournalReader(folder / "journal.db", "modem")) as reader:
            here = {one.seq for one in reader.after(self.lane, 0, 10**9)}
        with closing(sqlite3.connect(folder / "hub.db")) as connection:
            hub = {row[0] for row in connection.execute("SELECT seq FROM record")}
            upto = connection.execute("SELECT ifnull(max(upto), 0) FROM mark").fetchone()[0]
        found = [lost(f"record {seq}, neither here nor there") for seq in sorted(accepted - here - hub)[:3]]
        if not set(range(1, upto + 1)) <= hub:
            found.append(broken(f"the hub's mark {upto} is above what it holds"))
        return found

    def _open(self, folder: Path) -> tuple[Journal, Ledger, Store]:
        clock = FakeClock()
        return (
            Journal(folder / "journal.db", clock, Boot(1, "b")),
            Ledger(folder / "delivery.db", clock),
            Store(f"sqlite:///{folder / 'hub.db'}", clock),
        )
