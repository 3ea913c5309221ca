"""Who works at a restored hub, or at one whose backup is late, reads it on every page."""

from collections.abc import Callable

import httpx

from siaga_central.store import events, generations
from support.clock import FakeClock
from support.console import City

Browse = Callable[[str], httpx.Client]
RESTORED = "PUSAT DIPULIHKAN DARI CADANGAN"
LATE = "CADANGAN TERLAMBAT"


def test_a_restored_hub_says_until_when_it_reaches_for_a_day(
    city: City, login: Browse, clock: FakeClock
) -> None:
    until_us = city.now_us - 5_000_000
    city.store.write(lambda c: generations.begin(c, "life-one", city.now_us, "made"))
    browser = login("operator")
    assert RESTORED not in browser.get("/").text
    city.store.write(lambda c: generations.begin(c, "life-two", city.now_us, "restored", until_us))
    for path in ("/", "/bantuan"):
        assert RESTORED in browser.get(path).text
    assert "ketik lagi" in browser.get("/").text
    clock.advance(25 * 3600)
    city.store.write(lambda c: events.append(c, city.now_us, "note", "x", "hub"))
    assert RESTORED not in login("operator").get("/").text


def test_a_late_backup_is_said_until_it_is_well_again(city: City, login: Browse) -> None:
    browser = login("supervisor")
    city.store.write(lambda c: events.append(c, city.now_us, "backup.late", "hub", "hub", {"problem": "a"}))
    assert LATE in browser.get("/").text
    city.store.write(lambda c: events.append(c, city.now_us, "backup.well", "hub", "hub", {"problem": ""}))
    assert LATE not in browser.get("/").text
