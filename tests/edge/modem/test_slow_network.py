"""A network that takes its time, and a modem that hangs over a text: told apart, and nothing goes twice."""

import queue
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from bench.virtual_modem import VirtualPort

from siaga_edge.modem.patience import TABLE, Mode, Patience, Table
from siaga_edge.modem.sending import Sender
from siaga_edge.simulate.modem.lacks import Lacks
from support.virtual_bench import Bench


@pytest.fixture
def benches() -> Iterator[list[Bench]]:
    made: list[Bench] = []
    yield made
    for one in made:
        one.service.close()


class ProbingPort(VirtualPort):
    """The mutant: asks a modem that has been silent for eight seconds of a send whether it is there."""

    _probed = False

    def _next(self, limit_s: float) -> str | None:
        if limit_s > 50 and not self._probed:
            try:
                return super()._next(8.0)
            except queue.Empty:
                self._probed = True
                self._write("AT\r")
        return super()._next(limit_s)


@pytest.mark.parametrize(("port", "left"), [(VirtualPort, 1), (ProbingPort, 0)])
def test_a_network_known_to_be_slow_keeps_its_text_for_nothing_is_asked_in_a_send(
    tmp_path: Path, benches: list[Bench], port: type[VirtualPort], left: int
) -> None:
    bench = Bench(tmp_path)
    benches.append(bench)
    bench.service._remedies.port = port  # type: ignore[attr-defined]
    bench.service.sender.patience = Patience("long")
    faults = bench.dialogue.machine.faults
    faults.send_ms, faults.send_aborts = 40_000, True
    bench.order()
    bench.run(60)
    assert len(bench.dialogue.machine.sent) == left
    assert bench.outgoing() == ("sent" if left else "failed")


@pytest.mark.parametrize(("mode", "after_s"), [("short", 9.5), ("doubted", 9.5), ("long", 62)])
def test_a_hang_in_a_send_is_noticed_within_ten_seconds_unless_the_network_is_slow(
    tmp_path: Path, benches: list[Bench], mode: Mode, after_s: float
) -> None:
    bench = Bench(tmp_path)
    benches.append(bench)
    bench.service.sender.patience = Patience(mode)
    bench.hang_in_a_send()
    bench.order()
    bench.run(after_s + 5)
    assert bench.hung_s is not None
    assert bench.service.trouble_since_mono_s == pytest.approx(bench.hung_s + after_s, abs=0.3)
    bench.run(60)
    assert bench.outgoing() == "unknown", "a courtesy of which nobody knows is not sent again"


class DeafToRestarts(Sender):
    """The mutant: takes the silence of a modem that has just started anew for the network's."""

    def restarted(self) -> None:
        pass


@pytest.mark.parametrize(("sender", "mode"), [(Sender, "short"), (DeafToRestarts, "long")])
def test_a_modem_that_restarts_over_a_text_is_no_slow_network(
    tmp_path: Path, benches: list[Bench], sender: type[Sender], mode: Mode
) -> None:
    """Its transmitter may pull its supply down; believed slow, the next hang would be noticed after 60 s."""
    bench = Bench(tmp_path, sender=sender)
    benches.append(bench)

    def look() -> None:
        if bench.dialogue.is_sending:
            bench.world.look = lambda: None
            bench.world.start()

    bench.world.look = look
    bench.order()
    bench.run(12)
    assert bench.service.sender.patience.mode == mode


@pytest.mark.parametrize(
    ("meanwhile", "send_ms", "sent_by_s", "passes"),
    [("send_aborts", 30_000, 90, 2), ("send_aside", 30_000, 45, 1), ("", 50_000, 240, 3)],
)
@pytest.mark.parametrize(("table", "sent"), [(TABLE, True), ({}, False)], ids=["learns", "never learns"])
def test_an_alert_gets_through_a_network_that_is_slow_whatever_its_modem_does_meanwhile(
    tmp_path: Path,
    benches: list[Bench],
    meanwhile: str,
    send_ms: int,
    sent_by_s: float,
    passes: int,
    table: Table,
    sent: bool,
) -> None:
    bench = Bench(tmp_path)
    benches.append(bench)
    bench.service.sender.table = table
    bench.slow_network(send_ms, meanwhile)
    bench.order(at_least_once=True)
    bench.run(sent_by_s)
    assert (bench.outgoing() == "sent") == (sent or meanwhile == "send_aside")
    if sent:
        assert len(bench.dialogue.machine.sent) == 1
        assert bench.passes() == passes


@pytest.mark.parametrize(
    ("meanwhile", "send_ms", "troubles"),
    [("", 8_500, 0), ("", 11_000, 1), ("", 30_000, 1), ("send_aside", 20_000, 0)],
)
def test_a_word_that_comes_late_is_the_texts_own_and_nothing_goes_twice(
    tmp_path: Path, benches: list[Bench], meanwhile: str, send_ms: int, troubles: int
) -> None:
    """While the modem is asked, while it is put right, and in the middle of other answers."""
    bench = Bench(tmp_path)
    benches.append(bench)
    bench.run(12)  # the machine's own questions lie behind: what is asked now are sweeps
    bench.slow_network(send_ms, meanwhile)
    bench.order()
    bench.receive("Kebakaran")
    bench.run(60)
    assert bench.outgoing() == "sent"
    assert bench.references() == [1]
    assert bench.service.sender.patience.mode == "long"
    told = [level for level, _ in bench.told("modem")]
    assert told == ["ok", *["crit", "ok"] * troubles], "the hub hears of a modem that answers nothing"
    assert bench.reports() == 1


