"""What a modem hands over without storing it: committed at once, confirmed afterwards, one with its copy."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bench.virtual_modem import VirtualPort

from siaga_edge.modem import at
from siaga_edge.modem.direct import DirectDelivery
from siaga_edge.modem.pdu import encode
from siaga_edge.modem.replay import replay
from siaga_edge.modem.service import ModemService
from siaga_edge.simulate.modem import tpdu
from siaga_edge.simulate.modem.messages import CONFIRM_S
from support.virtual_bench import Bench

SENDER = "+6281234567890"


@pytest.fixture
def benches() -> Iterator[list[Bench]]:
    made: list[Bench] = []
    yield made
    for one in made:
        one.service.close()


@pytest.fixture
def bench(tmp_path: Path, benches: list[Bench]) -> Bench:
    made = Bench(tmp_path)
    benches.append(made)
    made.run(12)
    return made


class Drops(DirectDelivery):
    """The mutant: what is handed over is heard and not kept."""

    def hear(self, event: at.Event) -> bool:
        return at.direct(event) is not None


class DropsDirect(ModemService):
    """The service with it."""

    def __init__(self, *given: Any, **keys: Any) -> None:
        super().__init__(*given, **keys)
        self._direct = Drops(self._intake)


@pytest.mark.parametrize(("kind", "kept"), [(ModemService, ["Kebakaran"]), (DropsDirect, [])])
@pytest.mark.parametrize("way", ["flash", "all", "announced so"])
def test_a_message_that_is_stored_nowhere_is_a_report(
    tmp_path: Path, benches: list[Bench], way: str, kind: type[ModemService], kept: list[str]
) -> None:
    bench = Bench(tmp_path, kind=kind)
    benches.append(bench)
    bench.run(12)
    if way == "announced so":  # by AT&W of somebody before, after a restart that nobody noticed
        bench.dialogue.machine.settings.cnmi = (2, 2, 0, 1, 0)
    else:
        bench.dialogue.machine.faults.direct = way  # type: ignore[assignment]
    bench.receive("Kebakaran", SENDER, flash=way == "flash")
    bench.run(3)
    assert bench.texts() == kept
    assert not bench.dialogue.machine.memories["SM"].slots


def test_a_flash_message_of_several_parts_is_one(bench: Bench) -> None:
    bench.dialogue.machine.faults.direct = "flash"
    text = "Tabrakan beruntun di Jembatan Barelang, tiga mobil. " * 4
    bench.receive(text, SENDER, flash=True)
    bench.run(3)
    assert bench.texts() == [text]


def test_a_modem_that_asks_for_it_gets_each_one_confirmed_after_its_commit(bench: Bench) -> None:
    machine, committed = bench.dialogue.machine, list[int]()
    machine.faults.stored_service, machine.faults.direct = 1, "all"
    bench.world.start()
    bench.run(12)
    heard, bench.world.write = bench.world.write, lambda octets: look(octets)  # type: ignore[method-assign]

    def look(octets: bytes) -> None:
        if b"AT+CNMA" in octets:
            committed.append(bench.reports())
        heard(octets)

    for text in ("satu", "dua", "tiga"):
        bench.receive(text, SENDER)
    bench.run(5)
    assert (bench.texts(), committed) == (["satu", "dua", "tiga"], [1, 2, 3])
    assert machine.counters["confirmed"] == 3
    bench.run(CONFIRM_S)
    assert "unconfirmed" not in machine.counters


def test_a_modem_that_does_not_ask_is_not_told(bench: Bench) -> None:
    bench.dialogue.machine.faults.direct = "all"
    bench.receive("Banjir", SENDER)
    bench.run(3)
    assert "AT+CNMA" not in bench.commands


def test_what_was_not_confirmed_in_time_comes_again_is_one_and_the_announcing_is_put_right(
    bench: Bench,
) -> None:
    machine, write = bench.dialogue.machine, bench.world.write
    machine.faults.stored_service, machine.faults.direct = 1, "all"
    bench.world.start()
    bench.world.write = lambda octets: (  # type: ignore[method-assign]
        write(octets) if b"+CNMA" not in octets else None
    )
    bench.run(12)
    bench.receive("Banjir", SENDER)
    bench.run(CONFIRM_S + 5)
    assert machine.counters["unconfirmed"] >= 1
    bench.world.write = write  # type: ignore[method-assign]
    bench.run(60)
    assert bench.texts() == ["Banjir"]
    assert len(bench.raw()) > 1
    assert machine.settings.cnmi[:2] == (2, 1)


@pytest.mark.parametrize("stored_first", [False, True])
def test_a_message_that_is_handed_over_and_stored_as_well_is_one(bench: Bench, stored_first: bool) -> None:
    [octets] = tpdu.deliver(SENDER, "Kebakaran", datetime.now(UTC))
    for how in ("none", "all") if stored_first else ("all", "none"):
        bench.dialogue.machine.faults.direct = how
        bench.dialogue.receive(octets, bench.world.present())
        bench.run(12)
    assert bench.texts() == ["Kebakaran"]
    assert not bench.dialogue.machine.memories["SM"].slots
    if not stored_first:
        bench.dialogue.receive(octets, bench.world.present())
        bench.run(12)
        assert bench.texts() == ["Kebakaran"] * 2, "said again, it is another"
    assert replay(bench.config.journal_file("modem")).is_same


def test_what_has_been_read_is_heard_before_the_device_is_closed(bench: Bench) -> None:
    """Unread lines of a port that is closed are nowhere else."""
    [octets] = tpdu.deliver(SENDER, "Kebakaran", datetime.now(UTC))
    bench.service._port = bench.service._open()
    bench.world.port.take(said(octets))  # type: ignore[union-attr]
    assert bench.texts() == []
    bench.service._drop()
    assert bench.texts() == ["Kebakaran"]


def said(octets: bytes, word: str = "+CMT: ,") -> bytes:
    return f"\r\n{word}{len(octets) - 1 - octets[0]}\r\n{octets.hex().upper()}\r\n".encode()


def test_octets_that_no_modem_can_mean_are_shown(bench: Bench) -> None:
    bench.dialogue.machine.line.put(said(b"\x00\x04\x0b\x91\x26"), bench.world.mono_s())
    bench.run(2)
    [report] = bench.bodies("report")
    assert report["sms"]["undecodable"]
    assert report["sms"]["parts"][0]["pdu"] == "00040B9126"


def test_a_message_in_text_mode_is_a_report_with_its_sender(bench: Bench) -> None:
    """A modem that has just restarted has forgotten AT+CMGF=0 as well."""
    machine = bench.dialogue.machine
    machine.settings.text_mode, machine.faults.direct = True, "all"
    bench.receive("RING RING ada maling", SENDER)
    bench.run(2)
    [report] = bench.bodies("report")
    assert (report["reporter"], report["sms"]["text"]) == (SENDER, "RING RING ada maling")
    assert report["sms"]["undecodable"] is None
    assert replay(bench.config.journal_file("modem")).is_same


def test_an_announcement_without_its_octets_is_shown_and_costs_no_other_line(bench: Bench) -> None:
    bench.dialogue.machine.line.put(b"\r\n+CMT: ,24\r\nRING\r\n", bench.world.mono_s())
    bench.run(2)
    kinds = [report["source"] for report in bench.bodies("report")]
    assert sorted(kinds[:2]) == ["call", "sms"]


@pytest.mark.parametrize("after_s", [1.0, 2.0, 5.0])
def test_octets_whose_announcement_was_damaged_are_a_report(bench: Bench, after_s: float) -> None:
    [octets] = tpdu.deliver(SENDER, "Kebakaran", datetime.now(UTC))
    damaged = f"+C?T: ,28\r\n{octets.hex().upper()}\r\n".encode()
    bench.world.at(after_s, lambda: bench.dialogue.machine.line.put(damaged, bench.world.mono_s()))
    bench.run(12)
    assert bench.texts() == ["Kebakaran"]


def test_the_echo_of_what_is_sent_is_no_message(bench: Bench) -> None:
    [part] = encode("+6281234567890", "Petugas menuju lokasi", 1)
    octets = f"\r\n{part.pdu}\r\n".encode()
    bench.world.at(3, lambda: bench.dialogue.machine.line.put(octets, bench.world.mono_s()))
    bench.run(8)
    assert bench.raw() == []


class SlowLine(VirtualPort):
    """The second line comes two seconds after the first."""

    def take(self, octets: bytes) -> None:
        head, found, rest = octets.partition(b"\r\n0")
        if found and b"+CMT:" in head:
            super().take(head + b"\r\n")
            self._world.at(2, lambda: super(SlowLine, self).take(b"0" + rest))
        else:
            super().take(octets)


def test_a_second_line_may_be_late(tmp_path: Path, benches: list[Bench]) -> None:
    bench = Bench(tmp_path)
    benches.append(bench)
    bench.service._remedies.port = SlowLine  # type: ignore[attr-defined]
    bench.run(12)
    bench.dialogue.machine.faults.direct = "all"
    bench.receive("Kebakaran", SENDER)
    bench.run(5)
    assert bench.texts() == ["Kebakaran"]


def test_a_report_that_nobody_can_read_is_kept_counted_and_told(bench: Bench) -> None:
    bench.dialogue.machine.line.put(said(b"\x00\x06\x01\x0b\x91", "+CDS: "), bench.world.mono_s())
    bench.run(2)
    assert bench.bodies("report") == []
    assert bench.raw() == [("CDS", "0006010B91")]
    [(level, detail)] = bench.told("modem.report")
    assert level == "warn"
    assert detail.startswith("1 delivery reports could not be read: ends after")


def test_what_is_announced_as_a_delivery_report_and_is_a_citizens_message_is_a_report(bench: Bench) -> None:
    [octets] = tpdu.deliver(SENDER, "Kebakaran", datetime.now(UTC))
    bench.dialogue.machine.line.put(said(octets, "+CDS: "), bench.world.mono_s())
    bench.run(2)
    assert bench.texts() == ["Kebakaran"]


def test_a_delivery_report_is_kept_and_settles_its_text(bench: Bench) -> None:
    bench.order()
    bench.run(5)
    assert [memory for memory, _ in bench.raw()] == ["CDS"]
    query = "SELECT state FROM sent_part"
    assert [row[0] for row in bench.service._journal.connection.execute(query)] == ["DELIVERED"]


@pytest.mark.parametrize("profile", ["sim7600", "ec25"])
def test_delivery_reports_that_are_stored_settle_their_text_whatever_index_is_told(
    tmp_path: Path, benches: list[Bench], profile: str
) -> None:
    """EC25 says +CDSI: "SM",0 of a report that lies in SR; ours reads every store."""
    bench = Bench(tmp_path, profile=profile)
    benches.append(bench)
    bench.run(12)
    bench.dialogue.machine.settings.cnmi = (2, 1, 0, 2, 0)
    bench.receive("tolong", SENDER)
    bench.order()
    bench.run(15)
    query = "SELECT state FROM sent_part"
    assert [row[0] for row in bench.service._journal.connection.execute(query)] == ["DELIVERED"]
    assert bench.texts() == ["tolong"]
    assert not bench.dialogue.machine.memories["SR"].slots


def test_a_broadcast_is_kept_and_is_nobodys_report(bench: Bench) -> None:
    page = bytes(range(88))
    said_by_the_cell = f"\r\n+CBM: 88\r\n{page.hex().upper()}\r\n".encode()
    bench.dialogue.machine.line.put(said_by_the_cell, bench.world.mono_s())
    bench.run(2)
    assert bench.bodies("report") == []
    assert bench.raw() == [("CBM", page.hex().upper())]


def test_a_modem_that_fell_back_to_text_mode_without_a_word_is_read_all_the_same(bench: Bench) -> None:
    bench.dialogue.machine.settings.text_mode = True
    bench.receive("Kebakaran", SENDER)
    bench.run(6)
    assert bench.texts() == ["Kebakaran"]


def test_what_is_octets_and_what_is_lines() -> None:
    assert at.direct(at.Event("+CMT: ,5", "00 0a")) == at.Direct("CMT", "000A")
    assert at.direct(at.Event("+CMT: 0", "000A")) == at.Direct("CMT", "000A"), "as Android's simulated modem"
    assert at.follows("+CMT: 0") == at.follows("+CMT: 23") == "octets"
    assert at.direct(at.Event("+CMTI: 1")) is None
    lines = at.direct(at.Event('+CMT: "+628",,"26/11/29"', "ada api"))
    assert lines is not None
    assert at.lines_of(lines.pdu) == ('+CMT: "+628",,"26/11/29"', "ada api")
    assert at.lines_of("0791") is None
    assert at.text_sender('+CMT: "TELKOMSEL",,"x"') is None
