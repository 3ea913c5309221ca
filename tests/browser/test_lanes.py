"""What an operator sees, in Chromium."""

import time
from pathlib import Path

from playwright.sync_api import Page
from sqlalchemy import Connection

from siaga_central.store import clips, events, users
from support.console import City, Served
from support.waiting import until


def texts(page: Page, lane: str = "act") -> list[str]:
    return page.locator(f"[data-lane={lane}] .text bdi").all_inner_texts()


def test_a_report_is_painted_without_loading_the_page_again(page: Page, city: City) -> None:
    page.evaluate("window.sameDocument = true")
    page.wait_for_function("() => document.getElementById('link').textContent === 'tersambung'")
    city.sms("Tolong, kebakaran di Simpang Nongsa")
    page.wait_for_selector("text=Tolong, kebakaran di Simpang Nongsa")
    assert page.evaluate("window.sameDocument")
    assert page.inner_text("[data-count=act]") == "1"
    row = page.locator("[data-lane=act] .row")
    assert row.get_attribute("data-report-id")
    assert int(row.get_attribute("data-event-seq") or 0) > 0


def test_a_restart_of_the_console_loses_no_row(page: Page, city: City, served: Served) -> None:
    page.wait_for_function("() => document.getElementById('link').textContent === 'tersambung'")
    page.evaluate("window.sameDocument = true")
    began = time.monotonic()
    served.stop()
    assert time.monotonic() - began < 2
    for number in range(12):
        city.sms(f"laporan ke-{number}", f"+62812700{number:05}")
    again = Served(city, served.port)
    until(lambda: len(texts(page)) == 12, 15)
    assert page.evaluate("window.sameDocument")
    assert sorted(texts(page)) == sorted(f"laporan ke-{number}" for number in range(12))
    page.goto("about:blank")
    again.stop()


def test_the_bar_says_so_when_the_hub_is_gone(page: Page, served: Served) -> None:
    page.wait_for_function("() => document.getElementById('link').textContent === 'tersambung'")
    assert not page.is_visible("#lost")
    served.stop()
    page.wait_for_selector("#lost:has-text('TERPUTUS')", state="visible", timeout=40_000)


def test_the_language_is_chosen_in_the_page(page: Page, city: City) -> None:
    assert "Perlu tindakan" in page.inner_text("main")
    page.click("text=English")
    page.wait_for_selector("text=Needs action")
    city.call(None)
    page.wait_for_selector("[data-lane=callback] >> text=number withheld")


def test_a_narrow_screen_shows_everything_without_sideways_scrolling(page: Page, city: City) -> None:
    number = city.sms("Tolong " + "kebakaran" * 15)
    page.set_viewport_size({"width": 380, "height": 800})
    for path in ("/", f"/kejadian/{number}", "/perangkat", "/panggilan/baru", "/karantina", "/bantuan"):
        page.goto(page.url.split("/", 3)[0] + "//" + page.url.split("/", 3)[2] + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 380, path


def test_an_open_sheet_shows_what_the_reporter_says_next(page: Page, city: City, served: Served) -> None:
    number = city.sms("Tolong kebakaran di nongsa")
    page.goto(f"{served.url}/kejadian/{number}")
    page.fill("textarea[name=text] >> nth=0", "sedang menulis")
    page.wait_for_function("() => document.getElementById('link').textContent === 'tersambung'")
    city.sms("ada korban di lantai dua")
    page.wait_for_selector("text=ada korban di lantai dua")
    assert page.input_value("textarea[name=text] >> nth=0") == "sedang menulis"


def test_keys_choose_open_and_take(page: Page, city: City) -> None:
    number = city.sms("Tolong kebakaran di nongsa")
    page.wait_for_selector("[data-lane=act] .row")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/kejadian/{number}")
    page.keyboard.press("a")
    page.wait_for_selector("text=diambil oleh operator")


def test_the_printed_sheet_is_one_page(page: Page, city: City, served: Served, tmp_path: Path) -> None:
    number = city.sms("Tolong kebakaran di nongsa")
    page.goto(f"{served.url}/kejadian/{number}")
    file = tmp_path / "sheet.pdf"
    page.pdf(path=str(file), prefer_css_page_size=True)
    assert file.read_bytes().count(b"/Type /Page\n") + file.read_bytes().count(b"/Type /Page/") == 1


def test_a_clips_progress_and_player_appear_by_themselves(page: Page, city: City, served: Served) -> None:
    number = city.sms("Tolong kebakaran di nongsa")
    page.goto(f"{served.url}/kejadian/{number}")
    page.fill("form[action$=klip] [name=reason]", "mencari asal api")
    page.click("form[action$=klip] button")
    page.wait_for_selector("[data-state=asked]")
    with city.store.read() as connection:
        clip = str(connection.exec_driver_sql("SELECT id FROM clip").scalar_one())
    city.store.write(lambda c: clips.progress(c, clip, 400, 1000))
    page.wait_for_selector("[data-state=coming] progress")
    city.store.write(lambda c: clips.ready(c, clip, "a" * 64, 1000, city.now_us))
    page.wait_for_selector(f"video[src='/klip/{clip}']")


def test_a_page_whose_account_was_closed_goes_to_the_login(page: Page, city: City) -> None:
    page.wait_for_function("() => document.getElementById('link').textContent === 'tersambung'")
    city.store.write(lambda c: users.disable(c, "operator", "admin", city.now_us))
    page.wait_for_url("**/masuk")


def test_rows_of_the_same_moment_stand_live_as_they_stand_after_a_reload(page: Page, city: City) -> None:
    page.wait_for_function("() => document.getElementById('link').textContent === 'tersambung'")
    numbers = [city.sms("ada ular di dapur", f"+62812700{number:05}") for number in range(4)]
    moment_us = city.now_us - 5_000_000

    def at_once(c: Connection) -> None:
        c.exec_driver_sql("UPDATE report SET arrived_us = ?", (moment_us,))
        for row in c.exec_driver_sql("SELECT id FROM incident ORDER BY number DESC").fetchall():
            events.append(c, city.now_us, "incident.noted", row.id, "hub", {})

    city.store.write(at_once)
    order = "[...document.querySelectorAll('[data-lane=act] .row')].map((row) => row.dataset.order)"
    page.wait_for_function(f"() => new Set({order}).size === 1 && {order}.length === 4")
    live = page.locator("[data-lane=act] .number").all_inner_texts()
    page.reload()
    assert page.locator("[data-lane=act] .number").all_inner_texts() == live == numbers
