"""A node with two modems: who writes to both SIMs raises one alarm, and another emergency always its own."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from siaga_edge.modem import same_matter
from siaga_edge.modem.neighbour import Neighbour
from siaga_edge.modem.same_matter import TheirAlarm, decide, is_same
from siaga_edge.modem.status import ModemStatus, write_status
from support.front_desk import FIRST, OTHER, ROSTER, FrontDesk, two_desks

FIRE, FIRE_AT = "Tolong ada kebakaran besar", "Kebakaran besar di Nagoya depan Hotel Harmoni"
Desks = tuple[FrontDesk, FrontDesk]


def two(folder: Path, kind: Callable[..., Neighbour] = Neighbour) -> Desks:
    desks = two_desks(folder, kind)
    desks[0].roster(ROSTER)
    for one in desks:
        one.hub_takes_all = False
        one.pass_time(0.5)
    return desks


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[Desks]:
    made = two(tmp_path)
    yield made
    for one in made:
        one.end()


def pass_time(desks: Desks, seconds: float, running: tuple[bool, bool] = (True, True)) -> None:
    """Let time pass; those that run say so, and send what they have queued."""
    for _ in range(max(1, round(seconds / 0.5))):
        desks[0].clock.advance(0.5)
        for one, runs in zip(desks, running, strict=True):
            if runs:
                status = ModemStatus(at_wall_ns=one.clock.wall_ns(), ready=True)
                write_status(one.folder / "run", one.service, status)
                one.desk.tick()
                one.journal.append_all([], _send)


def _send(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE outgoing SET state = 'sent' WHERE state = 'queued'")


def alarms(desks: Desks) -> list[str]:
    return [text for one in desks for text in one.queued(FIRST.number)]


def codes(node: FrontDesk) -> list[str]:
    return [body["code"] for body in node.bodies("duty") if body["deed"] == "sounded"]


@pytest.mark.parametrize("texts", [(FIRE_AT, FIRE_AT), (FIRE_AT, FIRE), (FIRE, "tolong cepat pak")])
def test_who_writes_to_both_modems_raises_one_alarm(desks: Desks, texts: tuple[str, str]) -> None:
    for one, text in zip(desks, texts, strict=True):
        one.text(text)
        pass_time(desks, 3)
    pass_time(desks, 50)
    assert [len(codes(one)) for one in desks] == [1, 0]
    assert len(alarms(desks)) == 1
    (code,) = codes(desks[0])
    for answer in ("TERIMA", "SELESAI"):
        desks[0].text(f"{answer} {code}", FIRST.number)
        pass_time(desks, 60)
    desks[1].restart()
    desks[0].clock.advance(2000)
    pass_time(desks, 60)
    assert [len(codes(one)) for one in desks] == [1, 0]


def test_two_that_look_at_the_same_moment_raise_one(desks: Desks) -> None:
    for one in desks:
        one.text(FIRE_AT)
    pass_time(desks, 40)
    assert len(alarms(desks)) == 1


class Strange(Neighbour):
    """A mutant: each modem looks at its own journal alone."""

    def alarms(self, _now: Any) -> dict[str, TheirAlarm]:
        return {}


def test_the_check_above_finds_modems_that_do_not_look_at_each_other(tmp_path: Path) -> None:
    desks = two(tmp_path, Strange)
    for one in desks:
        one.text(FIRE_AT)
    pass_time(desks, 40)
    assert len(alarms(desks)) == 2
    for one in desks:
        one.end()


@pytest.mark.parametrize(
    "second",
    [
        "Ada kecelakaan, korban luka parah",
        "Kebakaran besar di Batu Aji dekat pasar",
    ],
)
def test_another_emergency_of_the_same_number_has_an_alarm_that_names_the_first(
    desks: Desks, second: str
) -> None:
    desks[0].text(FIRE_AT)
    pass_time(desks, 25)
    desks[1].text(second)
    pass_time(desks, 25)
    first, also = alarms(desks)
    assert f"(juga {codes(desks[0])[0]})" in also
    assert second[:20] in also
    assert "juga" not in first


def test_anothers_alarm_is_not_held_up(desks: Desks) -> None:
    desks[0].text(FIRE_AT)
    desks[1].text(FIRE_AT, OTHER)
    pass_time(desks, 25)
    assert [len(codes(one)) for one in desks] == [1, 1]
    assert "juga" not in "".join(alarms(desks))


def test_when_the_other_service_stops_before_anybody_answered_this_one_calls(desks: Desks) -> None:
    for one in desks:
        one.text(FIRE_AT)
    pass_time(desks, 40)
    assert codes(desks[1]) == []
    pass_time(desks, 40, running=(False, True))
    assert f"(juga {codes(desks[0])[0]})" in desks[1].queued(FIRST.number)[0]


class Trusting(Neighbour):
    """A mutant: that the other once raised an alarm is enough."""

    def alarms(self, now: Any) -> dict[str, TheirAlarm]:
        return {
            party: TheirAlarm(one.code, "accepted", one.age_s, one.text, True, True)
            for party, one in super().alarms(now).items()
        }


def test_the_check_above_finds_one_that_leaves_it_to_a_dead_service(tmp_path: Path) -> None:
    desks = two(tmp_path, Trusting)
    for one in desks:
        one.text(FIRE_AT)
    pass_time(desks, 40)
    pass_time(desks, 120, running=(False, True))
    assert codes(desks[1]) == []
    for one in desks:
        one.end()


def test_one_that_hangs_in_its_turn_keeps_nobody_from_being_called(desks: Desks) -> None:
    desks[1].text(FIRE_AT)
    with Neighbour(Path("x"), desks[0].folder / "run" / "replies").turn():
        pass_time(desks, 22)
        assert codes(desks[1]) == []
        pass_time(desks, 5)
        assert len(codes(desks[1])) == 1


def theirs(**changed: object) -> TheirAlarm:
    given = {
        "code": "4F7K",
        "state": "sounding",
        "age_s": 10.0,
        "text": FIRE_AT,
        "reached": True,
        "tended": True,
    }
    return TheirAlarm(**(given | changed))  # type: ignore[arg-type]


def test_the_other_is_relied_on_only_while_it_calls_or_somebody_has_it() -> None:
    assert decide(FIRE_AT, 20, 0, None) == "own"
    assert decide(FIRE_AT, 20, 0, theirs()) == "wait"
    assert decide(FIRE_AT, 20, 0, theirs(reached=False)) == "wait"
    assert decide(FIRE_AT, 60, same_matter.REACH_WITHIN_S, theirs(reached=False)) == "also"
    assert decide(FIRE_AT, 20, 0, theirs(tended=False)) == "also"
    for state in ("accepted", "underway", "done", "over"):
        assert decide(FIRE_AT, 20, 0, theirs(state=state, tended=False)) == "none"
        assert decide("Ada perampokan di Batu Aji", 20, 0, theirs(state=state)) == "also"
    assert decide(FIRE_AT, 20, 0, theirs(age_s=2000.0)) == "also", "another matter half an hour later"
    assert decide(FIRE_AT, 20, 0, theirs(age_s=2000.0, state="over")) == "own"


def test_what_may_be_another_emergency_is_never_the_same_matter() -> None:
    assert is_same(FIRE_AT, FIRE_AT)
    assert is_same(FIRE_AT, FIRE)
    assert is_same(FIRE_AT, None), "a call says nothing new"
    assert is_same(None, None)
    assert not is_same(None, FIRE), "he now says what it is"
    assert not is_same(FIRE, FIRE_AT), "the place is new"
    assert not is_same(FIRE_AT, "Ada perampokan di Batu Aji")
    assert not is_same("Lampu jalan mati di Nagoya", FIRE)
    assert not is_same(FIRE, "Kebakaran 1.1301, 104.0529")
