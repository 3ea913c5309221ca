"""The service and the simulated modem in simulated time: it always comes back, and loses nothing."""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from bench.fuzz_modem import MUTANTS, Mutant, trouble
from bench.virtual_modem import VirtualPort

from siaga_core.service.clock import Boot
from siaga_core.wire.report import Report
from siaga_edge.journal import Journal
from siaga_edge.modem import profile
from siaga_edge.modem.care import Care
from siaga_edge.modem.handover import Handover
from siaga_edge.modem.port import Port
from siaga_edge.modem.service import ModemService
from siaga_edge.simulate.modem.machine import Sim
from support.clock import FakeClock
from support.virtual_bench import Bench

SEED = 20261125


def test_a_hundred_faults_are_noticed_and_over_in_time_and_cost_no_report() -> None:
    outcome = trouble(100, SEED)
    assert outcome.met, outcome


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.name)
def test_the_same_faults_find_out_a_worse_way(mutant: Mutant) -> None:
    assert not mutant.tried(SEED).met


@pytest.fixture
def benches() -> Iterator[list[Bench]]:
    made: list[Bench] = []
    yield made
    for one in made:
        one.service.close()


def test_a_modem_that_gives_no_prompt_is_found_out_within_ten_seconds(
    tmp_path: Path, benches: list[Bench]
) -> None:
    bench = Bench(tmp_path)
    benches.append(bench)
    bench.service._remedies._limit_s = 30  # type: ignore[attr-defined]
    bench.run(12)
    faults = bench.dialogue.machine.faults
    faults.mute, faults.mute_count = "+CMGS", 1
    begun_s, noticed_s = bench.world.mono_s(), list[float]()

    def look() -> None:
        if (since_s := bench.service.trouble_since_mono_s) is not None:
            noticed_s.append(since_s)

    bench.world.look = look
    bench.order()
    bench.run(12)
    assert "gave no prompt in 5 s" in bench.told("modem")[1][1]
    assert noticed_s[0] - begun_s <= 10


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
    bench.order()
    bench.receive("Kebakaran")
    bench.run(10)
    of_interest = [word for word in bench.commands if word.startswith(("AT+CMGL", "AT+CMGS="))]
    assert of_interest[0].startswith(first)
    assert bench.reports() == 1


class ForgetsItsTry(ModemService):
    """The mutant: what was tried is not on the disk when the service looks again."""

    def _unlock(self, port: Port, tried: Path) -> None:
        tried.unlink(missing_ok=True)
        super()._unlock(port, tried)


@pytest.mark.parametrize(("kind", "tries_left"), [(ModemService, 2), (ForgetsItsTry, 1)])
def test_a_wrong_pin_is_given_once_and_costs_neither_a_second_try_nor_the_power(
    tmp_path: Path, benches: list[Bench], kind: type[ModemService], tries_left: int
) -> None:
    wrong = tmp_path / "pin"
    wrong.write_text("9999")
    bench = Bench(tmp_path, Sim(pin="1234"), kind, pin_file=wrong, power_relay=True)
    benches.append(bench)
    bench.run(1800)
    assert bench.dialogue.machine.sim.tries_left == tries_left
    assert "modem.locked the SIM refused its PIN" in bench.told("modem")[0][1]
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


def test_a_flood_on_a_slow_modem_is_no_reason_to_take_the_service_for_stuck(
    tmp_path: Path, benches: list[Bench]
) -> None:
    bench, silent_s = Bench(tmp_path, sweep_every_s=5), [0.0]
    benches.append(bench)
    bench.run(12)
    bench.dialogue.machine.faults.delay_ms = 150
    for number in range(300):  # 20 places on the SIM; the rest waits in the network and follows at once
        bench.receive(f"laporan {number}")
    bench.world.look = lambda: silent_s.append(bench.heartbeat.silent_s())
    bench.run(40)
    assert 150 < bench.reports() < 300
    assert max(silent_s) < 20


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


def test_a_loop_back_text_that_cannot_be_noted_costs_nothing_that_came_with_it(
    tmp_path: Path, benches: list[Bench]
) -> None:
    bench = Bench(tmp_path, loop_to="+6281111111111")
    benches.append(bench)
    (bench.config.node.run_dir / "loop").parent.mkdir(exist_ok=True)
    (bench.config.node.run_dir / "loop").touch()  # where its folder would be
    bench.run(12)
    bench.receive("SIAGA-UJI 0123ABCD", "+6281111111111")
    bench.receive("Kebakaran", "+6281234567890")
    bench.run(12)
    assert bench.texts() == ["Kebakaran"]
    assert not bench.dialogue.machine.memories["SM"].slots


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


PHONE = "+6281277770000"


class SetsOnce(Care):
    """A mutant: what was set once is believed to stay."""

    def _keep_forwarding(self, port: Port, limit_s: float) -> Iterator[bool]:
        if not self._forwards:
            yield from super()._keep_forwarding(port, limit_s)


class ForwardsAll(Care):
    """A mutant: every call is forwarded, which looks as if it worked."""

    def _keep_forwarding(self, port: Port, limit_s: float) -> Iterator[bool]:
        self._quietly(port, f'AT+CCFC=0,3,"{PHONE}",145', limit_s)
        yield from super()._keep_forwarding(port, limit_s)


class BelievesItsOrder(Care):
    """A mutant: that the network took the order is enough; nobody asks what it does."""

    def _forwarded(self, port: Port, limit_s: float) -> Generator[bool, None, dict[int, str | None]]:
        yield from super()._forwarded(port, limit_s)
        return {0: None, 1: PHONE, 2: PHONE} if self._forwards else {0: None, 1: None, 2: None}


