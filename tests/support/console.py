"""A console over a real store, served by a real uvicorn, with reports put in the way ingest does."""

import threading
from pathlib import Path

import msgspec
from fastapi import FastAPI
from sqlalchemy import Connection

from siaga_central.authority.passwords import hash_password
from siaga_central.console.app import create_app
from siaga_central.console.context import ConsoleSettings
from siaga_central.console.server import ConsoleServer
from siaga_central.ingest import contact
from siaga_central.ingest.policy import Policy
from siaga_central.store import nodes, users
from siaga_core.service.clock import Clock, new_id
from siaga_core.wire.envelope import Record, Stamp
from siaga_core.wire.report import Call, Report, Sms
from support.hub_store import hub_store
from support.waiting import free_port, until

PASSWORD = "batam-kota-aman"
_HASHED = hash_password(PASSWORD)
ROLES = ("operator", "supervisor", "head", "technician", "admin", "ppid")


class City:
    """One hub's store and media, with two cameras, a GSM node and an account per role."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.clock = clock
        self.media_dir = folder / "media"
        for kind in ("pictures", "clips"):
            (self.media_dir / kind).mkdir(parents=True)
        self.store = hub_store(folder, clock)
        self.settings = ConsoleSettings(media_dir=self.media_dir, secure_cookies=False)
        self.store.write(self._found)

    @property
    def now_us(self) -> int:
        """Unix microseconds."""
        return self.clock.wall_ns() // 1000

    def app(self) -> FastAPI:
        """A fresh console over the store."""
        return create_app(self.store, self.settings, self.clock)

    def sms(self, text: str, number: str = "+6281270001234", *, modem: str = "one", **more: object) -> str:
        """An SMS comes in; the number of its incident."""
        report_id = new_id(self.clock)
        sms = Sms(text=text, **more)  # type: ignore[arg-type]
        return self._take(
            Report(
                report_id=report_id,
                revision=1,
                source="sms",
                modem=modem,
                reporter=number,
                reporter_e164=number,
                sms=sms,
            )
        )

    def call(self, number: str | None, call: Call | None = None) -> str:
        """A call, missed unless said otherwise, comes in; the number of its incident."""
        call = call or Call(state="missed", rings=4, withheld=number is None)
        return self._take(
            Report(
                report_id=new_id(self.clock),
                revision=1,
                source="call",
                modem="one",
                reporter=number,
                reporter_e164=number,
                call=call,
            )
        )

    def events(self, kind: str) -> int:
        """How many events of `kind` are committed."""
        with self.store.read() as connection:
            found = connection.exec_driver_sql("SELECT count(*) FROM event WHERE kind = ?", (kind,))
            return int(found.scalar_one())

    def _take(self, report: Report) -> str:
        at = Stamp(boot_seq=1, boot_id="b", boot_ns=1, wall_ns=self.clock.wall_ns(), clock="synced")
        record = Record(
            node="gsm-1",
            stream="modem.urgent",
            epoch="0" * 16,
            seq=1,
            kind="report",
            at=at,
            body=msgspec.Raw(msgspec.json.encode(report)),
        )

        def commit(c: Connection) -> str:
            contact.take(c, record, report, self.now_us, lambda: new_id(self.clock), Policy())
            found = c.exec_driver_sql(
                "SELECT i.number FROM incident i JOIN report r ON r.incident = i.id WHERE r.id = ?",
                (report.report_id,),
            )
            return str(found.scalar_one())

        return self.store.write(commit)

    def _found(self, c: Connection) -> None:
        for role in ROLES:
            users.add(c, role, f"Nama {role}", role, _HASHED, "test", self.now_us)
        nodes.add_site(c, "nongsa", "Simpang Nongsa", "Nongsa", "test", self.now_us)
        nodes.add(c, "gsm-1", "nongsa", "Node GSM", "test", self.now_us)
        nodes.add(c, "node-1", "nongsa", "Node Nongsa", "test", self.now_us)
        nodes.add_camera(c, "cam-1", "node-1", "Simpang Nongsa utara", 1.18, 104.10, "test", self.now_us)
        nodes.add_camera(c, "cam-2", "node-1", "Simpang Nongsa selatan", None, None, "test", self.now_us)
        nodes.heard(c, "gsm-1", self.now_us)


class Served:
    """The console of a city on a port of loopback."""

    def __init__(self, city: City, port: int | None = None) -> None:
        self.port = port or free_port()
        self.app = city.app()
        self._server = ConsoleServer(self.app, "127.0.0.1", self.port)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        until(lambda: self._server.started)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """End it; open streams must not hold it up."""
        self._server.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive(), "the console did not end in 10 s"
