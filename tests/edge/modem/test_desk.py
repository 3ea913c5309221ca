"""The front desk over a real journal: who is answered and how often; what is raised without a hub."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from siaga_core.wire.roster import NodePolicy, Roster
from siaga_edge.modem import conversation, desk, duty, talk, template
from siaga_edge.modem.intake import Intake
from support.front_desk import CITIZEN, FIRST, OTHER, OURS, ROSTER, SECOND, FrontDesk

REPORT = template.citizen("report")
PLACE, CALL, BOUNCE = template.citizen("place"), template.citizen("call"), template.citizen("bounce")
FIRE = "Tolong ada kebakaran besar"
FIRE_AT = "Kebakaran besar di Nagoya depan Hotel Harmoni"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[FrontDesk]:
    made = FrontDesk(tmp_path)
    yield made
    made.end()


def test_a_report_stands_at_once_and_is_answered_when_the_hub_has_it(node: FrontDesk) -> None:
    node.hub_takes_all = False
    node.text(FIRE)
    assert len(node.bodies("report")) == 1
    node.pass_time(5)
    assert node.queued() == [], "that it was taken is not true yet"
    node.hub_takes_all = True
    node.pass_time(1)
    assert node.queued(CITIZEN) == [REPORT]
    assert [body["template"] for body in node.bodies("reply.auto")] == ["report"]


def test_one_reminder_when_no_place_is_known_and_none_when_one_is(node: FrontDesk) -> None:
    node.text(FIRE)
    node.text(FIRE_AT, OTHER)
    node.pass_time(1700)
    assert node.queued(CITIZEN) == [REPORT, PLACE]
    assert node.queued(OTHER) == [REPORT]


def test_the_reminder_keeps_the_five_minutes_between_replies(node: FrontDesk) -> None:
    node.text(FIRE)
    node.pass_time(290)
    assert node.queued() == [REPORT]
    node.text("di Nagoya depan Hotel Harmoni")
    node.pass_time(600)
    assert node.queued() == [REPORT], "the place came before the reminder could go"


def test_a_number_that_floods_is_kept_whole_and_answered_once(node: FrontDesk) -> None:
    for _ in range(200):
        node.text(FIRE)
        node.pass_time(1)
    node.text(FIRE_AT, OTHER)
    node.pass_time(1)
    assert len(node.bodies("report")) == 201
    assert node.queued(CITIZEN) == [REPORT]
    assert node.queued(OTHER) == [REPORT]


class Stingy(Intake):
    """A mutant: what comes too fast is thrown away instead of only being left unanswered."""

    taken = 0

    def commit(self, memory: str, found: Any) -> None:
        self.taken += len(found)
        if self.taken <= 5:
            super().commit(memory, found)


def test_the_check_above_finds_an_intake_whose_limit_is_on_storage(node: FrontDesk) -> None:
    node.intake = Stingy(node.journal, "modem", node.clock, node.new_id, lambda _s: None, node.desk.heard)
    for _ in range(20):
        node.text(FIRE)
    assert len(node.bodies("report")) < 20


@pytest.mark.parametrize("sender", ["3338", "98108", "TELKOMSEL", OURS.number])
def test_machines_are_never_answered(node: FrontDesk, sender: str) -> None:
    node.roster(ROSTER)
    node.text(FIRE, sender)
    node.missed(sender if sender.isdecimal() else None)
    node.pass_time(900)
    assert node.queued() == []
    assert len(node.bodies("report")) == 2, "kept and handed over all the same"


class Polite(talk.Talk):
    """A mutant: whoever writes is answered, machines too."""

    def wrote(self, report: Any, now: Any) -> None:
        super().wrote(structs.replace(report, reporter_e164=report.reporter), now)


def test_the_check_above_finds_a_desk_that_answers_machines(tmp_path: Path) -> None:
    def make(*given: Any) -> desk.Desk:
        made = desk.Desk(*given)
        made.talk = Polite(given[0], given[4])
        return made

    node = FrontDesk(tmp_path, make)
    node.text(FIRE, "3338")
    node.pass_time(2)
    assert node.queued("3338") == [REPORT]
    node.end()


def test_two_machines_that_answer_each_other_stop(node: FrontDesk) -> None:
    node.text("Ini mesin penjawab otomatis")
    for wait_s in (5, 5, 400, 400, 900, 900):
        node.pass_time(wait_s)
        node.text(f"Auto: {node.queued()[-1]}")
    assert node.queued() == [REPORT]


def test_the_same_text_goes_three_times_a_day_at_most(node: FrontDesk) -> None:
    for _ in range(12):
        node.text(FIRE_AT)
        node.pass_time(2)
        node.clock.advance(3600)
    assert node.queued() == [REPORT] * 3


def test_all_numbers_together_keep_the_budget_and_nobody_is_forgotten(node: FrontDesk) -> None:
    numbers = [f"+6281200000{place:03d}" for place in range(20)]
    for number in numbers:
        node.text(FIRE_AT, number)
    node.pass_time(50)
    assert len(node.queued()) == conversation.BUDGET_A_MINUTE
    node.pass_time(300)
    assert sorted(body["to"] for body in node.bodies("reply.auto")) == numbers


def test_a_missed_call_is_answered_by_text_within_the_same_limits(node: FrontDesk) -> None:
    node.missed("081234567890")
    node.missed("+6281234567890")
    node.missed(None)
    node.pass_time(2)
    assert node.queued() == [CALL]
    assert node.queued(CITIZEN) == [CALL]
    node.text(FIRE_AT)
    node.pass_time(200)
    assert node.queued() == [CALL]


def test_killed_anywhere_no_reply_goes_twice(node: FrontDesk) -> None:
    node.text(FIRE)
    for _ in range(30):
        node.restart()
        node.desk.tick()
        node.clock.advance(0.5)
    assert node.queued() == [REPORT]
    node.ledger.set_outgoing(node.bodies("reply.auto")[0]["id"], "sending")
    node.restart()
    node.pass_time(10)
    assert node.queued() == [REPORT]


class Careless(talk.Talk):
    """A mutant: the reply is queued, and that it was comes to the journal in a transaction of its own."""

    def _move(self, row: Any, after: Any, wanted: Any, now: Any, instead: str) -> None:
        text = template.citizen(wanted, instead)
        self._journal.append_all([], lambda _c: self._forgetful(row, wanted, text, now))
        # Power is cut here: the state and the limits' memory never come.

    def _forgetful(self, *given: Any) -> None:
        self._queue(*given)
        self._connection.execute("DELETE FROM said")


def test_the_check_above_finds_a_reply_that_is_not_committed_with_its_state(tmp_path: Path) -> None:
    def make(*given: Any) -> desk.Desk:
        made = desk.Desk(*given)
        made.talk = Careless(given[0], given[4])
        return made

    node = FrontDesk(tmp_path, make)
    node.text(FIRE)
    node.pass_time(1)
    node.restart()
    node.pass_time(1)
    assert len(node.queued()) > 1
    node.end()


def test_while_the_hub_is_away_siren_and_phones_are_called_and_then_the_citizen_is_told(
    node: FrontDesk,
) -> None:
    node.roster(ROSTER)
    node.hub_takes_all = False
    node.text(FIRE_AT)
    node.pass_time(19)
    assert not node.sounds()
    node.pass_time(2)
    assert node.sounds()
    (alarm,) = node.queued(FIRST.number)
    assert CITIZEN in alarm
    assert node.queued(SECOND.number) == []
    node.pass_time(55)
    assert node.queued(CITIZEN) == [], "the first phone may still answer"
    node.pass_time(10)
    assert len(node.queued(SECOND.number)) == 1, "the next phone"
    assert node.queued(CITIZEN) == [BOUNCE]
    node.pass_time(600)
    assert not node.sounds(), "no siren sounds for ever"
    assert node.queued(CITIZEN) == [BOUNCE]


def test_a_duty_phones_answer_ends_the_siren_and_counts_once(node: FrontDesk) -> None:
    node.roster(ROSTER)
    node.hub_takes_all = False
    node.text(FIRE_AT)
    node.pass_time(21)
    code = node.bodies("duty")[0]["code"]
    for _ in range(3):
        node.text(f"(ulang) terima {code.lower()}", FIRST.number)
        node.pass_time(1)
    assert not node.sounds()
    assert node.deeds() == ["sounded", "told", "accepted"]
    node.pass_time(600)
    assert node.queued(CITIZEN) == [REPORT], "somebody has it"
    assert node.queued(SECOND.number) == []
    assert len(node.queued(FIRST.number)) == 1, "an answer is not answered"
    node.hub_takes_all = True
    node.pass_time(2)
    assert node.deeds() == ["sounded", "told", "accepted", "over", "back"]
    assert node.queued(FIRST.number)[1:] == [template.back([code])]


def test_phones_that_were_texted_are_told_once_that_the_hub_is_back_whatever_they_answered(
    node: FrontDesk,
) -> None:
    node.roster(ROSTER)
    node.hub_takes_all = False
    node.text(FIRE_AT)
    node.pass_time(21)
    first = node.bodies("duty")[0]["code"]
    node.text(f"SELESAI {first}", FIRST.number)
    node.pass_time(5)
    node.text(FIRE, OTHER)
    node.pass_time(85)  # both phones are texted of this one
    second = node.bodies("duty")[-1]["code"]
    assert template.back([first]) not in node.queued(FIRST.number), "not true yet"
    node.hub_takes_all = True
    node.pass_time(5)
    node.restart()
    node.pass_time(120)
    assert node.queued(FIRST.number)[-1:] == [template.back([first], [second])]
    assert node.queued(SECOND.number)[-1:] == [template.back([], [second])]
    backs = [body for body in node.bodies("duty") if body["deed"] == "back"]
    assert sorted((body["code"], body["name"]) for body in backs) == sorted(
        [(first, "Regu A"), (second, "Regu A"), (second, "Regu B")]
    )
    assert len({body["id"] for body in backs}) == 2, "one text each"
    assert node.deeds().count("over") == 2
    node.text(f"SELESAI {second}", SECOND.number)
    node.pass_time(120)
    assert node.queued(SECOND.number)[-1:] == [template.back([], [second])], "and no more"


class Hasty(duty.Duty):
    """A mutant: whoever says that it is done is told at once that the hub is back."""

    def _hand_back(self, now: Any, waiting: Any) -> None:
        super()._hand_back(now, {})


def test_the_check_above_finds_a_desk_that_says_so_before_it_is_true(tmp_path: Path) -> None:
    def make(*given: Any) -> desk.Desk:
        made = desk.Desk(*given)
        made.duty = Hasty(given[0], given[4])
        return made

    node = FrontDesk(tmp_path, make)
    node.roster(ROSTER)
    node.hub_takes_all = False
    node.text(FIRE_AT)
    node.pass_time(21)
    code = node.bodies("duty")[0]["code"]
    node.text(f"SELESAI {code}", FIRST.number)
    node.pass_time(2)
    assert template.back([code]) in node.queued(FIRST.number)
    node.end()


def test_the_citys_own_times_come_with_the_roster(node: FrontDesk) -> None:
    policy = NodePolicy(away_after_s=60, next_phone_s=120, unanswered_s=300)
    node.roster(structs.replace(ROSTER, policy=policy))
    node.hub_takes_all = False
    node.text(FIRE_AT)
    node.pass_time(58)
    assert not node.sounds()
    node.pass_time(3)
    assert len(node.queued(FIRST.number)) == 1
    node.pass_time(115)
    assert node.queued(SECOND.number) == []
    node.pass_time(10)
    assert len(node.queued(SECOND.number)) == 1
    assert node.queued(CITIZEN) == []
    node.pass_time(180)
    assert node.queued(CITIZEN) == [BOUNCE]


def test_a_strangers_answer_is_shown_and_changes_nothing(node: FrontDesk) -> None:
    node.roster(ROSTER)
    node.hub_takes_all = False
    node.text(FIRE_AT)
    node.pass_time(21)
    code = node.bodies("duty")[0]["code"]
    node.text(f"TERIMA {code}", OTHER)
    node.text("1", OTHER)
    node.pass_time(2)
    assert node.sounds()
    assert "accepted" not in node.deeds()
    assert "stranger" in node.deeds()


class Trusting(duty.Duty):
    """A mutant: whoever knows a code is believed."""

    def _told(self, now: Any) -> Any:
        from dataclasses import replace

        return [replace(one, number=OTHER) for one in super()._told(now)]

    def _take(self, code: str, deed: Any, number: str, report: Any, records: Any, name: str = "") -> None:
        super()._take(code, deed, FIRST.number, report, records)


def test_the_check_above_finds_a_desk_that_believes_strangers(tmp_path: Path) -> None:
    def make(*given: Any) -> desk.Desk:
        made = desk.Desk(*given)
        made.duty = Trusting(given[0], given[4])
        return made

    node = FrontDesk(tmp_path, make)
    node.roster(ROSTER)
    node.hub_takes_all = False
    node.text(FIRE_AT)
    node.pass_time(21)
    node.text(f"TERIMA {node.bodies('duty')[0]['code']}", OTHER)
    assert "accepted" in node.deeds()
    node.end()


def test_while_the_hub_is_there_nobody_is_told_that_nobody_reads(node: FrontDesk) -> None:
    node.roster(ROSTER)
    for _ in range(40):
        node.text(FIRE)
        node.pass_time(20)
    assert BOUNCE not in node.queued()
    assert node.deeds() == []
    assert not node.sounds()


class Impatient(duty.Duty):
    """A mutant: the bounce goes out by the age of a report, whoever has it."""

    def parties(self, now: Any, waiting: Any, policy: Any) -> dict[str, str]:
        return {CITIZEN: "deserted"}


def test_the_check_above_finds_a_bounce_that_is_not_true(tmp_path: Path) -> None:
    def make(*given: Any) -> desk.Desk:
        made = desk.Desk(*given)
        made.duty = Impatient(given[0], given[4])
        return made

    node = FrontDesk(tmp_path, make)
    node.text(FIRE)
    node.pass_time(2)
    assert node.queued(CITIZEN) == [BOUNCE]
    node.end()


@pytest.mark.parametrize("sender", [CITIZEN, "3338", "BANJIR-INFO"])
def test_a_flood_is_one_alarm_and_a_restart_does_not_raise_it_again(node: FrontDesk, sender: str) -> None:
    node.roster(ROSTER)
    node.hub_takes_all = False
    for _ in range(50):
        node.text(FIRE, sender)
    node.pass_time(30)
    node.restart()
    node.pass_time(20)
    assert len(node.queued(FIRST.number)) == 1
    assert node.deeds() == ["sounded", "told"]


def test_what_is_surely_nothing_wakes_nobody(node: FrontDesk) -> None:
    node.roster(ROSTER)
    node.hub_takes_all = False
    node.text("Promo pulsa murah, ketik YA")
    node.pass_time(120)
    assert not node.sounds()
    assert node.queued(FIRST.number) == []
    assert node.queued(CITIZEN) == [BOUNCE]


def test_without_a_roster_the_siren_sounds_all_the_same(node: FrontDesk) -> None:
    node.hub_takes_all = False
    node.text(FIRE_AT)
    node.pass_time(25)
    assert node.sounds()


def test_the_roster_is_applied_once_and_a_newer_one_replaces_it(node: FrontDesk) -> None:
    node.roster(ROSTER)
    node.restart()
    node.pass_time(1)
    assert node.desk.roster == ROSTER
    node.roster(Roster(duty=[SECOND], instead="110 polisi"), version=2)
    states = [(body["version"], body["state"]) for body in node.bodies("want.state")]
    assert states == [(1, "applied"), (2, "applied")]
    node.hub_takes_all = False
    node.text(FIRE_AT)
    node.pass_time(90)
    assert node.queued(FIRST.number) == []
    assert len(node.queued(SECOND.number)) == 1
    assert node.queued(CITIZEN)[0].endswith("110 polisi.")


def test_a_clock_that_is_set_right_does_not_make_a_second_reply(node: FrontDesk) -> None:
    node.text(FIRE)
    node.pass_time(2)
    node.clock.jump_wall(86_400 * 30)
    node.text(FIRE)
    node.pass_time(2)
    node.clock.jump_wall(-86_400 * 60)
    node.text(FIRE)
    node.pass_time(2)
    assert node.queued() == [REPORT]


def test_a_report_that_was_seen_to_raises_no_new_alarm_however_long_the_hub_is_away(node: FrontDesk) -> None:
    node.roster(ROSTER)
    node.hub_takes_all = False
    node.text(FIRE_AT)
    node.pass_time(21)
    node.text(f"SELESAI {node.bodies('duty')[0]['code']}", FIRST.number)
    node.pass_time(5)
    node.clock.advance(6 * 3600)
    node.restart()
    node.pass_time(30)
    assert node.deeds() == ["sounded", "told", "done"]
    assert not node.sounds()


def test_many_who_were_answered_long_ago_do_not_stand_before_one_who_waits(node: FrontDesk) -> None:
    for place in range(300):
        node.text(FIRE, f"+62812555{place:05d}")
    node.clock.advance(conversation.SESSION_S + 1)
    node.pass_time(2)
    node.text(FIRE_AT)
    node.pass_time(2)
    assert node.queued(CITIZEN) == [REPORT]


def test_many_reports_without_a_hub_all_get_their_alarm_and_phones_are_texted_within_bounds(
    node: FrontDesk,
) -> None:
    node.roster(ROSTER)
    node.hub_takes_all = False
    for place in range(50):
        node.text(FIRE_AT, f"+62812666{place:05d}")
    node.pass_time(25)
    assert node.deeds().count("sounded") == 50
    assert len(node.queued(FIRST.number)) == duty.TEXTS_A_MINUTE
    node.hub_takes_all = True
    node.pass_time(2)
    assert node.deeds().count("over") == 50
    assert not node.sounds()


def test_the_second_modem_goes_by_its_own_stream_and_the_nodes_roster(tmp_path: Path) -> None:
    node = FrontDesk(tmp_path, partial(desk.Desk, service="modemb", own=[OTHER]), "modemb")
    node.roster(ROSTER)
    assert node.desk.roster == ROSTER
    assert node.bodies("want.state") == [], "the first modem speaks for both"
    node.text(FIRE_AT)
    node.text(FIRE_AT, OTHER)
    node.pass_time(30)
    assert node.queued() == [REPORT]
    assert node.queued(OTHER) == [], "a SIM of our own"
    node.end()
