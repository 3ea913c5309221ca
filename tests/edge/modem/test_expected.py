"""The other modem's announced call is no report; a citizen's that comes in its stead is never lost."""

import itertools
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from siaga_edge.journal import Journal
from siaga_edge.modem import expected, trial
from siaga_edge.modem.appointment import Appointment, Place
from siaga_edge.modem.call import Doubted, Event, Leg, Listed, Named, Rang, Waits
from siaga_edge.modem.calls import SCHEMA, Calls
from siaga_edge.modem.expected import Expected
from siaga_edge.modem.profile import load_all
from siaga_edge.modem.trial import Trial
from support.clock import FakeClock

OTHER, CITIZEN = "+6285222222222", "+6281234567890"
SIGNS: list[Event] = [Rang(), Named(CITIZEN), Named(None), Waits(CITIZEN), Doubted()]


class Modem:
    """What is asked of the port: the list of calls."""

    def __init__(self) -> None:
        self.listed: list[str] = []

    def command(self, text: str) -> list[str]:
        return self.listed if text == "AT+CLCC" else []


@pytest.fixture
def calls(journal: Journal, clock: FakeClock) -> Calls:
    journal.connection.executescript(SCHEMA)
    return made(journal, clock)


def made(journal: Journal, clock: FakeClock) -> Calls:
    count = itertools.count()
    return Calls(journal, "modem", clock, lambda: f"r{next(count)}", 15, lambda _connection, _leg: None)


def records(journal: Journal) -> list[str]:
    return [row["body"] for row in journal.connection.execute("SELECT body FROM record ORDER BY seq")]


def test_the_announced_call_leaves_no_record_and_no_open_call(
    calls: Calls, journal: Journal, clock: FakeClock
) -> None:
    calls.expect(OTHER, clock.mono_s() + 30)
    for line in ("RING", f'+CLIP: "{OTHER}",145', "RING", f'+CLIP: "{OTHER}",145', "VOICE CALL: END: 000004"):
        assert calls.hear(line)
        calls.tend(Modem(), ["AT+CHUP"])
    assert calls.trial_rings
    assert records(journal) == []
    assert journal.connection.execute("SELECT count(*) FROM open_call").fetchone()[0] == 0
    calls.expect_nobody()
    calls.hear("RING")
    assert len(records(journal)) == 1


@pytest.mark.parametrize("then", [f'+CLIP: "{CITIZEN}",145', '+CLIP: "",128', "MISSED_CALL: 11:01AM", ""])
def test_whoever_else_rings_is_noted_whatever_the_modem_says_of_him(
    calls: Calls, journal: Journal, clock: FakeClock, then: str
) -> None:
    calls.expect(OTHER, clock.mono_s() + 30)
    calls.hear("RING")
    assert records(journal) == [], "held until it is known who rings"
    if then:
        calls.hear(then)
    else:
        clock.advance(expected.HOLD_S)
        calls.tend(Modem(), ["AT+CHUP"])
    assert '"state":"ringing"' in records(journal)[0]
    assert calls.busy
    assert not calls.trial_rings


def test_a_ring_that_is_held_when_the_service_dies_is_a_citizens(
    calls: Calls, journal: Journal, clock: FakeClock
) -> None:
    calls.expect(OTHER, clock.mono_s() + 30)
    calls.hear("RING")
    again = made(journal, clock)
    assert again.busy
    again.tend(Modem(), ["AT+CHUP"])
    clock.advance(2)
    again.tend(Modem(), ["AT+CHUP"])
    assert '"state":"missed"' in records(journal)[-1]


def test_a_citizen_who_waits_beside_the_trial_call_is_noted_and_it_is_not(
    calls: Calls, journal: Journal, clock: FakeClock
) -> None:
    calls.expect(OTHER, clock.mono_s() + 30)
    modem = Modem()
    for line in ("RING", f'+CLIP: "{OTHER}",145', f'+CCWA: "{CITIZEN}",145,1'):
        calls.hear(line)
    modem.listed = [f'+CLCC: 1,1,0,0,0,"{OTHER}",145', f'+CLCC: 2,1,5,0,0,"{CITIZEN}",145']
    for _ in range(3):
        clock.advance(1.1)
        calls.tend(modem, ["AT+CHUP"])
    assert len(records(journal)) == 1
    assert CITIZEN in records(journal)[0]


