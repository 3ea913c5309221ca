"""A P1 incident is heard in Chromium until somebody takes it or presses the key for silence."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from siaga_central.store import incidents, replies
from support.console import PASSWORD, City, Served

# What the page asks of Web Audio, counted from outside: the real oscillators still run.
_COUNT = """
window.contexts = []; window.started = 0;
const real = window.AudioContext;
window.AudioContext = class extends real { constructor() { super(); window.contexts.push(this); } };
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (at) { window.started += 1; return start.call(this, at); };
"""
_P1 = "Tolong, kebakaran di Simpang Nongsa, ada korban"
_P3 = "ada ular di dapur"


@pytest.fixture
def counted(page: Page) -> Page:
    """The logged-in page, loaded again without any key or click on it: the browser forbids sound."""
    page.context.add_init_script(_COUNT)
    fresh = page.context.new_page()
    fresh.clock.install()
    fresh.goto(page.url)
    page.close()
    fresh.wait_for_function("() => document.getElementById('link').textContent === 'tersambung'")
    return fresh


def alarm_is(page: Page, state: str) -> None:
    page.wait_for_selector(f"body[data-alarm={state}]")


def silence_a_p1(page: Page, city: City) -> None:
    """Sound on; a P1 that nobody takes rings and is silenced."""
    page.keyboard.press("b")
    city.sms(_P1)
    alarm_is(page, "sounding")
    page.keyboard.press("s")
    alarm_is(page, "silenced")


def started(page: Page) -> int:
    return int(page.evaluate("window.started"))


@pytest.mark.sop("R05")
def test_a_p1_asks_for_sound_sounds_until_silenced_and_the_next_one_sounds_again(
    counted: Page, city: City
) -> None:
    page = counted
    alarm_is(page, "quiet")
    assert page.inner_text("#mute") == "▲ Suara mati: tekan B untuk menyalakan."
    assert page.evaluate("contexts.map((it) => it.state)") == ["suspended"]
    city.sms(_P1)
    alarm_is(page, "blocked")
    assert page.is_visible("#alarm >> text=NYAWA TERANCAM")
    assert started(page) == 0
    page.keyboard.press("b")
    alarm_is(page, "sounding")
    assert page.evaluate("contexts.map((it) => it.state)") == ["running"]
    assert not page.is_visible("#mute")
    once = started(page)
    assert once > 0
    page.clock.fast_forward(5000)
    assert started(page) > once  # it goes on by itself
    page.keyboard.press("s")
    alarm_is(page, "silenced")
    assert not page.is_visible("#alarm")
    city.sms(_P1, "+6281299990000")
    alarm_is(page, "sounding")


@pytest.mark.sop("R05")
def test_the_alarm_ends_when_somebody_takes_the_incident(counted: Page, city: City) -> None:
    page = counted
    page.keyboard.press("b")
    number = city.sms(_P1)
    alarm_is(page, "sounding")
    with city.store.read() as connection:
        id = str(connection.exec_driver_sql("SELECT id FROM incident WHERE number = ?", (number,)).scalar())
    city.store.write(lambda c: incidents.take(c, id, "supervisor", city.now_us))
    alarm_is(page, "quiet")
    before = started(page)
    page.clock.fast_forward(10_000)  # five times the time between two rings
    assert started(page) == before


def test_what_is_not_urgent_chimes_once_and_sounds_no_alarm(counted: Page, city: City) -> None:
    page = counted
    page.keyboard.press("b")
    city.sms(_P3)
    page.wait_for_function("() => window.started === 2")
    alarm_is(page, "quiet")


def test_a_p1_that_came_before_the_page_is_heard_on_every_page(
    counted: Page, city: City, served: Served
) -> None:
    page = counted
    city.sms(_P1)
    page.goto(f"{served.url}/perangkat")
    page.keyboard.press("b")
    alarm_is(page, "sounding")
    page.click("#sound")  # off by hand
    alarm_is(page, "blocked")
    page.keyboard.press("j")  # any other key leaves it off
    page.wait_for_timeout(100)
    assert page.is_visible("#mute")
    alarm_is(page, "blocked")


def _take(city: City, number: str) -> str:
    with city.store.read() as connection:
        id = str(connection.exec_driver_sql("SELECT id FROM incident WHERE number = ?", (number,)).scalar())
    city.store.write(lambda c: incidents.take(c, id, "supervisor", city.now_us))
    return id


@pytest.mark.sop("R05")
def test_every_new_word_of_a_taken_p1_ends_the_silence(counted: Page, city: City) -> None:
    page = counted
    page.keyboard.press("b")
    id = _take(city, city.sms(_P1))
    page.wait_for_selector(f"[data-lane=run] #incident-{id}")
    alarm_is(page, "quiet")
    for text in ("api sudah ke lantai dua", "ada yang melompat"):
        city.sms(text)
        alarm_is(page, "sounding")
        page.keyboard.press("s")
        alarm_is(page, "silenced")


@pytest.mark.sop("R05")
def test_worse_words_of_a_p1_that_nobody_has_taken_end_the_silence(counted: Page, city: City) -> None:
    page = counted
    silence_a_p1(page, city)
    city.sms("ada anak kecil terjebak di lantai dua")
    alarm_is(page, "sounding")


@pytest.mark.sop("R05")
def test_silence_ends_by_itself_for_a_p1_that_nobody_takes_and_stays_for_one_that_is_taken(
    counted: Page, city: City
) -> None:
    page = counted
    page.keyboard.press("b")
    id = _take(city, city.sms(_P1, "+6281299990000"))
    page.wait_for_selector(f"[data-lane=run] #incident-{id}")
    city.sms("api sudah ke lantai dua", "+6281299990000")
    alarm_is(page, "sounding")
    page.keyboard.press("s")
    alarm_is(page, "silenced")
    page.clock.fast_forward(600_000)
    alarm_is(page, "silenced")
    city.sms(_P1)
    alarm_is(page, "sounding")
    page.keyboard.press("s")
    alarm_is(page, "silenced")
    page.clock.fast_forward(115_000)
    alarm_is(page, "silenced")
    page.clock.fast_forward(6_000)
    alarm_is(page, "sounding")


@pytest.mark.sop("R05")
def test_who_logs_in_next_has_silenced_nothing(counted: Page, city: City, served: Served) -> None:
    page = counted
    silence_a_p1(page, city)
    page.reload()
    alarm_is(page, "silenced")
    page.click("form[action='/keluar'] button")
    page.wait_for_url("**/masuk")
    page.context.request.post(f"{served.url}/masuk", form={"name": "supervisor", "password": PASSWORD})
    page.goto(served.url)
    alarm_is(page, "blocked")
    page.keyboard.press("b")
    alarm_is(page, "sounding")


def test_a_new_word_of_a_taken_incident_chimes_and_one_that_sounds_like_p1_sounds(
    counted: Page, city: City
) -> None:
    page = counted
    number = city.sms(_P3)
    id = _take(city, number)
    judged = ("HWN", "P3", "", "supervisor", city.now_us)
    city.store.write(lambda c: incidents.classify(c, id, *judged))
    page.wait_for_selector(f"[data-lane=run] #incident-{id}")
    page.keyboard.press("b")
    before = started(page)
    city.sms("ularnya masuk kamar")
    page.wait_for_function("(before) => window.started === before + 2", arg=before)
    alarm_is(page, "quiet")
    city.sms("tolong anak saya digigit ular, tidak sadar")
    alarm_is(page, "sounding")
    assert page.is_visible(f"#incident-{id} [data-pressing]")


def test_an_answer_that_failed_brings_its_row_back_with_a_chime(counted: Page, city: City) -> None:
    page = counted
    page.keyboard.press("b")
    id = _take(city, city.sms(_P3))
    answer = (id, "+6281270001234", "Regu menuju lokasi", "operator", city.now_us, "gsm-1")
    city.store.write(lambda c: replies.write(c, "a1", *answer))
    page.wait_for_selector(f"[data-lane=run] #incident-{id}")
    before = started(page)
    city.store.write(lambda c: replies.delivered(c, "a1", "FAILED", "", "node:gsm-1", city.now_us))
    page.wait_for_selector(f"[data-lane=act] #incident-{id} [data-failed] >> text=balasan gagal")
    page.wait_for_function("(before) => window.started === before + 2", arg=before)
    city.store.write(lambda c: incidents.note(c, id, "ditelepon", "operator", city.now_us))
    page.wait_for_selector(f"[data-lane=run] #incident-{id}")
    assert not page.is_visible("[data-failed]")


@pytest.fixture
def deaf(browser: Browser, page: Page) -> Iterator[BrowserContext]:
    """A context of the same operator in a browser without Web Audio."""
    context = browser.new_context(storage_state=page.context.storage_state())
    context.add_init_script("delete window.AudioContext")
    yield context
    context.close()


def test_a_browser_without_sound_still_says_so_and_shows_the_rows(
    deaf: BrowserContext, city: City, served: Served
) -> None:
    page = deaf.new_page()
    page.goto(served.url)
    city.sms(_P1)
    alarm_is(page, "blocked")
    assert page.is_visible("#alarm")
    assert page.is_visible("#mute")
    page.keyboard.press("b")
    page.wait_for_selector(f"text={_P1}")
