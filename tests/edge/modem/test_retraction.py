"""Whoever was told that nobody comes hears when that is true no longer; who is answered first."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from siaga_core.wire.roster import NodePolicy
from siaga_edge.modem import conversation, desk, talk, template
from support.front_desk import CITIZEN, FIRST, OTHER, ROSTER, FrontDesk, away

REPORT, PLACE, CALL, BOUNCE, BOUNCE_CALL = (
    template.citizen(name) for name in ("report", "place", "call", "bounce", "bounce_call")
)
BACK, BACK_PLACED, BACK_CALL = (template.citizen(name) for name in conversation.RETRACTIONS.values())
FIRE = "Tolong ada kebakaran besar"
HANDLED = "112 BATAM: Laporan Anda sedang ditangani petugas."
FIRE_AT = "Kebakaran besar di Nagoya depan Hotel Harmoni"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[FrontDesk]:
    made = away(tmp_path)
    yield made
    made.end()


def test_when_the_hub_is_back_the_citizen_hears_once_that_his_report_is_there(node: FrontDesk) -> None:
    node.text(FIRE_AT)
    node.pass_time(90)
    assert node.queued(CITIZEN) == [BOUNCE]
    node.hub_takes_all = True
    node.pass_time(2)
    assert node.queued(CITIZEN) == [BOUNCE, BACK_PLACED], "at once, and he gave the place"
    node.restart()
    node.pass_time(900)
    assert node.queued(CITIZEN) == [BOUNCE, BACK_PLACED], "once"
    assert [body["template"] for body in node.bodies("reply.auto")] == ["bounce", "report"]


def test_each_bounce_is_taken_back_once_whatever_the_limits_on_replies(node: FrontDesk) -> None:
    policy = NodePolicy(replies_an_hour=1, same_reply_a_day=1)
    node.roster(structs.replace(ROSTER, policy=policy), version=2)
    node.text(FIRE)
    node.pass_time(90)
    node.hub_takes_all = True
    node.pass_time(2)
    assert node.queued(CITIZEN) == [BOUNCE, BACK]
    node.text(FIRE)
    node.pass_time(200)
    assert node.queued(CITIZEN) == [BOUNCE, BACK]


def test_a_bounce_is_taken_back_within_the_minutes_budget(node: FrontDesk) -> None:
    for place in range(12):
        node.text(FIRE, f"+62812444000{place:02d}")
        node.pass_time(30)
    node.pass_time(400)
    assert node.queued().count(BOUNCE) == 12
    node.hub_takes_all = True
    node.pass_time(2)
    assert node.queued().count(BACK) == conversation.BUDGET_A_MINUTE
    node.pass_time(70)
    assert node.queued().count(BACK) == 12


def test_what_takes_a_bounce_back_names_it() -> None:
    for back in (BACK, BACK_PLACED, BACK_CALL):
        assert "tidak ada petugas" in back
        assert "SUDAH" in back
    assert "DI MANA" not in BACK_PLACED


@pytest.mark.parametrize("text", [FIRE, FIRE_AT])
def test_whoever_the_hub_itself_has_texted_since_hears_nothing_that_sounds_like_a_cancellation(
    node: FrontDesk, text: str
) -> None:
    node.text(text)
    node.pass_time(90)
    node.order(CITIZEN, HANDLED)
    node.hub_takes_all = True
    node.pass_time(2)
    assert node.queued(CITIZEN) == [BOUNCE, HANDLED], "it is on its way"
    node.settled(HANDLED, "sent")
    node.pass_time(110)
    assert node.queued(CITIZEN) == [BOUNCE, HANDLED]


def test_a_text_of_the_hub_that_did_not_leave_or_was_before_takes_nothing_back(node: FrontDesk) -> None:
    node.order(CITIZEN, HANDLED)
    node.settled(HANDLED, "sent")
    node.pass_time(5)
    node.text(FIRE_AT)
    node.pass_time(90)
    node.order(CITIZEN, HANDLED + " 2")
    node.settled(HANDLED + " 2", "failed")
    node.hub_takes_all = True
    node.pass_time(2)
    assert node.queued(CITIZEN) == [HANDLED, BOUNCE, HANDLED + " 2", BACK_PLACED]


def test_who_writes_anew_before_his_bounce_was_taken_back_gets_no_plain_receipt(node: FrontDesk) -> None:
    node.text(FIRE)
    node.pass_time(90)
    node.clock.advance(conversation.SESSION_S)
    node.text(FIRE_AT)
    node.hub_takes_all = True
    node.pass_time(400)
    assert node.queued(CITIZEN) == [BOUNCE, BACK_PLACED]


@pytest.mark.parametrize("answers", [["TERIMA"], ["TERIMA", "SELESAI"]])
def test_when_a_phone_on_duty_takes_it_late_the_citizen_hears(node: FrontDesk, answers: list[str]) -> None:
    node.text(FIRE_AT)
    node.pass_time(90)
    code = node.bodies("duty")[0]["code"]
    for answer in answers:
        node.text(f"{answer} {code}", FIRST.number)
        node.pass_time(5)
    node.pass_time(400)
    assert node.queued(CITIZEN) == [BOUNCE, BACK_PLACED]
    node.hub_takes_all = True
    node.pass_time(600)
    assert node.queued(CITIZEN) == [BOUNCE, BACK_PLACED]


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
    assert node.queued(CITIZEN) == [BOUNCE, BACK_PLACED]
