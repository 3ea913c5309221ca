"""Where a text says it is, in the reporter's own words, with the kecamatan if a name tells it."""

import random
import string

import pytest

from siaga_core.reading.fold import tokens
from siaga_core.reading.gazetteer import places
from siaga_core.reading.place import Place, place


def where(text: str) -> Place:
    return place(text, tokens(text))


def test_the_list_has_twelve_kecamatan_and_their_64_kelurahan() -> None:
    assert len(places().districts) == 12
    assert set(places().kelurahan) == set(places().districts)
    assert len({name for names in places().kelurahan.values() for name in names}) == 64


@pytest.mark.parametrize("district", places().districts)
def test_every_kecamatan_is_found_written_together_and_with_a_slip(district: str) -> None:
    together = district.replace(" ", "").lower()
    slip = district[:-2] + district[-1] + district[-2]
    for typed in (
        district.upper(),
        f"kebakaran d {together} tolong",
        f"banjir di {slip}" if len(slip) > 5 else district,
    ):
        assert where(typed).district == district


@pytest.mark.parametrize("district", places().districts)
def test_every_kelurahan_tells_its_kecamatan(district: str) -> None:
    for name in places().kelurahan[district]:
        assert where(f"ada longsor di {name} tolong").district == district


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kebakaran di tj.uncang blok C7 no 5", "tj.uncang blok C7 no 5"),
        ("api besar kp pelita rt 03/rw05 cepat", "kp pelita rt 03/rw05"),
        ("laka jl. Raden Patah km 8", "jl. Raden Patah km 8"),
        ("ada ular di perum mawar asri tolong", "perum mawar asri"),
        ("maling dpn masjid al ikhlas pak", "dpn masjid al ikhlas"),
        ("kecelakaan di simpang kara arah bandara", "simpang kara"),
        ("banjir di kopkar", "kopkar"),
        ("maling perum buana vista blk D no 12", "D no 12"),
        ("longsor kezia residence", "kezia residence"),
        ("tabrakan mukakuning", "mukakuning"),
    ],
)
def test_the_place_is_cut_from_the_text(text: str, words: str) -> None:
    assert words in where(text).words


@pytest.mark.parametrize(
    "text",
    [
        "tolong",
        "",
        "ada maling di rumah saya",
        "kebakaran di dapur",
        "di jalan tolong",
        "di",
        "pulang malam",
        "jl",
    ],
)
def test_a_text_that_says_nothing_of_where_has_no_place(text: str) -> None:
    assert where(text) == Place()


def test_any_words_give_a_place_of_the_text_itself() -> None:
    rng = random.Random(8)
    pool = [
        "di",
        "jl",
        "blok",
        "tj",
        "uncang",
        "batu",
        "aji",
        "c7",
        "rt",
        "3",
        ",",
        "simpang",
        "dkt",
        "nagoya",
        "🔥",
        "\ud800",
    ]
    pool += list(string.ascii_letters)
    for _ in range(3000):
        text = " ".join(rng.choices(pool, k=rng.randrange(12)))
        for part in filter(None, where(text).words.split(", ")):
            assert part.split()[0] in text
