"""What field teams answer: by code, then by sender; a stranger's word counts for nothing."""

import itertools

import pytest

from siaga_core.reading import field
from siaga_core.reading.field import FieldReply, Matched, Told, Unmatched, match, parse

TEAM, OTHER, STRANGER = "+62811111111", "+62822222222", "+62833333333"


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("TERIMA 4F7K", FieldReply("accepted", "4F7K")),
        ("terima 4f7k", FieldReply("accepted", "4F7K")),
        ("4F7K terima.", FieldReply("accepted", "4F7K")),
        ("(ulang) TERIMA 4F7K", FieldReply("accepted", "4F7K")),
        ("1", FieldReply("accepted", None)),
        ("OTW", FieldReply("underway", None)),
        ("siap, otw pak", FieldReply("underway", None)),
        ("SELESAI 4F7K", FieldReply("done", "4F7K")),
        ("86", FieldReply("accepted", None)),
        ("terima kasih", None),
        ("terima kasih sudah datang ke rumah kami tadi", None),
        ("kebakaran di jalan sudirman", None),
        ("ok ada kebakaran", None),
        ("4F7K", None),
        ("TERIMA 4F7K 9WXY", None),
        ("", None),
        ("?", None),
    ],
)
def test_only_short_texts_made_of_known_words_are_answers(text: str, reply: FieldReply | None) -> None:
    assert parse(text) == reply


def test_the_code_decides_then_the_sender() -> None:
    told = [Told("4F7K", TEAM, 1), Told("9WXY", TEAM, 2), Told("9WXY", OTHER, 2)]
    assert match(FieldReply("accepted", "4F7K"), TEAM, told) == Matched("4F7K")
    assert match(FieldReply("accepted", None), OTHER, told) == Matched("9WXY")
    assert match(FieldReply("accepted", None), TEAM, told) == Unmatched("ambiguous")
    assert match(FieldReply("accepted", "AAAA"), TEAM, told) == Unmatched("unknown-code")
    closed = [Told("4F7K", TEAM, 1, is_open=False)]
    assert match(FieldReply("done", None), TEAM, closed) == Unmatched("nothing-open")
    assert match(FieldReply("done", "4F7K"), TEAM, closed) == Matched("4F7K")


@pytest.mark.parametrize("code", ["4F7K", None])
def test_a_stranger_counts_for_nothing_even_with_the_code(code: str | None) -> None:
    told = [Told("4F7K", TEAM, 1)]
    assert match(FieldReply("accepted", code), STRANGER, told) == Unmatched("stranger")
    assert match(FieldReply("accepted", code), None, told) == Unmatched("stranger")


def test_an_answer_that_comes_twice_says_nothing_new() -> None:
    assert field.is_news("told", "accepted")
    assert not field.is_news("accepted", "accepted")
    assert not field.is_news("done", "accepted")
    assert field.is_news("accepted", "done")


def test_codes_differ_from_those_that_are_taken_and_from_every_word() -> None:
    first = field.code_of(b"\0" * 16, ())
    taken = {first}
    for start in itertools.count():
        code = field.code_of(start.to_bytes(16, "big"), taken)
        assert code not in taken
        assert field.is_code(code)
        taken.add(code)
        if len(taken) > 200:
            break
    assert field.code_of(b"\0" * 16, {first}) != first


OURS = {"3NWR", "RGXP"}


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("Terima 3nwr siap komandan", FieldReply("accepted", "3NWR")),
        ("selesai 3NWR, api padam", FieldReply("done", "3NWR")),
        ("otw RGXP 5 menit lagi", FieldReply("underway", "RGXP")),
        ("siap, otw RGXP 5 menit lagi", FieldReply("underway", "RGXP")),
        ("terima RGXP 3 unit jalan", FieldReply("accepted", "RGXP")),
        ("terima 3NWR, belum selesai", FieldReply("accepted", "3NWR")),
        ("3 RGXP", FieldReply("done", "RGXP")),
        ("otw 5 menit lagi", FieldReply("underway", None)),
        ("TERIMA AK4C siap komandan", FieldReply("accepted", "AK4C")),
        ("belum selesai 3NWR", None),
        ("tidak bisa terima 3NWR saya di luar kota", None),
        ("3 orang luka RGXP", None),
        ("kebakaran di jalan RGXP", None),
        ("terima kasih semua", None),
        ("ok ada kebakaran", None),
        ("selesai, api padam", None),
        ("ok di Nagoya banjir", None),
        ("terima 3NWR dan RGXP", None),
        ("ada kebakaran baru di Batu Aji, tolong kirim unit, nanti selesai 3NWR", None),
        ("api merambat ke ruko sebelah, butuh bantuan", None),
    ],
)
def test_from_a_phone_on_duty_a_deed_and_an_open_code_count_whatever_follows(
    text: str, reply: FieldReply | None
) -> None:
    assert parse(text, OURS) == reply


@pytest.mark.parametrize(
    "text",
    [
        "Terima kasih, tolong ada kebakaran di Nagoya",
        "selesai sudah, rumah terbakar",
        "Terima 3nwr siap komandan",
        "otw RGXP 5 menit lagi",
        "selesai 3NWR, api padam",
        "otw 5 menit lagi",
    ],
)
def test_what_anybody_writes_is_never_read_as_a_phone_on_duty_would_be(text: str) -> None:
    assert parse(text) is None


def test_a_colleagues_code_is_taken_while_it_is_open() -> None:
    told = [Told("3NWR", OTHER, 1), Told("RGXP", OTHER, 2, is_open=False)]
    assert field.may_join(FieldReply("accepted", "3NWR"), told)
    assert not field.may_join(FieldReply("accepted", "RGXP"), told)
    assert not field.may_join(FieldReply("accepted", None), told)
