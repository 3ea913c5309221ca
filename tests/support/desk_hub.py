"""The deciding side of a hub over a real store: records in as ingest applies them, with the test's clock."""

import itertools
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import select

from siaga_central.ingest import projection
from siaga_central.ingest.policy import Policy
from siaga_central.ingest.projection import Moment
from siaga_central.store import nodes, records, roster
from siaga_central.store import schema as t
from siaga_core.service.clock import new_id
from siaga_core.wire.envelope import Record
from siaga_core.wire.report import Call, Report, Sms, SmsPart
from support.clock import FakeClock
from support.hub_store import hub_store
from support.sealing import NodeVoice

CITIZEN, TEAM, OTHER = "+6281234567890", "+628111111111", "+628122222222"
GATEWAY = "+628111000112"


class DeskHub:
    """A store with a GSM node `gsm-1` (our modem) and a camera node `node-1` with its camera `cam-1`."""

    def __init__(self, folder: Path, siren: str = "gsm-1", **rules: Any) -> None:
        """`rules`: a test's own of `Moment`, by which what comes by SMS is believed."""
        self.clock = FakeClock()
        self.store = hub_store(folder, self.clock)
        self.gsm, self.camera_node = NodeVoice("gsm-1"), NodeVoice("node-1", "00000000000000bb")
        self.rules = rules
        self.policy = Policy(siren_nodes=(siren,))
        self._seq = itertools.count(1)
        self.store.write(self._found)

    def _found(self, c: Any) -> None:
        nodes.add_site(c, "s", "Nongsa", "", "test", 1)
        for node in ("gsm-1", "node-1"):
            nodes.add(c, node, "s", node, "test", 1)
        nodes.add_camera(c, "cam-1", "node-1", "utara", None, None, "test", 1)
        self.gsm.enrol(c, "01")
        self.camera_node.enrol(c, "02")
        roster.set_modem(c, "gsm-1", GATEWAY, True, "test", 1)
        roster.add_phone(c, TEAM, "Regu A", "test", 1)

    @property
    def now_us(self) -> int:
        """Unix microseconds."""
        return self.clock.wall_ns() // 1000

    def record(
        self, body: msgspec.Struct, kind: str, voice: NodeVoice | None = None, had_us: int | None = None
    ) -> Record:
        """The next record of the GSM node, stamped now, or when the node had it."""
        record = (voice or self.gsm).record("modem.urgent", next(self._seq), body, kind)
        wall_ns = (self.now_us if had_us is None else had_us) * 1000
        return msgspec.structs.replace(record, at=msgspec.structs.replace(record.at, wall_ns=wall_ns))

    def take(self, record: Record) -> None:
        """Keep and apply one record, as ingest does."""
        moment = Moment(self.now_us, lambda: new_id(self.clock), self.policy, **self.rules)

        def work(c: Any) -> None:
            key = (record.node, record.stream, record.epoch)
            for fresh in records.keep(c, key, [record], self.now_us).fresh:
                projection.commit(c, fresh, "test", moment)

        self.store.write(work)

    def sms(
        self, text: str, sender: str = CITIZEN, *, report_id: str = "", revision: int = 1,
        had_us: int | None = None, **keys: Any,
    ) -> Record:  # fmt: skip
        """A text, or a revision of one, comes in at the GSM node, now or at `had_us`; its record."""
        parts = [SmsPart(number=1, pdu="00")]
        sms = Sms(**({"text": text, "parts": parts} | keys))
        given = Report(
            report_id=report_id or new_id(self.clock), revision=revision, source="sms", modem="modem",
            reporter=sender, reporter_e164=sender, sms=sms,
        )  # fmt: skip
        record = self.record(given, "report", had_us=had_us)
        self.take(record)
        return record

    def missed(self, number: str | None) -> None:
        """A call comes in at the GSM node and is missed."""
        call = Call(state="missed", rings=3, withheld=number is None)
        given = Report(
            report_id=new_id(self.clock), revision=1, source="call", modem="modem",
            reporter=number, reporter_e164=number, call=call,
        )  # fmt: skip
        self.take(self.record(given, "report"))

    def rows(self, table: Any) -> list[Any]:
        """Everything in a table."""
        with self.store.read() as connection:
            return list(connection.execute(select(table)))

    def events(self, prefix: str = "") -> list[str]:
        """Kinds of events, oldest first."""
        return [row.kind for row in self.rows(t.event) if row.kind.startswith(prefix)]

    def refused(self) -> dict[str, int]:
        """Why how many were refused."""
        with self.store.read() as connection:
            return records.refused(connection)

    def close(self) -> None:
        self.store.close()
