"""An operator says where an incident is; the sheet shows who said so and which cameras are near."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from siaga_central.store import holds, views
from support.console import City

Browse = Callable[[str], httpx.Client]


def post(browser: httpx.Client, page: str, path: str, **form: str) -> httpx.Response:
    found = re.search(r'name="csrf" value="([^"]+)"', browser.get(page).text)
    assert found is not None
    return browser.post(path, data={**form, "csrf": found[1]})


def row(city: City, number: str) -> Any:
    with city.store.read() as connection:
        return views.incident_by_number(connection, number)


def locate(browser: httpx.Client, number: str, **form: str) -> httpx.Response:
    return post(browser, f"/kejadian/{number}", f"/kejadian/{number}/tempat", **form)


@pytest.mark.parametrize(
    ("form", "radius_m", "words", "held"),
    [
        ({"where": "1.1801, 104.1001"}, 50, "1,18010; 104,10010", True),
        ({"where": "https://maps.example/?q=1.1801,104.1001"}, 50, "1,18010", True),
        ({"where": "nagoya hill"}, 500, "Nagoya Hill", False),
        ({"camera": "cam-1"}, 100, "Simpang Nongsa utara", True),
        ({"where": "-6.2001, 106.8200"}, 50, "di luar Batam", False),
    ],
)
def test_an_operator_says_where_it_is(
    city: City, login: Browse, form: dict[str, str], radius_m: float, words: str, held: bool
) -> None:
    browser, number = login("operator"), city.sms("kebakaran rumah tetangga")
    assert "Belum ada di peta" in browser.get(f"/kejadian/{number}").text
    page = locate(browser, number, **form)
    assert page.status_code == 200, page.text
    assert words in page.text
    assert "menurut operator" in page.text
    found = row(city, number)
    assert (found.place_source, found.place_radius_m) == ("operator", radius_m)
    assert city.events("incident.located") == 1
    with city.store.read() as connection:
        assert bool(holds.of_incident(connection, found.id)) == held


def test_words_that_are_no_position_are_refused_and_nothing_is_lost(city: City, login: Browse) -> None:
    browser, number = login("operator"), city.sms("kebakaran di nagoya")
    for form in ({"where": "di sana"}, {"where": ""}, {"camera": "cam-2"}, {"camera": "cam-9"}):
        assert locate(browser, number, **form).status_code == 422
    assert row(city, number).place_source == "listed"


def test_a_later_text_that_contradicts_the_operator_is_shown_not_taken(city: City, login: Browse) -> None:
    browser, number = login("operator"), city.sms("kebakaran rumah tetangga")
    locate(browser, number, where="1.1801, 104.1001")
    assert city.sms("kami di 1.0501,103.9701") == number
    page = browser.get(f"/kejadian/{number}").text
    assert "Ada yang menyebut tempat lain" in page
    assert row(city, number).latitude == 1.1801
    locate(browser, number, where="1.0501,103.9701")
    assert "Ada yang menyebut tempat lain" not in browser.get(f"/kejadian/{number}").text


@pytest.mark.parametrize(
    ("form", "source"),
    [
        ({"place": "depan pasar", "where": "1.1801, 104.1001"}, "operator"),
        ({"place": "depan pasar", "camera": "cam-1"}, "operator"),
        ({"place": "Nagoya Hill, pintu timur"}, "listed"),
        ({"place": "rumah pelapor"}, ""),
    ],
)
def test_a_call_entered_by_hand_has_its_place(
    city: City, login: Browse, form: dict[str, str], source: str
) -> None:
    browser = login("operator")
    fields = {"summary": "kebakaran", "category": "KBR", "priority": "P1", **form}
    page = post(browser, "/panggilan/baru", "/panggilan/baru", **fields)
    number = page.url.path.rpartition("/")[2]
    assert row(city, number).place_source == source


def test_the_nearest_cameras_come_first_with_their_distance(city: City, login: Browse) -> None:
    browser, number = login("operator"), city.sms("kebakaran di 1.1801,104.1001")
    page = browser.get(f"/kejadian/{number}").text
    assert "Belum ada di peta" not in page
    assert re.search(r"Simpang Nongsa utara.*?\b1\d m ·", page, re.DOTALL)
    assert f"/kamera/cam-1?kejadian={number}" in page
