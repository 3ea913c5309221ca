"""Seeded walks through the life of an incident, by the table and in the store."""

import json
import random
from dataclasses import dataclass

import pytest

from siaga_central.domain import incident as life
from siaga_central.store import events, incidents
from siaga_central.store.writer import Store

MOVES = ("verify", "handle", "dismiss", "cancel", "finish", "close", "reopen", "hapus", "")
ACTORS = ("rina", "budi", "node:gsm-001")
START_US = 1_795_000_000_000_000
Table = dict[str, dict[str, str]]

SLIPS: dict[str, tuple[str, str, str]] = {
    # state, move and where it leads in a table that somebody has spoilt
    "a closed one is handled again": ("closed", "handle", "handled"),
    "a cancelled one is verified": ("cancelled", "verify", "verified"),
    "an unfounded one is taken up by finishing": ("unfounded", "finish", "done"),
}


def silent_reopenings(table: Table) -> list[tuple[str, str, str]]:
    """Every step of 20 000 that leaves a final state by anything but a reopening."""
    rng, state, found = random.Random(112), "new", []
    for _ in range(20_000):
        move = rng.choice(MOVES)
        following = table[state].get(move)
        if following is None:
            continue
        if not life.is_open(state) and move != "reopen":
            found.append((state, move, following))
        state = following
    return found


def test_nothing_that_is_closed_opens_again_but_by_reopening() -> None:
    assert silent_reopenings(life.TRANSITIONS) == []


@pytest.mark.parametrize("slip", SLIPS)
def test_the_same_walk_catches_a_spoilt_table(slip: str) -> None:
    state, move, following = SLIPS[slip]
    spoilt = {name: dict(known) for name, known in life.TRANSITIONS.items()}
    spoilt[state][move] = following
    assert (state, move, following) in silent_reopenings(spoilt)


def test_every_state_can_be_reached_and_left_and_every_move_leads_to_a_state() -> None:
    reached, todo = {"new"}, ["new"]
    while todo:
        for following in life.TRANSITIONS[todo.pop()].values():
            if following not in reached:
                reached.add(following)
                todo.append(following)
    assert reached == set(life.TRANSITIONS)
    assert all(life.moves(state) for state in reached)
    assert reached >= life.FINAL


def test_a_state_nobody_knows_cannot_be_moved() -> None:
    with pytest.raises(life.IllegalMove):
        life.after("deleted", "reopen", "because")


@dataclass(frozen=True)
class Step:
    """One move that was asked for and what became of it; `state` is None when it was refused."""

    move: str
    actor: str
    at_us: int
    reason: str
    state: str | None


@pytest.fixture(params=range(3))
def walk(request: pytest.FixtureRequest, store: Store) -> list[Step]:
    """120 moves asked of one incident, most of them nonsense."""
    rng = random.Random(request.param)
    opening = incidents.Opening("KBR", "P1", "sms", "api")
    store.write(lambda c: incidents.open_new(c, "i", opening, "hub", START_US))
    return [step(store, rng, number) for number in range(1, 121)]


def step(store: Store, rng: random.Random, number: int) -> Step:
    """Ask for a move as anybody might, with a reason or without."""
    move, actor, at_us = rng.choice(MOVES), rng.choice(ACTORS), START_US + number
    reason = rng.choice(("", "  ", "salah alamat"))
    try:
        state = store.write(lambda c: incidents.move(c, "i", move, actor, at_us, reason))
    except life.IllegalMove:
        return Step(move, actor, at_us, reason, None)
    return Step(move, actor, at_us, reason, state)


def test_every_move_is_written_with_its_actor_time_and_reason_and_no_refused_one_is(
    store: Store, walk: list[Step]
) -> None:
    with store.read() as connection:
        rows = [row for row in events.of(connection, "i") if row.kind == "incident.moved"]
    written = [(row.actor, row.at_us, json.loads(row.body)) for row in rows]
    done = [one for one in walk if one.state is not None]
    assert len(done) > 3, "the walk went somewhere"
    assert [
        (actor, at_us, body["command"], body["to"], body["reason"]) for actor, at_us, body in written
    ] == [(one.actor, one.at_us, one.move, one.state, one.reason) for one in done]
    states = ["new", *(body["to"] for _, _, body in written)]
    assert [body["from"] for _, _, body in written] == states[:-1], "no state is skipped"
    for _, _, body in written:
        if body["command"] in life.NEED_REASON:
            assert body["reason"].strip()


def test_after_any_walk_the_incident_is_what_its_events_say(store: Store, walk: list[Step]) -> None:
    last = [one for one in walk if one.state is not None][-1]
    with store.read() as connection:
        row = incidents.find(connection, "i")
        alerts = dict(incidents.open_alerts(connection))
    assert row.state == last.state
    assert (row.closed_us is None) == life.is_open(row.state) == ("i" in alerts)
    if row.closed_us is not None:
        assert row.closed_us == last.at_us


@pytest.mark.sop("R34")
def test_an_incident_follows_its_teams_by_the_table_and_is_never_closed_by_them() -> None:
    for state in life.TRANSITIONS:
        for deed in ("accepted", "underway", "done"):
            for others in ((), ("told",), ("accepted",), ("underway", "done"), ("done",)):
                now = state
                for move in life.by_field(state, deed, others):
                    now = life.after(now, move, "Regu A")
                assert (now in life.FINAL) == (state in life.FINAL)
                if state in life.FINAL:
                    assert now == state
                elif deed != "done" or {"accepted", "underway"} & set(others):
                    # Some team is at work; what was done stays done where one more only says so.
                    assert now == ("done" if state == "done" and deed == "done" else "handled")
                else:
                    assert now == "done"
