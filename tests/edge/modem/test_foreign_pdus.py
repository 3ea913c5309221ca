"""Traps that other projects' test suites hold, each shown with a PDU of our own.

Where the facts come from: oFono's test-sms (EMS elements in messages of our own), ModemManager's
test-sms-part-3gpp (lengths that lie, messages stored by the modem), Android's GsmSmsTest (national tables,
waiting voice mail), Kannel's modem settings (no service centre before the PDU), TS 23.038 Annex A.
"""

import random
from datetime import datetime, timedelta, timezone

import pytest

from siaga_edge.modem import alphabet, at, national, pdu
from siaga_edge.modem.assembly import undecodable
from siaga_edge.modem.pdu import BadPdu, Deliver
from siaga_edge.simulate.modem import tpdu

WHEN = datetime(2026, 11, 23, 14, 3, 7, tzinfo=timezone(timedelta(hours=7)))
CITIZEN = "+6281234567890"
TEXT = "Tolong kebakaran di Jl. Raden Patah Nagoya"
INDIAN = range(national.BENGALI, national.URDU + 1)


def received(text: str = TEXT) -> bytes:
    """An SMS-DELIVER as the modem gives it."""
    return tpdu.deliver(CITIZEN, text, WHEN)[0]


def in_language(language: int, septets: list[int], element: int) -> Deliver:
    """A message whose header names one national table."""
    head = bytes((3, element, 1, language))
    body = head + alphabet.pack(septets, 35 - 32)
    octets = bytes.fromhex("0040") + tpdu.address(CITIZEN) + bytes((0, 0)) + tpdu.timestamp(WHEN)
    message = pdu.decode((octets + bytes([5 + len(septets)]) + body).hex())
    assert isinstance(message, Deliver)
    return message


@pytest.mark.parametrize("language", INDIAN)
def test_each_language_has_whole_tables_of_its_own_script(language: int) -> None:
    locking, single = national.LOCKING[language], national.SINGLE[language]
    assert len(locking) == 128
    assert (locking[0x0A], locking[0x0D], locking[0x1B]) == ("\n", "\r", "\x1b")
    assert locking[0x61:0x7B] == "abcdefghijklmnopqrstuvwxyz"
    assert "".join(single[code] for code in range(0x41, 0x5B)) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert single[0x65] == "€"
    foreign = [letter for letter in locking + "".join(single.values()) if ord(letter) > 0x2FF]
    pages = {ord(letter) >> 8 for letter in foreign} - {0x20}  # the euro
    assert len(pages) == 1 or pages <= {0x09, 0x0A, 0x0B, 0x0C, 0x0D}, "the danda is Devanagari's in all"


@pytest.mark.parametrize(
    ("language", "septets", "text"),
    [
        # कृपया मदद करें: a cry for help in Hindi, 0x20 between the words.
        (
            national.HINDI,
            [0x15, 0x55, 0x3E, 0x42, 0x50, 0x20, 0x42, 0x2B, 0x2B, 0x20, 0x15, 0x44, 0x57, 0x01],
            None,
        ),
        (national.TAMIL, [0x17, 0x42, 0x2F], "ந"),
    ],
)
def test_a_locking_table_is_read(language: int, septets: list[int], text: str | None) -> None:
    expected = "".join(national.LOCKING[language][code] for code in septets)
    assert in_language(language, septets, 0x25).text == expected
    if text is not None:
        assert text in expected


@pytest.mark.parametrize(
    ("language", "code", "letter"),
    [
        (national.BENGALI, 0x19, "\u09e6"),
        (national.BENGALI, 0x1C, "\u09e8"),
        (national.BENGALI, 0x25, "\u09e0"),
        (national.GUJARATI, 0x25, "\u0aef"),
        (national.HINDI, 0x1C, "\u0966"),
        (national.HINDI, 0x3A, "\u0971"),
        (national.KANNADA, 0x26, "\u0cde"),
        (national.MALAYALAM, 0x34, "\u0d7f"),
        (national.ORIYA, 0x2C, "\u0b71"),
        (national.PUNJABI, 0x2D, "\u0a75"),
        (national.TAMIL, 0x2E, "\u0bfa"),
        (national.TELUGU, 0x32, "\u0c7f"),
        (national.URDU, 0x3F, "\u06d4"),
    ],
)
def test_a_single_table_is_read(language: int, code: int, letter: str) -> None:
    assert in_language(language, [0x1B, code, 0x41], 0x24).text == f"{letter}A"


def test_a_message_of_our_own_shows_its_text() -> None:
    for text in (TEXT, "Перекрёсток", "Tolong 🔥"):
        for one in pdu.encode("+62811234567", text, 1):
            assert pdu.best_effort(one.pdu) == text.removesuffix("🔥").rstrip() or "🔥" in text


