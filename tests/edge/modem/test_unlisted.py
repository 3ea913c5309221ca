"""Octets that are no message, and messages that a modem counts and does not list: none stays unseen."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from siaga_edge.modem import at, intake
from siaga_edge.modem.port import Port
from support.virtual_bench import Bench


@pytest.fixture
def benches() -> Iterator[list[Bench]]:
    made: list[Bench] = []
    yield made
    for bench in made:
        bench.service.close()


def made(folder: Path, benches: list[Bench]) -> Bench:
    benches.append(Bench(folder))
    return benches[-1]


def receive(bench: Bench, octets: str) -> None:
    bench.dialogue.receive(bytes.fromhex(octets), bench.world.present())


@pytest.mark.parametrize("octets", ["DEADBEEF", "FF", "00", "0011223344", "7F" * 40])
def test_octets_that_are_no_message_are_taken_and_leave_the_modem(
    tmp_path: Path, benches: list[Bench], octets: str
) -> None:
    bench = made(tmp_path, benches)
    bench.run(12)
    receive(bench, octets)
    bench.run(30)
    assert [pdu for _, pdu in bench.raw()] == [octets]
    (report,) = bench.bodies("report")
    assert report["sms"]["undecodable"]
    assert not bench.dialogue.machine.memories["SM"].slots
    assert bench.told("modem.inbox") == [("ok", "")]


def test_a_length_that_cannot_be_hides_nothing() -> None:
    (one,) = at.stored(["+CMGL: 3,0,,-219", "DEADBEEF"])
    assert (one.index, one.pdu, one.whole) == (3, "DEADBEEF", False)
    assert at.read_message(["+CMGR: 0,,-219", "DEADBEEF"]) == ("DEADBEEF", False)


def test_what_is_counted_and_not_listed_is_read_slot_by_slot(
    tmp_path: Path, benches: list[Bench], caplog: pytest.LogCaptureFixture
) -> None:
    bench = made(tmp_path, benches)
    bench.dialogue.machine.faults.unlisted = 1
    bench.run(12)
    bench.receive("Kebakaran")
    bench.receive("Banjir")
    bench.run(30)
    assert sorted(bench.texts()) == ["Banjir", "Kebakaran"]
    assert "modem counts more messages than it lists memory=SM used=2 listed=1 read=1" in caplog.text
    assert not bench.dialogue.machine.memories["SM"].slots
    assert bench.told("modem.inbox") == [("ok", "")]


class Believing(intake.Intake):
    """A mutant: what the listing does not give is not there."""

    def _unlisted(self, _port: Port, _memory: str, _listed: list[at.Stored]) -> list[at.Stored]:
        return []


def test_the_check_above_finds_an_intake_that_believes_the_listing(
    tmp_path: Path, benches: list[Bench]
) -> None:
    bench = made(tmp_path, benches)
    ours = bench.service
    ours._intake = Believing(ours._journal, "modem", bench.world, lambda: "01", lambda _status: None)
    bench.dialogue.machine.faults.unlisted = 1
    bench.receive("Kebakaran")
    bench.run(60)
    assert bench.texts() == []


def test_what_can_be_had_in_no_way_is_told_and_looked_for_seldom(
    tmp_path: Path, benches: list[Bench], caplog: pytest.LogCaptureFixture
) -> None:
    bench = made(tmp_path, benches)
    faults = bench.dialogue.machine.faults
    faults.unlisted, faults.fail, faults.fail_code, faults.fail_count = 1, "+CMGR", 321, 10**6
    bench.receive("Kebakaran")
    bench.run(590)
    assert [level for level, _ in bench.told("modem.inbox")] == ["warn"]
    assert "1 messages are counted" in bench.told("modem.inbox")[0][1]
    assert 1 <= caplog.text.count("counts more messages") <= 2
    assert sum(command.startswith("AT+CMGR") for command in bench.commands) <= 2 * 52
    faults.fail_count = 0
    bench.run(320)
    assert bench.texts() == ["Kebakaran"]
    assert [level for level, _ in bench.told("modem.inbox")] == ["warn", "ok"]


def test_on_a_slow_modem_a_look_is_short_and_the_next_one_goes_on_where_it_stopped(
    tmp_path: Path, benches: list[Bench]
) -> None:
    bench = made(tmp_path, benches)
    machine = bench.dialogue.machine
    machine.faults.delay_ms = 400
    store = machine.memories["SM"]
    bench.receive("Kebakaran")
    store.slots[20] = store.slots.pop(1)
    machine.faults.unlisted = 20
    bench.run(200)
    assert bench.texts() == []
    assert 8 <= sum(command.startswith("AT+CMGR") for command in bench.commands) <= 15
    bench.run(1800)
    assert bench.texts() == ["Kebakaran"]


def lies(bench: Bench, before: str) -> list[str]:
    """An OK out of nowhere ends the first command that begins so while a message lies in the store."""
    write, lied = bench.world.write, list[str]()

    def lie(octets: bytes) -> None:
        if octets.startswith(before.encode()) and bench.dialogue.machine.memories["SM"].slots and not lied:
            lied.append(before)
            bench.dialogue.machine.line.put(b"\r\nOK\r\n", bench.world.now_s)
        write(octets)

    bench.world.write = lie  # type: ignore[method-assign]
    return lied


class OnceIsEnough(intake.Intake):
    """A mutant: what one question gives is what lies in the slot it named."""

    def _read_slot(self, port: Port, index: int) -> at.Stored | None:
        read = at.read_message(port.command(f"AT+CMGR={index}"))
        return None if read is None else at.Stored(index, *read)


@pytest.mark.parametrize(
    ("before", "kind", "is_right"),
    [
        ("AT+CMGL=4", intake.Intake, True),
        ("AT+CMGL=4", OnceIsEnough, True),  # the port has found its place again before the first slot
        ("AT+CMGR=0", intake.Intake, True),
        ("AT+CMGR=0", OnceIsEnough, False),
    ],
)
def test_an_ok_out_of_nowhere_has_no_message_deleted_for_another(
    tmp_path: Path, benches: list[Bench], before: str, kind: type[intake.Intake], is_right: bool
) -> None:
    """Every answer is then that of the question before, and +CMGR does not say of which slot it is."""
    bench = made(tmp_path, benches)
    bench.run(1)
    ours, machine = bench.service, bench.dialogue.machine
    ids = iter(f"{number:026d}" for number in range(9))
    ours._intake = kind(ours._journal, "modem", bench.world, lambda: next(ids), lambda _status: None)
    ours._intake._has_listed = True
    lied = lies(bench, before)
    machine.faults.unlisted = 1 if before == "AT+CMGR=0" else 0
    bench.receive("Kebakaran")
    bench.receive("Banjir")
    bench.run(700)
    assert lied
    assert (sorted(bench.texts()) == ["Banjir", "Kebakaran"]) is is_right


def test_an_ok_out_of_nowhere_is_noticed_before_the_listing(tmp_path: Path, benches: list[Bench]) -> None:
    """The selection of a store names how full it is: an answer that does not is another command's."""
    bench = made(tmp_path, benches)
    lied = lies(bench, "AT+CPMS=")
    bench.world.at(3, lambda: bench.receive("Kebakaran"))
    bench.run(4)
    assert lied
    assert bench.texts() == ["Kebakaran"]
    assert [memory for memory, _ in bench.raw()] == ["SM"], "read as the listing that was asked for"
