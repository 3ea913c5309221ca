"""Texts that go out in parts, over the simulated modem: nothing twice that must not, nothing lost."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from siaga_core.service.clock import Boot
from siaga_core.wire.command import Command, SendSms
from siaga_edge.inbox import Inbox, InboxWriter
from siaga_edge.inbox.reader import EXTRA_SCHEMA
from siaga_edge.journal import Journal
from siaga_edge.modem import pdu
from siaga_edge.modem.ledger import SCHEMA
from siaga_edge.modem.outbound import Outbound
from siaga_edge.modem.port import NoAnswer, Port
from siaga_edge.simulate.modem.control import Control
from support.clock import FakeClock
from support.modem_service import SENDER, Service
from support.simulated_modem import simulated_modem
from support.waiting import until

ID = "01KA6P3ZQ4N8S5T6V7W8X9Y0Z1"
LONG = "Petugas menuju lokasi, mohon tunggu di tempat yang aman. " * 7  # three parts


@dataclass
class Node:
    """The sending side of a modem service, which can be ended and begun again."""

    folder: Path
    clock: FakeClock
    port: Port
    control: Control

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        schema = f"{EXTRA_SCHEMA};{SCHEMA}"
        self.journal = Journal(self.folder / "journal.db", self.clock, Boot(1, "b"), extra_schema=schema)
        self.inbox = Inbox(self.folder / "inbox.db", "modem", self.journal)
        self.outbound = Outbound(self.journal, self.inbox, self.clock)
        self.outbound.recover()

    def end(self) -> None:
        self.inbox.close()
        self.journal.close()

    def order(self, *, at_least_once: bool = False, text: str = LONG) -> None:
        writer = InboxWriter(self.folder / "inbox.db")
        order = SendSms(to=SENDER, text=text, at_least_once=at_least_once)
        writer.put(
            Command(
                id=ID,
                node="gsm-001",
                service="modem",
                order=order,
                issued_ms=0,
                expires_ms=1 << 45,
                issuer="rina",
            )
        )
        writer.close()
        self.outbound.take_orders()

    def send_all(self) -> None:
        while self.outbound.send_next(self.port):
            pass

    def states(self) -> list[str]:
        return [str(body["state"]) for body in self.bodies()]

    def bodies(self) -> list[dict[str, Any]]:
        rows = self.journal.connection.execute(
            "SELECT body FROM record WHERE kind = 'sms.state' ORDER BY seq"
        )
        return [msgspec.json.decode(row["body"]) for row in rows]

    def sent(self) -> list[tuple[int, int, int]]:
        """Label, of how many, which: of every part that the network has accepted."""
        return [tuple(one["part"]) for one in self.control.sent()]

    def report(self, place: int, status: int = 0) -> None:
        """The network's word on the part that was sent as number `place`."""
        reference = int(self.control.sent()[place]["reference"])
        self.outbound.status(pdu.StatusReport(reference, SENDER, status))


@pytest.fixture
def node(tmp_path: Path, clock: FakeClock) -> Iterator[Node]:
    with simulated_modem(tmp_path) as modem:
        modem.control.fault(report="none")
        port = Port(str(modem.link), 115200, 2)
        until(lambda: _answers(port), 10)
        port.command("AT+CMGF=0")
        made = Node(tmp_path, clock, port, modem.control)
        yield made
        made.end()
        port.close()


def _answers(port: Port) -> bool:
    try:
        return port.command("ATE0", 0.2) is not None
    except NoAnswer:
        return False


def test_a_long_text_goes_part_by_part_and_is_delivered_when_all_are(node: Node) -> None:
    node.order()
    node.send_all()
    assert [(total, number) for _, total, number in node.sent()] == [(3, 1), (3, 2), (3, 3)]
    assert len({label for label, _, _ in node.sent()}) == 1
    for place in (2, 0):
        node.report(place)
    assert node.states() == ["QUEUED", "SENT"]
    node.report(1)
    assert node.states() == ["QUEUED", "SENT", "DELIVERED"]
    assert (node.bodies()[-1]["parts_total"], node.bodies()[-1]["parts_done"]) == (3, 3)


def test_one_part_that_the_network_gives_up_makes_the_text_failed(node: Node) -> None:
    node.order()
    node.send_all()
    node.report(0)
    node.report(1, status=0x46)
    assert node.states()[-1] == "FAILED"
    assert (node.bodies()[-1]["parts_done"], "0x46" in node.bodies()[-1]["detail"]) == (1, True)
    node.report(2)
    assert node.states() == ["QUEUED", "SENT", "FAILED"]


