"""The duty roster in a browser: by keyboard, without JavaScript, on a phone, on paper."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from siaga_central.store import roster
from siaga_central.store import schema as t
from support.console import PASSWORD, City, Served

FIRST, SECOND, OURS = "+628111111111", "+628122222222", "+628111000112"


@pytest.fixture
def duty(city: City) -> City:
    """A city with two phones on duty, a GSM node in the roster and a camera site whose modem is not."""

    def furnish(c: object) -> None:
        roster.add_phone(c, FIRST, "Regu A Damkar Batu Ampar", "sari", city.now_us)  # type: ignore[arg-type]
        roster.add_phone(c, SECOND, "Regu B PMI", "sari", city.now_us)  # type: ignore[arg-type]
        roster.set_modem(c, "gsm-1", OURS, True, "sari", city.now_us)  # type: ignore[arg-type]
        roster.publish(c, "", "sari", city.now_us)  # type: ignore[arg-type]
        for node in ("gsm-1", "node-1"):
            stream = {"node": node, "stream": "modem.urgent", "epoch": "0" * 16, "upto": 1}
            c.execute(t.mark.insert().values(stream))  # type: ignore[attr-defined]

    city.store.write(furnish)
    return city


def opened(browser: Browser, served: Served, role: str, **options: object) -> tuple[BrowserContext, Page]:
    context = browser.new_context(**options)  # type: ignore[arg-type]
    context.set_default_timeout(8000)
    context.request.post(f"{served.url}/masuk", form={"name": role, "password": PASSWORD})
    page = context.new_page()
    page.goto(f"{served.url}/daftar-jaga")
    return context, page


@pytest.fixture
def supervisor(browser: Browser, duty: City, served: Served) -> Iterator[Page]:
    context, page = opened(browser, served, "supervisor")
    yield page
    context.close()


def order(page: Page) -> list[str]:
    return page.locator("[data-phone] bdi").all_inner_texts()


def test_the_order_is_changed_by_keyboard_alone_and_one_goes_on_where_one_was(supervisor: Page) -> None:
    page = supervisor
    page.get_by_role("button", name="Turun: Regu A Damkar Batu Ampar").focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.url.endswith("/daftar-jaga#hp628111111111")
    assert order(page) == ["Regu B PMI", "Regu A Damkar Batu Ampar"]
    page.keyboard.press("Tab")
    assert (
        page.evaluate("document.activeElement.getAttribute('aria-label')") == "Naik: Regu A Damkar Batu Ampar"
    )
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert order(page)[0].startswith("Regu A")


def test_a_phone_comes_and_goes_without_javascript(browser: Browser, duty: City, served: Served) -> None:
    context, page = opened(browser, served, "supervisor", java_script_enabled=False)
    form = page.locator("form[action$='/hp']")
    form.get_by_label("Nama HP atau regu").fill("Regu C")
    form.get_by_label("Nomor").fill("0813 3333 333")
    form.get_by_role("button").click()
    assert order(page)[-1] == "Regu C"
    form = page.locator("form[action$='/hapus']")
    form.get_by_label("HP").select_option("+628133333333")
    form.get_by_label("Alasan").fill("HP rusak")
    form.get_by_role("button").click()
    assert len(order(page)) == 2
    assert "HP rusak" in page.locator(".timeline").inner_text()
    context.close()


def test_an_open_page_follows_what_others_change_and_keeps_what_is_typed(
    supervisor: Page, duty: City
) -> None:
    page = supervisor
    page.locator("form[action$='/hapus']").get_by_label("Alasan").fill("belum selesai")
    page.wait_for_function("() => document.getElementById('link').textContent === 'tersambung'")
    duty.store.write(lambda c: roster.move_phone(c, SECOND, True, "lain", duty.now_us))
    page.wait_for_selector("[data-phone='1']:has-text('Regu B')")
    assert page.locator("form[action$='/hapus']").get_by_label("Alasan").input_value() == "belum selesai"


def test_it_fits_a_phone_and_paper_shows_the_list_without_its_buttons(
    browser: Browser, duty: City, served: Served
) -> None:
    context, page = opened(browser, served, "supervisor", viewport={"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.emulate_media(media="print")
    assert page.get_by_text("Regu A Damkar Batu Ampar").first.is_visible()
    assert page.get_by_text("belum sampai").is_visible()
    assert page.get_by_text("belum tercatat di sini").is_visible()
    assert page.locator("button:visible, input[type=text]:visible, select:visible").count() == 0
    context.close()


def test_an_operator_reads_and_finds_nothing_to_press(browser: Browser, duty: City, served: Served) -> None:
    context, page = opened(browser, served, "operator")
    assert FIRST in page.locator("[data-part=phones]").inner_text()
    assert page.locator("main form").count() == 0
    context.close()
