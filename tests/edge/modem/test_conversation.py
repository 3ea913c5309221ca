"""What is said by itself: the table, the limits, the texts. Pure."""

import itertools
import random

import msgspec
import pytest

from siaga_core.wire.envelope import BadRecord
from siaga_core.wire.gsm7 import SINGLE_SEPTETS, clipped, septets, transliterated
from siaga_core.wire.roster import NodePolicy, decode_roster
from siaga_edge.modem import away, conversation, template
from siaga_edge.modem.away import Alarm
from siaga_edge.modem.conversation import Instant, Said, step, verdict

CITIZEN = "+6281234567890"


def test_the_first_message_is_a_state_and_says_nothing_before_somebody_has_it() -> None:
    assert step(None, "text") == ("fresh", None)
    assert step(None, "placed") == ("located", None)
    assert step(None, "missed") == ("rang", None)
    assert step("fresh", "taken") == ("asked", "report")
    assert step("rang", "taken") == ("rung", "call")


def test_whoever_has_given_a_place_is_never_asked_for_one() -> None:
    for before in ("located", "placed"):
        for event in ("text", "waited", "placed", "missed"):
            assert step(before, event)[1] is None
    assert step("asked", "placed") == ("placed", None)
    assert step("asked", "waited") == ("reminded", "place")
    assert step("reminded", "waited") == ("reminded", None), "one reminder"


def test_that_nobody_reads_is_said_only_when_nobody_does() -> None:
    for (before, event), (_, said) in conversation.TABLE.items():
        assert (said in ("bounce", "bounce_call")) == (event == "deserted"), (before, event)


def test_a_bounce_is_taken_back_only_when_somebody_has_it_and_a_callers_texts_are_a_callers() -> None:
    for (before, event), (after, said) in conversation.TABLE.items():
        is_back = said in conversation.RETRACTIONS.values()
        assert is_back == (before in conversation.BOUNCED and event == "taken"), (before, event)
        if said is not None and said.startswith("bounce"):
            assert after in conversation.BOUNCED
    for state in ("rang", "rung", "bounced_rang"):
        for event in ("missed", "taken", "waited", "deserted"):
            assert step(state, event)[1] in (None, "call", "bounce_call", "retraction_call")


def test_p1_is_answered_before_others_a_bounce_taken_back_before_courtesies_a_reminder_last() -> None:
    line = [
        ("fresh", "P2"),
        ("asked", "P1"),
        ("bounced", "P3"),
        ("located", "P1"),
        ("bounced", "P1"),
    ]
    line.sort(key=lambda one: conversation.place_in_line(*one))  # type: ignore[arg-type]
    assert line == [("bounced", "P1"), ("located", "P1"), ("bounced", "P3"), ("fresh", "P2"), ("asked", "P1")]


def test_every_walk_through_the_table_stays_in_it() -> None:
    events = ("text", "placed", "missed", "taken", "waited", "deserted")
    rng = random.Random(5)
    for _ in range(2000):
        state, said = None, []
        for event in rng.choices(events, k=12):
            state, reply = step(state, event)  # type: ignore[arg-type]
            said += [reply] if reply else []
        assert said.count("place") <= sum(one != "place" for one in said)


@pytest.mark.parametrize(
    ("said", "verdict_"),
    [
        ([], "now"),
        ([Said("report", 299.0)], "later"),
        ([Said("report", 301.0)], "now"),
        ([Said("report", 301.0), Said("call", 700.0)], "later"),
        ([Said("place", 20_000.0), Said("place", 40_000.0), Said("place", 80_000.0)], "never"),
        ([Said("place", 20_000.0), Said("place", 40_000.0), Said("place", 90_000.0)], "now"),
        ([Said("report", 20_000.0), Said("report", 40_000.0), Said("report", 80_000.0)], "now"),
    ],
)
def test_a_number_is_answered_seldom(said: list[Said], verdict_: str) -> None:
    assert verdict("place", CITIZEN, (), said, 0) == verdict_