def test_elements_that_style_a_text_are_no_text() -> None:
    """EMS (§9.2.3.24.10): how the letters look, where pictures stand, in a header before the text."""
    head = bytes.fromhex("0D 0A03000410 0A03040608 0B020101".replace(" ", ""))
    head = bytes([len(head) - 1]) + head[1:]
    septets = alphabet.encode("Tolong") or []
    skipped = -(-len(head) * 8 // 7)
    body = head + alphabet.pack(septets, skipped * 7 - len(head) * 8)
    octets = bytes.fromhex("0040") + tpdu.address(CITIZEN) + bytes((0, 0)) + tpdu.timestamp(WHEN)
    message = pdu.decode((octets + bytes([skipped + len(septets)]) + body).hex())
    assert isinstance(message, Deliver)
    assert message.text == "Tolong"
    assert [element for element, _ in message.elements] == [0x0A, 0x0A, 0x0B]


def test_one_wrong_bit_in_type_or_coding_leaves_the_text_to_be_seen() -> None:
    octets = bytearray(received())
    first = octets[0] + 1
    for at_octet, bit in ((first, 0x01), (first + 11, 0x20)):
        spoilt = bytearray(octets)
        spoilt[at_octet] ^= bit
        with pytest.raises(BadPdu):
            pdu.decode(spoilt.hex())
        assert pdu.best_effort(spoilt.hex()) == TEXT


def test_who_sent_what_cannot_be_read_is_shown_for_a_call_back() -> None:
    cut = received().hex()[:-20]
    with pytest.raises(BadPdu) as caught:
        pdu.decode(cut)
    report = undecodable("r1", "m", cut, caught.value)
    assert (report.reporter, report.reporter_e164) == (CITIZEN, None)
    assert report.sms is not None
    assert report.sms.text.startswith("Tolong kebakaran")


@pytest.mark.parametrize("octets", ["", "zz", "07", "0004", "000081", "0004D05474", "0091FF", "000B"])
def test_no_sender_is_made_up(octets: str) -> None:
    assert pdu.guessed_sender(octets) == ""


def test_a_name_is_no_number_to_call_back() -> None:
    [octets] = tpdu.deliver("TELKOMSEL", "x", WHEN)
    assert pdu.guessed_sender(octets.hex()) == ""


def test_a_pdu_without_a_service_centre_is_completed_by_its_length() -> None:
    whole = received()
    bare = whole[1 + whole[0] :]
    listed = at.stored([f"+CMGL: 3,0,,{len(bare)}", bare.hex().upper()])
    assert listed == [at.Stored(3, f"00{bare.hex().upper()}")]
    assert at.read_message([f"+CMGR: 0,,{len(bare)}", bare.hex()]) == (f"00{bare.hex().upper()}", True)
    message = pdu.decode(listed[0].pdu)
    assert isinstance(message, Deliver)
    assert (message.sender, message.text) == (CITIZEN, TEXT)


def test_a_pdu_that_lost_its_end_is_never_taken_for_one_without_a_centre() -> None:
    """It may have lost just as many octets as the centre's address has."""
    rng = random.Random(7)
    for _ in range(300):
        text = "".join(rng.choice("abcdefgh ijklmnop 0123456789") for _ in range(rng.randrange(20, 140)))
        whole = received(text)
        length = len(whole) - 1 - whole[0]
        [one] = at.stored([f"+CMGL: 1,0,,{length}", whole[:length].hex()])
        assert not one.whole or one.pdu == whole.hex().upper()
        assert one.pdu == whole[:length].hex().upper()


@pytest.mark.parametrize(
    ("year", "expected"), [("29", "1992"), ("99", "1999"), ("00", "2000"), ("98", "2089")]
)
def test_a_year_is_of_the_century_in_which_there_is_sms(year: str, expected: str) -> None:
    told = pdu.time_stamp(bytes.fromhex(f"{year}113241307082"))
    assert told is not None
    assert told.startswith(expected)


@pytest.mark.parametrize("scheme", [0xC8, 0xD8, 0xE8, 0x10, 0x11, 0xF1, 0x40, 0x50, 0x8F])
def test_flash_waiting_voice_mail_and_reserved_codings_still_say_their_text(scheme: int) -> None:
    text = "Kebakaran"
    wide = pdu.coding_scheme(scheme).coding == "ucs2"
    data = text.encode("utf-16-be") if wide else alphabet.pack(alphabet.encode(text) or [])
    octets = bytes.fromhex("0000") + tpdu.address(CITIZEN) + bytes((0, scheme)) + tpdu.timestamp(WHEN)
    message = pdu.decode((octets + bytes([len(data) if wide else len(text)]) + data).hex())
    assert isinstance(message, Deliver)
    assert message.text == text


def test_a_status_report_with_its_optional_fields_is_one() -> None:
    """Protocol, coding and text may follow, as the indicator says (§9.2.3.27)."""
    octets = tpdu.status_report(77, "+62811", WHEN, WHEN, 0, "")
    for more in ("00", "0700000548656C", "FF"):
        found = pdu.decode(octets.hex() + more)
        assert isinstance(found, pdu.StatusReport)
        assert (found.reference, found.outcome) == (77, "DELIVERED")
