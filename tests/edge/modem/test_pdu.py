"""SMS read and written: against published octets, the simulator's own codec, and damage of every kind."""

import random
from datetime import UTC, datetime, timedelta, timezone

import pytest

from siaga_core.wire import gsm7
from siaga_edge.modem import alphabet, pdu
from siaga_edge.modem.assembly import Piece, joined, key
from siaga_edge.modem.pdu import BadPdu, Deliver, StatusReport
from siaga_edge.simulate.modem import tpdu

WIB = timezone(timedelta(hours=7))
WHEN = datetime(2026, 11, 23, 14, 3, 7, tzinfo=WIB)
# Letters of the default alphabet, of its extension, and outside of it.
SIGNS = {
    "gsm7": [letter for letter in gsm7.DEFAULT if letter != "\x1b"] + list("^{}[]~|\\€"),
    "ucs2": list("Kebakaran ąłя漢字🔥👩‍🚒"),
}


def read(octets: bytes) -> Deliver:
    """Decode as a message."""
    message = pdu.decode(octets.hex().upper())
    assert isinstance(message, Deliver)
    return message


def some_text(rng: random.Random, coding: str, most: int = 500) -> str:
    return "".join(rng.choice(SIGNS[coding]) for _ in range(rng.randrange(1, most)))


def test_the_octets_of_the_standards_examples_are_read() -> None:
    """TS 23.038's packing of `hellohello`, in the DELIVER that is shown in every modem's manual."""
    message = pdu.decode("07917283010010F5040BC87238880900F10000993092516195800AE8329BFD4697D9EC37")
    assert isinstance(message, Deliver)
    assert (message.sender, message.text, message.coding) == ("27838890001", "hellohello", "gsm7")
    assert message.sent_at == "1999-03-29T15:16:59+02:00", "SMS began in 1992: 99 is of the last century"


@pytest.mark.parametrize("coding", ["gsm7", "ucs2"])
@pytest.mark.parametrize("wide", [False, True])
def test_whatever_the_network_hands_over_is_read_and_joined(coding: str, wide: bool) -> None:
    rng = random.Random(f"{coding}{wide}")
    for _ in range(200):
        text, reference = some_text(rng, coding), rng.randrange(1, 250)
        octets = tpdu.deliver("+6281234567890", text, WHEN, coding=coding, reference=reference, wide=wide)  # type: ignore[arg-type]
        messages = [read(one) for one in octets]
        assert {message.sender for message in messages} == {"+6281234567890"}
        assert {message.sent_at for message in messages} == {"2026-11-23T14:03:07+07:00"}
        assert len({key(message) for message in messages}) == 1
        pieces = [
            Piece(message.part.number if message.part else 1, message.text, "", None, message)
            for message in messages
        ]
        rng.shuffle(pieces)
        assert joined(pieces, len(messages)) == text


@pytest.mark.parametrize("coding", ["gsm7", "ucs2"])
def test_what_we_write_the_network_reads(coding: str) -> None:
    rng = random.Random(coding)
    for _ in range(200):
        text = some_text(rng, coding)
        submits = [
            tpdu.decode_submit(bytes.fromhex(one.pdu)[1:])
            for one in pdu.encode("+62811", text, rng.randrange(256))
        ]
        assert "".join(submit.text for submit in submits) == alphabet.plain(text) or coding == "ucs2"
        if coding == "ucs2":
            assert "".join(submit.text for submit in submits) == text
        assert all(submit.to == "+62811" and submit.wants_report for submit in submits)
        assert [submit.part[2] if submit.part else 1 for submit in submits] == list(
            range(1, len(submits) + 1)
        )


def test_the_length_that_cmgs_is_told_is_the_octets_without_the_centre() -> None:
    for one in pdu.encode("0811", "x" * 400, 7):
        assert one.length == len(one.pdu) // 2 - 1
        assert one.length <= 155 + 12


@pytest.mark.parametrize(
    ("text", "parts"), [("a" * 160, 1), ("a" * 161, 2), ("я" * 70, 1), ("я" * 71, 2), ("€" * 80, 1)]
)
def test_a_text_takes_no_more_parts_than_it_needs(text: str, parts: int) -> None:
    assert len(pdu.encode("+62811", text, 1)) == parts


@pytest.mark.parametrize("sender", ["TELKOMSEL", "InfoBMKG", "112"])
def test_names_and_short_codes_are_senders(sender: str) -> None:
    [octets] = tpdu.deliver(sender, "Peringatan", WHEN)
    message = read(octets)
    assert (message.sender, message.alphanumeric) == (sender, not sender.isdecimal())


@pytest.mark.parametrize("hours", [-11.75, -3.5, 0, 5.75, 7, 14])
def test_time_zones_to_the_quarter_hour(hours: float) -> None:
    when = WHEN.astimezone(timezone(timedelta(hours=hours)))
    [octets] = tpdu.deliver("+62811", "x", when)
    assert read(octets).sent_at == when.isoformat()


def test_a_time_that_is_none_costs_only_the_time() -> None:
    [octets] = tpdu.deliver("+62811", "Kebakaran", WHEN)
    spoilt = bytearray(octets)
    at = octets.index(tpdu.timestamp(WHEN))
    spoilt[at + 1] = 0x99  # month 99
    assert (read(bytes(spoilt)).sent_at, read(bytes(spoilt)).text) == (None, "Kebakaran")


@pytest.mark.parametrize(
    ("status", "outcome"), [(0, "DELIVERED"), (2, "DELIVERED"), (0x30, "PENDING"), (0x46, "FAILED")]
)
def test_a_status_report_says_what_became_of_ours(status: int, outcome: str) -> None:
    octets = tpdu.status_report(77, "+62811", WHEN, WHEN, status, "")
    found = pdu.decode(octets.hex())
    assert isinstance(found, StatusReport)
    assert (found.reference, found.recipient, found.outcome) == (77, "+62811", outcome)


@pytest.mark.parametrize("to", ["", "+", "Polisi", "0811x", "1" * 21])
def test_nobody_can_be_texted_who_has_no_number(to: str) -> None:
    with pytest.raises(BadPdu):
        pdu.encode(to, "x", 1)


def test_20_000_damaged_pdus_raise_nothing_but_the_one_error() -> None:
    rng = random.Random(20_000)
    sound = [
        one
        for text in ("Kebakaran di Nagoya", "Перекрёсток", "x" * 300, "🔥" * 90)
        for one in tpdu.deliver("+6281234567890", text, datetime.now(UTC).astimezone(WIB), reference=9)
    ]
    sound.append(tpdu.status_report(1, "+62811", WHEN, WHEN, 0, "+62811000"))
    read_anyway = 0
    for _ in range(20_000):
        octets = bytearray(rng.choice(sound))
        for _ in range(rng.randrange(1, 5)):
            octets[rng.randrange(len(octets))] = rng.randrange(256)
        del octets[rng.randrange(len(octets) // 2, len(octets) + 1) :]
        try:
            message = pdu.decode(octets.hex())
        except BadPdu:
            continue
        read_anyway += 1
        if isinstance(message, Deliver):
            message.text.encode("utf-8", "surrogatepass")
            key(message)
    assert read_anyway > 300, "damage that leaves a message readable must not cost it"


@pytest.mark.parametrize("text", ["", "zz", "0", "07", "00", "GARBAGE\x00", "é"])
def test_what_is_no_pdu_is_said_to_be_none(text: str) -> None:
    with pytest.raises(BadPdu):
        pdu.decode(text)
