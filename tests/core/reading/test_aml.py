"""What phones send by AML is read; a null fix is no place; what was cut or is out of range is told."""

import random
from datetime import UTC, datetime

import pytest

from siaga_core.reading.aml import Fix, from_data, from_text, unpacked

# The two examples of Google's page on Emergency Location Service; the second says 126 and has 127 characters.
NULL = (
    'A"ML=1;lt=+00.00000;lg=+000.00000;rd=N;top=20220131173734;lc=0;pm=N;'
    "si=234159000000000;ei=123456789012345;mcc=234;mnc=15;ml=127"
)
COMPUTED = (
    'A"ML=1;lt=+51.53321;lg=-0.12601;rd=14;top=20220131171748;lc=68;pm=W;'
    "si=234159000000000;ei=123456789012345;mcc=234;mnc=15;ml=126"
)
FIX = Fix(51.53321, -0.12601, 14.0, 68.0, "wifi", datetime(2022, 1, 31, 17, 17, 48, tzinfo=UTC))


def septets(text: str) -> bytes:
    """Pack by arithmetic on the whole; only characters whose GSM code is their ASCII code."""
    packed = sum(ord(letter) << (7 * at) for at, letter in enumerate(text))
    return packed.to_bytes((len(text) * 7 + 7) // 8, "little")


def test_a_computed_fix_is_read_although_its_length_is_one_off() -> None:
    found = from_text(COMPUTED)
    assert found is not None
    assert found.fix == FIX
    assert found.problems == ()


def test_a_phone_without_a_fix_names_no_place() -> None:
    found = from_text(NULL)
    assert found is not None
    assert found.fix is None


def test_noughts_are_no_place_whatever_the_method() -> None:
    found = from_text('A"ML=1;lt=+00.00000;lg=+000.00000;rd=5;lc=68;pm=G;ml=57')
    assert found is not None
    assert found.fix is None


def test_a_packed_data_message_says_the_same_as_its_text() -> None:
    assert unpacked(septets(COMPUTED)) == COMPUTED
    assert from_data(septets(COMPUTED)) == from_text(COMPUTED)
    assert from_data(COMPUTED.encode()) == from_text(COMPUTED)


def test_the_message_is_found_inside_a_text() -> None:
    found = from_text(f"tolong {COMPUTED}")
    assert found is not None
    assert found.fix == FIX


@pytest.mark.parametrize("length", ["50", "1260", "x", ""])
def test_a_wrong_length_is_told(length: str) -> None:
    found = from_text(COMPUTED.replace("ml=126", f"ml={length}"))
    assert found is not None
    assert found.problems


@pytest.mark.parametrize("at", range(7, 126))
def test_a_message_that_was_cut_is_told_and_half_a_number_is_never_a_place(at: int) -> None:
    found = from_text(COMPUTED[:at])
    assert found is None or found.problems
    if found is not None and found.fix is not None:
        assert (found.fix.latitude, found.fix.longitude) == (FIX.latitude, FIX.longitude)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("lt=+51.53321", "lt=+151.53321"),
        ("lg=-0.12601", "lg=-190.0"),
        ("lt=+51.53321", "lt=nan"),
        ("lt=+51.53321", "lt=+5153321"),
        ("ML=1", "ML=7"),
        ("lt=+51.53321", "lt="),
    ],
)
def test_a_position_that_cannot_be_is_told_and_not_believed(good: str, bad: str) -> None:
    found = from_text(COMPUTED.replace(good, bad))
    assert found is not None
    assert found.fix is None
    assert found.problems


@pytest.mark.parametrize("confidence", ["101", "-1", "x"])
def test_a_confidence_that_is_none_costs_only_itself(confidence: str) -> None:
    found = from_text(COMPUTED.replace("lc=68", f"lc={confidence}"))
    assert found is not None
    assert found.fix is not None
    assert found.fix.confidence_percent is None
    assert found.problems


def test_version_two_has_its_position_in_one_field_and_its_time_in_seconds() -> None:
    found = from_text('A"ML=2;en=112;et=1593187189;lo=1.13010,104.05290,20.1;lt=-5;lc=68;ml=66')
    assert found is not None
    assert found.fix is not None
    assert (found.fix.latitude, found.fix.longitude, found.fix.radius_m) == (1.1301, 104.0529, 20.1)
    assert found.fix.at == datetime(2020, 6, 26, 15, 59, 44, tzinfo=UTC)


def test_who_the_phone_is_stays_out_of_what_is_returned() -> None:
    assert "234159000000000" not in repr(from_text(COMPUTED))
    assert "123456789012345" not in repr(from_text(COMPUTED.replace("si=", "si=234159000000001;si=")))


def test_an_ordinary_text_is_none() -> None:
    assert from_text("kebakaran di nagoya") is None
    assert from_data(b"\x00\xff kebakaran") is None


def test_mutated_messages_are_read_without_an_error() -> None:
    rng = random.Random(3)
    for _ in range(5000):
        data = bytearray(rng.choice((COMPUTED.encode(), NULL.encode(), septets(COMPUTED))))
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        from_data(bytes(data[: rng.randrange(len(data) + 1)]))
        from_text(data.decode("utf-8", "surrogateescape"))


def test_a_method_of_none_is_no_place_whatever_the_numbers() -> None:
    found = from_text(COMPUTED.replace("pm=W", "pm=N"))
    assert found is not None
    assert found.fix is None


def test_a_message_cut_inside_a_field_is_called_cut_off() -> None:
    found = from_text(COMPUTED[: COMPUTED.index("rd=14") + 4])
    assert found is not None
    assert "cut off" in found.problems
    assert found.fix is not None
    assert found.fix.radius_m is None
