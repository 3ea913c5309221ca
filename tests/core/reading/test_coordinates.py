"""Every usual notation of a position is read; what is no place is not."""

import random

import pytest

from siaga_core.reading.coordinates import links, positions


@pytest.mark.parametrize(
    ("text", "latitude", "longitude"),
    [
        ("kebakaran 1.1301, 104.0529 cepat", 1.1301, 104.0529),
        ("di 1.1301 104.0529", 1.1301, 104.0529),
        ("1,1301, 104,0529", 1.1301, 104.0529),
        ("geo:1.1440,104.0120?z=17", 1.144, 104.012),
        ("https://maps.google.com/?q=1.0456,103.9731 cepetan", 1.0456, 103.9731),
        ("https://www.google.com/maps?q=1.0832%2C103.9520", 1.0832, 103.952),
        ("https://www.google.com/maps/place/X/@1.12,104.03,17z/data=!3d1.1289!4d104.0519", 1.1289, 104.0519),
        ("https://www.google.com/maps/@1.1289,104.0519,17z", 1.1289, 104.0519),
        ("https://goo.gl/maps?ll=1.1289,104.0519", 1.1289, 104.0519),
        ("https://waze.com/ul?ll=1.1289,104.0519&navigate=yes", 1.1289, 104.0519),
        ("https://maps.apple.com/?ll=1.1289,104.0519", 1.1289, 104.0519),
        ("https://www.openstreetmap.org/#map=17/1.1289/104.0519", 1.1289, 104.0519),
        ("lat: 1.1289 long: 104.0519", 1.1289, 104.0519),
        ("1°04'00\"N 104°01'00\"E", 1.066667, 104.016667),
        ("1°04’30.5” LU, 104°01’ BT", 1.075139, 104.016667),
        ("posisi 1.1852N 104.1023E", 1.1852, 104.1023),
        ("N1.1852 E104.1023", 1.1852, 104.1023),
        ("1.1852-104.1023", 1.1852, 104.1023),
        ("1.1852 dan 104.1023", 1.1852, 104.1023),
        ("104.1023, 1.1852", 1.1852, 104.1023),
        ("bujur 104.1023 lintang 1.1852", 1.1852, 104.1023),
        ("lokasi 1.10 104.03", 1.1, 104.03),
        ("1,1301;104,0529", 1.1301, 104.0529),
        ("N 1°04'30.5\" E 104°01'00\"", 1.075139, 104.016667),
        ("kapal di 1 04 30.5 N 104 01 00 E", 1.075139, 104.016667),
        ("01 04.500 N 104 01.000 E", 1.075, 104.016667),
        ("https://www.google.com/maps/place/1%C2%B004'30.5%22N+104%C2%B001'00%22E", 1.075139, 104.016667),
        ("https://www.google.com/maps/search/?api=1&query=1.0832%2C103.9520", 1.0832, 103.952),
        ("https://www.google.com/maps/dir/?api=1&destination=1.0832,103.9520", 1.0832, 103.952),
        ("https://maps.google.com/maps?q=loc:1.0832,103.9520", 1.0832, 103.952),
        ("geo:0,0?q=1.0832,103.9520(Rumah)", 1.0832, 103.952),
        ("https://maps.apple.com/place?coordinate=1.0832,103.9520", 1.0832, 103.952),
        ("https://www.openstreetmap.org/?mlat=1.0832&mlon=103.9520", 1.0832, 103.952),
        ("https://ul.waze.com/ul?ll=1.0832%2C103.9520", 1.0832, 103.952),
        ("https://bing.com/maps?cp=1.0832~103.9520", 1.0832, 103.952),
        ("https://2gis.com/geo/103.9520,1.0832", 1.0832, 103.952),
        ("Lokasi: https://maps.google.com/?q=1.0832000,103.9520000", 1.0832, 103.952),
    ],
)
def test_a_notation_is_read(text: str, latitude: float, longitude: float) -> None:
    found = positions(text)[0]
    assert (found.latitude, found.longitude) == (latitude, longitude)
    assert not found.is_outside


@pytest.mark.parametrize(
    ("code", "latitude", "longitude"),
    [
        # Published vectors of Open Location Code's own test data.
        ("8FVC2222+22", 47.0000625, 8.0000625),
        ("7FG49QCJ+2V", 20.3700625, 2.7821875),
        ("7FG49QCJ+2VX", 20.3701125, 2.782234375),
        ("4VCPPQGP+Q9", -41.2730625, 174.7859375),
    ],
)
def test_a_full_plus_code_is_the_middle_of_its_area(code: str, latitude: float, longitude: float) -> None:
    [found] = positions(f"di {code}")
    assert found.latitude == pytest.approx(latitude, abs=2e-6)
    assert found.longitude == pytest.approx(longitude, abs=2e-6)