def test_who_wrote_to_both_modems_of_a_node_is_answered_once() -> None:
    elsewhere = Said("report", 301.0, elsewhere=True)
    assert verdict("report", CITIZEN, (), [elsewhere], 0) == "never", "he has heard it"
    assert verdict("place", CITIZEN, (), [elsewhere], 0) == "now"
    assert verdict("place", CITIZEN, (), [Said("report", 299.0, elsewhere=True)], 0) == "later"
    assert (
        verdict("report", CITIZEN, (), [Said("report", conversation.SESSION_S, elsewhere=True)], 0) == "now"
    )


def test_a_bounce_is_taken_back_once_and_by_whoever_speaks_first() -> None:
    bounce, own = Said("bounce", 60.0), Said("bounce", 60.0, elsewhere=True)
    for said in ([bounce], [own], [bounce, Said("report", 20.0)], [Said("retraction", 90.0), bounce]):
        assert verdict("retraction", CITIZEN, (), said, 0) == "now"
        assert conversation.fitting("report", "placed", said) == "retraction_placed"
    for later in (Said("retraction_placed", 5.0), Said("retraction", 5.0, elsewhere=True), Said("hub", 5.0)):
        assert verdict("retraction", CITIZEN, (), [bounce, later], 0) == "never"
        assert conversation.fitting("report", "placed", [bounce, later]) == "report"
        assert verdict("report", CITIZEN, (), [own, later], 0) != "now"
    assert verdict("retraction", CITIZEN, (), [bounce, Said("hub", 5.0, is_out=False)], 0) == "later"
    assert verdict("retraction", CITIZEN, (), [bounce, Said("hub", 500.0)], 0) == "now"
    assert verdict("retraction", CITIZEN, (), [bounce], conversation.BUDGET_A_MINUTE) == "later"
    assert verdict("retraction", None, (), [bounce], 0) == "never"
    assert verdict("retraction", CITIZEN, {CITIZEN}, [bounce], 0) == "never"
    assert verdict("report", CITIZEN, (), [Said("hub", 5.0)], 0) == "now", "no bounce: nothing of the hub's"


def test_the_citys_policy_counts_and_not_what_ships() -> None:
    policy = NodePolicy(
        away_after_s=45, next_phone_s=120, unanswered_s=200, between_replies_s=600, replies_an_hour=1
    )
    assert not away.begins(44, has_alarm=False, policy=policy)
    assert away.begins(45, has_alarm=False, policy=policy)
    assert away.next_phone(Alarm("sounding", 119, 1, 119), ["a", "b"], policy) is None
    assert away.next_phone(Alarm("sounding", 120, 1, 120), ["a", "b"], policy) == 1
    assert not away.is_deserted(Alarm("sounding", 199), hub_has_it=False, policy=policy)
    assert verdict("place", CITIZEN, (), [Said("report", 599.0)], 0, policy) == "later"
    assert verdict("place", CITIZEN, (), [Said("report", 700.0)], 0, policy) == "later", "one an hour"
    assert verdict("place", CITIZEN, (), [Said("report", 3601.0)], 0, policy) == "now"


@pytest.mark.parametrize(
    "given",
    [
        {"away_after_s": 14},
        {"next_phone_s": 5},
        {"between_replies_s": 299},
        {"replies_an_hour": 0},
        {"away_after_s": 1.5},
    ],
)
def test_a_policy_out_of_bounds_is_no_roster(given: dict[str, float]) -> None:
    with pytest.raises(BadRecord, match=next(iter(given))):
        decode_roster(msgspec.json.encode({"policy": given}))


def test_short_codes_names_and_our_own_numbers_are_never_answered() -> None:
    assert verdict("report", None, (), [], 0) == "never"
    assert verdict("report", CITIZEN, {CITIZEN}, [], 0) == "never"
    assert verdict("report", CITIZEN, (), [], conversation.BUDGET_A_MINUTE) == "later"


def test_our_own_text_coming_back_is_known_however_it_is_wrapped() -> None:
    ours = template.citizen("report")
    for text in (ours, ours.upper(), f"Fwd: {ours}", ours.replace(" ", "  ")):
        assert conversation.is_echo(text, [ours])
    assert not conversation.is_echo("Tolong kebakaran di Nagoya", [ours])
    assert not conversation.is_echo("", [ours])
    assert not conversation.is_echo("apa saja", ["", "!!"])


