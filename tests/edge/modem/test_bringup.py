"""Modems that lack much of the standards, as other projects' emulators and lists of modems have them."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bench.virtual_modem import VirtualPort, VirtualRemedies, World

from siaga_core.service.workers import Heartbeat, Stop
from siaga_edge.modem import at, bringup, pin
from siaga_edge.modem.bringup import SELECTIONS
from siaga_edge.modem.intake import PLAIN, Intake
from siaga_edge.modem.ledger import Ledger, Outgoing
from siaga_edge.modem.port import NoAnswer, Port, Refused
from siaga_edge.modem.service import ModemService
from siaga_edge.node import Hub, Modem, Node, NodeConfig
from siaga_edge.simulate.modem import tpdu
from siaga_edge.simulate.modem.dialogue import Dialogue
from siaga_edge.simulate.modem.lacks import Lacks
from siaga_edge.simulate.modem.machine import Now
from siaga_edge.simulate.modem.profile import PROFILES

CITIZEN = "+6281234567890"
NO_READING = frozenset({"+CMGL", "+CMGR"})
# oFono's phonesim: everything at once that it leaves out.
PHONESIM = Lacks(
    commands=frozenset({"+CMEE", "+CNMI?", "+CEREG"}), short_selection=True, empty_listing=True, radio=True
)
# CelerSMS AT-Emulator, but for the reading of messages, which it has not at all.
CELER = Lacks(
    commands=frozenset({"+CMEE", "+CSCS", "+CFUN", "+CPMS", "+CLIP", "+CRC", "+CCWA", "+CLCC"}), combined=True
)
# Names none of the questions by which the port finds its place.
NAMELESS = Lacks(
    commands=frozenset({"+CMEE", "+CSCS", "+CFUN", "+CMGF?", "+CNMI?", "+CSQ", "+CPIN", "+CGMM", "+GMM"})
)


class Bench:
    """The service and a modem that lacks something, in simulated time."""

    def __init__(self, folder: Path, lacks: Lacks, kind: type[ModemService] = ModemService) -> None:
        self.dialogue = Dialogue(replace(PROFILES["sim800"], lacks=lacks), Now(0, 0))
        self.world = World(self.dialogue)
        (folder / "data").mkdir()
        hub = Hub(broker_host="x", gateway_url="x", ca_file=folder, certificate_file=folder, key_file=folder)
        node = Node(id="gsm-001", site="x", data_dir=folder / "data", run_dir=folder / "run")
        settings = Modem(port="virtual", sweep_every_s=5)
        config = NodeConfig(node=node, hub=hub, modem=settings)
        self.service = kind(config, settings, self.world, remedies=VirtualRemedies(self.world, 4))

    def run(self, seconds: float) -> None:
        stop = Stop()
        self.world.at(seconds, stop.set)
        self.service.work(stop, Heartbeat(self.world))

    def receive(self, text: str) -> None:
        for part in tpdu.deliver(CITIZEN, text, datetime.now(UTC)):
            self.dialogue.receive(part, self.world.present())

    def send(self) -> None:
        text = Outgoing("01", CITIZEN, "Petugas menuju lokasi", at_least_once=False, tries=0)
        self.service._journal.append_all(
            [], lambda connection: Ledger(connection).queue(text, self.world.wall_ns())
        )

    def texts(self) -> list[str]:
        query = (
            "SELECT DISTINCT json_extract(body, '$.sms.text') FROM record WHERE kind = 'report' ORDER BY seq"
        )
        found = [row[0] for row in self.service._journal.connection.execute(query)]
        return [str(text) for text in found if text]

    def callers(self) -> set[str]:
        query = "SELECT json_extract(body, '$.reporter') FROM record WHERE kind = 'report'"
        return {str(row[0]) for row in self.service._journal.connection.execute(query)}

    def sent(self, text: str) -> int:
        return sum(one.submit.text == text for one in self.dialogue.machine.sent)

    def told(self, code: str) -> list[str]:
        query = "SELECT json_extract(body, '$.level') FROM record WHERE json_extract(body, '$.code') = ?"
        return [str(row[0]) for row in self.service._journal.connection.execute(query, (code,))]


@pytest.fixture
def benches() -> Iterator[list[Bench]]:
    made: list[Bench] = []
    yield made
    for one in made:
        one.service.close()


@pytest.mark.parametrize(
    "lacks",
    [
        PHONESIM,
        CELER,
        NAMELESS,
        Lacks(centre=True),
        Lacks(combined=True, ok_after=frozenset({"+CPIN?"})),  # Wavecom
        Lacks(commands=frozenset({"+CNMI", "+CLCC", "+CCWA", "+CREG", "+CSQ"})),  # Nokia's telephones
        Lacks(commands=frozenset({"E"})),  # all it is told comes back
        Lacks(commands=frozenset({"+CMGL"})),  # its slots are read one by one
    ],
    ids=["phonesim", "celer", "nameless", "no-smsc", "wavecom", "nokia", "echo", "no listing"],
)
def test_whatever_else_it_lacks_texts_come_in_calls_ring_and_texts_go_out(
    lacks: Lacks, tmp_path: Path, benches: list[Bench]
) -> None:
    bench = Bench(tmp_path, lacks)
    benches.append(bench)
    bench.receive("Kebakaran di Bengkong")
    bench.world.at(40, lambda: bench.receive("Tolong cepat"))
    bench.world.at(50, lambda: (bench.dialogue.ring(CITIZEN, bench.world.present(), rings=2), None)[1])
    bench.send()
    bench.run(90)
    assert bench.texts() == ["Kebakaran di Bengkong", "Tolong cepat"]
    assert bench.sent("Petugas menuju lokasi") == 1
    assert not bench.dialogue.machine.memories["SM"].slots
    assert CITIZEN in bench.callers()
    assert bench.told("modem.inbox") == ["ok"]
    assert bench.told("modem.ladder") == []


@pytest.mark.parametrize(
    "lacks",
    [Lacks(commands=NO_READING | {"+CPMS"}), Lacks(commands=NO_READING)],
    ids=["says no count", "counts them"],
)
def test_a_modem_that_cannot_be_read_is_told_of_and_still_rings_and_sends(
    lacks: Lacks, tmp_path: Path, benches: list[Bench]
) -> None:
    bench = Bench(tmp_path, lacks)
    benches.append(bench)
    bench.receive("Kebakaran")
    bench.send()
    bench.run(40)
    assert bench.told("modem.inbox") == ["crit"]
    assert bench.service.standing.swept_wall_ns == 0, "a store that was not read was not swept"
    assert bench.sent("Petugas menuju lokasi") == 1
    assert len(bench.dialogue.machine.memories["SM"].slots) == 1, "nothing is deleted that was not taken"


class Trusting(Intake):
    """The mutant: a listing that is refused is an empty one."""

    def _without_listing(self, port: Port, memory: str, error: Refused) -> list[at.Stored]:
        return []


def test_a_refused_listing_that_is_taken_for_an_empty_one_is_found_out(
    tmp_path: Path, benches: list[Bench]
) -> None:
    bench = Bench(tmp_path, Lacks(commands=NO_READING))
    benches.append(bench)
    bench.service._intake.__class__ = Trusting
    bench.receive("Kebakaran")
    bench.run(20)
    assert bench.told("modem.inbox") != ["crit"]


def test_a_listing_that_worked_and_is_refused_is_trouble(tmp_path: Path, benches: list[Bench]) -> None:
    """Then the modem, and not our knowledge of it, has changed: it is put right rung by rung."""
    bench = Bench(tmp_path, Lacks())
    benches.append(bench)
    faults = bench.dialogue.machine.faults

    def spoil() -> None:
        faults.fail, faults.fail_code, faults.fail_count = "+CMGL", 302, 10**6

    bench.world.at(20, spoil)
    bench.run(60)
    assert bench.told("modem.ladder")
    assert bench.told("modem.inbox") == ["ok"]


def test_a_sim_that_fails_is_trouble_and_no_lack_of_the_modem(tmp_path: Path, benches: list[Bench]) -> None:
    bench = Bench(tmp_path, Lacks())
    benches.append(bench)
    faults = bench.dialogue.machine.faults
    faults.fail, faults.fail_code, faults.fail_count = "+CMGL", 313, 10**6
    bench.run(60)
    assert bench.told("modem.ladder")
    assert bench.told("modem.inbox") == []


def test_stores_that_could_not_be_selected_at_first_are_asked_for_again_when_the_modem_is_ready(
    tmp_path: Path, benches: list[Bench]
) -> None:
    """One without +CMEE says only ERROR while its SIM is being read, and a word when that is done."""
    bench = Bench(tmp_path, Lacks(commands=frozenset({"+CMEE", "+CPMS"})))
    benches.append(bench)

    def ready() -> None:
        bench.dialogue.machine.profile = replace(PROFILES["sim800"])
        bench.dialogue._say("SMS Ready", bench.world.present())

    bench.world.at(20, ready)
    bench.run(40)
    assert bench.service._memories == ["SM", "ME", "SR"]


def test_a_store_that_can_no_more_be_selected_is_told(tmp_path: Path, benches: list[Bench]) -> None:
    bench = Bench(tmp_path, Lacks())
    benches.append(bench)
    faults = bench.dialogue.machine.faults

    def spoil() -> None:
        faults.fail, faults.fail_code, faults.fail_count = "+CPMS", 302, 10**6

    bench.world.at(20, spoil)
    bench.run(60)
    assert bench.told("modem.inbox") == ["ok", "crit"], "what lies there is not seen: it must not look well"


def test_a_modem_that_wants_all_its_stores_named_may_have_a_sim_that_is_late(
    tmp_path: Path, benches: list[Bench]
) -> None:
    """When its SIM was not ready nobody could know how it wants to be asked."""
    bench = Bench(tmp_path, Lacks(short_selection=True))
    benches.append(bench)
    faults = bench.dialogue.machine.faults
    faults.fail, faults.fail_code, faults.fail_count = "+CPMS", 314, 10**6
    bench.world.at(15, lambda: setattr(faults, "fail_count", 0))
    bench.receive("Kebakaran")
    bench.run(60)
    assert bench.texts() == ["Kebakaran"]
    assert bench.told("modem.inbox") == ["crit", "ok"]


class Scripted:
    """Answers as told: the refusal's code, or lines."""

    def __init__(self, answers: dict[str, str | list[str]]) -> None:
        self.answers, self.asked = answers, list[str]()

    def command(self, text: str, _limit_s: float | None = None, *, enough: str = "") -> list[str]:
        self.asked.append(text)
        answer = self.answers.get(text, "ERROR")
        if isinstance(answer, str):
            raise Refused(text, answer)
        return answer


