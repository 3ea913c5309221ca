"""Contacts whose clock steps back."""

from siaga_central.domain import conversation


def test_a_contact_from_a_moment_before_still_joins_its_incident() -> None:
    """Records of an hour ago come late and the wall clock may step back."""
    known = [conversation.Open("i", 700_000_000, conversation.Said("KBR"))]
    other = conversation.Said("LKA")
    assert conversation.belongs_to("+62", known, 100_000_000, other) == "i"
    assert conversation.belongs_to("+62", known, 99_999_999, other) is None
