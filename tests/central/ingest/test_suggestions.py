"""What the hub suggests of a text: as the shared reading has it, and never nothing."""

import random

import pytest
from bench.corpus import reports

from siaga_central.ingest.suggestion import Suggestion, of_reading, suggest
from siaga_core.reading.text import read
from siaga_core.wire.report import Call, Report, Sms

FIXED = {"report_id": "r", "revision": 1, "modem": "one"}


def sms(text: str) -> Suggestion:
    return suggest(Report(source="sms", sms=Sms(text=text), **FIXED))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "category", "priority", "place"),
    [
        ("Kebakaran ruko di Nagoya", "KBR", "P1", "Nagoya"),
        ("KEB4KARRAN", "KBR", "P1", ""),
        ("laka lantas simpang kabil", "LKA", "P1", "simpang kabil, Nongsa"),
        ("banjir di batu aji", "BCN", "P2", "batu aji"),
        ("kota ini apik sekali", "LAIN", "P2", ""),
        ("ada yang jual sabu", "NRK", "P3", ""),
        ("tes", "LAIN", "P4", ""),
        ("tes tolong", "LAIN", "P2", ""),
        ("", "LAIN", "P2", ""),
        ("ambulan https://maps.app.goo.gl/AbCd", "AMB", "P1", "https://maps.app.goo.gl/AbCd"),
    ],
)
def test_a_text_suggests_kind_priority_and_place(text: str, category: str, priority: str, place: str) -> None:
    found = sms(text)
    assert (found.category, found.priority, found.place) == (category, priority, place)


def test_a_call_says_nothing_by_itself_and_is_urgent() -> None:
    assert suggest(Report(source="call", call=Call(state="missed"), **FIXED)) == Suggestion("LAIN", "P2", "")  # type: ignore[arg-type]


def test_hub_and_node_read_the_same() -> None:
    for one in reports():
        reading = read(one.text)
        found = sms(one.text)
        assert found == of_reading(reading)
        assert found.category == reading.kind
        assert found.priority <= reading.priority
        assert found.place.startswith(reading.place.words)


def test_no_text_is_ever_without_a_suggestion() -> None:
    rng = random.Random(112)
    for _ in range(500):
        text = "".join(chr(rng.choice((rng.randrange(32, 127), rng.randrange(0xD7FF)))) for _ in range(40))
        assert sms(text).priority in ("P1", "P2", "P3", "P4")


@pytest.mark.parametrize(
    ("text", "presses"), [("sudah makan siang", False), ("orangnya begini", False), ("di tiban", True)]
)
def test_words_of_an_unknown_meaning_do_not_press_an_incident_that_is_there(text: str, presses: bool) -> None:
    assert sms(text).presses is presses
