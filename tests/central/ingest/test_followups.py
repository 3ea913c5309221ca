"""Who writes again of an open incident is heard: on its line, beside it, over a person's judgement."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from siaga_central.ingest import streams
from siaga_central.ingest.projection import Moment
from siaga_central.store import assignments, attention, incidents, replies, views
from siaga_central.store import schema as t
from siaga_core.reading.text import read
from siaga_core.service.clock import new_id
from siaga_core.wire.anchor import ClockAnchor
from siaga_core.wire.envelope import Received, Stamp
from siaga_core.wire.ids import NodeId
from siaga_core.wire.report import Report, Sms, SmsPart
from support.desk_hub import CITIZEN, OTHER, TEAM, DeskHub

_HOUR_S = 3600


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[DeskHub]:
    made = DeskHub(tmp_path)
    yield made
    made.close()


def lines(hub: DeskHub, lane: str = "act") -> list[views.IncidentLine]:
    with hub.store.read() as connection:
        found = views.needs_action(connection) if lane == "act" else views.running(connection)
    return found.rows


def handle(hub: DeskHub, priority: str = "P3") -> Any:
    """An operator takes the only incident and judges it."""
    (row,) = hub.rows(t.incident)
    hub.clock.advance(1)

    def work(c: Any) -> None:
        incidents.take(c, row.id, "rina", hub.now_us)
        incidents.classify(c, row.id, row.category, priority, row.place, "rina", hub.now_us)

    hub.store.write(work)
    hub.clock.advance(1)
    return row


def test_a_later_text_joins_the_open_incident_and_calls_for_action_again(hub: DeskHub) -> None:
    hub.sms("pohon tumbang di jalan")
    row = handle(hub)
    assert [line.incident.id for line in lines(hub, "run")] == [row.id]
    hub.clock.advance(3 * _HOUR_S)
    hub.sms("belum ada yang datang")
    (line,) = lines(hub)
    assert (line.incident.id, line.reports, line.fresh) == (row.id, 2, True)
    assert line.newest is not None
    assert line.newest.text == "belum ada yang datang"
    assert line.sound == f"{line.newest.id}.1"


def test_a_later_text_about_something_else_is_an_incident_of_its_own_linked_both_ways(hub: DeskHub) -> None:
    hub.sms("pohon tumbang di jalan")
    first = handle(hub)
    hub.clock.advance(_HOUR_S)
    hub.sms("kebakaran rumah, ada korban")
    hub.sms("banjir", OTHER)
    shown = {line.incident.number: line.same_number for line in lines(hub) + lines(hub, "run")}
    _, second, third = (row.number for row in hub.rows(t.incident))
    assert shown == {first.number: [second], second: [first.number], third: []}
    assert len(hub.events("incident.same_number")) == 2
    hub.store.write(lambda c: incidents.move(c, first.id, "cancel", "rina", hub.now_us, "twice"))
    assert lines(hub)[0].same_number == []


def test_words_graver_than_a_persons_judgement_sound_and_the_judgement_stays(hub: DeskHub) -> None:
    hub.sms("kebakaran kecil di tong sampah")
    row = handle(hub, "P3")
    hub.clock.advance(2 * _HOUR_S)
    before = len(hub.rows(t.command))
    hub.sms("tolong kebakaran membesar ada korban terjebak")
    (line,) = lines(hub)
    assert (line.incident.priority, line.priority, line.pressing) == ("P3", "P1", True)
    assert [one.kind for one in hub.rows(t.command)[before:]] == ["siren.sound"]
    hub.sms("tolong cepat kebakaran ada korban terjebak")
    assert len(hub.rows(t.command)) == before + 1, "once, until somebody has looked"
    hub.clock.advance(1)
    hub.store.write(lambda c: incidents.note(c, row.id, "sudah dibaca", "rina", hub.now_us))
    (line,) = lines(hub, "run")
    assert (line.priority, line.pressing, line.fresh) == ("P3", False, False)
    hub.clock.advance(1)
    hub.sms("tolong kebakaran ada korban terjebak lagi")
    assert lines(hub)[0].pressing


def test_a_word_that_sounds_no_worse_rings_no_siren(hub: DeskHub) -> None:
    hub.sms("pohon tumbang di jalan")
    handle(hub, "P3")
    hub.clock.advance(60)
    hub.sms("terima kasih")
    assert hub.events(attention.PRESSING) == []
    assert not lines(hub)[0].pressing


def test_a_field_teams_answer_does_not_hide_a_reporters_new_word(hub: DeskHub) -> None:
    hub.sms("pohon tumbang di jalan")
    row = handle(hub)
    tell = lambda c: assignments.tell(c, "a1", row.id, ("Regu A", TEAM), "gsm-1", "rina", hub.now_us)  # noqa: E731
    code = hub.store.write(tell)
    hub.clock.advance(60)
    hub.sms("sekarang menimpa rumah")
    hub.clock.advance(1)
    hub.sms(f"OTW {code}", TEAM)
    assert [line.incident.id for line in lines(hub)] == [row.id]


def test_the_rest_of_a_text_that_comes_after_it_was_read_calls_for_action(hub: DeskHub) -> None:
    hub.sms("[1/2 ...] pohon tumbang di", report_id="long")
    row = handle(hub)
    hub.sms("[1/2 ...] pohon tumbang di", report_id="long", revision=2)
    assert lines(hub) == [], "nothing new stands there"
    hub.sms("pohon tumbang di jalan, menimpa mobil", report_id="long", revision=3)
    (line,) = lines(hub)
    assert (line.incident.id, line.fresh, line.sound) == (row.id, True, "long.3")


def test_a_flood_of_words_is_heard_once_a_minute(hub: DeskHub) -> None:
    hub.sms("pohon tumbang di jalan")
    handle(hub)
    heard = []
    for number in range(120):
        hub.clock.advance(1)
        hub.sms(f"cepat {number}")
        heard.append(lines(hub)[0].sound)
    assert len(set(heard[:4])) == 4, "each of the first"
    assert len(set(heard[4:])) <= 3
    hub.clock.advance(1200)
    hub.sms("sudah selesai")
    assert lines(hub)[0].sound not in heard


def test_what_a_text_joins_counts_from_when_it_was_written_not_from_when_the_hub_had_it(hub: DeskHub) -> None:
    night_us, minute_us = hub.now_us, 60_000_000
    hub.sms("pohon tumbang di jalan")
    hub.clock.advance(_HOUR_S)
    hub.sms("kebakaran rumah, ada korban", had_us=night_us + 8 * minute_us)
    assert len(hub.rows(t.incident)) == 1, "eight minutes apart"
    hub.sms("banjir setinggi dada", had_us=night_us + 50 * minute_us)
    assert len(hub.rows(t.incident)) == 2, "another matter, 42 minutes later, of the same outage"
    hub.sms("motor hanyut", had_us=night_us + 4 * minute_us)
    reports = [row.incident for row in hub.rows(t.report)]
    assert reports[-1] == reports[0], "what comes late stands with what was said near it"


def test_an_answer_that_failed_calls_for_action_until_somebody_does_something(hub: DeskHub) -> None:
    hub.sms("pohon tumbang di jalan")
    row = handle(hub)

    def write(c: Any, id: str) -> None:
        replies.write(c, id, row.id, CITIZEN, "Regu menuju lokasi", "rina", hub.now_us, "gsm-1")

    def failed(c: Any, id: str) -> None:
        replies.delivered(c, id, "FAILED", "", "node:gsm-1", hub.now_us)

    hub.store.write(lambda c: write(c, "a1"))
    hub.clock.advance(60)
    hub.store.write(lambda c: failed(c, "a1"))
    (line,) = lines(hub)
    assert (line.failed, line.fresh) == (True, False)
    first = line.sound
    hub.clock.advance(1)
    hub.store.write(lambda c: write(c, "a2"))
    assert not lines(hub, "run")[0].failed, "sent again"
    hub.clock.advance(60)
    hub.store.write(lambda c: failed(c, "a2"))
    assert lines(hub)[0].sound not in ("", first), "each failure is heard"
    hub.clock.advance(1)
    hub.store.write(lambda c: incidents.note(c, row.id, "sudah ditelepon", "rina", hub.now_us))
    assert not lines(hub, "run")[0].failed


def test_words_of_the_kind_an_incident_had_before_it_became_graver_are_of_it(hub: DeskHub) -> None:
    hub.sms("pohon tumbang di jalan")
    hub.clock.advance(120)
    hub.sms("tolong kecelakaan, motor tertimpa, ada korban terjepit")
    (row,) = hub.rows(t.incident)
    before, after = hub.rows(t.report)[0].text, row.category
    assert after != read(before).kind, "the hub raised it"
    hub.clock.advance(1200)
    hub.sms("pohon makin turun, orang yang terjepit tidak sadar lagi")
    assert [one.id for one in hub.rows(t.incident)] == [row.id]
    hub.clock.advance(1200)
    hub.sms("banjir setinggi dada")
    assert len(hub.rows(t.incident)) == 2, "of a kind that nobody named"


def test_a_text_of_a_node_without_a_clock_joins_by_the_time_that_the_hub_reckons(hub: DeskHub) -> None:
    """Its record's time is known before the text is read; afterwards would be too late."""
    minute_ns, began_ns = 60 * 10**9, hub.now_us * 1000

    def give(body: msgspec.Struct, kind: str, boot_ns: int) -> None:
        at = Stamp(boot_seq=1, boot_id="b", boot_ns=boot_ns, wall_ns=5 * 10**9, clock="unknown")
        record = msgspec.structs.replace(hub.record(body, kind), at=at)
        key = (record.node, record.stream, record.epoch)
        batch = Received(NodeId("gsm-1"), *key[1:], record.seq, record.seq, [record], [])
        moment = Moment(hub.now_us, lambda: new_id(hub.clock), hub.policy)
        hub.store.write(lambda c: streams.commit(c, key, [("test", batch)], moment))

    def text(words: str) -> Report:
        sms = Sms(text=words, parts=[SmsPart(number=1, pdu="00")])
        return Report(
            report_id=new_id(hub.clock), revision=1, source="sms", modem="modem",
            reporter=CITIZEN, reporter_e164=CITIZEN, sms=sms,
        )  # fmt: skip

    hub.clock.advance(1)
    give(ClockAnchor(boot_id="b", boot_ns=1, utc_ns=began_ns, source="hub", error_ms=10), "clock.anchor", 1)
    give(text("pohon tumbang di jalan"), "report", 2)
    hub.clock.advance(_HOUR_S)
    give(text("kebakaran rumah, ada korban"), "report", 8 * minute_ns)
    assert len(hub.rows(t.report)) == 2
    assert len(hub.rows(t.incident)) == 1
