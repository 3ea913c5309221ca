"""What a line from the modem is, whatever stands around it."""

import random

import pytest

from siaga_edge.modem import at
from siaga_edge.modem.at import BadAnswer, Stored


@pytest.mark.parametrize(
    ("line", "pending", "kind"),
    [
        ("OK", "AT", "final"),
        ("ERROR", "AT+CMGL=4", "final"),
        ("+CMS ERROR: 321", "AT+CMGR=1", "final"),
        ("+CME ERROR: SIM busy", "AT+CPIN?", "final"),
        ("AT+CMGL=4", "AT+CMGL=4", "echo"),
        ('+CMTI: "SM",3', "AT+CMGL=4", "event"),
        ("RING", "AT+CMGL=4", "event"),
        ("RING", "", "event"),
        ("+CMGL: 1,0,,24", "AT+CMGL=4", "answer"),
        ("+CPIN: READY", "AT+CPIN?", "answer"),
        ("+CPIN: NOT READY", "AT+CMGL=4", "event"),
        ("+CREG: 1", "AT+CMGL=4", "event"),
        ("+CREG: 0,1", "AT+CREG?", "answer"),
        ("NO CARRIER", "AT+CMGL=4", "event"),
        ("NO CARRIER", "ATD112;", "final"),
        ("0791…", "", "event"),
    ],
)
def test_what_a_line_is(line: str, pending: str, kind: str) -> None:
    assert at.classify(line, pending) == kind


@pytest.mark.parametrize(
    ("final", "why"),
    [("OK", None), ("ERROR", "ERROR"), ("+CMS ERROR: 321", "321"), ("+CME ERROR: SIM busy", "SIM busy")],
)
def test_why_a_command_failed(final: str, why: str | None) -> None:
    assert at.failure(final) == why


def test_a_listing_survives_events_noise_and_cut_lines() -> None:
    answer = ["+CMGL: 1,0,,1", "00AA", "", "+CMGL: 2,1,,20", "+CMGL: 3,0,,2", "00 91 BB", "noise"]
    assert at.stored(answer) == [Stored(1, "00AA"), Stored(3, "0091BB")]


def test_an_event_nobody_knows_is_not_taken_for_the_message_it_stands_before() -> None:
    answer = ['+CMGL: 1,0,"",2', '^HCSQ:"LTE",43', "0091BB", "+CMGL: 2,0,,9", "0091BB"]
    assert at.stored(answer) == [Stored(1, "0091BB"), Stored(2, "0091BB", whole=False)]


def test_an_empty_slot_is_none_and_a_message_is_its_pdu() -> None:
    assert at.read_message([]) is None
    assert at.read_message(["+CMGR: 0,,2", "^RSSI:18", "0091AA"]) == ("0091AA", True)
    assert at.read_message(["+CMGR: 0,,24", "0791AA"]) == ("0791AA", False)


@pytest.mark.parametrize(
    "between", ["1,,", '1,"",', '1,"Ibu, rumah",', '1 , "x" , ', "1,", '"REC UNREAD",,', ""]
)
def test_a_head_says_its_length_last_whatever_stands_before_it(between: str) -> None:
    """Status, name and length of 27.005 §4.1, with what firmware leaves out or puts in."""
    assert at.stored([f"+CMGL: 7,{between}2", "0091BB"]) == [Stored(7, "0091BB")]
    assert at.read_message([f"+CMGR: {between}2", "0091BB"]) == ("0091BB", True)


@pytest.mark.parametrize(
    ("line", "pending", "kind"),
    [
        ("^RSSI:18", "AT+CMGL=4", "event"),
        ("^CPIN: READY,,10,3,10,3", "AT^CPIN?", "answer"),
        ("^CPINX: 1", "AT^CPIN?", "answer"),
    ],
)
def test_the_words_of_a_family_are_events_unless_they_were_asked_for(
    line: str, pending: str, kind: str
) -> None:
    assert at.classify(line, pending, ("^RSSI:", "^CPIN:")) == kind


@pytest.mark.parametrize(
    ("answer", "found"),
    [(["+CPMS: 3,20,3,20,3,20"], (3, 20)), (['+CPMS: "SM",4,40,"SM",4,40'], (4, 40)), ([], None)],
)
def test_how_full_a_store_is(answer: list[str], found: tuple[int, int] | None) -> None:
    assert at.slots(answer) == found


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (['+CPMS: ("SM","ME","MT"),("SM","ME"),("SM")'], ["SM", "ME"]),
        (['+CPMS: ("MT","SM","TA"),("SM")'], ["MT", "SM", "TA"]),
        (['+CPMS: ("SM_P","SM"),("SM"),("SM")'], ["SM"]),
        (['+CPMS: ("BM","BM"),("SM"),("SM")'], ["SM"]),
        (['+CPMS: ("SM","ME"), ("SM","ME"), ("SM","ME")'], ["SM", "ME"]),
        ([], ["SM"]),
    ],
)
def test_the_stores_of_a_modem(answer: list[str], found: list[str]) -> None:
    assert at.memories(answer) == found


def test_the_reference_of_what_was_sent() -> None:
    assert at.sent_reference(["", "+CMGS: 17"]) == 17
    with pytest.raises(BadAnswer):
        at.sent_reference(["+CMTI: 1"])


def test_no_line_at_all_raises_anything() -> None:
    rng = random.Random(27_005)
    for _ in range(5000):
        line = "".join(chr(rng.choice((*range(32, 127), 0, 0xFF, 0x2028))) for _ in range(rng.randrange(60)))
        prefix = rng.choice(("", "+CLIP: ", "+CMGL: ", "+CLCC: 1,1,", "+CPMS: (", "+CMTI:"))
        whole = prefix + line
        at.classify(whole, rng.choice(("", "AT+CMGL=4", whole)))
        for total in (
            at.failure,
            at.is_boot,
            at.follows,
            at.is_octets,
            at.text_sender,
        ):
            total(whole)
        (
            at.direct(at.Event(line, whole)),
            at.stored([whole, line]),
            at.memories([whole]),
            at.read_message([whole, line]),
        )
