"""Calls of all kinds on a simulated modem: each is one report, its first word out before anything is sent."""

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from siaga_core.service.clock import Boot
from siaga_core.wire.report import Report
from siaga_edge.journal import Journal
from siaga_edge.modem import at, call, calls
from siaga_edge.modem.call import Deed, Event, Leg, Line, Named, Passed
from siaga_edge.modem.calls import Asked, Calls
from siaga_edge.modem.ledger import SCHEMA
from siaga_edge.modem.replay import Step, replay
from support.clock import FakeClock
from support.modem_exchange import Wire

REJECT = {"sim7600": ["ATH", "AT+CHUP"], "sim800": ["ATH"], "ec25": ["ATH"], "e173": ["AT+CHUP"]}
Stepped = tuple[Line, tuple[Deed, ...]]
KINDS = (
    "one ring",
    "rejected",
    "withheld",
    "late clip",
    "no clip",
    "ucs2",
    "waiting",
    "end unsaid",
    "slow",
)


class Desk:
    """One modem and what is noted of its calls; looks into the journal as a stranger would."""

    def __init__(self, folder: Path, clock: FakeClock, profile: str, seed: int) -> None:
        self.clock, self.rng, self.profile = clock, random.Random(seed), profile
        self.path = folder / "journal-modem.db"
        self.journal = Journal(self.path, clock, Boot(1, "b"), extra_schema=f"{SCHEMA};{calls.SCHEMA}")
        self.wire = Wire(clock, profile)
        self.owed: list[Leg] = []
        ids = (f"c{number}" for number in itertools.count(1))
        self.calls = Calls(
            self.journal, "modem", clock, lambda: next(ids), 15, lambda _, leg: self.owed.append(leg)
        )
        self.wire.listener = self._hear
        self.mute_end = False
        self.noted_after_s: list[float] = []
        for command in ("ATE0", "AT+CLIP=1", "AT+CCWA=1"):
            self.wire.command(command)

    def _hear(self, event: at.Event) -> bool:
        if self.mute_end and event.line.startswith(("NO CARRIER", "MISSED_CALL", "^CEND")):
            return True
        before = len(self.reports())
        taken = self.calls.hear(event.line)
        if taken and len(self.reports()) > before:
            self.noted_after_s.append(self.clock.mono_s() - self.wire.heard[-1][0])
        return taken

    def reports(self) -> dict[str, Report]:
        """The newest revision of every call."""
        rows = self.journal.connection.execute("SELECT body FROM record WHERE kind = 'report' ORDER BY seq")
        return {one.report_id: one for one in (msgspec.json.decode(row[0], type=Report) for row in rows)}

    def live(self, seconds: float) -> None:
        """The service's rounds."""
        end_s = self.clock.mono_s() + seconds
        while self.clock.mono_s() < end_s:
            self.wire.pass_time(0.25)
            self.calls.tend(self.wire, REJECT[self.profile])

    def until_quiet(self) -> None:
        """Until nobody calls any more, here and at the modem."""
        for _ in range(400):
            if not self.calls.busy and not self.wire.modem.machine.calls:
                return
            self.live(0.5)
        raise AssertionError("a call never ended")

    def happen(self, kind: str, number: str) -> int:
        """One scene; how many calls it has."""
        modem, faults = self.wire.modem, self.wire.modem.machine.faults
        self.mute_end = kind == "end unsaid"
        faults.late_clip_ms = 2500 if kind == "late clip" else 0
        faults.ucs2_clip = kind == "ucs2"
        faults.delay_ms = 150 if kind == "slow" else 0
        rings = 20 if kind == "rejected" else self.rng.randint(1, 3)
        self.wire.command(f"AT+CLIP={int(kind != 'no clip')}")
        modem.ring(number, self.wire.now, rings=rings, withheld=kind == "withheld")
        count = 1
        if kind == "waiting":
            self.live(1)
            count += modem.ring(f"+6599{self.rng.randrange(10**6):06d}", self.wire.now, rings=3) is not None
        if kind == "slow":
            self.wire.command("AT+CSQ")
        self.until_quiet()
        self.live(self.rng.choice((0.5, 3)))
        return count

    def close(self) -> None:
        self.journal.close()


@pytest.fixture(params=sorted(REJECT))
def desk(tmp_path: Path, clock: FakeClock, request: pytest.FixtureRequest) -> Iterator[Desk]:
    made = Desk(tmp_path, clock, request.param, seed=5)
    yield made
    made.close()


def check(desk: Desk, scenes: int) -> None:
    """Play them; every call is one report that ended, and nothing was picked up."""
    wanted = 0
    numbers: Counter[str] = Counter()
    for scene in range(scenes):
        kind, number = KINDS[scene % len(KINDS)], f"+62811{scene:07d}"
        wanted += desk.happen(kind, number)
        numbers[number] += kind != "withheld"
    reports = desk.reports()
    assert len(reports) == wanted
    assert {one.call.state for one in reports.values() if one.call} == {"missed"}
    told = Counter(one.reporter_e164 for one in reports.values())
    assert all(told[number] == count for number, count in numbers.items()), "the list names them too"
    assert len(desk.owed) == wanted, "each missed call is owed something once"
    assert max(desk.noted_after_s) <= 1
    assert not any(at.answers_a_call(command) for command in desk.wire.commands)
    assert all(one["answered"] is False for one in desk.wire.modem.machine.finished_calls)
    again = replay(desk.path)
    assert again.is_same, again.why
    assert (again.same, again.messages) == (wanted, 0)


