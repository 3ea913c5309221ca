"""The hub's side of `fuzz relay` as a process that may die: records in, each answered when it is committed.

`python -m bench.relay_hub DATABASE RULES`: `sound` as shipped; `believes-all` takes the key's id in a text
for a signature; `code-alone` takes an answer from anybody who names the code. One JSON object a line.
"""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from siaga_central.ingest import carried, fieldwork, projection
from siaga_central.ingest.policy import Policy
from siaga_central.ingest.projection import Moment
from siaga_central.store import assignments, records
from siaga_central.store.schema import assignment, report
from siaga_central.store.writer import Store
from siaga_core.reading import field
from siaga_core.service.clock import SystemClock, new_id
from siaga_core.wire.envelope import Record

RULES = ("sound", "believes-all", "code-alone")


def by_key_id(claimed: Any, _signed: object) -> str | None:
    """A mutant: whoever names a key of ours is believed."""
    return str(claimed[0][0]) if claimed else None


def by_code(
    connection: Connection, reply: field.FieldReply, sender: str, now_us: int
) -> Row[Any] | field.Unmatched:
    """A mutant: whoever names the code has the incident."""
    found = select(assignment).where(assignment.c.code == reply.code)
    row = connection.execute(found).first()
    return row if row is not None else fieldwork.assigned(connection, reply, sender, now_us)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One line: a record that the link brought, or `keys` of a phone to be texted."""

    record: Record | None = None
    keys: dict[str, str] = {}


class RelayHub:
    """Applies records as ingest does, each in a transaction of its own."""

    def __init__(self, database: Path, rules: str) -> None:
        self._clock = SystemClock()
        self._store = Store(f"sqlite:///{database}", self._clock)
        self._author = by_key_id if rules == "believes-all" else carried.author
        self._assigned = by_code if rules == "code-alone" else fieldwork.assigned

    def do(self, order: Order) -> Any:
        """Carry out one order; what it returns is committed."""
        record = order.record
        if record is None:
            return self._store.write(lambda c: self._tell(c, **order.keys))
        return self._store.write(lambda c: self._take(c, record))

    def _take(self, connection: Connection, record: Record) -> bool:
        now_us = self._clock.wall_ns() // 1000
        moment = Moment(now_us, lambda: new_id(self._clock), Policy(), self._author, self._assigned)
        key = (record.node, record.stream, record.epoch)
        for fresh in records.keep(connection, key, [record], now_us).fresh:
            projection.commit(connection, fresh, "fuzz", moment)
        records.advance(connection, key, [(record.seq, record.seq)])
        return True

    def _tell(self, connection: Connection, report_id: str, name: str, number: str, node: str) -> str:
        """Text a phone of an incident; its code, empty while the report is not here."""
        found = select(report.c.incident).where(report.c.id == report_id)
        incident = connection.execute(found).scalar_one_or_none()
        if incident is None:
            return ""
        id, now_us = new_id(self._clock), self._clock.wall_ns() // 1000
        return assignments.tell(connection, id, incident, (name, number), node, "fuzz", now_us)


def main() -> None:
    """Serve standard input until it ends."""
    hub = RelayHub(Path(sys.argv[1]), sys.argv[2])
    for line in sys.stdin:
        print(json.dumps(hub.do(msgspec.json.decode(line, type=Order))), flush=True)


if __name__ == "__main__":
    main()