@pytest.mark.parametrize(
    ("code", "goes_on"),
    [("ERROR", True), ("4", True), ("3", False), ("10", False), ("13", False), ("SIM failure", False)],
)
def test_a_modem_that_cannot_be_asked_for_its_pin_is_not_given_one(
    code: str, goes_on: bool, tmp_path: Path
) -> None:
    (tmp_path / "pin").write_text("1234")
    port = Scripted({"AT+CPIN?": code})
    if goes_on:
        pin.unlock(port, tmp_path / "pin", tmp_path / "tried")
    else:
        with pytest.raises(Refused):
            pin.unlock(port, tmp_path / "pin", tmp_path / "tried")
    assert port.asked == ["AT+CPIN?"]


@pytest.mark.parametrize(
    ("accepted", "told", "still"),
    [
        ("AT+CNMI=2,1,0,1,0", ["+CNMI: 2,1,0,1,0"], True),
        ("AT+CNMI=2,1", ["+CNMI:2,1,0,0,0"], True),
        ("AT+CNMI=1,1", ["+CNMI: 1,1,0,0,0"], True),
        ("AT+CNMI=2,1,0,1,0", ["+CNMI: 1,0,0,0,0"], False),
        ("AT+CNMI=2,1,0,1,0", [], True),
        ("AT+CNMI=2,1,0,1,0", "ERROR", True),
        ("", ["+CNMI: 0,0,0,0,0"], False),  # refused while the SIM was not ready: it is asked again
        ("", "ERROR", True),
    ],
)
def test_whether_it_still_announces(accepted: str, told: list[str] | str, still: bool) -> None:
    port = Scripted({"AT+CNMI?": told})
    assert bringup.still_announces(port, accepted) is still  # type: ignore[arg-type]


