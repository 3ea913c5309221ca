"""The modem service over a simulated modem in simulated time: hours in seconds."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.virtual_modem import VirtualRemedies, World

from siaga_core.service.workers import Heartbeat, Stop
from siaga_edge.modem.ledger import Ledger, Outgoing
from siaga_edge.modem.sending import Sender
from siaga_edge.modem.service import ModemService
from siaga_edge.node import Hub, Modem, Node, NodeConfig
from siaga_edge.simulate.modem import tpdu
from siaga_edge.simulate.modem.dialogue import Dialogue
from siaga_edge.simulate.modem.machine import Now, Sim
from siaga_edge.simulate.modem.profile import PROFILES


class Bench:
    """A service over a world, for a while."""

    def __init__(
        self,
        folder: Path,
        sim: Sim | None = None,
        kind: type[ModemService] = ModemService,
        profile: str = "sim7600",
        sender: type[Sender] = Sender,
        **keys: Any,
    ) -> None:
        self.dialogue = Dialogue(PROFILES[profile], Now(0, 0), sim=sim)
        self.world, self.commands = World(self.dialogue), list[str]()
        self.world.write, self._write = self._heard, self.world.write  # type: ignore[method-assign]
        (folder / "data").mkdir()
        hub = Hub(broker_host="x", gateway_url="x", ca_file=folder, certificate_file=folder, key_file=folder)
        node = Node(id="gsm-001", site="x", data_dir=folder / "data", run_dir=folder / "run")
        settings = Modem(port="virtual", **keys)
        self.config = NodeConfig(node=node, hub=hub, modem=settings)
        made = sender(self.world)
        remedies = VirtualRemedies(self.world, 4)
        self.service = kind(self.config, settings, self.world, remedies=remedies, sender=made)
        self.heartbeat = Heartbeat(self.world)

    def _heard(self, octets: bytes) -> None:
        self.commands.append(octets.decode("latin-1").strip())
        self._write(octets)

    def run(self, seconds: float) -> None:
        stop = Stop()
        self.world.at(seconds, stop.set)
        self.service.work(stop, self.heartbeat)

    def receive(self, text: str, sender: str = "3338", *, flash: bool = False) -> None:
        for part in tpdu.deliver(sender, text, datetime.now(UTC), flash=flash):
            self.dialogue.receive(part, self.world.present())

    def told(self, code: str) -> list[tuple[str, str]]:
        rows = self.service._journal.connection.execute(
            "SELECT json_extract(body, '$.level'), json_extract(body, '$.detail') FROM record"
            " WHERE kind = 'service' AND json_extract(body, '$.code') = ? ORDER BY lane, seq",
            (code,),
        )
        return [(str(row[0]), str(row[1])) for row in rows]

    def order(self, id: str = "01", *, at_least_once: bool = False) -> None:
        """A text to be sent."""
        text = Outgoing(id, "+6281234567890", "Petugas menuju lokasi", at_least_once, tries=0)
        self.service._journal.append_all(
            [], lambda connection: Ledger(connection).queue(text, self.world.wall_ns())
        )

    def outgoing(self, id: str = "01") -> str:
        """How far that text has come."""
        return str(self._ask(f"SELECT state FROM outgoing WHERE id = '{id}'")[0][0])

    def passes(self) -> int:
        """How many times it was begun."""
        return int(self._ask("SELECT count(DISTINCT pass) FROM sent_part WHERE id = '01'")[0][0])

    def references(self, id: str = "01") -> list[int]:
        """By which the network will report on its parts."""
        return [int(row[0]) for row in self._ask(f"SELECT reference FROM sent_part WHERE id = '{id}'")]

    def _ask(self, query: str) -> list[Any]:
        return self.service._journal.connection.execute(query).fetchall()

    def slow_network(self, send_ms: int, meanwhile: str = "") -> None:
        """From now on; `meanwhile`: what typing does, by the fault's name; else it waits."""
        faults = self.dialogue.machine.faults
        faults.send_ms = send_ms
        if meanwhile:
            setattr(faults, meanwhile, True)

    def hang_in_a_send(self) -> None:
        """Hang for good as soon as the network is asked to take a text."""
        self.hung_s: float | None = None

        def look() -> None:
            if self.hung_s is None and self.dialogue.is_sending:
                self.hung_s = self.world.mono_s()
                self.dialogue.hang(10**6, self.world.present())

        self.world.look = look

    def reports(self) -> int:
        query = "SELECT count(*) FROM record WHERE kind = 'report'"
        return int(self.service._journal.connection.execute(query).fetchone()[0])

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        """Bodies of one kind, oldest first."""
        query = "SELECT body FROM record WHERE kind = ? ORDER BY lane, seq"
        return [json.loads(row[0]) for row in self.service._journal.connection.execute(query, (kind,))]

    def texts(self) -> list[str]:
        """The newest text of every report, in the order they came."""
        newest = {body["report_id"]: body["sms"]["text"] for body in self.bodies("report") if body["sms"]}
        return list(newest.values())

    def raw(self) -> list[tuple[str, str]]:
        """Where each raw message came from, and its octets."""
        query = "SELECT memory, pdu FROM pdu ORDER BY id"
        return [(str(row[0]), str(row[1])) for row in self.service._journal.connection.execute(query)]
