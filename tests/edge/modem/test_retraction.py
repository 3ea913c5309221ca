"""Whoever was told that nobody comes hears when that is true no longer; who is answered first."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from siaga_edge.modem import conversation, desk, talk, template
from support.front_desk import CITIZEN, FIRST, OTHER, ROSTER, FrontDesk

REPORT, PLACE, CALL, BOUNCE, BOUNCE_CALL, BACK, BACK_CALL = (
    template.citizen(name)
    for name in ("report", "place", "call", "bounce", "bounce_call", "retraction", "retraction_call")
)
FIRE = "Tolong ada kebakaran besar"
FIRE_AT = "Kebakaran besar di Nagoya depan Hotel Harmoni"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[FrontDesk]:
    made = FrontDesk(tmp_path)
    made.roster(ROSTER)
    made.hub_takes_all = False
    yield made
    made.end()


def test_when_the_hub_is_back_the_citizen_hears_once_that_his_report_is_there(node: FrontDesk) -> None:
    node.text(FIRE_AT)
    node.pass_time(90)
    assert node.queued(CITIZEN) == [BOUNCE]
    node.hub_takes_all = True
    node.pass_time(60)
    assert node.queued(CITIZEN) == [BOUNCE], "five minutes between two replies"
    node.pass_time(300)
    node.restart()
    node.pass_time(600)
    assert node.queued(CITIZEN) == [BOUNCE, BACK], "and he gave the place"
    assert [body["template"] for body in node.bodies("reply.auto")] == ["bounce", "report"]


@pytest.mark.parametrize("answers", [["TERIMA"], ["TERIMA", "SELESAI"]])
def test_when_a_phone_on_duty_takes_it_late_the_citizen_hears(node: FrontDesk, answers: list[str]) -> None:
    node.text(FIRE_AT)
    node.pass_time(90)
    code = node.bodies("duty")[0]["code"]
    for answer in answers:
        node.text(f"{answer} {code}", FIRST.number)
        node.pass_time(5)
    node.pass_time(400)
    assert node.queued(CITIZEN) == [BOUNCE, BACK]
    node.hub_takes_all = True
    node.pass_time(600)
    assert node.queued(CITIZEN) == [BOUNCE, BACK]


@pytest.mark.parametrize(("hours", "texts"), [(5, [BOUNCE, BACK]), (25, [BOUNCE])])
def test_he_hears_however_long_the_hub_was_away_within_a_day(
    node: FrontDesk, hours: int, texts: list[str]
) -> None:
    node.text(FIRE)
    node.pass_time(90)
    node.clock.advance(hours * 3600)
    node.pass_time(10)
    assert node.queued(CITIZEN) == [BOUNCE], "while the hub is away it is still true"
    node.hub_takes_all = True
    node.pass_time(400)
    assert node.queued(CITIZEN) == texts


class Soothing(talk.Talk):
    """A mutant: it takes a bounce back though nobody has the report."""

    @staticmethod
    def _event(row: Any, now: Any, waiting: Any, party: str) -> Any:
        is_bounced = row["state"] in conversation.BOUNCED
        return "taken" if is_bounced else talk.Talk._event(row, now, waiting, party)


def test_the_check_above_finds_a_desk_that_takes_back_what_is_still_true(tmp_path: Path) -> None:
    def make(*given: Any) -> desk.Desk:
        made = desk.Desk(*given)
        made.talk = Soothing(given[0], given[4])
        return made

    node = FrontDesk(tmp_path, make)
    node.hub_takes_all = False
    node.text(FIRE)
    node.pass_time(500)
    assert BACK in node.queued(CITIZEN)
    node.end()


def test_a_caller_hears_what_fits_a_call_and_is_asked_for_no_place_before_he_wrote(node: FrontDesk) -> None:
    node.missed(CITIZEN)
    node.pass_time(90)
    assert node.queued(CITIZEN) == [BOUNCE_CALL]
    node.hub_takes_all = True
    node.missed(OTHER)
    node.pass_time(400)
    assert node.queued(CITIZEN) == [BOUNCE_CALL, BACK_CALL]
    node.pass_time(1300)
    assert node.queued(OTHER) == [CALL]


def test_a_caller_who_then_writes_without_a_place_is_asked_for_it(node: FrontDesk) -> None:
    node.hub_takes_all = True
    node.missed(CITIZEN)
    node.pass_time(2)
    node.text(FIRE)
    node.pass_time(500)
    assert node.queued(CITIZEN) == [CALL, PLACE]


def crowd(node: FrontDesk) -> None:
    """Twelve who write of a broken lamp, and after them one with a fire; then the hub has them all."""
    for place in range(12):
        node.text("Lampu jalan mati di Nagoya", f"+62812444000{place:02d}")
    node.pass_time(0.5)
    node.text(FIRE_AT)
    node.hub_takes_all = True
    node.pass_time(2)


def test_with_the_minutes_budget_used_up_p1_is_answered_first(node: FrontDesk) -> None:
    crowd(node)
    assert len(node.queued()) == conversation.BUDGET_A_MINUTE
    assert node.queued(CITIZEN) == [REPORT]


class FirstCome(talk.Talk):
    """A mutant: answers go in the order people wrote."""

    def _due(self, parties: Any) -> Any:
        return sorted(super()._due(parties), key=lambda row: row["since_wall_ns"])


def test_the_check_above_finds_a_desk_that_answers_in_the_order_people_wrote(tmp_path: Path) -> None:
    def make(*given: Any) -> desk.Desk:
        made = desk.Desk(*given)
        made.talk = FirstCome(given[0], given[4])
        return made

    node = FrontDesk(tmp_path, make)
    node.hub_takes_all = False
    crowd(node)
    assert node.queued(CITIZEN) == []
    node.end()


def test_a_bounce_is_taken_back_before_courtesies(node: FrontDesk) -> None:
    node.text("Lampu jalan mati di Nagoya")
    node.pass_time(400)
    for place in range(12):
        node.text("Lampu jalan mati di Nagoya", f"+62812444000{place:02d}")
    node.hub_takes_all = True
    node.pass_time(2)
    assert node.queued(CITIZEN) == [BOUNCE, BACK]
