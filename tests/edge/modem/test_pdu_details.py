"""What a TPDU may say besides its text: classes, waiting messages, languages, ports, times, damage."""

from datetime import datetime, timedelta, timezone

import pytest

from siaga_edge.modem import alphabet, pdu
from siaga_edge.modem.pdu import BadPdu, Deliver, StatusReport, coding_scheme, time_stamp
from siaga_edge.simulate.modem import tpdu

WHEN = bytes.fromhex("62113241307082")
MOMENT = datetime(2026, 11, 23, 14, 3, 7, tzinfo=timezone(timedelta(hours=7)))


def made(
    scheme: int, length: int, body: bytes, *, header: bool = False, kind: int = 0, address: str = ""
) -> str:
    """An SMS-DELIVER as hexadecimal."""
    first = bytes([kind | (0x40 if header else 0)])
    head = first + (bytes.fromhex(address) if address else tpdu.address("+6281112223344"))
    return ("00" + (head + bytes((0, scheme)) + WHEN + bytes([length]) + body).hex()).upper()


def read(octets: str) -> Deliver:
    message = pdu.decode(octets)
    assert isinstance(message, Deliver)
    return message


@pytest.mark.parametrize("octet", range(256))
def test_every_coding_scheme_is_of_one_alphabet(octet: int) -> None:
    """Walked by the table of TS 23.038 §4, written here a second time in another way."""
    bits = f"{octet:08b}"
    if bits.startswith("0"):
        expected: tuple[str, bool, int | None, bool | None]
        coding = {"00": "gsm7", "01": "data", "10": "ucs2", "11": "gsm7"}[bits[4:6]]
        expected = (coding, bits[2] == "1", int(bits[6:], 2) if bits[3] == "1" else None, None)
    elif bits.startswith(("1100", "1101", "1110")):
        expected = ("ucs2" if bits.startswith("1110") else "gsm7", False, None, bits[4] == "1")
    elif bits.startswith("1111"):
        expected = ("data" if bits[5] == "1" else "gsm7", False, int(bits[6:], 2), None)
    else:
        expected = ("gsm7", False, None, None)
    found = coding_scheme(octet)
    assert (found.coding, found.compressed, found.message_class, found.waiting) == expected


@pytest.mark.parametrize(
    ("header", "septets", "text"),
    [
        ("03250101", [0x4B, 0x1C, 0x07, 0x60], "KŞıç"),  # Turkish locking
        ("03240101", [0x1B, 0x53, 0x1B, 0x69, 0x1B, 0x65, 0x04], "Şı€è"),  # Turkish single
        ("03240102", [0x1B, 0x61, 0x1B, 0x4F, 0x1B, 0x09], "áÓç"),  # Spanish single
        ("03240103", [0x1B, 0x7B, 0x1B, 0x05, 0x1B, 0x12, 0x5B], "ãêΦÄ"),  # Portuguese single
        ("03250103", [0x5B, 0x15, 0x12, 0x0B], "Ã∞ªÔ"),  # Portuguese locking
        ("06240101250101", [0x04, 0x1B, 0x47], "€Ğ"),  # both at once
        ("03250106", [0x2D, 0x4F, 0x3A, 0x50, 0x61], "धऽ:\u093ea"),  # Hindi locking
        ("0325010E", [0x04, 0x1B, 0x65], "è€"),  # a language that there is not yet: the default tables
    ],
)
def test_national_tables_are_used_when_the_header_names_them(
    header: str, septets: list[int], text: str
) -> None:
    head = bytes.fromhex(header)
    skipped = (len(head) * 8 + 6) // 7
    body = head + alphabet.pack(septets, skipped * 7 - len(head) * 8)
    message = read(made(0, skipped + len(septets), body, header=True))
    assert message.text == text
    assert message.elements[0][0] in (0x24, 0x25)


def test_a_header_that_does_not_add_up_costs_the_header_and_not_the_text() -> None:
    head = bytes.fromhex("04 00 09 01 02")
    body = head + alphabet.pack(alphabet.encode("Kebakaran") or [], 2)
    message = read(made(0, 6 + 9, body, header=True))
    assert (message.text, message.part, message.elements) == ("Kebakaran", None, ())


def test_elements_nobody_knows_are_kept_and_the_last_of_two_concatenations_counts() -> None:
    head = bytes.fromhex("0F 7F02ABCD 0003010201 0804 0102 0302")
    message = read(made(0x08, len(head) + 2, head + "é".encode("utf-16-be"), header=True))
    assert message.text == "é"
    assert message.elements[0] == (0x7F, b"\xab\xcd")
    assert message.part == pdu.Part(0x0102, 3, 2, wide=True)


@pytest.mark.parametrize(
    ("header", "ports"), [("0605040B8423F0", (2948, 9200)), ("0404021234", (0x12, 0x34))]
)
def test_a_message_for_an_application_says_its_ports(header: str, ports: tuple[int, int]) -> None:
    head = bytes.fromhex(header)
    message = read(made(0x04, len(head) + 3, head + b"\x01\x02A", header=True))
    assert (message.ports, message.data, message.text) == (ports, b"\x01\x02A", "··A")