def test_after_its_time_the_same_number_is_a_call_like_any_other(
    calls: Calls, journal: Journal, clock: FakeClock
) -> None:
    calls.expect(OTHER, clock.mono_s() + 30)
    clock.advance(31)
    calls.hear("RING")
    assert len(records(journal)) == 1


def test_after_a_trial_call_that_nobody_ended_whoever_rings_is_noted(
    calls: Calls, journal: Journal, clock: FakeClock
) -> None:
    calls.expect(OTHER, clock.mono_s() + 30)
    for line in ("RING", f'+CLIP: "{OTHER}",145'):
        calls.hear(line)
    clock.advance(30 + expected.TRIAL_S)
    calls.hear("RING")
    assert len(records(journal)) == 1
    assert expected.TRIAL_S > trial.LISTEN_S + trial.LISTEN_S + trial.WORD_S + 2 * trial.END_S


@pytest.mark.parametrize("lost", [Trial.drop, Trial.begin])
def test_a_trial_call_whose_port_is_lost_is_expected_no_more(
    calls: Calls, journal: Journal, clock: FakeClock, tmp_path: Path, lost: Callable[[Trial], None]
) -> None:
    made = Trial(Place(tmp_path, "modemb", "modem"), "none", OTHER, clock, dials=False)
    there = Place(tmp_path, "modem", "modemb")
    made.begin()
    profile = load_all()["sim7600"]

    def tend() -> None:
        made.tend(None, calls, profile, lambda: None, is_free=True, wants=False)  # type: ignore[arg-type]

    tend()
    stand, until_s = there.peer(clock.mono_s()), clock.mono_s() + 12
    assert stand is not None
    there.arrange(Appointment(id="t", dialler="d", dialled=stand.session, until_mono_s=until_s))
    tend()
    for line in ("RING", f'+CLIP: "{OTHER}",145'):
        calls.hear(line)
    assert calls.trial_rings
    lost(made)
    calls.hear("RING")
    assert len(records(journal)) == 1


def test_a_ring_that_is_held_when_the_modem_goes_away_is_a_citizens(
    calls: Calls, journal: Journal, clock: FakeClock
) -> None:
    calls.expect(OTHER, clock.mono_s() + 30)
    calls.hear("RING")
    calls.wait()
    assert records(journal) == []
    clock.advance(expected.HOLD_S)
    calls.wait()
    assert '"state":"ringing"' in records(journal)[0]


def lost(hear: object, seed: int) -> bool:
    """Whether a citizen's ring among random signs ends held, forgotten or taken for the trial call."""
    draw = random.Random(seed)
    state, now_s, owed = Expected(OTHER, 30), 0.0, False
    for _ in range(draw.randint(1, 6)):
        event = draw.choice(SIGNS)
        state, verdict = hear(state, event, now_s, lambda: "r", busy=False)  # type: ignore[operator]
        owed = owed or isinstance(event, (Rang, Named, Waits))
        if verdict == "release" or (verdict == "other" and not isinstance(event, Doubted)):
            return False
    return owed and state.held is None


def test_no_order_of_a_citizens_signs_loses_him() -> None:
    assert not any(lost(expected.hear, seed) for seed in range(2000))


def test_the_same_look_finds_a_hold_that_forgets() -> None:
    def forgets(state: Expected, event: Event, *rest: object, busy: bool) -> tuple[Expected, str]:
        after, verdict = expected.hear(state, event, *rest, busy=busy)  # type: ignore[arg-type]
        return (Expected(OTHER, 30), "ours") if verdict == "release" else (after, verdict)

    assert any(lost(forgets, seed) for seed in range(2000))


def test_a_list_is_read_without_the_trial_call() -> None:
    listed = (Listed(OTHER, "active"), Listed(CITIZEN, "waiting"), Listed(None, "waiting"))
    assert expected.citizens(Expected(OTHER, 1, Leg("r", 0, 0)), listed) == listed[1:]