@pytest.mark.parametrize("place", [(1.1301, 104.0529), (1.0456, 103.9731), (0.9, 104.2), (1.1852, 104.1023)])
def test_a_short_plus_code_lies_near_batam(place: tuple[float, float]) -> None:
    full = encoded(*place)
    for short in (full[2:] if abs(place[0] - 1.11) < 0.4 else full, full[4:]):
        [found] = positions(f"kode {short} Batam")
        assert found.latitude == pytest.approx(place[0], abs=2e-4)
        assert found.longitude == pytest.approx(place[1], abs=2e-4)


def encoded(latitude: float, longitude: float) -> str:
    """By whole units of 1/8000 degree, another way than the reader's."""
    digits, north, east = "23456789CFGHJMPQRVWX", int((latitude + 90) * 8000), int((longitude + 180) * 8000)
    code = ""
    for _ in range(5):
        code = digits[north % 20] + digits[east % 20] + code
        north, east = north // 20, east // 20
    return f"{code[:8]}+{code[8:]}"


@pytest.mark.parametrize("before", ["atas", "di pos", "jalan", "kapal", "s.", "(", ":"])
def test_the_last_letter_of_a_word_is_no_hemisphere(before: str) -> None:
    [found] = positions(f"{before} 1.1301, 104.0529")
    assert (found.latitude, found.longitude, found.words) == (1.1301, 104.0529, "1.1301, 104.0529")


@pytest.mark.parametrize("text", ["S 1.1301 E 104.0529", "1.1301 S, 104.0529 E", "s1.1301,e104.0529"])
def test_south_is_below_the_equator(text: str) -> None:
    assert positions(text)[0].latitude == -1.1301


def test_a_plus_code_in_a_link_is_read() -> None:
    [found] = positions("https://www.google.com/maps/place/43F6%2B2Q+Batam")
    assert found.latitude == pytest.approx(1.1225625, abs=2e-6)
    assert found.longitude == pytest.approx(104.0619375, abs=2e-6)


def test_a_short_code_far_from_the_middle_of_batam_is_the_nearest_one() -> None:
    [found] = positions("7C4X+5M Batam")
    assert (found.latitude, found.longitude) == (1.255437, 104.449188)


@pytest.mark.parametrize(
    "link",
    [
        "https://maps.app.goo.gl/AbCdEf",
        "https://goo.gl/maps/xyz123",
        "https://osm.org/go/w5qw--",
        "https://waze.com/ul/hw8qt",
        "https://maps.apple/p/Xy12",
        "maps.app.goo.gl/AbCdEf",
    ],
)
def test_a_short_link_is_told_and_is_no_position(link: str) -> None:
    assert positions(f"di {link} cepat") == ()
    assert links(f"di {link} cepat") == (link,)


@pytest.mark.parametrize("text", ["klik bit.ly/promo", "https://www.google.com", "goo.gl"])
def test_another_link_is_no_map(text: str) -> None:
    assert links(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0.0000, 0.0000",
        "95.1234, 104.1234",
        "1.1234, 204.1234",
        "harga 1.500 dan 2.500.000",
        "jam 10.30 12.45",
        "1°99'00\"N 104°01'00\"E",
        "https://maps.app.goo.gl/AbCdEf",
        "hp 0812-3456-7890",
        "3+4",
        "tgl 12.11.2026",
        "harga 1.50 dan 2.75",
        "jam 1.10 104.99",
        "harga 12.500-15.000",
        "paket 10.000/100.000",
        "WC+",
    ],
)
def test_what_is_no_place_gives_none(text: str) -> None:
    assert positions(text) == ()


def test_a_place_outside_batam_is_kept_and_marked() -> None:
    [found] = positions("-6.2000, 106.8166")
    assert found.is_outside
    assert found.latitude == -6.2


def test_a_ship_with_three_decimals_in_indonesian_waters_is_a_place() -> None:
    [found] = positions("kapal tenggelam 0.412, 104.612")
    assert (found.latitude, found.longitude, found.is_outside) == (0.412, 104.612, True)


def test_any_characters_are_read_without_an_error() -> None:
    rng = random.Random(4)
    for _ in range(5000):
        positions("".join(rng.choices("0123456789.,-+°'\"NSEWLUBT!3d4d%2C CFGHJ\x00é", k=rng.randrange(50))))