class LeavesUnconditional(Care):
    """A mutant: it sets what it wants and does not end what is in the way of it."""

    @staticmethod
    def _quietly(port: Port, command: str, limit_s: float | None = None) -> list[str]:
        return [] if command == "AT+CCFC=0,4" else Care._quietly(port, command, limit_s)


def _levels(bench: Bench) -> list[str]:
    return [level for level, _ in bench.told("modem.forwarding")]


def forwarding_goes_wrong(bench: Bench, care: type[Care]) -> list[str]:
    """Calls are forwarded, then somebody dials **21* at the SIM; what is not as it has to be."""
    service = bench.service
    service._care = care(
        service._settings, bench.config.node.run_dir, bench.world, service.standing.tell, service.sender
    )
    bench.run(60)
    forwards, found = bench.dialogue.machine.sim.forwards, list[str]()
    if forwards != {1: PHONE, 2: PHONE} or _levels(bench) not in ([], ["ok"]):
        found.append("not forwarded at busy and no reply")
    forwards.clear()
    forwards[0] = PHONE  # the node would never ring again
    bench.run(650)
    if forwards != {1: PHONE, 2: PHONE}:
        found.append("not put right")
    bench.run(620)
    if _levels(bench)[-2:] != ["warn", "ok"]:
        found.append("the change was not told")
    if any(word.startswith("AT+CCFC=0,3") for word in bench.commands):
        found.append("unconditional")
    return found


def test_calls_are_forwarded_at_busy_and_no_reply_and_a_change_is_told_and_put_right(
    tmp_path: Path, benches: list[Bench]
) -> None:
    benches.append(Bench(tmp_path, forward_to=PHONE, number="+6281111111111"))
    assert forwarding_goes_wrong(benches[0], Care) == []


@pytest.mark.parametrize(
    ("mutant", "found"),
    [
        (SetsOnce, "the change was not told"),
        (BelievesItsOrder, "not put right"),
        (LeavesUnconditional, "not put right"),
        (ForwardsAll, "unconditional"),
    ],
)
def test_the_check_above_finds_forwarding_that_is_not_looked_after(
    tmp_path: Path, benches: list[Bench], mutant: type[Care], found: str
) -> None:
    benches.append(Bench(tmp_path, forward_to=PHONE, number="+6281111111111"))
    assert found in forwarding_goes_wrong(benches[0], mutant)


def test_a_report_waits_for_one_question_about_forwarding_at_most(
    tmp_path: Path, benches: list[Bench]
) -> None:
    """The network may take its time over each of eight commands."""
    bench = Bench(tmp_path, forward_to=PHONE)
    benches.append(bench)

    def look() -> None:
        if bench.commands and bench.commands[-1] == "AT+CCFC=0,2" and not bench.reports():
            bench.receive("kebakaran")
            bench.world.look = lambda: None

    bench.world.look = look
    bench.run(60)
    after = bench.commands[bench.commands.index("AT+CCFC=0,2") :]
    assert after.index("AT+CMGL=4") < after.index("AT+CCFC=1,2")
    assert bench.texts() == ["kebakaran"]


def test_the_hub_hears_at_each_start_that_the_modem_is_well_and_of_each_loop_back(
    tmp_path: Path, benches: list[Bench]
) -> None:
    """What was wrong before a restart would stand at the hub for ever; a modem without a word is unknown."""
    bench = Bench(tmp_path, loop_to="+6281111111111", number="+6281111111111", loop_every_s=60)
    benches.append(bench)
    _bring_round(bench)
    bench.run(200)
    assert bench.told("modem") == [("ok", "modem.ok")]
    assert [level for level, _ in bench.told("modem.loop")] == ["ok"] * 3


def test_forwarding_that_the_network_refuses_is_an_alarm(tmp_path: Path, benches: list[Bench]) -> None:
    bench = Bench(tmp_path, forward_to=PHONE)
    benches.append(bench)
    faults = bench.dialogue.machine.faults
    faults.fail, faults.fail_code, faults.fail_count = "+CCFC", 3, 10**6
    bench.run(60)
    assert [level for level, _ in bench.told("modem.forwarding")] == ["crit"]


@pytest.mark.parametrize(("keys", "asks"), [({}, False), ({"forward_to": "081111111111"}, False)])
def test_nothing_is_forwarded_unasked_or_to_the_node_itself(
    tmp_path: Path, benches: list[Bench], keys: dict[str, Any], asks: bool
) -> None:
    bench = Bench(tmp_path, number="+6281111111111", **keys)
    benches.append(bench)
    bench.run(30)
    assert any(word.startswith("AT+CCFC") for word in bench.commands) == asks
    assert bench.dialogue.machine.sim.forwards == {}
    assert [level for level, _ in bench.told("modem.forwarding")] == (["crit"] if keys else [])


@pytest.mark.parametrize("played", ["e173", "sim800"])
def test_a_modem_that_lists_nothing_is_read_slot_by_slot(
    tmp_path: Path, benches: list[Bench], played: str
) -> None:
    """Huawei: AT+CMGL hangs, AT+CMGR does not (gammu issue 4). Of an empty slot SIM800 says OK, E173 321."""
    bench = Bench(tmp_path, profile=played)
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


def test_what_the_hub_has_of_the_second_modem_is_counted_by_its_own_stream(tmp_path: Path) -> None:
    """Else a second modem would take a hub that answers for one that is away, and say so to citizens."""
    clock = FakeClock()
    journal = Journal(tmp_path / "j.db", clock, Boot(1, "b"))
    journal.append("report", Report(report_id="r", revision=1, source="sms", modem="b"))
    marks = [("modemb.urgent", journal.epoch, 1)]
    assert Handover(journal, lambda: marks, "modemb").waiting() == {}
    assert set(Handover(journal, lambda: marks, "modem").waiting()) == {"r"}
    journal.close()
