"""Messages from the first part on, numbers as people write them."""

import itertools

import pytest

from siaga_edge.modem import assembly
from siaga_edge.modem.assembly import Piece
from siaga_edge.modem.number import to_e164
from siaga_edge.modem.pdu import BadPdu, Deliver, Part


def part(
    number: int, total: int = 3, reference: int = 7, sender: str = "+62811", wide: bool = False
) -> Deliver:
    return Deliver(sender, False, None, f"t{number}", "gsm7", Part(reference, total, number, wide))


def test_parts_of_one_message_share_a_key_and_nobody_elses() -> None:
    keys = [
        assembly.key(part(1)),
        assembly.key(part(1, reference=8)),
        assembly.key(part(1, total=4)),
        assembly.key(part(1, sender="+62812")),
        assembly.key(part(1, wide=True)),
    ]
    assert assembly.key(part(2)) == keys[0]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(("number", "total"), [(0, 3), (4, 3), (1, 1), (1, 0)])
def test_impossible_numbering_stands_alone(number: int, total: int) -> None:
    assert assembly.key(part(number, total)) == ""


def test_in_any_order_the_text_is_the_same_and_holes_are_marked() -> None:
    pieces = [Piece(number, f"bagian{number} ", "", None) for number in (1, 2, 3)]
    for order in itertools.permutations(pieces):
        assert assembly.joined(list(order), 3) == "bagian1 bagian2 bagian3 "
    assert "[…2/3 belum tiba…]" in assembly.joined([pieces[2], pieces[0]], 3)
    assert assembly.joined([pieces[0], Piece(1, "lain", "", None)], 2).startswith("bagian1"), "first wins"


@pytest.mark.parametrize("octets", ["", "zz", "00", "4B656261" * 10, "é" * 400])
def test_what_cannot_be_read_is_a_report_all_the_same(octets: str) -> None:
    report = assembly.undecodable("r1", "modem", octets, BadPdu("ends after 0 octets"))
    assert report.sms is not None
    assert report.sms.text
    assert report.sms.parts[0].pdu == octets
    assert report.sms.undecodable == "ends after 0 octets"


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("081234567890", "+6281234567890"),
        ("6281234567890", "+6281234567890"),
        ("+6281234567890", "+6281234567890"),
        ("+081234567890", "+6281234567890"),
        ("81234567890", "+6281234567890"),
        ("0016281234567890", "+6281234567890"),
        ("010176281234567890", "+6281234567890"),
        ("0778123456", "+62778123456"),
        ("0812-3456-7890", "+6281234567890"),
        ("+6591234567", "+6591234567"),
        ("112", None),
        ("TELKOMSEL", None),
        ("", None),
        (None, None),
        ("+1", None),
        ("9" * 30, None),
    ],
)
def test_numbers_as_indonesia_writes_them(written: str | None, number: str | None) -> None:
    assert to_e164(written) == number
