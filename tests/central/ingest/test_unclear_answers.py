"""A field team's answer that does not say which alert it means, the hub there: asked, no report."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from siaga_central.domain import texts
from siaga_central.ingest import fieldwork
from siaga_central.store import assignments
from siaga_central.store import schema as t
from siaga_core.reading import field
from siaga_core.service.clock import new_id
from siaga_core.wire.duty import DutyState
from siaga_core.wire.envelope import Record
from siaga_core.wire.gsm7 import SINGLE_SEPTETS, septets
from siaga_core.wire.report import Report
from support.desk_hub import CITIZEN, OTHER, TEAM, DeskHub

FIRES = ("Kebakaran besar di Nagoya", "Banjir di Batu Aji, lansia terjebak")


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[DeskHub]:
    made = DeskHub(tmp_path)
    yield made
    made.close()


def two_alerts(hub: DeskHub) -> list[str]:
    """Two incidents of which the team was texted; their codes."""
    for text, sender in zip(FIRES, (CITIZEN, "+6281255566677"), strict=True):
        hub.sms(text, sender)
    codes = []
    for row in hub.rows(t.incident):
        hub.clock.advance(1)
        codes.append(hub.store.write(partial(_tell, hub, row.id)))
    return codes


def _tell(hub: DeskHub, incident: str, c: Any) -> str:
    return assignments.tell(c, new_id(hub.clock), incident, ("Regu A", TEAM), "gsm-1", "rina", hub.now_us)


def asked(hub: DeskHub) -> list[str]:
    return [row.payload for row in hub.rows(t.command) if "Kode mana" in row.payload]


@pytest.mark.parametrize("text", ["1", "TERIMA", "TERIMA {wrong}", "siap otw pak", "TERIMA {one} {two}"])
def test_a_bare_answer_that_fits_several_alerts_is_asked_for_its_code_and_opens_nothing(
    hub: DeskHub, text: str
) -> None:
    one, two = two_alerts(hub)
    wrong = field.code_of(b"\x07" * 16, [one, two])
    for _ in range(3):
        hub.clock.advance(5)
        hub.sms(text.format(wrong=wrong, one=one, two=two), TEAM)
    assert len(hub.rows(t.incident)) == 2
    (question,) = asked(hub)
    assert one in question
    assert two in question
    assert '"at_least_once":false' in question or "at_least_once" not in question
    assert hub.events("dispatch.asked") == ["dispatch.asked"] * 2, "at each incident that it may mean"
    assert hub.events("dispatch.unclear") == ["dispatch.unclear"] * 4, "what came again is shown"
    assert all(row.state == "told" for row in hub.rows(t.assignment))
    hub.sms(f"TERIMA {two}", TEAM)
    assert {row.code: row.state for row in hub.rows(t.assignment)} == {one: "told", two: "accepted"}


def test_after_five_minutes_it_is_asked_again(hub: DeskHub) -> None:
    two_alerts(hub)
    for _ in range(2):
        _made_ago(hub, 0)
        hub.sms("1", TEAM)
        hub.clock.advance(301)
    assert len(asked(hub)) == 2


@pytest.mark.parametrize(
    "text", ["selesai sudah, rumah terbakar di Bengkong", "siap, tolong kirim bantuan", "Ada kebakaran baru"]
)
def test_what_says_more_than_an_answer_stays_a_report(hub: DeskHub, text: str) -> None:
    two_alerts(hub)
    hub.sms(text, TEAM)
    assert len(hub.rows(t.incident)) == 3
    assert "dispatch.unclear" not in hub.events()


@pytest.mark.parametrize("text", ["1", "TERIMA"])
def test_a_citizens_bare_word_stays_a_report(hub: DeskHub, text: str) -> None:
    two_alerts(hub)
    hub.sms(text, OTHER)
    assert len(hub.rows(t.incident)) == 3
    assert asked(hub) == []


def test_a_bare_answer_when_nothing_is_open_is_shown_at_the_last_alert_and_opens_nothing(
    hub: DeskHub,
) -> None:
    for code in two_alerts(hub):
        hub.clock.advance(1)
        hub.sms(f"SELESAI {code}", TEAM)
    hub.sms("ok", TEAM)
    assert len(hub.rows(t.incident)) == 2
    assert asked(hub) == []
    last = [row for row in hub.rows(t.event) if row.kind == "dispatch.unclear"]
    assert [row.subject for row in last] == [hub.rows(t.incident)[1].id]


def test_a_phone_on_duty_that_was_texted_of_nothing_is_a_report_like_any_other(hub: DeskHub) -> None:
    hub.sms("1", TEAM)
    assert len(hub.rows(t.incident)) == 1


def test_an_answer_that_waited_for_the_hub_is_not_asked_about(hub: DeskHub) -> None:
    """Its node has asked already, or it is long past."""
    two_alerts(hub)
    _made_ago(hub, fieldwork.FRESH_US)
    hub.sms("1", TEAM)
    assert asked(hub) == []
    assert len(hub.rows(t.incident)) == 2


def test_what_the_node_has_asked_while_the_hub_was_away_is_not_asked_again(hub: DeskHub) -> None:
    """A node hands over that it asked before it hands over the answer."""
    reports = [msgspec.json.decode(hub.sms(text, sender).body, type=Report).report_id
               for text, sender in zip(FIRES, (CITIZEN, "+6281255566677"), strict=True)]  # fmt: skip
    _made_ago(hub, fieldwork.FRESH_US // 2)
    question = new_id(hub.clock)
    for deed in ("told", "asked"):
        for code, report_id in zip(("4F7K", "9KLM"), reports, strict=True):
            id = new_id(hub.clock) if deed == "told" else question
            step = DutyState(code=code, report_id=report_id, deed=deed, id=id, name="Regu A", number=TEAM)
            hub.take(hub.record(step, "duty"))
    hub.sms("1", TEAM)
    assert asked(hub) == []
    assert hub.events("dispatch.unclear") == ["dispatch.unclear"] * 2
    assert len(hub.rows(t.incident)) == 2


def _made_ago(hub: DeskHub, age_us: int) -> None:
    """From now on records were made so long before they come."""
    given = DeskHub.record

    def record(*words: Any, **keys: Any) -> Record:
        made = given(hub, *words, **keys)
        at = msgspec.structs.replace(made.at, wall_ns=(hub.now_us - age_us) * 1000)
        return msgspec.structs.replace(made, at=at)

    hub.record = record  # type: ignore[method-assign]


def test_the_question_is_one_part_however_many_codes_there_are() -> None:
    for count in (1, 2, 5, 40):
        text = texts.which(["MMMM"] * count)
        assert (septets(text) or 999) <= SINGLE_SEPTETS
        assert text.startswith("SIAGA: BELUM TERCATAT. Kode mana? MMMM")
