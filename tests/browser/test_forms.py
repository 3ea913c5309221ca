"""Forms of an incident's sheet: sent without loading the page again, and without JavaScript all the same."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from siaga_central.store import replies
from support.console import City, Served

_NOTE = "form[action$=catatan] textarea"
_ANSWER = "form[action$=jawab] textarea"
_SEND = "form[action$=jawab] button"
_PLACE = "form[action$=golongan] [name=place]"


@pytest.fixture
def sheet(page: Page, city: City, served: Served) -> Page:
    """The sheet of an incident, with something typed in each field that is not sent."""
    number = city.sms("Tolong kebakaran di nongsa")
    page.goto(f"{served.url}/kejadian/{number}")
    page.wait_for_function("() => document.getElementById('link').textContent === 'tersambung'")
    page.evaluate("window.sameDocument = true")
    return page


def test_answering_loses_nothing_that_is_typed_in_another_field(sheet: Page, city: City) -> None:
    sheet.fill(_NOTE, "catatan yang belum selesai")
    sheet.fill(_PLACE, "Blok C")
    sheet.fill("form[action$=langkah] [name=reason]", "alasan")
    sheet.fill(_ANSWER, "Petugas menuju lokasi.")
    assert sheet.inner_text("[data-left]") == "138"
    sheet.click(_SEND)
    sheet.wait_for_selector(".reply >> text=Petugas menuju lokasi.")
    kept = [sheet.input_value(it) for it in (_NOTE, _PLACE, "form[action$=langkah] [name=reason]", _ANSWER)]
    assert kept == ["catatan yang belum selesai", "Blok C", "alasan", ""]
    assert sheet.inner_text("[data-left]") == "160"
    assert sheet.evaluate("window.sameDocument")
    assert city.events("reply.written") == 1


def test_the_counter_knows_what_a_part_holds(sheet: Page) -> None:
    for text, left, number, foreign in (
        ("x" * 160, "0", None, None),
        ("x" * 60 + "\u201capi\u201d \u2013 hati-hati", "83", None, None),  # the node writes plain signs
        ("[x]", "155", None, None),
        ("x" * 69 + "\u706b", "0", None, "\u706b"),
        ("x" * 70 + "\u706b", "63", "2", "\u706b"),
        ("\u706b" * 160, "0", "3", "\u706b"),
        ("\u20ac" * 81, "79", "2", None),
    ):
        sheet.fill(_ANSWER, text)
        assert sheet.inner_text("[data-left]") == left, text
        assert sheet.is_visible("[data-sms-count]") == (number is not None)
        assert sheet.is_visible("[data-foreign]") == (foreign is not None)
        if number is not None:
            assert sheet.inner_text("[data-sms-count] span") == number
        if foreign is not None:
            assert sheet.inner_text("[data-foreign] bdi") == foreign


def test_an_answer_that_failed_is_sent_again_by_a_button_once(sheet: Page, city: City) -> None:
    sheet.fill(_ANSWER, "Petugas menuju lokasi.")
    sheet.click(_SEND)
    sheet.wait_for_selector("[data-reply-state=QUEUED]")
    assert not sheet.is_visible("[data-again]")
    with city.store.read() as connection:
        [id] = connection.exec_driver_sql("SELECT id FROM reply").scalars()
    city.store.write(lambda c: replies.delivered(c, id, "FAILED", "", "node:gsm-1", city.now_us))
    sheet.click("[data-again]")
    sheet.wait_for_selector("[data-reply-state=QUEUED]")
    assert not sheet.is_visible("[data-again]"), "the new one is on its way"
    with city.store.read() as connection:
        found = connection.exec_driver_sql('SELECT "to", text FROM reply').all()
    assert len(found) == 2
    assert found[0] == found[1]


def test_classifying_and_noting_show_at_once_and_keep_an_answer_half_written(sheet: Page) -> None:
    sheet.fill(_ANSWER, "Tetap di")
    sheet.select_option("form[action$=golongan] [name=priority]", "P3")
    sheet.fill(_PLACE, "Blok C")
    sheet.click("form[action$=golongan] button")
    sheet.wait_for_selector("[data-part=head] >> text=Blok C")
    sheet.fill(_NOTE, "sudah ditelepon")
    sheet.click("form[action$=catatan] button")
    sheet.wait_for_selector("[data-part=timeline] >> text=sudah ditelepon")
    assert [sheet.input_value(it) for it in (_NOTE, _PLACE, _ANSWER)] == ["", "Blok C", "Tetap di"]
    assert sheet.evaluate("window.sameDocument")


def test_the_buttons_follow_the_state_of_the_incident(sheet: Page) -> None:
    sheet.fill(_NOTE, "catatan")
    sheet.keyboard.press("Tab")
    sheet.keyboard.press("a")
    sheet.wait_for_function("() => !document.querySelector('form[action$=ambil]')")
    for command in ("verify", "handle", "finish", "close"):
        sheet.click(f"#moves [value={command}]")
        sheet.wait_for_selector("form[action$=langkah]:not(.htmx-request)")  # one step at a time
    sheet.wait_for_selector("#answer:not(:has(form))", state="attached")  # nobody answers a closed incident
    sheet.fill("form[action$=langkah] [name=reason]", "pelapor menelepon lagi")
    sheet.click("#moves [value=reopen]")
    sheet.fill(_ANSWER, "Baik.")
    sheet.click(_SEND)
    sheet.wait_for_selector(".reply >> text=Baik.")
    assert sheet.evaluate("window.sameDocument")
    assert sheet.input_value(_NOTE) == "catatan"


def test_a_refusal_is_said_at_the_form_and_what_was_typed_stays(sheet: Page, city: City) -> None:
    sheet.fill(_ANSWER, "Baik.")
    sheet.click("#moves [value=dismiss]")
    sheet.wait_for_selector("form[action$=langkah] .error")
    assert sheet.input_value(_ANSWER) == "Baik."
    sheet.dblclick(_SEND)
    sheet.wait_for_selector(".reply >> text=Baik.")
    assert city.events("reply.written") == 1


def test_a_hub_that_is_gone_leaves_the_answer_in_its_field(sheet: Page, served: Served) -> None:
    sheet.fill(_ANSWER, "Petugas menuju lokasi.")
    served.stop()
    sheet.click(_SEND)
    sheet.wait_for_selector("form[action$=jawab] .error:has-text('Pusat tidak menjawab')")
    assert sheet.input_value(_ANSWER) == "Petugas menuju lokasi."


@pytest.fixture
def plain(browser: Browser, page: Page) -> Iterator[BrowserContext]:
    """The same operator in a browser without JavaScript."""
    context = browser.new_context(storage_state=page.context.storage_state(), java_script_enabled=False)
    yield context
    context.close()


def test_the_forms_work_without_javascript(plain: BrowserContext, city: City, served: Served) -> None:
    number = city.sms("Tolong kebakaran di nongsa")
    page = plain.new_page()
    page.goto(f"{served.url}/kejadian/{number}")
    page.fill(_ANSWER, "Petugas menuju lokasi.")
    page.click(_SEND)
    page.wait_for_selector(".reply >> text=Petugas menuju lokasi.")
    page.fill(_NOTE, "sudah ditelepon")
    page.click("form[action$=catatan] button")
    page.wait_for_selector("[data-part=timeline] >> text=sudah ditelepon")
    assert (city.events("reply.written"), city.events("incident.noted")) == (1, 1)