class TakesTheFirst(VirtualPort):
    """The mutant: an answer to the question asked last is the last one, however many had piled up."""

    def _was_last(self, begun_s: float) -> bool:
        return True


@pytest.mark.parametrize(("port", "locked"), [(VirtualPort, False), (TakesTheFirst, True)])
def test_answers_that_had_piled_up_are_not_taken_for_those_that_follow(
    tmp_path: Path, benches: list[Bench], port: type[VirtualPort], locked: bool
) -> None:
    """One behind, the port takes an OK for the answer to AT+CPIN? and finds the SIM locked."""
    bench = Bench(tmp_path)
    benches.append(bench)
    bench.service._remedies.port = port  # type: ignore[attr-defined]
    bench.run(12)
    bench.slow_network(30_000)
    bench.order()
    bench.run(60)
    assert any("modem.locked" in detail for _, detail in bench.told("modem")) == locked


class TakesAnyWord(Sender):
    """The mutant: the next text is begun while the word on the one before may still come."""

    @property
    def waits(self) -> bool:
        return False


@pytest.mark.parametrize(("kind", "own"), [(Sender, True), (TakesAnyWord, False)])
def test_the_next_text_waits_for_the_word_on_the_one_before(
    tmp_path: Path, benches: list[Bench], kind: type[Sender], own: bool
) -> None:
    """Else the late reference would be taken for its own, and a text that was refused for one that left."""
    bench = Bench(tmp_path, sender=kind)
    benches.append(bench)
    bench.slow_network(20_000, "send_aside")
    bench.order()
    bench.order("02")
    bench.run(60)
    assert (bench.outgoing(), bench.outgoing("02")) == ("sent" if own else "unknown", "sent")
    assert (bench.references(), bench.references("02")) == (([1], [2]) if own else ([-1], [1]))


class ForgetsWhose(Sender):
    """The mutant: who sends next does not ask whether somebody still has to hear of the last word."""

    @property
    def is_kept(self) -> bool:
        return False

    @is_kept.setter
    def is_kept(self, _is_kept: bool) -> None:
        pass


@pytest.mark.parametrize(("kind", "free"), [(Sender, False), (ForgetsWhose, True)])
def test_a_loop_back_waits_until_the_word_on_a_text_has_been_noted(
    tmp_path: Path, benches: list[Bench], kind: type[Sender], free: bool
) -> None:
    bench = Bench(tmp_path, sender=kind, loop_to="+6281111111111", loop_every_s=60)
    benches.append(bench)
    bench.service.sender.is_kept = True
    bench.run(200)
    assert bool(bench.dialogue.machine.sent) is free


def test_the_ok_of_a_late_reference_is_no_answer_to_the_next_command(
    tmp_path: Path, benches: list[Bench]
) -> None:
    bench = Bench(tmp_path)
    benches.append(bench)
    bench.run(12)
    port = bench.service._remedies.open(())
    port.settle()
    bench.dialogue.machine.line.put(b"\r\n+CMGS: 41\r\n", bench.world.mono_s())
    bench.world.run_until(bench.world.mono_s() + 0.1)
    port.events()
    bench.dialogue.machine.line.put(b"\r\nOK\r\n", bench.world.mono_s())
    assert any(line.startswith("+CPMS:") for line in port.command('AT+CPMS="SM"'))
    port.close()


def test_a_modem_that_refuses_combined_commands_has_not_refused_its_text(
    tmp_path: Path, benches: list[Bench]
) -> None:
    """Asked whether it is there, it is asked nothing that it refuses: an error would be the text's word."""
    bench = Bench(tmp_path)
    benches.append(bench)
    machine = bench.dialogue.machine
    machine.profile = replace(machine.profile, lacks=Lacks(combined=True))
    bench.slow_network(20_000, "send_aside")
    bench.order(at_least_once=True)
    bench.run(60)
    assert (bench.outgoing(), bench.passes()) == ("sent", 1)


def test_between_texts_on_a_slow_network_a_sweep_comes_first(tmp_path: Path, benches: list[Bench]) -> None:
    bench = Bench(tmp_path, loop_to="+6281111111111", loop_every_s=60)
    benches.append(bench)
    bench.service.sender.patience = Patience("long")
    bench.slow_network(20_000)
    bench.dialogue.machine.faults.drop_cmti = 1.0
    for number in range(6):
        bench.order(f"{number:02d}", at_least_once=number % 2 == 0)
        bench.world.at(number * 20.0, lambda: bench.receive("Kebakaran"))
    bench.run(200)
    texts = [word for word in bench.commands if word.startswith(("AT+CMGL", "AT+CMGS="))]
    sends = [place for place, word in enumerate(texts) if word.startswith("AT+CMGS=")]
    assert len(sends) >= 7, "the six texts, and one to the modem itself"
    assert all(later - one > 1 for one, later in pairwise(sends))
