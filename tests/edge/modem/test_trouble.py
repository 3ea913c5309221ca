"""The service and the simulated modem in simulated time: it always comes back, and loses nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bench.fuzz_modem import MUTANTS, trouble
from bench.virtual_modem import VirtualPort, VirtualRemedies, World

from siaga_core.service.workers import Heartbeat, Stop
from siaga_edge.modem import profile
from siaga_edge.modem.ledger import Ledger, Outgoing
from siaga_edge.modem.port import Port
from siaga_edge.modem.service import ModemService
from siaga_edge.node import Hub, Modem, Node, NodeConfig
from siaga_edge.simulate.modem import tpdu
from siaga_edge.simulate.modem.dialogue import Dialogue
from siaga_edge.simulate.modem.machine import Now, Sim
from siaga_edge.simulate.modem.profile import PROFILES

SEED = 20261125


def test_a_hundred_faults_are_noticed_and_over_in_time_and_cost_no_report() -> None:
    outcome = trouble(100, SEED)
    assert outcome.met, outcome


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.__name__)
def test_the_same_faults_find_out_a_worse_way(mutant: type[VirtualRemedies]) -> None:
    assert not trouble(8, SEED, mutant).met


class Bench:
    """A service over a world, for a while."""

    def __init__(
        self, folder: Path, sim: Sim | None = None, kind: type[ModemService] = ModemService, **keys: Any
    ) -> None:
        self.dialogue = Dialogue(PROFILES["sim7600"], Now(0, 0), sim=sim)
        self.world, self.commands = World(self.dialogue), list[str]()
        self.world.write, self._write = self._heard, self.world.write  # type: ignore[method-assign]
        (folder / "data").mkdir()
        hub = Hub(broker_host="x", gateway_url="x", ca_file=folder, certificate_file=folder, key_file=folder)
        node = Node(id="gsm-001", site="x", data_dir=folder / "data", run_dir=folder / "run")
        settings = Modem(port="virtual", **keys)
        self.config = NodeConfig(node=node, hub=hub, modem=settings)
        self.service = kind(self.config, settings, self.world, remedies=VirtualRemedies(self.world, 4))
        self.heartbeat = Heartbeat(self.world)

    def _heard(self, octets: bytes) -> None:
        self.commands.append(octets.decode("latin-1").strip())
        self._write(octets)

    def run(self, seconds: float) -> None:
        stop = Stop()
        self.world.at(seconds, stop.set)
        self.service.work(stop, self.heartbeat)

    def receive(self, text: str, sender: str = "3338") -> None:
        for part in tpdu.deliver(sender, text, datetime.now(UTC)):
            self.dialogue.receive(part, self.world.present())

    def told(self, code: str) -> list[tuple[str, str]]:
        rows = self.service._journal.connection.execute(
            "SELECT json_extract(body, '$.level'), json_extract(body, '$.detail') FROM record"
            " WHERE kind = 'service' AND json_extract(body, '$.code') = ? ORDER BY lane, seq",
            (code,),
        )
        return [(str(row[0]), str(row[1])) for row in rows]

    def reports(self) -> int:
        query = "SELECT count(*) FROM record WHERE kind = 'report'"
        return int(self.service._journal.connection.execute(query).fetchone()[0])


@pytest.fixture
def benches() -> Iterator[list[Bench]]:
    made: list[Bench] = []
    yield made
    for one in made:
        one.service.close()


class SendsFirst(ModemService):
    """The mutant: what is to go out goes before what lies on the SIM is safe."""

    def _round(self, port: Port) -> bool:
        self._outbound.send_next(port)
        return super()._round(port)


@pytest.mark.parametrize(("kind", "first"), [(ModemService, "AT+CMGL=4"), (SendsFirst, "AT+CMGS")])
def test_what_lies_on_the_sim_is_taken_before_anything_is_sent(
    tmp_path: Path, benches: list[Bench], kind: type[ModemService], first: str
) -> None:
    bench = Bench(tmp_path, kind=kind)
    benches.append(bench)
    journal = bench.service._journal
    text = Outgoing("01", "+6281234567890", "Petugas menuju lokasi", at_least_once=False, tries=0)
    journal.append_all([], lambda connection: Ledger(connection).queue(text, bench.world.wall_ns()))
    bench.receive("Kebakaran")
    bench.run(10)
    of_interest = [word for word in bench.commands if word.startswith(("AT+CMGL", "AT+CMGS="))]
    assert of_interest[0].startswith(first)
    assert bench.reports() == 1


def test_a_locked_sim_is_told_and_costs_neither_a_second_try_nor_the_power(
    tmp_path: Path, benches: list[Bench]
) -> None:
    wrong = tmp_path / "pin"
    wrong.write_text("9999")
    bench = Bench(tmp_path, sim=Sim(pin="1234"), pin_file=wrong, power_relay=True)
    benches.append(bench)
    bench.run(1800)
    assert [level for level, _ in bench.told("modem")] == ["crit"]
    assert "modem.locked the SIM refused its PIN" in bench.told("modem")[0][1]
    assert bench.dialogue.machine.sim.tries_left == 2
    assert bench.told("modem.ladder") == []


def test_each_rung_is_an_event_and_so_is_the_end_of_the_trouble(tmp_path: Path, benches: list[Bench]) -> None:
    bench = Bench(tmp_path, power_relay=True)
    benches.append(bench)
    bench.run(12)
    bench.dialogue.hang(10**6, bench.world.present())
    bench.world.cured_by = frozenset({"power"})
    bench.run(120)
    said = bench.told("modem.ladder")
    assert [detail.partition(":")[0] for _, detail in said[:5]] == [
        "drain", "reopen", "restart", "usb", "power",
    ]  # fmt: skip
    assert said[-1][0] == "ok"
    assert "by power" in said[-1][1]


def test_only_a_fresh_sweep_feeds_the_watchdog_while_the_modem_serves(
    tmp_path: Path, benches: list[Bench]
) -> None:
    bench = Bench(tmp_path)
    benches.append(bench)
    bench.run(30)
    assert bench.heartbeat.last_mono_s == pytest.approx(bench.service.swept_mono_s, abs=0.01)


def test_a_sim_that_is_expired_looks_healthy_and_is_found_out_by_a_text_that_does_not_come_round(
    tmp_path: Path, benches: list[Bench]
) -> None:
    bench = Bench(tmp_path, loop_to="+6281111111111", number="+6281111111111", loop_every_s=900)
    benches.append(bench)
    bench.run(1800)  # the texts are accepted, and nobody brings them round
    assert [level for level, _ in bench.told("modem.loop")] == ["warn", "crit"]
    assert bench.service.trouble_since_mono_s is None, "by itself it looks healthy"
    _bring_round(bench)
    bench.run(900)
    assert bench.told("modem.loop")[-1][0] == "ok"
    assert bench.reports() == 0, "a modem's own trial is no report"


def _bring_round(bench: Bench) -> None:
    """The network delivers what the modem sends to its own number."""
    machine, known = bench.dialogue.machine, len(bench.dialogue.machine.sent)

    def deliver() -> None:
        nonlocal known
        for sent in machine.sent[known:]:
            bench.receive(sent.submit.text, "+6281111111111")
        known = len(machine.sent)
        bench.world.at(1, deliver)

    bench.world.at(1, deliver)


def test_a_citizen_who_writes_a_loop_back_text_is_heard(tmp_path: Path, benches: list[Bench]) -> None:
    bench = Bench(tmp_path, loop_to="+6281111111111")
    benches.append(bench)
    bench.run(12)
    bench.receive("SIAGA-UJI 0123ABCD", "+6281234567890")
    bench.receive("SIAGA-UJI 0123ABCD tolong kebakaran", "+6281111111111")
    bench.run(12)
    assert bench.reports() == 2


def test_balance_term_and_network_are_asked_and_alarm(tmp_path: Path, benches: list[Bench]) -> None:
    bench = Bench(tmp_path, balance_code="*888#", balance_least=50_000)
    benches.append(bench)
    bench.run(30)
    assert bench.told("modem.balance") == [("warn", "Rp 25000")]
    bench.dialogue.machine.faults.registered = 0
    bench.run(90)
    assert bench.told("modem.network")[-1][0] == "crit"
    bench.dialogue.machine.faults.registered = 1
    bench.run(90)
    assert bench.told("modem.network")[-1] == ("ok", "-77 dBm")


def test_a_modem_that_lists_nothing_is_read_slot_by_slot(tmp_path: Path, benches: list[Bench]) -> None:
    """Huawei: AT+CMGL hangs, AT+CMGR does not (gammu issue 4)."""
    bench = Bench(tmp_path)
    benches.append(bench)
    families = profile.load_all()
    bench.service._profiles = {"generic": families["e173"]}
    bench.dialogue.machine.faults.mute, bench.dialogue.machine.faults.mute_count = "+CMGL", 10**6
    bench.receive("satu")
    bench.receive("dua")
    bench.run(40)
    assert bench.reports() == 2
    assert bench.service.trouble_since_mono_s is None


def test_a_port_in_simulated_time_is_the_products_port() -> None:
    own = {name for name in vars(VirtualPort) if not name.startswith("__")}
    assert own <= {"connect", "close", "take", "vanish", "wait", "_write", "_next", "_call"}
