"""The families of modems are data, and each is what the files say."""

import pytest

from siaga_edge.modem import at, profile
from siaga_edge.modem.profile import Profile

PROFILES = profile.load_all()


def test_the_families_we_know_are_there() -> None:
    assert set(PROFILES) == {"generic", "sim800", "sim7600", "ec25", "e173", "e3372"}


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("SIMCOM_SIM7600E-H", "sim7600"),
        ("SIMCOM_SIM800L", "sim800"),
        ("EC25", "ec25"),
        ("EG25-G", "ec25"),
        ("E173", "e173"),
        ("E3372", "e3372"),
        ("Nokia 3310", "generic"),
    ],
)
def test_a_modem_is_known_by_what_it_calls_itself(model: str, name: str) -> None:
    assert profile.choose(PROFILES, model)[0] == name


@pytest.mark.parametrize("family", PROFILES.values(), ids=PROFILES.keys())
def test_every_family_is_freed_of_what_was_stored_in_it(family: Profile) -> None:
    assert family.init[:2] == ["ATE0V1Q0", "ATS0=0"], "before the first answer is read"
    assert "AT+CMEE=1" in family.init
    assert "AT+CMGF=0" in family.init
    assert not any(at.answers_a_call(command) for command in [*family.init, *family.reject])
    if "AT+CLIP=1" in family.init:
        assert family.init.index('AT+CSCS="GSM"') < family.init.index("AT+CLIP=1")


@pytest.mark.parametrize("family", PROFILES.values(), ids=PROFILES.keys())
def test_a_status_report_is_taken_directly_before_any_other_way(family: Profile) -> None:
    """An index in +CDSI may be another message's (chan_quectel PR 75): with ds=1 there is none."""
    assert family.announce[0] == "AT+CNMI=2,1,0,1,0"


@pytest.mark.parametrize("family", PROFILES.values(), ids=PROFILES.keys())
def test_what_says_that_a_modem_has_started_is_an_event_of_its_family(family: Profile) -> None:
    for word in family.boot:
        assert at.classify(word, "AT+CMGL=4", (*family.events, *family.boot)) == "event"
        assert at.is_boot(word, tuple(family.boot))


def test_a_modem_of_no_family_may_say_any_of_their_words_and_one_of_a_family_its_own() -> None:
    """Huawei's E1752 is none of ours, and says ^RSSI between the lines of an answer all the same."""
    words = profile.own_words(PROFILES, profile.choose(PROFILES, "E1752")[0])
    assert at.classify("^RSSI:18", "AT+CMGL=4", words) == "event"
    assert at.classify("^RSSI:18", "AT+CMGL=4", profile.own_words(PROFILES, "sim800")) == "answer"


def test_until_its_family_is_known_a_modem_may_say_any_of_their_words() -> None:
    events = profile.every_event(PROFILES)
    assert {"^RSSI:", "+QIND:", "VOICE CALL:", "UNDER-VOLTAGE"} <= set(events)