@pytest.mark.parametrize("data", ["Banjir", "bénjir", "日本"])
def test_octets_that_are_text_read_as_text(data: str) -> None:
    assert read(made(0xF5, len(data.encode()), data.encode())).text == data


@pytest.mark.parametrize("name", ["A", "INFO112", "TELKOMS", "TELKOMSEL", "12345678901"])
@pytest.mark.parametrize("extra", [0, 1])
def test_a_name_is_read_whole_however_its_length_is_counted(name: str, extra: int) -> None:
    """Half octets used, or (some centres) all half octets of the octets used."""
    packed = alphabet.pack(alphabet.encode(name) or [])
    exact = (len(name) * 7 + 3) // 4
    length = exact + extra * (exact % 2)
    message = read(made(0, 1, b"x", address=f"{length:02X}D0{packed.hex()}"))
    assert (message.sender, message.alphanumeric) == (name, True)


@pytest.mark.parametrize(
    ("address", "sender"),
    [
        ("0B912618214365F7", "+62811234567"),
        ("038111F2", "112"),
        ("0081", ""),
        ("0091", ""),
        ("05A121A3F4", "123*4"),
        ("04C9BA21", "*#12"),
    ],
)
def test_addresses_of_every_kind_are_read(address: str, sender: str) -> None:
    message = read(made(0, 1, b"x", address=address))
    assert (message.sender, message.alphanumeric) == (sender, False)


@pytest.mark.parametrize("first", [0x00, 0x03])
def test_a_reserved_type_is_read_as_a_message(first: int) -> None:
    assert read(made(0, 1, b"A", kind=first)).text == "A"


def test_a_message_of_our_own_in_the_modems_store_is_none_we_received() -> None:
    with pytest.raises(BadPdu, match="our own"):
        pdu.decode(pdu.encode("+62811", "Laporan diterima", 1)[0].pdu)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        ("62113241307082", "2026-11-23T14:03:07+07:00"),
        ("6211324130708A", "2026-11-23T14:03:07-07:00"),
        ("62113241307000", "2026-11-23T14:03:07+00:00"),
        ("62203041307082", "2026-02-03T14:03:07+07:00"),
        ("62200341307082", None),  # 30 February
        ("FFFFFFFFFFFFFF", None),
        ("00000000000000", None),
        ("62113241307077", None),  # 19 hours from UTC
        ("621132413070E2", None),  # a digit that is none
        ("62A13241307082", None),
    ],
)
def test_a_time_is_told_only_if_it_is_one(octets: str, expected: str | None) -> None:
    assert time_stamp(bytes.fromhex(octets)) == expected


def test_a_status_report_keeps_its_times() -> None:
    octets = "00064D" + tpdu.address("+62811").hex() + WHEN.hex() + "F" * 14 + "00"
    assert pdu.decode(octets) == StatusReport(0x4D, "+62811", 0, "2026-11-23T14:03:07+07:00", None)


@pytest.mark.parametrize(
    ("minutes", "octet"),
    [
        (1, 0),
        (5, 0),
        (6, 1),
        (720, 143),
        (721, 144),
        (1440, 167),
        (1441, 168),
        (43200, 196),
        (43201, 197),
        (10**9, 255),
    ],
)
def test_the_network_tries_as_long_as_asked(minutes: int, octet: int) -> None:
    [part] = pdu.encode("+62811", "x", 1, validity_min=minutes)
    assert int(part.pdu[2 + 2 * 9 : 2 + 2 * 10], 16) == octet


def test_a_report_is_asked_for_only_if_wanted() -> None:
    for wanted in (True, False):
        [part] = pdu.encode("112", "x", 1, wants_report=wanted)
        submit = tpdu.decode_submit(bytes.fromhex(part.pdu)[1:])
        assert (submit.wants_report, submit.to) == (wanted, "112")


@pytest.mark.parametrize("letters", ["a", "€", "🔥", "a€", "x🔥"])
def test_parts_with_a_wide_reference_are_cut_as_exactly(letters: str) -> None:
    text = letters * 300
    submits = [
        tpdu.decode_submit(bytes.fromhex(one.pdu)[1:])
        for one in pdu.encode("+62811", text, 0xABCD, wide=True)
    ]
    assert "".join(submit.text for submit in submits) == text
    assert {submit.part[0] for submit in submits if submit.part} == {0xABCD}


def test_a_message_cut_off_by_the_modem_still_says_what_it_said() -> None:
    whole = tpdu.deliver("+62811", "Tolong kebakaran di Jl. Raden Patah Nagoya", MOMENT)[0].hex()
    for cut in (2, 10, 40):
        octets = whole[:-cut]
        with pytest.raises(BadPdu):
            pdu.decode(octets)
        guess = pdu.best_effort(octets)
        assert "Tolong kebakaran" in guess
    assert pdu.best_effort("zz") == pdu.best_effort("00") == ""
