"""Numbers: what phonenumbers gets wrong, and what is nobody's."""

import pytest

from siaga_edge.modem.number import to_e164


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("0812 3456 7890", "+6281234567890"),
        ("0812-3456-7890", "+6281234567890"),
        ("6281234567890", "+6281234567890"),
        ("81234567890", "+6281234567890"),
        ("+081234567890", "+6281234567890"),
        ("0778 123456", "+62778123456"),
        ("0016281234567890", "+6281234567890"),
        ("01017 6281234567890", "+6281234567890"),
        ("006281234567890", "+6281234567890"),
        ("0016591234567", "+6591234567"),
        ("+6591234567", "+6591234567"),
        ("+60123456789", "+60123456789"),
        ("+6280000000000", "+6280000000000"),  # as the network gave it, though no plan has it
    ],
)
def test_a_subscriber_is_one_person_however_his_number_is_written(written: str, number: str) -> None:
    assert to_e164(written) == number


@pytest.mark.parametrize(
    "written",
    ["", None, "112", "3338", "98108", "TELKOMSEL", "0", "+", "00000000", "0999", "٠٨١٢٣٤٥٦٧٨٩٠", "+62899"],
)
def test_what_is_no_subscribers_number_is_none(written: str | None) -> None:
    assert to_e164(written) is None
