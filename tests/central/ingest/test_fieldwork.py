"""Field teams' answers, what a node did without its hub, and callers who ring again."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bench.relay_hub import by_code
from sqlalchemy import Connection

from siaga_central.console import thread
from siaga_central.console.refusal import REASONS
from siaga_central.console.wording import clock_time
from siaga_central.domain import texts
from siaga_central.store import assignments, commands, fates, replies
from siaga_central.store import schema as t
from siaga_core.service.clock import new_id
from siaga_core.wire.duty import AutoReply, DutyState
from siaga_core.wire.gsm7 import SINGLE_SEPTETS, septets
from siaga_core.wire.outbound import AT_NODE, SmsState, State
from siaga_core.wire.report import Report
from support.desk_hub import CITIZEN, OTHER, TEAM, DeskHub

FIRE = "Kebakaran besar di Nagoya"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[DeskHub]:
    made = DeskHub(tmp_path)
    yield made
    made.close()


def told(hub: DeskHub, *phones: tuple[str, str]) -> str:
    """A fire is reported and the phones are texted; the code."""
    hub.sms(FIRE)
    (incident,) = hub.rows(t.incident)
    code = ""
    for phone in phones or (("Regu A", TEAM),):
        hub.clock.advance(1)
        code = hub.store.write(partial(_tell, hub, incident.id, phone))
    return code


def _tell(hub: DeskHub, incident: str, phone: tuple[str, str], c: Connection) -> str:
    return assignments.tell(c, new_id(hub.clock), incident, phone, "gsm-1", "rina", hub.now_us)


@pytest.mark.sop("R33", "R34")
def test_an_answer_stops_the_alarm_and_is_no_incident_of_its_own(hub: DeskHub) -> None:
    code = told(hub)
    hub.clock.advance(5)
    hub.sms(f"terima {code.lower()}", TEAM)
    (incident,) = hub.rows(t.incident)
    assert incident.taken_by == "Regu A"
    (assignment,) = hub.rows(t.assignment)
    assert assignment.state == "accepted"
    silenced = [row for row in hub.rows(t.command) if row.kind == "siren.sound"]
    assert '"duration_s":0' in silenced[-1].payload
    for text, state in (("otw", "underway"), (f"SELESAI {code}", "done")):
        hub.sms(text, TEAM)
        assert hub.rows(t.assignment)[0].state == state
    assert len(hub.rows(t.incident)) == 1


@pytest.mark.sop("R34")
def test_the_incident_follows_what_its_teams_answer(hub: DeskHub) -> None:
    code = told(hub, ("Regu A", TEAM), ("Regu B", OTHER))
    for text, sender, state in (
        (f"TERIMA {code}", TEAM, "handled"),
        (f"OTW {code}", OTHER, "handled"),
        (f"SELESAI {code}", TEAM, "handled"),  # the other team is still on its way
        (f"SELESAI {code}", OTHER, "done"),
    ):
        hub.clock.advance(60)
        hub.sms(text, sender)
        (incident,) = hub.rows(t.incident)
        assert (incident.state, incident.closed_us) == (state, None), text
    moved = [row for row in hub.rows(t.event) if row.kind == "incident.moved"]
    assert [row.actor for row in moved] == ["hub", "hub"]
    assert f"Regu A: TERIMA {code}" in moved[0].body
    assert [row.text for row in hub.rows(t.reply)] == [texts.HANDLED], "the reporter is told, once"


def test_a_team_that_goes_after_another_was_done_is_handling_it(hub: DeskHub) -> None:
    code = told(hub, ("Regu A", TEAM), ("Regu B", OTHER))
    for text, sender, state in ((f"SELESAI {code}", TEAM, "done"), (f"OTW {code}", OTHER, "handled")):
        hub.sms(text, sender)
        assert hub.rows(t.incident)[0].state == state
    assert [row.to for row in hub.rows(t.reply)] == [CITIZEN]


def test_answers_marked_ulang_and_repeats_are_one_acknowledgement(hub: DeskHub) -> None:
    code = told(hub)
    for text in (f"TERIMA {code}", f"(ulang) TERIMA {code}", "1", f"terima {code}"):
        hub.clock.advance(1)
        hub.sms(text, TEAM)
    assert hub.events("dispatch.accepted") == ["dispatch.accepted"]
    assert hub.events("incident.taken") == ["incident.taken"]
    assert len(hub.events("dispatch.repeated")) == 3, "shown all the same"


@pytest.mark.parametrize("text", ["TERIMA {code}", "1", "SELESAI {code}"])
def test_a_strangers_answer_counts_for_nothing_and_is_a_report(hub: DeskHub, text: str) -> None:
    code = told(hub)
    hub.sms(text.format(code=code), OTHER)
    first, second = hub.rows(t.incident)
    assert first.taken_by is None
    assert hub.rows(t.assignment)[0].state == "told"
    assert second.summary == text.format(code=code)
    assert ("dispatch.stranger" in hub.events()) == ("{code}" in text)


def test_the_check_above_finds_a_hub_that_matches_by_code_alone(tmp_path: Path) -> None:
    hub = DeskHub(tmp_path, assigned=by_code)
    hub.sms(f"TERIMA {told(hub)}", OTHER)
    assert hub.rows(t.incident)[0].taken_by == "Regu A", "and the team does not know"
    hub.close()


def test_what_a_team_says_beyond_an_answer_is_a_report_like_any_other(hub: DeskHub) -> None:
    told(hub)
    hub.sms("api merambat ke ruko sebelah, butuh bantuan", TEAM)
    assert len(hub.rows(t.incident)) == 2


def test_the_text_to_a_phone_is_one_part_without_personal_data(hub: DeskHub) -> None:
    told(hub)
    (row,) = [row for row in hub.rows(t.command) if row.kind == "sms.send"]
    assert CITIZEN not in row.payload
    assert '"at_least_once":true' in row.payload
    text = texts.dispatch("4F7K", "P1", "KBR", "Jl. “Raden Patah” " * 30, "K-20261125-0001")
    assert (septets(f"(ulang) {text}") or 999) <= SINGLE_SEPTETS
    assert (septets(texts.HANDLED) or 999) <= SINGLE_SEPTETS


def test_delivery_of_the_text_shows_beside_the_answer(hub: DeskHub) -> None:
    told(hub)
    (row,) = hub.rows(t.assignment)
    for state in ("SENT", "DELIVERED", "SENT"):
        hub.take(hub.record(SmsState(message_id=row.id, state=state), "sms.state"))
    assert hub.rows(t.assignment)[0].sms_state == "DELIVERED"


@pytest.mark.parametrize("last", ["DELIVERED", "FAILED"])
@pytest.mark.parametrize("late", [False, True], ids=["in turn", "the first modem's word last"])
def test_an_alert_that_one_modem_left_to_the_other_has_the_others_last_word(
    hub: DeskHub, last: State, late: bool
) -> None:
    """Two streams of one node tell of one message, and come in any order."""
    told(hub)
    (row,) = hub.rows(t.assignment)
    left = SmsState(message_id=row.id, state="QUEUED", detail="left to the other modem: refused")
    others = [SmsState(message_id=row.id, state=state) for state in ("SENT", last)]
    said = [("modemb.urgent", one) for one in others]
    said.insert(len(said) if late else 0, ("modem.urgent", left))
    for place, (stream, body) in enumerate(said):
        hub.take(hub.gsm.record(stream, 100 + place, body, "sms.state"))
        expected = last if place == 2 or (late and place == 1) else None
        assert expected is None or hub.rows(t.assignment)[0].sms_state == expected
    assert hub.events("dispatch.unsent") == ["dispatch.unsent"] * (last == "FAILED")
    assert hub.rows(t.unapplied) == []


def test_what_happened_without_the_hub_is_taken_once_and_shown_as_such(hub: DeskHub) -> None:
    record = hub.sms(FIRE)
    report_id = msgspec.json.decode(record.body, type=Report).report_id
    common: dict[str, Any] = {"code": "4F7K", "report_id": report_id}
    steps = [
        DutyState(**common, deed="sounded"),
        DutyState(**common, deed="told", id="01KA6P3ZQ4N8S5T6V7W8000001", name="Regu A", number=TEAM),
    ]
    after = [
        DutyState(**common, deed="accepted", name="Regu A", number=TEAM, text="TERIMA 4F7K"),
        DutyState(**common, deed="stranger", number=OTHER, text="TERIMA 4F7K"),
        DutyState(**common, deed="over"),
    ]
    for step in steps:
        hub.take(hub.record(step, "duty"))
    hub.sms("TERIMA 4F7K", TEAM)
    for step in after:
        hub.take(hub.record(step, "duty"))
    assert hub.events("away.") == ["away.sounded", "away.told", "away.stranger", "away.over"]
    assert hub.events("dispatch.accepted") == ["dispatch.accepted"]
    (incident,) = hub.rows(t.incident)
    assert incident.taken_by == "Regu A"
    (assignment,) = hub.rows(t.assignment)
    assert assignment.away


def test_a_phone_that_a_node_texted_again_of_something_graver_has_one_task(hub: DeskHub) -> None:
    report_id = msgspec.json.decode(hub.sms(FIRE).body, type=Report).report_id
    common: dict[str, Any] = {"code": "4F7K", "report_id": report_id, "name": "Regu A", "number": TEAM}
    ids = ["01KA6P3ZQ4N8S5T6V7W8000001", "01KA6P3ZQ4N8S5T6V7W8000002"]
    for id in ids:
        record = hub.record(DutyState(**common, deed="told", id=id), "duty")
        hub.take(record)
        hub.take(record)
        hub.take(hub.record(SmsState(message_id=id, state="SENT"), "sms.state"))
    hub.take(hub.record(DutyState(**common, deed="accepted", text="TERIMA 4F7K"), "duty"))
    hub.sms("SELESAI 4F7K", TEAM)
    assert hub.events("away.") == ["away.told", "away.told"]
    assert [(row.id, row.state, row.sms_state) for row in hub.rows(t.assignment)] == [
        (ids[0], "done", "SENT")
    ]
    assert [(row.id, row.state) for row in hub.rows(t.duty_text)] == [(ids[1], "SENT")]
    assert [incident.state for incident in hub.rows(t.incident)] == ["done"]
    assert hub.refused() == {}


def test_that_a_phone_was_told_the_hub_is_back_stands_at_each_incident_and_its_text_is_known(
    hub: DeskHub,
) -> None:
    ids = [msgspec.json.decode(hub.sms(text, sender).body, type=Report).report_id
           for text, sender in ((FIRE, CITIZEN), ("Banjir di Tanjung Uma", "+6281299990001"))]  # fmt: skip
    text = "01KA6P3ZQ4N8S5T6V7W8000002"
    for code, report_id in zip(("4F7K", "9KLM"), ids, strict=True):
        step = DutyState(code=code, report_id=report_id, deed="back", id=text, name="Regu A", number=TEAM)
        record = hub.record(step, "duty")
        hub.take(record)
        hub.take(record)
    hub.take(hub.record(SmsState(message_id=text, state="DELIVERED"), "sms.state"))
    assert hub.events("away.") == ["away.back", "away.back"]
    (row,) = hub.rows(t.duty_text)
    assert (row.kind, row.number, row.state) == ("back", TEAM, "DELIVERED")
    assert hub.rows(t.assignment) == []
    assert hub.refused() == {}


@pytest.mark.parametrize(("sent", "state"), [(False, "FAILED"), (True, "UNKNOWN")])
def test_an_alert_whose_command_expired_does_not_stay_queued(hub: DeskHub, sent: bool, state: str) -> None:
    told(hub)
    (row,) = hub.rows(t.assignment)
    if sent:
        hub.store.write(lambda c: commands.sent(c, [row.id], hub.now_us))
    hub.store.write(lambda c: fates.settle(c, row.id, "expired", fates.EXPIRED, {}, "hub", hub.now_us))
    assert hub.rows(t.assignment)[0].sms_state == state
    assert ("dispatch.unsent" in hub.events()) == (state == "FAILED")


def test_what_a_node_answered_by_itself_stands_in_the_conversation(hub: DeskHub) -> None:
    record = hub.sms(FIRE)
    report_id = msgspec.json.decode(record.body, type=Report).report_id
    said = AutoReply(
        id="01KA6P3ZQ4N8S5T6V7W8000009", report_id=report_id, to=CITIZEN, template="report", text="112 BATAM"
    )
    for _ in range(2):
        hub.take(hub.record(said, "reply.auto"))
    hub.take(hub.record(SmsState(message_id=said.id, state="DELIVERED"), "sms.state"))
    (reply,) = hub.rows(t.reply)
    assert (reply.state, reply.written_by) == ("DELIVERED", "node:gsm-1")


def test_what_a_node_answered_by_itself_and_how_it_went_has_the_nodes_time(hub: DeskHub) -> None:
    report_id = msgspec.json.decode(hub.sms(FIRE).body, type=Report).report_id
    said_us = hub.now_us + 2_000_000
    hub.clock.advance(40)
    id = "01KA6P3ZQ4N8S5T6V7W8000009"
    said = AutoReply(id=id, report_id=report_id, to=CITIZEN, template="report", text="112 BATAM")
    hub.take(hub.record(said, "reply.auto", had_us=said_us))
    state = SmsState(message_id=id, state="SENT")
    hub.take(hub.record(state, "sms.state", had_us=said_us + 3_000_000))
    moments = [thread.moment(row) for row in hub.rows(t.event) if row.kind.startswith("reply.")]
    happened = [clock_time(said_us), clock_time(said_us + 3_000_000)]
    assert [dict(one.details).get("happened") for one in moments] == happened


def test_reporters_are_told_once_that_somebody_sees_to_it(hub: DeskHub) -> None:
    hub.sms(FIRE)
    hub.sms("api makin besar")
    (incident,) = hub.rows(t.incident)
    ids = (f"01KA6P3ZQ4N8S5T6V7W80000{n:02d}" for n in range(10, 99))
    for _ in range(3):
        hub.store.write(lambda c: replies.tell_handled(c, incident.id, "rina", hub.now_us, lambda: next(ids)))
    assert [row.text for row in hub.rows(t.reply)] == [texts.HANDLED]


@pytest.mark.sop("R05")
def test_a_caller_who_rings_again_is_one_line_and_more_urgent(hub: DeskHub) -> None:
    hub.missed(CITIZEN)
    assert hub.rows(t.incident)[0].priority == "P2"
    hub.clock.advance(3600)
    hub.missed(CITIZEN)
    hub.missed(CITIZEN)
    (row,) = hub.rows(t.callback)
    assert row.calls == 3
    (incident,) = hub.rows(t.incident)
    assert incident.priority == "P1"


def test_withheld_callers_are_never_taken_for_one(hub: DeskHub) -> None:
    hub.missed(None)
    hub.missed(None)
    assert [row.number for row in hub.rows(t.callback)] == [None, None]
    assert len(hub.rows(t.incident)) == 2


def test_the_fate_of_a_text_that_nobody_here_ordered_is_kept_counted_and_shown(hub: DeskHub) -> None:
    for state in ("SENT", "DELIVERED"):
        hub.take(hub.record(SmsState(message_id="01KA6P3ZQ4N8S5T6V7W8000077", state=state), "sms.state"))
    kept = [(row.reason, row.node) for row in hub.rows(t.unapplied)]
    assert kept == [("foreign-text", "gsm-1")] * 2
    assert hub.rows(t.reply) == []
    assert "foreign-text" in REASONS


def test_the_fate_of_a_text_that_a_technician_sent_at_the_node_is_no_stray(hub: DeskHub) -> None:
    """`siaga-node modem send`: told apart by its id, and nothing that somebody here has to look at."""
    for state in ("SENT", "DELIVERED"):
        id = f"{AT_NODE}01KA6P3ZQ4N8S5T6V7W8000077"
        hub.take(hub.record(SmsState(message_id=id, state=state), "sms.state"))
    assert hub.rows(t.unapplied) == []
    assert hub.rows(t.reply) == []


@pytest.mark.parametrize(
    ("text", "state"),
    [("Terima {code} siap komandan", "accepted"), ("selesai {code}, api padam", "done")],
)
def test_words_after_an_answer_are_the_teams_note(hub: DeskHub, text: str, state: str) -> None:
    said = text.format(code=told(hub))
    hub.sms(said, TEAM)
    assert len(hub.rows(t.incident)) == 1
    assert hub.rows(t.assignment)[0].state == state
    (event,) = [row for row in hub.rows(t.event) if row.kind == f"dispatch.{state}"]
    assert said in str(event.body)


@pytest.mark.parametrize(
    "text",
    [
        "Terima kasih, tolong ada kebakaran di Batu Aji",
        "selesai sudah, rumah terbakar",
        "selesai {code}, api padam",
    ],
)
def test_a_citizens_text_is_never_swallowed(hub: DeskHub, text: str) -> None:
    said = text.format(code=told(hub))
    hub.sms(said, OTHER)
    assert [row.summary for row in hub.rows(t.incident)][1:] == [said]
    assert hub.rows(t.assignment)[0].state == "told"


def test_a_phone_on_duty_answers_a_colleagues_code_with_its_own_name(hub: DeskHub) -> None:
    code = told(hub, ("Regu B", OTHER))
    hub.sms(f"TERIMA {code}", TEAM)
    (incident,) = hub.rows(t.incident)
    assert incident.taken_by == "Regu A"
    assert {(row.name, row.state) for row in hub.rows(t.assignment)} == {
        ("Regu B", "told"),
        ("Regu A", "accepted"),
    }
    assert hub.events("dispatch.stranger") == []


def test_that_a_phone_was_asked_for_the_code_stands_at_the_incident(hub: DeskHub) -> None:
    report_id = msgspec.json.decode(hub.sms(FIRE).body, type=Report).report_id
    id = "01KA6P3ZQ4N8S5T6V7W8000003"
    step = DutyState(code="4F7K", report_id=report_id, deed="asked", id=id, name="Regu A", number=TEAM)
    hub.take(hub.record(step, "duty"))
    hub.take(hub.record(SmsState(message_id=id, state="SENT"), "sms.state"))
    assert hub.events("away.") == ["away.asked"]
    assert [(row.kind, row.state) for row in hub.rows(t.duty_text)] == [("asked", "SENT")]
