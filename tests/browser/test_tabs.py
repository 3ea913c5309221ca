"""Tabs of one session share one stream of the hub, and miss nothing by it."""

import pytest
from playwright.sync_api import Page, Route
from sqlalchemy import Connection

from siaga_central.console.stream import Stream
from siaga_central.store import events
from support.console import PASSWORD, City, Served
from support.waiting import until


@pytest.fixture
def stream(served: Served) -> Stream:
    """The hub's side."""
    found: Stream = served.app.state.stream
    return found


def opened(page: Page, served: Served, path: str = "/") -> Page:
    """Another tab of the same browser."""
    tab = page.context.new_page()
    tab.goto(served.url + path)
    return tab


def shows(tab: Page, text: str) -> None:
    tab.wait_for_selector(f"[data-lane=act] >> text={text}")


def test_three_tabs_hold_one_stream_and_all_show_the_same(
    page: Page, city: City, served: Served, stream: Stream
) -> None:
    tabs = [page, opened(page, served), opened(page, served)]
    city.sms("Tolong, kebakaran di Simpang Nongsa")
    for tab in tabs:
        shows(tab, "Tolong, kebakaran di Simpang Nongsa")
        assert tab.inner_text("#link") == "tersambung"
    until(lambda: stream.listening == 1)
    page.close()  # the one that came first
    city.sms("ada ular di dapur", "+628111222333")
    for tab in tabs[1:]:
        shows(tab, "ada ular di dapur")
    until(lambda: stream.listening == 1)
    for tab in tabs[1:]:
        tab.close()
    until(lambda: stream.listening == 0)


def test_a_hub_without_its_broker_says_so_on_a_page_that_is_open(
    page: Page, city: City, served: Served
) -> None:
    help_page = opened(page, served, "/bantuan")
    city.store.write(lambda c: events.append(c, city.now_us, "bus.down", "hub", "hub"))
    for tab in (page, help_page):
        tab.wait_for_selector(".banner >> text=TIDAK ADA YANG MASUK DARI NODE")
    city.store.write(lambda c: events.append(c, city.now_us, "bus.up", "hub", "hub"))
    for tab in (page, help_page):
        tab.wait_for_selector(".banner", state="detached")


def test_a_browser_without_shared_workers_holds_one_stream_per_tab(
    page: Page, city: City, served: Served, stream: Stream
) -> None:
    page.context.add_init_script("delete window.SharedWorker")
    tabs = [opened(page, served), opened(page, served)]
    page.close()
    until(lambda: stream.listening == 2)
    city.sms("Tolong, kebakaran")
    for tab in tabs:
        shows(tab, "Tolong, kebakaran")


def test_a_worker_that_cannot_be_loaded_is_done_without(
    page: Page, city: City, served: Served, stream: Stream
) -> None:
    page.context.add_init_script(
        "const real = window.SharedWorker; window.SharedWorker = class extends real {"
        " constructor(_url, options) { super('/static/not-there.js', options); } };"
    )
    tab = opened(page, served)
    page.close()
    city.sms("Tolong, kebakaran")
    shows(tab, "Tolong, kebakaran")
    until(lambda: stream.listening == 1)


def test_a_page_a_little_older_than_the_stream_gets_what_it_lacks(
    page: Page, city: City, served: Served, stream: Stream
) -> None:
    page.wait_for_function("() => document.getElementById('link').textContent === 'tersambung'")
    held: list[Route] = []
    tab = page.context.new_page()
    tab.route("**/static/live.js", lambda route: held.append(route))  # the page has come, its script is late
    tab.goto(served.url, wait_until="commit")
    until(lambda: _pump(tab) and bool(held))
    city.sms("Tolong, kebakaran")
    shows(page, "Tolong, kebakaran")
    held[0].continue_()
    shows(tab, "Tolong, kebakaran")
    until(lambda: stream.listening == 1)


def test_who_logs_in_next_hears_nothing_of_the_stream_before(
    page: Page, city: City, served: Served, stream: Stream
) -> None:
    tab = opened(page, served)
    page.click("text=keluar")
    page.wait_for_url("**/masuk")
    page.fill("[name=name]", "technician")
    page.fill("[name=password]", PASSWORD)
    page.click("button.main")
    page.wait_for_selector("#lane-signal")
    names = [it.evaluate("document.body.dataset.stream") for it in (page, tab)]
    assert names[0] != names[1]
    before = page.get_attribute("body", "data-seq")
    city.sms("Tolong, kebakaran")  # an operator's page would now ask for sound
    page.wait_for_function("before => document.body.dataset.seq !== before", arg=before)
    assert page.get_attribute("body", "data-alarm") == "quiet"
    assert "Tolong" not in page.content()


@pytest.mark.parametrize("path", ["/bantuan", "/panggilan/baru"])
def test_pages_without_rows_do_not_load_themselves_anew_for_ever(
    page: Page, city: City, served: Served, path: str
) -> None:
    def many(c: Connection) -> None:
        for number in range(2100):  # more than a page is told again
            events.append(c, city.now_us, "test.happened", f"subject-{number}", "test", {})

    city.store.write(many)
    page.goto(served.url + path)
    page.evaluate("window.sameDocument = true")
    city.sms("Tolong, kebakaran")
    page.wait_for_selector("body[data-alarm=blocked], body[data-alarm=sounding]")
    assert page.evaluate("window.sameDocument")


def _pump(page: Page) -> bool:
    """Let the browser's messages in; a plain wait would not."""
    page.wait_for_timeout(20)
    return True
