"""The modem service as its own process, against the simulated modem."""

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec

from siaga_core.wire.command import Command, SendSms
from siaga_core.wire.report import Report
from siaga_edge.inbox import InboxWriter, wake

SENDER = "+6281234567890"


class Service:
    """The modem service as its own process, and what it has journaled."""

    def __init__(self, folder: Path, port: Path, more: str = "") -> None:
        """`more`: further lines of [modem], and tables after it."""
        self.folder = folder
        self.config = folder / "node.toml"
        self.config.write_text(
            f"""
[node]
id = "gsm-001"
site = "GSM"
data_dir = "{folder}/data"
run_dir = "{folder}/run"
[hub]
broker_host = "127.0.0.1"
gateway_url = "https://127.0.0.1"
ca_file = "x"
certificate_file = "x"
key_file = "x"
[modem]
port = "{port}"
sweep_every_s = 1
answer_limit_s = 2
reject_after_s = 3
{more}
"""
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        command = [sys.executable, "-W", "ignore", "-m", "siaga_edge.modem", "--config", str(self.config)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log)

    def start_second(self) -> subprocess.Popen[bytes]:
        """Start the service of [modemb]; the caller ends it when this one's `kill` shall not."""
        command = [sys.executable, "-W", "ignore", "-m", "siaga_edge.modem", "--config", str(self.config)]
        with (self.folder / "log-second").open("ab") as log:
            self.process = subprocess.Popen([*command, "--second"], stderr=log)
        return self.process

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def bodies(self, kind: str) -> list[dict[str, object]]:
        """Bodies of one kind, oldest first."""
        path = self.folder / "data" / "journal-modem.db"
        if not path.exists():
            return []
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            rows = connection.execute("SELECT body FROM record WHERE kind = ? ORDER BY lane, seq", (kind,))
            return [msgspec.json.decode(row[0]) for row in rows]
        except sqlite3.OperationalError:
            return []
        finally:
            connection.close()

    def reports(self) -> list[Report]:
        """The newest revision of every report."""
        newest: dict[str, Report] = {}
        for body in self.bodies("report"):
            report = msgspec.convert(body, Report)
            newest[report.report_id] = report
        return list(newest.values())

    def texts(self) -> list[str]:
        """Texts of all SMS reports."""
        return [report.sms.text for report in self.reports() if report.sms]

    def order(self, id: str, text: str, *, at_least_once: bool = False) -> None:
        """Ask it to send an SMS, as the uplink does."""
        writer = InboxWriter(self.folder / "data" / "inbox.db")
        order = SendSms(to=SENDER, text=text, at_least_once=at_least_once)
        command = Command(
            id=id,
            node="gsm-001",
            service="modem",
            order=order,
            issued_ms=0,
            expires_ms=1 << 45,
            issuer="rina",
        )
        writer.put(command)
        writer.close()
        wake(self.folder / "run" / "modem.sock")

    def states(self, id: str) -> list[object]:
        """Delivery states of one message, in order."""
        return [body["state"] for body in self.bodies("sms.state") if body["message_id"] == id]