@pytest.mark.parametrize("parts_sent", [0, 1, 2, 3])
@pytest.mark.parametrize("at_least_once", [False, True])
def test_a_service_that_dies_between_parts_goes_on_with_the_next(
    node: Node, parts_sent: int, at_least_once: bool
) -> None:
    node.order(at_least_once=at_least_once)
    for _ in range(parts_sent):
        node.outbound.send_next(node.port)
    node.end()
    node.begin()
    node.send_all()
    assert [number for _, _, number in node.sent()] == [1, 2, 3]
    assert len({label for label, _, _ in node.sent()}) == 1, "or the phone would not join them"
    assert node.states() == ["QUEUED", "SENT"]


def test_of_a_courtesy_no_part_is_ever_handed_over_twice(node: Node) -> None:
    node.order()
    node.outbound.send_next(node.port)
    _lose_the_answer(node)
    node.send_all()
    node.clock.advance(3600)
    node.send_all()
    assert node.states() == ["QUEUED", "UNKNOWN"]
    assert "1 of 3 parts had left" in node.bodies()[-1]["detail"]
    numbers = [number for _, _, number in node.sent()]
    assert numbers == sorted(set(numbers))


def test_an_alert_in_doubt_goes_again_as_a_whole_and_says_so(node: Node) -> None:
    node.order(at_least_once=True)
    node.outbound.send_next(node.port)
    _lose_the_answer(node)
    node.send_all()
    before = len(node.sent())
    node.clock.advance(31)
    node.send_all()
    again = node.control.sent()[before:]
    assert [one["part"][2] for one in again] == [1, 2, 3]
    assert again[0]["text"].startswith("(ulang) ")
    assert again[0]["part"][0] != node.sent()[0][0], "another label: the phone must not mix the two"
    assert node.states() == ["QUEUED", "SENT"]
    for place in range(before, before + 3):
        node.report(place)
    assert node.states()[-1] == "DELIVERED"


def test_a_refused_part_of_a_courtesy_ends_it_and_says_how_far_it_came(node: Node) -> None:
    node.order()
    node.outbound.send_next(node.port)
    node.control.fault(send_code=38, send_count=1)
    node.send_all()
    assert node.states() == ["QUEUED", "FAILED"]
    assert [number for _, _, number in node.sent()] == [1]
    assert "1 of 3 parts had left" in node.bodies()[-1]["detail"]


def test_an_alert_that_is_refused_three_times_is_failed(node: Node) -> None:
    node.order(at_least_once=True, text="Siaga banjir")
    node.control.fault(send_code=38, send_count=9)
    for _ in range(5):
        node.send_all()
        node.clock.advance(31)
    assert node.states() == ["QUEUED", "FAILED"]
    assert node.control.order("state")["faults"]["send_count"] == 6, "three tries"


def test_a_text_that_nobody_reports_on_is_unknown_when_the_time_is_over(node: Node) -> None:
    node.order()
    node.send_all()
    node.report(0)
    node.clock.advance(24 * 3600 - 1)
    assert node.outbound.give_up_waiting() == 0
    node.end()
    node.begin()
    node.clock.advance(2)
    assert node.outbound.give_up_waiting() == 2
    assert node.states() == ["QUEUED", "SENT", "UNKNOWN"]
    assert node.outbound.give_up_waiting() == 0


def test_killed_while_parts_go_out_nothing_is_doubled(tmp_path: Path) -> None:
    with simulated_modem(tmp_path) as modem:
        modem.control.fault(report="none", delay_ms=60)
        service = Service(tmp_path, modem.link)
        service.start()
        until(lambda: "modem ready" in (tmp_path / "log").read_text(), 15)
        service.order(ID, LONG)
        until(lambda: modem.control.sent(), 15)
        service.kill()
        service.start()
        until(lambda: service.states(ID)[-1:] in (["SENT"], ["UNKNOWN"]), 20)
        service.kill()
        numbers = [one["part"][2] for one in modem.control.sent()]
        assert numbers == sorted(set(numbers))


def _lose_the_answer(node: Node) -> None:
    """The modem hangs in the middle of handing a part over."""
    node.control.fault(delay_ms=2900)
    with contextlib.suppress(NoAnswer):
        node.outbound.send_next(node.port)
    node.control.fault(delay_ms=0)
    until(lambda: _answers(node.port), 10)
