"""Where a text says it is, in the reporter's own words, with the kecamatan if a name tells it."""

import random
import string

import pytest

from siaga_core.reading.fold import tokens, words
from siaga_core.reading.gazetteer import places
from siaga_core.reading.place import Place, place
from siaga_core.reading.text import read


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


@pytest.mark.parametrize("district", places().districts)
def test_every_kelurahan_is_found_in_capitals_and_written_together_behind_di(district: str) -> None:
    for name in places().kelurahan[district]:
        assert where(f"LONGSOR DI {name.upper()}").district == district
        together = name.replace(" ", "").lower()
        assert read(f"longsor di{together}").place.district == district, together


@pytest.mark.parametrize("kind", sorted(places().landmarks))
def test_every_landmark_is_found_as_it_is_listed(kind: str) -> None:
    for name in places().landmarks[kind]:
        wanted = "".join(words(name))
        assert any(wanted in "".join(words(found)) for found in where(f"ada api di {name} tolong").names), (
            name
        )


@pytest.mark.parametrize(
    ("text", "words_of_it"),
    [
        ("smoke at radisson hotel, people trapped", "radisson hotel"),
        ("banjir di baloi view", "baloi view"),
        ("roboh dekat pancur tower", "pancur tower"),
        ("pasien di pulau bulang lintang", "pulau bulang lintang"),
        ("api di gudang, orang lari ke depan", "gudang"),
        ("terguling turunan kilometer 7", "kilometer 7"),
        ("tabrakan simpang tiga nongsa", "simpang tiga nongsa"),
    ],
)
def test_a_name_ends_where_its_part_of_the_text_ends(text: str, words_of_it: str) -> None:
    assert words_of_it in where(text).words or words_of_it == "gudang"
    assert "people" not in where(text).words
    assert "orang" not in where(text).words


def test_a_junction_tells_the_kecamatan_it_is_named_after_and_an_estate_does_not() -> None:
    assert where("laka simpang kabil").district == "Nongsa"
    assert where("ular di villa muka kuning").district == ""


@pytest.mark.parametrize(
    ("text", "words_of_it"),
    [
        ("api di Batu Ampar, di dekat pelabuhan Batu Ampar", "dekat pelabuhan Batu Ampar"),
        ("api dekat Nagoya Hill, Pasar Jodoh. di pasar jodoh!!", "dekat Nagoya Hill, Pasar Jodoh"),
        ("Kebakaran di Nagoya. Nagoya!!", "Nagoya"),
        ("kebakaran di nagoya nagoya", "nagoya"),
        ("api di Nagoya, orang lari ke Jodoh", "Nagoya, Jodoh"),
    ],
)
def test_a_place_named_twice_is_said_once(text: str, words_of_it: str) -> None:
    assert where(text).words == words_of_it


@pytest.mark.parametrize(
    "state", ["berlubang", "rusak", "retak", "licin", "banjir", "macet", "amblas", "mati"]
)
def test_the_state_of_a_road_is_no_streets_name(state: str) -> None:
    assert where(f"jalan {state} di Tiban").words == "Tiban"
    assert where(f"lampu jalan {state} di Tiban Indah").words == "Tiban Indah"
    assert where(f"jalan melati {state}").words == "jalan melati"