def test_age_is_exact_within_a_boot_and_never_negative() -> None:
    first = Instant("a", 10 * 10**9, 5_000 * 10**9)
    assert first.until_s(Instant("a", 70 * 10**9, 0)) == 60, "the wall clock was set back: no matter"
    assert first.until_s(Instant("a", 70 * 10**9, 10**20)) == 60, "set ahead: no matter"
    assert first.until_s(Instant("b", 1, 5_300 * 10**9)) == 300
    assert first.until_s(Instant("b", 1, 1)) == 0


def test_every_text_is_one_part_and_repeats_nothing() -> None:
    for name in template.texts().citizen:
        for instead in ("", "110", "x" * 200, "polisi — “110”"):
            text = template.citizen(name, instead)
            assert (septets(text) or 999) <= SINGLE_SEPTETS
    for what, number in itertools.product(("", "“api” " * 80, "🔥" * 200, "[" * 300), (CITIZEN, None)):
        text = template.alarm("4F7K", "P1", what, number)
        assert (septets(f"(ulang) {text}") or 999) <= SINGLE_SEPTETS
        assert text.endswith("TERIMA 4F7K")
    for count in (1, 2, 5, 40):
        text = template.back(["MMMM"] * count)
        assert (septets(text) or 999) <= SINGLE_SEPTETS
        assert ("lain" in text) == (count > 5), text


def test_phones_on_duty_hear_which_codes_nobody_took_and_those_come_first() -> None:
    taken = [f"TT{place:02d}" for place in range(40)]
    untaken = [f"UU{place:02d}" for place in range(40)]
    for some, others in ((1, 1), (1, 3), (40, 2), (40, 40), (0, 1), (0, 40), (3, 40)):
        text = template.back(taken[:some], untaken[:others])
        assert (septets(text) or 999) <= SINGLE_SEPTETS
        assert "BELUM ADA yang mengambil UU00" in text
        assert "112" in text
        assert ("TT00" in text) == bool(some)
    assert all(code in template.back(taken, untaken[:3]) for code in untaken[:3])
    assert "BELUM ADA" not in template.back(taken)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("report", "x" * 161),
        ("report", "Laporan Anda: {text}"),
        ("report", "Лапоран"),
        ("place", "[" * 81),
        ("bounce", "{instead}" * 3),
    ],
)
def test_a_text_that_would_not_do_stops_the_service_at_start(name: str, text: str) -> None:
    good = template.texts()
    bad = msgspec.structs.replace(good, citizen={**good.citizen, name: text})
    with pytest.raises(template.BadText):
        template.checked(bad)


def test_letters_the_alphabet_lacks_become_their_plain_ones() -> None:
    assert transliterated("“Kafé” — ćevapi… 火") == '"Kafé" - cevapi... ?'
    assert clipped("abcdefgh", 6) == "abc..."
    assert septets("{") == 2
    assert septets("火") is None


def test_the_next_phone_is_texted_when_the_one_before_has_not_answered() -> None:
    phones = ["+621", "+622"]
    assert away.next_phone(Alarm("sounding", 0), phones) == 0
    assert away.next_phone(Alarm("sounding", 30, 1, 30), phones) is None
    assert away.next_phone(Alarm("sounding", 61, 1, 61), phones) == 1
    assert away.next_phone(Alarm("sounding", 999, 2, 900), phones) is None
    assert away.next_phone(Alarm("accepted", 61, 1, 61), phones) is None
    assert away.next_phone(Alarm("quiet", 61), phones) is None


def test_a_restart_of_the_hub_wakes_nobody_and_nobody_is_told_off_too_soon() -> None:
    assert not away.begins(19, has_alarm=False)
    assert away.begins(20, has_alarm=False)
    assert not away.begins(1e6, has_alarm=True)
    assert not away.is_deserted(Alarm("sounding", 59), hub_has_it=False)
    assert away.is_deserted(Alarm("sounding", 60), hub_has_it=False)
    assert not away.is_deserted(Alarm("sounding", 600), hub_has_it=True), "never while the hub has it"
    assert not away.is_deserted(Alarm("accepted", 600), hub_has_it=False)
    assert away.siren([Alarm("sounding", 10)])
    assert not away.siren([Alarm("sounding", away.SIREN_MOST_S), Alarm("accepted", 1), Alarm("quiet", 1)])
