"""python-gsmmodem-new's own modem and ours, in front of the same simulated one."""

import contextlib
import threading
import warnings
from pathlib import Path
from typing import Any

import msgspec

from siaga_core.service.clock import Boot
from siaga_core.wire.report import Report
from siaga_edge.inbox import Inbox
from siaga_edge.inbox.reader import EXTRA_SCHEMA
from siaga_edge.journal import Journal, JournalReader
from siaga_edge.modem import calls
from siaga_edge.modem.intake import Intake
from siaga_edge.modem.ledger import SCHEMA
from siaga_edge.modem.outbound import Outbound
from siaga_edge.modem.port import Port
from support.clock import FakeClock

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # invalid escapes in the library's own source
    from gsmmodem.modem import GsmModem

SENDER = "+6281234567890"

_hook = threading.excepthook


def _let_die(died: threading.ExceptHookArgs) -> None:
    """The library's own threads die of what they do not expect, some of them seconds after their test."""
    if died.thread is None or "__threadedHandleModemNotification" not in died.thread.name:
        _hook(died)


threading.excepthook = _let_die


class Stock:
    """The library's own modem, and what it told its callbacks."""

    def __init__(self, link: Path, **keys: Any) -> None:
        self.texts: list[Any] = []
        self.calls: list[tuple[str | None, int]] = []
        self.modem = GsmModem(
            str(link),
            115200,
            smsReceivedCallbackFunc=self.texts.append,
            incomingCallCallbackFunc=lambda call: self.calls.append((call.number, call.ringCount)),
            **keys,
        )
        self.modem.timeout = 0.05  # of one read, so that it ends soon

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self.modem.close()


class Ours:
    """Our port, intake and calls over a journal."""

    def __init__(self, folder: Path, link: Path, limit_s: float = 3.0) -> None:
        self.folder, self.clock = folder, FakeClock()
        schema = f"{EXTRA_SCHEMA};{SCHEMA};{calls.SCHEMA}"
        self.journal = Journal(folder / "journal-modem.db", self.clock, Boot(1, "b"), extra_schema=schema)
        self.port = Port(str(link), 115200, limit_s)
        numbers = iter(f"r{number:03d}" for number in range(1000))
        self.inbox = Inbox(folder / "inbox.db", "modem", self.journal)
        self.outbound = Outbound(self.journal, self.inbox, self.clock)
        self.intake = Intake(self.journal, "modem", self.clock, lambda: next(numbers), self.outbound.status)
        self.calls = calls.Calls(
            self.journal, "modem", self.clock, lambda: next(numbers), 15, lambda _connection, _leg: None
        )
        self.port.listener = lambda event: self.calls.hear(event.line)
        for command in ("AT+CMGF=0", 'AT+CPMS="SM","SM","SM"', "AT+CNMI=2,1,0,1,0", "AT+CLIP=1"):
            self.port.command(command)

    def reports(self) -> list[Report]:
        with contextlib.closing(JournalReader(self.folder / "journal-modem.db", "modem")) as reader:
            bodies = [record for record in reader.after("urgent", 0, 1000) if record.kind == "report"]
        newest = {}
        for record in bodies:
            report = msgspec.json.decode(record.body, type=Report)
            newest[report.report_id] = report
        return list(newest.values())

    def texts(self) -> list[str]:
        return [report.sms.text for report in self.reports() if report.sms]

    def sweep(self) -> list[str]:
        self.intake.sweep(self.port, ["SM", "ME"])
        return self.texts()

    def close(self) -> None:
        self.port.close()
        self.inbox.close()
        self.journal.close()
