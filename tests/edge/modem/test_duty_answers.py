"""What phones on duty write while the hub is away: what counts, what stays a report, who is asked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from siaga_core.reading import field
from siaga_core.wire.gsm7 import SINGLE_SEPTETS, septets
from siaga_edge.modem import desk, duty, template
from support.front_desk import CITIZEN, FIRST, OTHER, ROSTER, SECOND, FrontDesk, away

FIRE_AT = "Kebakaran besar di Nagoya depan Hotel Harmoni"
THIRD = "+6281377766655"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[FrontDesk]:
    made = away(tmp_path)
    yield made
    made.end()


def alarms(node: FrontDesk, *senders: str) -> list[str]:
    """The codes of an alarm for each sender; the first phone is texted of them all."""
    for sender in senders or (CITIZEN,):
        node.text(FIRE_AT, sender)
        node.pass_time(1)
    node.pass_time(21)
    return [body["code"] for body in node.bodies("duty") if body["deed"] == "told"]


@pytest.mark.parametrize(
    ("text", "deed"),
    [
        ("Terima {code} siap komandan", "accepted"),
        ("selesai {code}, api padam", "done"),
        ("otw {code} 5 menit lagi", "underway"),
        ("otw 5 menit lagi", "underway"),
    ],
)
def test_an_answer_with_words_after_it_counts_and_is_kept_whole(
    node: FrontDesk, text: str, deed: str
) -> None:
    (code,) = alarms(node)
    said = text.format(code=code)
    node.text(said, FIRST.number)
    node.restart()
    node.pass_time(50)
    assert [(body["deed"], body["text"]) for body in node.bodies("duty")[2:]] == [(deed, said)]
    assert len(node.queued(FIRST.number)) == 1, "neither alarmed of his own words nor answered"


@pytest.mark.parametrize(
    "text",
    [
        "Terima kasih, tolong ada kebakaran di Nagoya",
        "selesai sudah, rumah terbakar",
        "selesai {code}, api padam",
        "Terima {code} siap komandan",
    ],
)
def test_a_citizens_text_is_never_taken_for_an_answer(node: FrontDesk, text: str) -> None:
    (code,) = alarms(node)
    node.text(text.format(code=code), OTHER)
    node.pass_time(25)
    assert not {"accepted", "underway", "done"} & set(node.deeds())
    assert len(node.bodies("report")) == 2
    node.hub_takes_all = True
    node.pass_time(2)
    assert len(node.queued(OTHER)) == 1, "he is answered like any citizen"


class Gullible(duty.Duty):
    """A mutant: everybody's text is read as a phone on duty's."""

    def _was_alerted(self, _number: str, _now: Any) -> bool:
        return True


def test_the_check_above_finds_a_desk_that_reads_everybody_like_a_phone_on_duty(tmp_path: Path) -> None:
    def make(*given: Any) -> desk.Desk:
        made = desk.Desk(*given)
        made.duty = Gullible(given[0], given[4])
        return made

    node = FrontDesk(tmp_path, make)
    node.roster(ROSTER)
    node.text("Terima kasih, tolong ada kebakaran di Nagoya", OTHER)
    node.pass_time(2)
    assert node.queued(OTHER) == [], "and the citizen is told nothing"
    node.end()


def test_what_else_a_phone_on_duty_writes_raises_an_alarm_and_is_not_answered_like_a_citizens(
    node: FrontDesk,
) -> None:
    alarms(node)
    node.text("Kebakaran baru di Batu Aji, banyak korban", FIRST.number)
    node.pass_time(22)
    assert node.deeds().count("sounded") == 2
    node.hub_takes_all = True
    node.pass_time(60)
    citizens = {template.citizen(one) for one in ("report", "place", "call", "bounce")}
    assert not citizens & set(node.queued(FIRST.number))


@pytest.mark.parametrize("text", ["1", "TERIMA {wrong}", "TERIMA {wrong} siap komandan", "siap otw pak"])
def test_an_answer_that_does_not_say_which_alarm_is_asked_for_it_once_in_five_minutes(
    node: FrontDesk, text: str
) -> None:
    codes = alarms(node, CITIZEN, OTHER)
    wrong = field.code_of(b"\x07" * 16, codes)
    before = len(node.queued(FIRST.number))
    for _ in range(3):
        node.text(text.format(wrong=wrong), FIRST.number)
        node.pass_time(10)
    asked = template.which(codes)
    assert [one for one in node.queued(FIRST.number)[before:] if one == asked] == [asked]
    assert all(code in asked for code in codes)
    steps = [body for body in node.bodies("duty") if body["deed"] == "asked"]
    assert [(one["code"], one["name"]) for one in steps] == [(code, "Regu A") for code in codes]
    assert "accepted" not in node.deeds()
    node.clock.advance(300)
    node.text("1", FIRST.number)
    assert node.queued(FIRST.number).count(asked) == 2
    assert (septets(template.which(["MMMM"] * 80)) or 999) <= SINGLE_SEPTETS


def test_that_a_phone_was_asked_goes_to_the_hub_before_what_it_answered(node: FrontDesk) -> None:
    """Else the hub, back again, would ask for the same answer once more."""
    alarms(node, CITIZEN, OTHER)
    node.text("1", FIRST.number)
    kinds = [row["kind"] for row in node.journal.connection.execute("SELECT kind FROM record ORDER BY seq")]
    assert kinds[-3:] == ["duty", "duty", "report"]


def test_only_numbers_that_were_texted_are_asked(node: FrontDesk) -> None:
    codes = alarms(node, CITIZEN, OTHER)
    wrong = field.code_of(b"\x07" * 16, codes)
    for sender in (SECOND.number, THIRD):
        node.text(f"TERIMA {wrong}", sender)
        node.text("1", sender)
    assert "asked" not in node.deeds()


def test_a_phone_on_duty_may_answer_a_colleagues_code_before_its_turn(node: FrontDesk) -> None:
    (code,) = alarms(node)
    node.text(f"TERIMA {code}", SECOND.number)
    (step,) = [body for body in node.bodies("duty") if body["deed"] == "accepted"]
    assert (step["name"], step["number"]) == (SECOND.name, SECOND.number)
    assert "stranger" not in node.deeds()
    node.text(f"SELESAI {code}", THIRD)
    assert node.deeds()[-1] == "stranger"


def test_when_the_hub_is_back_phones_hear_plainly_which_codes_nobody_took(node: FrontDesk) -> None:
    codes = alarms(node, *(f"+62812555000{place:02d}" for place in range(duty.TEXTS_A_MINUTE)))
    taken, late, *left = codes
    node.text(f"TERIMA {taken}", FIRST.number)
    node.hub_takes_all = True
    node.pass_time(2)
    assert len(node.queued(FIRST.number)) == len(codes), "this minute's texts are used up"
    node.text(f"OTW {late}", FIRST.number)
    node.pass_time(60)
    told = node.queued(FIRST.number)[-1]
    assert told == template.back([taken, late], left)
    assert f"BELUM ADA yang mengambil {', '.join(left)}: kini dipegang 112" in told


class Settled(duty.Duty):
    """A mutant: that the hub has a report is taken for that somebody took it."""

    def _not_told_back(self, now: Any) -> Any:
        return [dict(row) | {"untaken": 0} for row in super()._not_told_back(now)]


@pytest.mark.parametrize(("kind", "says"), [(duty.Duty, True), (Settled, False)])
def test_a_code_that_nobody_took_is_never_told_of_as_if_it_were_settled(
    tmp_path: Path, kind: Any, says: bool
) -> None:
    def make(*given: Any) -> desk.Desk:
        made = desk.Desk(*given)
        made.duty = kind(given[0], given[4])
        return made

    node = away(tmp_path, make)
    (code,) = alarms(node)
    node.hub_takes_all = True
    node.pass_time(60)
    assert (f"BELUM ADA yang mengambil {code}" in node.queued(FIRST.number)[-1]) == says
    node.end()
