"""A GSM node's front desk over a real journal, with the test's own clock and the hub's word on demand."""

import itertools
import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from siaga_core.service.clock import Boot
from siaga_core.wire import report as wire
from siaga_core.wire.command import Command, SendSms
from siaga_core.wire.roster import DutyPhone, Gateway, Roster
from siaga_core.wire.want import Want
from siaga_edge.inbox import Inbox, InboxWriter
from siaga_edge.inbox.reader import EXTRA_SCHEMA
from siaga_edge.journal import Journal
from siaga_edge.modem import call, calls, desk
from siaga_edge.modem.at import Stored
from siaga_edge.modem.call import Leg
from siaga_edge.modem.intake import Intake
from siaga_edge.modem.ledger import SCHEMA, Ledger
from siaga_edge.modem.neighbour import Neighbour
from siaga_edge.modem.outbound import Outbound
from siaga_edge.simulate.modem import tpdu
from support.clock import FakeClock

CITIZEN, OTHER = "+6281234567890", "+6281399988877"
FIRST, SECOND = (
    DutyPhone(name="Regu A", number="+628111111111"),
    DutyPhone(name="Regu B", number="+628122222222"),
)
OURS = Gateway(node="gsm-001", number="+628111000112")
ROSTER = Roster(duty=[FIRST, SECOND], gateways=[OURS])


class FrontDesk:
    """Everything of a modem service but the modem. `hub_takes_all`: it acknowledges what is committed."""

    def __init__(
        self,
        folder: Path,
        make: Callable[..., desk.Desk] = desk.Desk,
        service: str = "modem",
        clock: FakeClock | None = None,
    ) -> None:
        self.folder, self.clock, self._make = folder, clock or FakeClock(), make
        self.hub_takes_all, self.service = True, service
        self.upto = 0
        self._numbers, self._ids, self._slots = itertools.count(1), itertools.count(1), itertools.count(1)
        self.begin()

    def begin(self) -> None:
        boot = Boot(1, "boot-one")
        schema = f"{EXTRA_SCHEMA};{SCHEMA};{calls.SCHEMA};{desk.SCHEMA}"
        self.journal = Journal(
            self.folder / f"journal-{self.service}.db", self.clock, boot, extra_schema=schema
        )
        self.inbox = Inbox(self.folder / "inbox.db", self.service, self.journal)
        self.desk = self._make(
            self.journal,
            self.inbox,
            self.clock,
            boot,
            self.new_id,
            self._marks,
            self.folder / "run",
            lambda: None,
        )
        self.intake = Intake(
            self.journal, self.service, self.clock, self.new_id, lambda _s: None, self.desk.heard
        )

    def end(self) -> None:
        self.inbox.close()
        self.journal.close()

    def restart(self) -> None:
        """As after kill -9: what was committed is all there is."""
        self.end()
        self.begin()

    def roster(self, roster: Roster, version: int = 1) -> None:
        """As the uplink commits it."""
        writer = InboxWriter(self.folder / "inbox.db")
        body = msgspec.Raw(msgspec.json.encode(roster))
        writer.put_want(Want(node="gsm-001", service="modem", name="roster", version=version, body=body))
        writer.close()
        self.desk.tick()
        self.pass_time(1)

    def text(self, text: str, sender: str = CITIZEN) -> None:
        """A text comes in and is committed."""
        now = datetime.fromtimestamp(self.clock.wall_ns() / 1e9, UTC)
        self.intake.commit(
            "SM",
            [
                Stored(next(self._slots), octets.hex().upper())
                for octets in tpdu.deliver(
                    sender,
                    text,
                    now,
                    smsc="+62811000000",
                    coding="auto",
                    reference=next(self._numbers),
                    wide=True,
                )
            ],
        )

    def missed(self, number: str | None) -> None:
        """A call is over that nobody took, as `Calls` notes it."""
        leg = Leg(report_id=self.new_id(), began_mono_s=0, heard_mono_s=0, number=number, state="missed")
        self.journal.append_all(
            [(wire.KIND, call.report(leg, "modem"), "urgent")], lambda c: self.desk.missed(c, leg)
        )

    def order(self, number: str, text: str) -> None:
        """The hub has this node text a number; the service takes the order."""
        now_ms = self.clock.wall_ns() // 10**6
        writer = InboxWriter(self.folder / "inbox.db")
        writer.put(
            Command(
                id=self.new_id(),
                node="gsm-001",
                service=self.service,  # type: ignore[arg-type]
                order=SendSms(to=number, text=text),
                issued_ms=now_ms,
                expires_ms=now_ms + 600_000,
                issuer="hub",
            )
        )
        writer.close()
        Outbound(self.journal, self.inbox, self.clock).take_orders()

    def settled(self, text: str, state: str) -> None:
        """How far a queued text has come, as the sending side notes it."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE outgoing SET state = ? WHERE text = ?", (state, text))

        self.journal.append_all([], write)

    def pass_time(self, seconds: float) -> None:
        """Let time pass in steps of half a second, as the service's rounds do."""
        for _ in range(max(1, round(seconds / 0.5))):
            self.clock.advance(0.5)
            self.desk.tick()

    def queued(self, number: str | None = None) -> list[str]:
        """Texts queued for a number, or for everybody, oldest first."""
        rows = self.journal.connection.execute("SELECT recipient, text FROM outgoing ORDER BY at_wall_ns, id")
        return [row["text"] for row in rows if number in (None, row["recipient"])]

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        rows = self.journal.connection.execute("SELECT body FROM record WHERE kind = ? ORDER BY seq", (kind,))
        return [json.loads(row["body"]) for row in rows]

    def deeds(self) -> list[str]:
        """Steps of alarms, oldest first."""
        return [body["deed"] for body in self.bodies("duty")]

    def sounds(self) -> bool:
        """Whether the siren is asked for now."""
        path = self.folder / "run" / "siren-modem.json"
        return path.exists() and json.loads(path.read_text())["until_mono_s"] > self.clock.mono_s()

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.journal.connection)

    def _marks(self) -> list[tuple[str, str, int]]:
        last = self.journal.connection.execute("SELECT ifnull(max(seq), 0) FROM record WHERE lane = 'urgent'")
        if self.hub_takes_all:
            self.upto = int(last.fetchone()[0])
        return [(f"{self.service}.urgent", self.journal.epoch, self.upto), ("modem.urgent", "0" * 16, 10**6)]

    def new_id(self) -> str:
        """A fresh id."""
        return f"01KA6P3ZQ4N8S5T6V7W8{next(self._ids):06d}"


def away(folder: Path, make: Callable[..., desk.Desk] = desk.Desk) -> FrontDesk:
    """A front desk that has its roster and whose hub takes nothing."""
    made = FrontDesk(folder, make)
    made.roster(ROSTER)
    made.hub_takes_all = False
    return made


def two_desks(folder: Path, kind: Callable[..., Neighbour] = Neighbour) -> tuple[FrontDesk, FrontDesk]:
    """Both modems of a node; `kind`: what each knows of the other."""

    def make(service: str, other: str) -> partial[desk.Desk]:
        beside = kind(folder / f"journal-{other}.db", folder / "run" / "replies", other)
        return partial(desk.Desk, service=service, neighbour=beside)

    first = FrontDesk(folder, make("modem", "modemb"))
    return first, FrontDesk(folder, make("modemb", "modem"), "modemb", first.clock)