@pytest.mark.parametrize("code", ["314", "302", "310"])
def test_a_store_that_cannot_be_selected_now_is_no_store_that_cannot_be_selected(code: str) -> None:
    found = bringup.stores(
        Scripted({"AT+CPMS=?": ['+CPMS: ("SM","ME"),("SM")'], SELECTIONS[0].format("SM"): code}),  # type: ignore[arg-type]
        PLAIN,
    )
    assert found == bringup.Stores(["SM", "ME"])


class Hasty(VirtualPort):
    """The mutant: takes any final result for the answer to its question."""

    def _came_round(self, question: str, deadline_s: float) -> bool:
        while (line := self._line(question, deadline_s)) is not None:
            if at.classify(line, question) == "final":
                return True
        return False

    def _was_last(self, begun_s: float) -> bool:
        return True


@pytest.mark.parametrize(("kind", "right"), [(VirtualPort, True), (Hasty, False)])
def test_a_late_answer_is_nobodys_answer_even_of_a_modem_that_names_none(
    kind: type[VirtualPort], right: bool
) -> None:
    dialogue = Dialogue(replace(PROFILES["sim800"], lacks=NAMELESS), Now(0, 0))
    world = World(dialogue)
    port = kind(world, 4, ())
    answer: list[str] = []
    try:
        port.settle()
        dialogue.machine.faults.delay_ms = 6_000
        with contextlib.suppress(NoAnswer, Refused):
            port.command("AT+CGSN")
        dialogue.machine.faults.delay_ms = 0
        with contextlib.suppress(NoAnswer, Refused):
            answer = port.command("AT+CIMI")
        assert (answer == [dialogue.machine.sim.imsi]) is right
    finally:
        port.close()