def test_calls_of_all_kinds_are_one_report_each(desk: Desk) -> None:
    check(desk, len(KINDS))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_thousand_calls_are_a_thousand_reports(desk: Desk) -> None:
    check(desk, 1000)


class AsksFirst(Calls):
    """The mutant: says something to the modem before it writes the ring down."""

    kept: list[str]

    def hear(self, line: str) -> bool:
        self.kept.append(line)
        return True

    def tend(self, port: Asked, reject: list[str]) -> None:
        if self.kept:
            port.command("AT+CLCC")
        for line in self.kept:
            super().hear(line)
        self.kept.clear()
        super().tend(port, reject)


def noted_before_first_command(desk: Desk) -> int:
    """How many reports there are when the modem is first sent something after the first ring."""
    seen: list[int] = []
    send = desk.wire.command

    def command(text: str, limit_s: float = 5) -> list[str]:
        seen.append(len(desk.reports()))
        return send(text, limit_s)

    desk.wire.command = command  # type: ignore[method-assign]
    desk.wire.modem.ring("+62811", desk.wire.now, rings=9)
    desk.live(2)
    desk.until_quiet()
    return seen[0]


def test_the_first_ring_is_durable_before_anything_is_said_to_the_modem(desk: Desk) -> None:
    assert noted_before_first_command(desk) == 1


def test_the_same_look_catches_one_that_asks_first(desk: Desk) -> None:
    desk.calls.__class__ = AsksFirst
    desk.calls.kept = []  # type: ignore[attr-defined]
    assert noted_before_first_command(desk) == 0


def test_a_call_survives_the_service_that_heard_it(tmp_path: Path, clock: FakeClock) -> None:
    first = Desk(tmp_path, clock, "sim800", seed=1)
    first.wire.modem.ring("+62811", first.wire.now, rings=9, every_s=3)
    first.live(1)
    first.journal.close()
    again = Journal(first.path, clock, Boot(1, "b"), extra_schema=f"{SCHEMA};{calls.SCHEMA}")
    resumed = Calls(again, "modem", clock, lambda: "new", 15, lambda _, leg: first.owed.append(leg))
    first.journal, first.calls = again, resumed
    first.until_quiet()
    assert {key: one.call.state for key, one in first.reports().items() if one.call} == {"c1": "missed"}
    assert replay(first.path).is_same
    first.close()


def impatient(line: Line, event: Event, now_s: float, _after_s: float, new_id: Callable[[], str]) -> Stepped:
    """A mutant: gives a call up that it has not heard of for a second."""
    if isinstance(event, Passed):
        legs = tuple(replace(leg, heard_mono_s=leg.heard_mono_s - call.UNHEARD_S + 1) for leg in line.legs)
        line = replace(line, legs=legs)
    return call.step(line, event, now_s, _after_s, new_id)


def deaf(line: Line, event: Event, now_s: float, after_s: float, new_id: Callable[[], str]) -> Stepped:
    """A mutant: takes no number from a +CLIP."""
    return call.step(line, Passed() if isinstance(event, Named) else event, now_s, after_s, new_id)


def doubting(line: Line, event: Event, now_s: float, after_s: float, new_id: Callable[[], str]) -> Stepped:
    """A mutant: a call that one list lacks is over."""
    legs = tuple(replace(leg, absent=call.ABSENT_MOST) for leg in line.legs)
    return call.step(replace(line, legs=legs), event, now_s, after_s, new_id)


@pytest.mark.parametrize(
    ("step", "said"),
    [(impatient, "comes out and was not there"), (deaf, "does not come out again"), (doubting, "revision")],
)
def test_a_call_that_would_be_decided_otherwise_now_is_found_by_the_replay(
    desk: Desk, step: Step, said: str
) -> None:
    for scene, kind in enumerate(("one ring", "rejected", "late clip", "end unsaid")):
        desk.happen(kind, f"+62811{scene:07d}")
    found = replay(desk.path, step=step)
    assert not found.is_same
    assert any(said in why for why in found.why), found.why


def test_a_call_that_was_held_for_a_trial_and_is_a_citizens_is_run_again_from_there(desk: Desk) -> None:
    desk.happen("one ring", "+628110000001")
    desk.calls.expect("+628999999999", desk.clock.mono_s() + 20)
    desk.calls.hear("RING")
    desk.calls.hear('+CLIP: "+628110000002",145,"",0,"",0')
    desk.calls.expect_nobody()
    desk.until_quiet()
    assert {one.reporter for one in desk.reports().values()} == {"+628110000001", "+628110000002"}
    again = replay(desk.path)
    assert again.is_same, again.why


def test_a_ring_costs_one_commit_with_all_that_it_was_made_of(desk: Desk) -> None:
    commits: list[str] = []
    desk.journal.connection.set_trace_callback(commits.append)
    desk.calls.hear("RING")
    assert commits.count("COMMIT") == 1
    for _ in range(3):
        desk.clock.advance(3)
        desk.calls.hear("RING")
        desk.calls.tend(desk.wire, REJECT[desk.profile])
    assert commits.count("COMMIT") == 1, "what makes no record waits for the next that does"
    desk.journal.connection.set_trace_callback(None)
    kinds = [row[0] for row in desk.journal.connection.execute("SELECT kind FROM call_log ORDER BY id")]
    assert kinds[:2] == ["begun", "said"]
    assert replay(desk.path).is_same
