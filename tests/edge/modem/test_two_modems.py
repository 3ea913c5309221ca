"""Alerts that one modem does not get out: the node's other one tries, once, and the hub hears both."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from bench.virtual_modem import VirtualPort, World

from siaga_core.service.clock import Boot
from siaga_core.wire.command import Command, SendSms, Service
from siaga_edge.inbox import Inbox, InboxWriter
from siaga_edge.inbox.reader import EXTRA_SCHEMA
from siaga_edge.journal import Journal
from siaga_edge.modem.ledger import SCHEMA, Outgoing, SentPart
from siaga_edge.modem.outbound import TRIES_MOST, Last, Other, Outbound
from siaga_edge.modem.port import NoAnswer
from siaga_edge.modem.relay import withdraw
from siaga_edge.simulate.modem.dialogue import Dialogue
from siaga_edge.simulate.modem.machine import Now
from siaga_edge.simulate.modem.profile import PROFILES

ID = "01KA6P3ZQ4N8S5T6V7W8X9Y0Z1"
NAMES = ("modem", "modemb")
PASSES = 2 * TRIES_MOST


class Killed(BaseException):
    """The service is dead."""


class Mortal(Journal):
    """Dies before or after one of its commits, counted over both modems."""

    left: list[int]

    @contextmanager
    def _numbering(self) -> Iterator[None]:
        self._step()
        with super()._numbering():
            yield
        self._step()

    def _step(self) -> None:
        self.left[0] -= 1
        if self.left[0] == 0:
            raise Killed


@dataclass
class Half:
    """One modem of the node, simulated, and the sending side of its service."""

    folder: Path
    name: str
    kind: type[Outbound] = Outbound
    left: list[int] = field(default_factory=lambda: [0])

    def __post_init__(self) -> None:
        self.dialogue = Dialogue(PROFILES["sim7600"], Now(0.0, 0.0))
        self.world = World(self.dialogue)
        self.begin()

    def begin(self) -> None:
        """As the service does when it starts."""
        other = next(name for name in NAMES if name != self.name)
        boot, schema = Boot(1, "b"), f"{EXTRA_SCHEMA};{SCHEMA}"
        self.journal = Mortal(self.folder / f"{self.name}.db", self.world, boot, extra_schema=schema)
        self.journal.left = self.left
        self.inbox = Inbox(self.folder / "inbox.db", self.name, self.journal)
        relay = Other(self.folder / f"relay-{other}", lambda: None)
        self.outbound = self.kind(self.journal, self.inbox, self.world, other=relay)
        self.port = VirtualPort(self.world, 4, ())
        self.port.command("AT+CMGF=0")
        self.outbound.recover()

    def end(self) -> None:
        self.port.close()
        self.inbox.close()
        self.journal.close()

    def order(self, at_least_once: bool = True) -> None:
        """The hub asks this modem."""
        order = SendSms(to="+6281234567890", text="Siaga banjir", at_least_once=at_least_once)
        service: Service = "modem" if self.name == "modem" else "modemb"
        command = Command(
            id=ID, node="n", service=service, order=order, issued_ms=0, expires_ms=1 << 45, issuer="rina"
        )
        with closing(InboxWriter(self.folder / "inbox.db")) as writer:
            writer.put(command)

    def round(self) -> None:
        """What the service does again and again, and half a minute."""
        self.outbound.take_orders()
        self.outbound.take_over(self.folder / f"relay-{self.name}")
        self.outbound.take_back()
        with suppress(NoAnswer):
            while self.outbound.send_next(self.port):
                pass
        self.world.run_until(self.world.now_s + 31)

    @property
    def texts(self) -> list[str]:
        """What the network has taken from this modem."""
        return [one.submit.text for one in self.dialogue.machine.sent]

    def told(self) -> list[tuple[str, str]]:
        """What the hub hears of the text: states and details."""
        query = "SELECT body FROM record WHERE kind = 'sms.state' ORDER BY seq"
        bodies = [json.loads(row[0]) for row in self.journal.connection.execute(query)]
        return [(body["state"], body["detail"]) for body in bodies if body["message_id"] == ID]

    def outcomes(self) -> list[str]:
        """What the hub hears of its order."""
        query = "SELECT json_extract(body, '$.state') FROM record WHERE kind = 'command' ORDER BY seq"
        return [str(row[0]) for row in self.journal.connection.execute(query)]

    def refuse(self, count: int) -> None:
        """The network takes no text."""
        self.dialogue.machine.faults.send_code, self.dialogue.machine.faults.send_count = 38, count


Pair = tuple[Half, Half]


@pytest.fixture(params=[(0, 1), (1, 0)], ids=["modem to modemb", "modemb to modem"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[type[Outbound]], Pair]]:
    made: list[Half] = []

    def both(kind: type[Outbound] = Outbound) -> Pair:
        left = [0]
        made.extend(Half(tmp_path, NAMES[place], kind, left) for place in request.param)
        return made[0], made[1]

    yield both
    for one in made:
        one.end()


def test_what_one_modem_is_refused_three_times_goes_by_the_other_marked(
    make: Callable[..., Pair],
) -> None:
    first, second = make()
    first.refuse(99)
    first.order()
    for _ in range(4):
        first.round()
        second.round()
    assert (first.texts, second.texts) == ([], ["(ulang) Siaga banjir"])
    assert [state for state, _ in first.told()] == ["QUEUED", "QUEUED"]
    assert first.told()[-1][1].startswith("left to the other modem: modem refused AT+CMGS: 38")
    assert [state for state, _ in second.told()] == ["SENT"]
    assert first.outcomes() == ["started", "done"]


def test_of_what_nobody_knows_the_other_modem_sends_one_more(make: Callable[..., Pair]) -> None:
    first, second = make()
    first.dialogue.machine.faults.send_ms, first.dialogue.machine.faults.send_aborts = 120_000, True
    first.order()
    for _ in range(6):
        first.round()
        second.round()
    assert second.texts == ["(ulang) Siaga banjir"]
    assert [state for state, _ in first.told() + second.told()] == ["QUEUED", "QUEUED", "SENT"]


class GivesBack(Outbound):
    """The mutant: does not look how many modems have had a text."""

    def _gave_up(self, text: Outgoing, part: SentPart | None, state: Last, why: str) -> None:
        if text.tries + 1 >= TRIES_MOST and self._other is not None:
            self._leave(text, why, part, state)
        else:
            super()._gave_up(text, part, state, why)


@pytest.mark.parametrize(("kind", "ends"), [(Outbound, True), (GivesBack, False)])
def test_a_text_that_both_modems_fail_to_send_has_failed_and_does_not_go_round(
    make: Callable[..., Pair], kind: type[Outbound], ends: bool
) -> None:
    first, second = make(kind)
    for one in (first, second):
        one.refuse(99)
    first.order()
    for _ in range(9):
        first.round()
        second.round()
    assert (second.told()[-1:] == [("FAILED", "modem refused AT+CMGS: 38")]) == ends
    tried = sum(99 - one.dialogue.machine.faults.send_count for one in (first, second))
    assert tried == PASSES or not ends
    assert not list(first.folder.glob("relay-*/*")) or not ends


@pytest.mark.parametrize("at_least_once", [True, False])
def test_an_other_modem_that_takes_nothing_is_not_waited_for(
    make: Callable[..., Pair], at_least_once: bool
) -> None:
    first, second = make()
    first.refuse(99)
    first.order(at_least_once)
    for _ in range(9):
        first.round()
    assert first.told()[-1][0] == "FAILED"
    assert first.outcomes() == ["started", "failed"]
    second.round()
    assert second.texts == [], "it was taken back"
    tried = 99 - first.dialogue.machine.faults.send_count
    assert tried == (TRIES_MOST if at_least_once else 1), "a courtesy is tried once and stays here"


def test_an_alert_in_the_middle_of_its_tries_moves_when_the_modem_does_not_come_back(
    make: Callable[..., Pair],
) -> None:
    first, second = make()
    first.refuse(99)
    first.order()
    first.round()
    assert first.outbound.hand_over() == 1
    second.round()
    assert second.texts == ["(ulang) Siaga banjir"]
    first.refuse(0)
    for _ in range(6):
        first.round()
    assert first.texts == []
    assert first.outcomes()[-1] == "done"


def test_an_alert_that_nobody_has_tried_moves_without_the_mark_and_back_if_it_is_not_taken(
    make: Callable[..., Pair],
) -> None:
    first, second = make()
    first.order()
    first.outbound.take_orders()
    assert first.outbound.hand_over() == 1
    for _ in range(6):
        first.round()
    assert first.texts == ["Siaga banjir"], "the other modem did not take it, and this one works again"
    second.round()
    assert second.texts == []


def test_what_cannot_be_taken_back_stays_the_others_until_it_can(
    make: Callable[..., Pair], caplog: pytest.LogCaptureFixture
) -> None:
    first, second = make()
    first.order()
    first.outbound.take_orders()
    assert first.outbound.hand_over() == 1
    folder = first.folder / f"relay-{second.name}"
    in_the_way = folder / f"{ID}.withdrawn"
    in_the_way.mkdir()
    for _ in range(8):
        first.round()
    assert first.texts == [], "the other modem may still send it"
    assert caplog.text.count("cannot be removed") == 1
    in_the_way.rmdir()
    first.round()
    second.round()
    assert (first.texts, second.texts) == (["Siaga banjir"], [])
    assert not list(folder.iterdir())


def test_who_dies_while_taking_a_text_back_goes_on_with_it(make: Callable[..., Pair]) -> None:
    first, second = make()
    first.order()
    first.outbound.take_orders()
    assert first.outbound.hand_over() == 1
    withdraw(first.folder / f"relay-{second.name}", ID)
    second.round()
    for _ in range(6):
        first.round()
    assert (first.texts, second.texts) == (["Siaga banjir"], [])


class LetsGoFirst(Outbound):
    """The mutant: lets go of an alert before the other modem has it."""

    def _leave(self, text: Outgoing, why: str, part: SentPart | None = None, state: Last = "UNKNOWN") -> None:
        self._journal.append_all([], partial(self._let_go, text.id))
        super()._leave(text, why, part, state)


def _survives(first: Half, second: Half, dies_at: int) -> bool:
    """Whether the alert leaves though the node dies at this commit, before it or after it."""
    first.refuse(TRIES_MOST)
    first.order()
    first.left[0] = dies_at
    for _ in range(8):
        for one in (first, second):
            try:
                one.round()
            except Killed:
                for half in (first, second):
                    half.end()
                    half.begin()
    _assert_marked([*first.texts, *second.texts])
    return bool(first.texts or second.texts)


def _assert_marked(texts: Sequence[str]) -> None:
    assert all(text == "(ulang) Siaga banjir" for text in texts[1:]), "who gets it again is told so"
    assert len(texts) <= 2, "one repeat for one death"


# The third refusal is committed at 20, the other modem takes it over at 22, the network at 28.
@pytest.mark.parametrize(
    ("kind", "order", "deaths", "survives"),
    [
        (Outbound, NAMES, range(17, 31), True),
        (LetsGoFirst, NAMES, range(19, 23), False),
        pytest.param(Outbound, NAMES, range(1, 45), True, marks=pytest.mark.slow),
        pytest.param(Outbound, NAMES[::-1], range(1, 45), True, marks=pytest.mark.slow),
    ],
)
def test_an_alert_survives_a_death_at_each_step_of_its_way_over(
    tmp_path: Path, kind: type[Outbound], order: tuple[str, str], deaths: range, survives: bool
) -> None:
    found = []
    for dies_at in deaths:
        folder = tmp_path / str(dies_at)
        folder.mkdir()
        left = [0]
        first, second = (Half(folder, name, kind, left) for name in order)
        found.append(_survives(first, second, dies_at))
        for one in (first, second):
            one.end()
    assert all(found) == survives


def test_a_journal_of_before_learns_that_texts_move(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "modem.db")) as old:
        for statement in SCHEMA.split(";"):
            if "passed_on" not in statement:
                old.execute(statement)
        old.execute("INSERT INTO outgoing VALUES ('1', '+62811', 'x', 1, 'queued', 0, 0, 0)")
        old.commit()
    half = Half(tmp_path, "modem")
    half.round()
    assert half.texts == ["x"]
    half.end()
