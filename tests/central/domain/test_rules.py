"""The hub's rules, each table walked whole."""

import itertools

import pytest

from siaga_central.domain import conversation, delivery, incident, nearest, role
from siaga_central.domain.numbering import day_of, incident_number
from siaga_central.domain.place import Spot

MOVES = ("verify", "handle", "dismiss", "cancel", "finish", "close", "reopen", "nonsense")
ALLOWED = {
    ("new", "verify"): "verified",
    ("new", "handle"): "handled",
    ("new", "dismiss"): "unfounded",
    ("new", "cancel"): "cancelled",
    ("verified", "handle"): "handled",
    ("verified", "dismiss"): "unfounded",
    ("verified", "cancel"): "cancelled",
    ("handled", "finish"): "done",
    ("handled", "cancel"): "cancelled",
    ("done", "close"): "closed",
    ("done", "reopen"): "handled",
    ("closed", "reopen"): "handled",
    ("unfounded", "reopen"): "new",
    ("cancelled", "reopen"): "new",
}
# 2026-11-23 17:00 UTC is midnight of the 24th in Batam.
MIDNIGHT_WIB_US = 1_795_453_200_000_000


@pytest.mark.parametrize("state", incident.TRANSITIONS)
@pytest.mark.parametrize("move", MOVES)
def test_an_incident_moves_by_the_table_and_in_no_other_way(state: str, move: str) -> None:
    if (state, move) in ALLOWED:
        assert incident.after(state, move, "because") == ALLOWED[state, move]
    else:
        with pytest.raises(incident.IllegalMove):
            incident.after(state, move, "because")


@pytest.mark.parametrize("move", ["dismiss", "cancel", "reopen"])
def test_a_move_that_will_be_asked_about_needs_its_reason(move: str) -> None:
    state = next(state for state, known in ALLOWED if known == move)
    with pytest.raises(incident.IllegalMove, match="needs a reason"):
        incident.after(state, move, "  ")


def test_a_final_incident_is_the_one_nobody_has_to_touch() -> None:
    closed = {state for state in incident.TRANSITIONS if not incident.is_open(state)}
    assert closed == {"closed", "unfounded", "cancelled"}


@pytest.mark.sop("R18")
def test_only_who_sits_at_a_console_handles_incidents_and_footage() -> None:
    for name, permission in itertools.product(role.ROLES, role.Permission):
        if name in ("operator", "supervisor", "deputy"):
            lets_go = permission in (
                "release held footage",
                "let footage be copied at its node",
                "change the duty roster",
            )
            assert role.allows(name, permission) == (not lets_go or name != "operator")
    seen = {"see incidents", "see devices", "see quarantine"}
    assert {str(p) for p in role.Permission if role.allows("head", p)} == seen | {"acknowledge alerts"}
    for name in ("technician", "admin"):
        assert {str(p) for p in role.Permission if role.allows(name, p)} == seen - {"see incidents"}
    assert not any(role.allows(name, p) for name in ("ppid", "pelapor", "") for p in role.Permission)


def test_a_number_is_of_the_day_in_batam() -> None:
    assert day_of(MIDNIGHT_WIB_US - 1_000_000) == "20261123"
    assert day_of(MIDNIGHT_WIB_US) == "20261124"
    assert incident_number(MIDNIGHT_WIB_US, 7) == "K-20261124-0007"


def test_a_contact_joins_its_numbers_last_incident_for_ten_minutes_whatever_it_says() -> None:
    minute = 60_000_000
    fire, flood = conversation.Said("KBR"), conversation.Said("BCN")
    known = [conversation.Open("old", 0, fire), conversation.Open("new", 5 * minute, fire)]
    assert conversation.belongs_to("+62", known, 15 * minute, flood) == "new"
    assert conversation.belongs_to("+62", known, 15 * minute + 1, flood) is None
    assert conversation.belongs_to(None, known, 5 * minute) is None
    assert conversation.belongs_to("+62", [], 0) is None


def test_later_it_joins_what_is_open_for_a_day_unless_it_speaks_of_something_else() -> None:
    hour, day = 3600 * 1_000_000, 24 * 3600 * 1_000_000
    nagoya, nongsa = Spot(1.146, 104.011, 500, "listed"), Spot(1.185, 104.1, 500, "listed")
    known = [
        conversation.Open("fire", 0, conversation.Said("KBR", nagoya)),
        conversation.Open("flood", hour, conversation.Said("BCN", nongsa)),
    ]
    for said, expected in (
        (conversation.Said(), "flood"),  # of nothing in particular: the last one
        (conversation.Said("KBR"), "fire"),  # the one of that kind
        (conversation.Said("KBR", nagoya), "fire"),
        (conversation.Said("KBR", nongsa), None),  # another fire
        (conversation.Said("LKA"), None),
        (conversation.Said("", nagoya), "fire"),
    ):
        assert conversation.belongs_to("+62", known, 12 * hour, said) == expected, said
    assert conversation.belongs_to("+62", known[:1], day) == "fire"
    assert conversation.belongs_to("+62", known[:1], day + 1) is None
    unknown = [conversation.Open("i", 0)]
    assert conversation.belongs_to("+62", unknown, hour, conversation.Said("KBR")) == "i"


def test_delivery_never_goes_back_in_any_order_of_reports() -> None:
    for order in itertools.permutations(("SENT", "UNKNOWN", "DELIVERED", "QUEUED")):
        state = "QUEUED"
        for heard in order:
            state = heard if delivery.replaces(state, heard) else state
        assert state == "DELIVERED"
    assert not delivery.replaces("FAILED", "DELIVERED")


def test_the_nearest_camera_is_first_and_one_without_a_place_last() -> None:
    cameras = [
        nearest.Located("nowhere", None, 104.0),
        nearest.Located("far", 1.20, 104.10),
        nearest.Located("near", 1.13, 104.06),
    ]
    found = nearest.nearest(1.13, 104.05, cameras)
    assert [name for name, _ in found] == ["near", "far", "nowhere"]
    assert found[0][1] == pytest.approx(1111.7, abs=1)
    assert [name for name, _ in nearest.nearest(1.13, 104.05, cameras, 1)] == ["near"]
