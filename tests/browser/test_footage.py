"""A clip plays on the page of its incident, in Chromium, with the octets a camera's node sends."""

import functools
import hashlib
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from demo.city import OPERATOR, Ports
from playwright.sync_api import Browser, Page
from sqlalchemy import Connection

from siaga_central.store import clips, commands, footage, nodes
from siaga_core.wire.recording import Segment
from support.console import City, Served
from support.town import CAMERA, Town
from support.waiting import until

_CLIP_S = 4


@pytest.fixture(scope="module")
def mp4(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of H.264, as cameras send it."""
    path = tmp_path_factory.mktemp("footage") / "clip.mp4"
    source = f"testsrc=size=320x180:rate=15:duration={_CLIP_S}"
    coding = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-movflags", "+faststart")
    command = ("ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, *coding, str(path))
    subprocess.run(command, check=True, timeout=60)
    return path


def put(city: City, number: str, octets: bytes) -> str:
    """A clip of incident `number` that has come whole; its id."""

    def commit(c: Connection) -> str:
        incident = c.exec_driver_sql("SELECT id FROM incident WHERE number = ?", (number,)).scalar_one()
        start_us, end_us = city.now_us - 60_000_000, city.now_us - 56_000_000
        clips.ask(c, "clip-1", "cam-1", start_us, end_us, incident, "api", "operator", city.now_us)
        clips.ready(c, "clip-1", hashlib.sha256(octets).hexdigest(), len(octets), city.now_us)
        return "clip-1"

    (city.media_dir / "clips" / "clip-1.mp4").write_bytes(octets)
    return city.store.write(commit)


def put_half(city: City, number: str, octets: bytes) -> None:
    """A clip of incident `number` of which half has come, over a slow line."""

    def commit(c: Connection) -> None:
        incident = c.exec_driver_sql("SELECT id FROM incident WHERE number = ?", (number,)).scalar_one()
        start_us, end_us = city.now_us - 60_000_000, city.now_us - 56_000_000
        clips.ask(c, "clip-1", "cam-1", start_us, end_us, incident, "api", "operator", city.now_us)
        result = {
            "size_bytes": len(octets), "start_wall_ns": start_us * 1000, "end_wall_ns": end_us * 1000 - 10**9,
            "pictures": 45, "gaps": [[start_us * 1000 + 10**9, start_us * 1000 + 2 * 10**9]],
            "error_ms": 140, "hidden": 7, "silent": [[start_us * 1000, start_us * 1000 + 10**9]],
        }  # fmt: skip
        commands.settle(c, "clip-1", "done", "", result, "node:node-1", city.now_us)
        gap = Segment(
            event="gap", camera="cam-1", segment="1-1/1", start_wall_ns=start_us * 1000 + 10**9,
            duration_ms=1000, reason="the camera gave no picture in 5 s",
        )  # fmt: skip
        footage.note(c, "node-1", gap)
        half = len(octets) // 2
        clips.progress(c, "clip-1", half - 4000, len(octets), city.now_us - 1_000_000)
        clips.progress(c, "clip-1", half, len(octets), city.now_us)
        nodes.heard(c, "node-1", city.now_us)

    (city.media_dir / "clips" / "clip-1.part").write_bytes(octets[: len(octets) // 2])
    city.store.write(commit)


def play(page: Page) -> str:
    """Press the player; what came of it: `plays` or the player's error."""
    page.focus("video")
    page.keyboard.press("Space")
    page.wait_for_function(
        "() => { const v = document.querySelector('video'); return v.error || v.currentTime > 0.3; }"
    )
    return str(page.evaluate("document.querySelector('video').error?.message ?? 'plays'"))


@pytest.mark.sop("R03")
def test_a_clip_plays_and_is_not_torn_away_by_news(page: Page, city: City, served: Served, mp4: Path) -> None:
    number = city.sms("Tolong kebakaran di nongsa")
    put(city, number, mp4.read_bytes())
    page.goto(f"{served.url}/kejadian/{number}")
    page.wait_for_function("() => document.getElementById('link').textContent === 'tersambung'")
    assert play(page) == "plays"
    video = page.locator("video")
    assert abs(video.evaluate("it => it.duration") - _CLIP_S) < 0.2
    assert video.evaluate("it => [it.videoWidth, it.videoHeight]") == [320, 180]
    video.evaluate("it => it.blur()")  # nothing but its playing may keep it
    before = video.evaluate("it => it.currentTime")
    city.sms("ada korban di lantai dua")
    page.wait_for_selector("text=ada korban di lantai dua")
    page.wait_for_function("before => document.querySelector('video').currentTime > before + 0.5", arg=before)
    assert city.events("clip.viewed") == 1


def test_a_clip_that_is_no_film_says_so_instead_of_playing(
    page: Page, city: City, served: Served, mp4: Path
) -> None:
    number = city.sms("Tolong kebakaran di nongsa")
    put(city, number, mp4.read_bytes()[::-1])
    page.goto(f"{served.url}/kejadian/{number}")
    assert play(page) != "plays"


@pytest.mark.sop("R03", "R28")
def test_what_has_come_plays_before_the_rest_and_says_what_is_missing(
    page: Page, city: City, served: Served, mp4: Path
) -> None:
    number = city.sms("Tolong kebakaran di nongsa")
    put_half(city, number, mp4.read_bytes())
    page.goto(f"{served.url}/kejadian/{number}#klip")
    card = page.locator("[data-clip]")
    text = card.inner_text()
    assert "50 %" in text or "49 %" in text
    assert "tiba kira-kira" in text
    assert "±0,2 dtk" in text
    assert card.locator("[data-gap]").count() == 2, "the gap, and what is missing at the end"
    assert "7" in card.locator("[data-hidden]").inner_text()
    assert "tanpa suara" in card.locator("[data-silent]").inner_text()
    assert play(page) == "plays"
    assert page.locator("video").evaluate("it => it.duration") < _CLIP_S
    assert (city.events("clip.previewed"), city.events("camera.clip_previewed")) == (1, 1)


@pytest.mark.sop("R03")
def test_a_clip_is_stopped_continued_and_given_up_by_the_operator(
    page: Page, city: City, served: Served, mp4: Path
) -> None:
    number = city.sms("Tolong kebakaran di nongsa")
    put_half(city, number, mp4.read_bytes())
    page.goto(f"{served.url}/kejadian/{number}#klip")
    page.fill("form[action$=catatan] textarea", "sedang menelepon pelapor")
    page.click("button:text-is('Hentikan')")
    page.wait_for_selector("[data-waits=stopped]")
    assert "operator" in page.locator("[data-waits=stopped]").inner_text()
    page.click("button:text-is('Lanjutkan')")
    page.wait_for_selector("button:text-is('Hentikan')")
    page.on("dialog", lambda dialog: dialog.accept())
    page.click("button:text-is('Batalkan')")
    page.wait_for_selector("[data-state=dropped]")
    assert not (city.media_dir / "clips" / "clip-1.part").exists()
    assert [city.events(f"clip.{kind}") for kind in ("stopped", "resumed", "dropped")] == [1, 1, 1]
    assert page.input_value("form[action$=catatan] textarea") == "sedang menelepon pelapor"


@pytest.mark.sop("R28")
def test_a_preview_is_no_download(page: Page, city: City, served: Served, mp4: Path) -> None:
    number = city.sms("Tolong kebakaran di nongsa")
    put_half(city, number, mp4.read_bytes())
    answer = page.goto(f"{served.url}/klip/clip-1/sebagian?upto=100000")
    assert answer is not None
    assert answer.status == 403
    assert city.events("clip.previewed") == 0


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """A hub, a broker, simulated cameras and nodes, each as its own process."""
    made = Town(tmp_path, Ports.free(), lambda _line: None)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def sheet_of_a_fire(browser: Browser, town: Town) -> Page:
    """A citizen's SMS comes in; the operator opens the sheet of its incident."""
    with town.modem as modem:
        modem.sms("+6281300000001", "Tolong kebakaran di Simpang Kara")
    page = browser.new_context().new_page()
    secret = town.secret("operator")
    page.context.request.post(f"{town.console_url}/masuk", form={"name": OPERATOR, "password": secret})
    page.goto(town.console_url)
    sheet = page.locator("#lane-act a.open[href^='/kejadian/']").first.get_attribute("href")
    page.goto(f"{town.console_url}{sheet}")
    page.wait_for_selector("#klip")
    return page


def ask_for_clip(page: Page, start: datetime, end: datetime) -> None:
    """On the form of the sheet."""
    page.select_option("form[action$=klip] [name=camera]", CAMERA)
    for name, moment in (("start", start), ("end", end)):
        page.fill(f"form[action$=klip] [name={name}]", moment.strftime("%Y-%m-%dT%H:%M:%S"))
    page.fill("form[action$=klip] [name=reason]", "mencari asal api")
    page.click("form[action$=klip] button")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.sop("R03")
def test_a_clip_asked_while_its_node_is_away_comes_and_plays_when_it_is_back(
    browser: Browser, town: Town
) -> None:
    page = sheet_of_a_fire(browser, town)
    end = until(lambda: town.recorded_upto(12), 90, because="twelve seconds are recorded")
    assert end is not None
    town.node_goes_away()
    until(lambda: not town.is_online(), 60, because="the hub knows that the node is away")
    ask_for_clip(page, end - timedelta(seconds=9), end - timedelta(seconds=3))
    page.wait_for_selector("[data-waits=offline]")
    town.node_comes_back()
    page.wait_for_selector("[data-clip][data-state=ready] video", timeout=120_000)
    assert play(page) == "plays"
    assert abs(page.locator("video").evaluate("it => it.duration") - 6) < 0.5
    page.context.close()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_clip_comes_whole_though_node_and_hub_are_killed_while_it_is_sent(
    browser: Browser, tmp_path: Path
) -> None:
    town = Town(tmp_path, Ports.free(), lambda _line: None, uplink_kbit_s=400)
    try:
        town.start()
        end = until(lambda: town.recorded_upto(25), 120, because="footage is recorded")
        assert end is not None
        page = sheet_of_a_fire(browser, town)
        ask_for_clip(page, end - timedelta(seconds=22), end - timedelta(seconds=2))
        page.wait_for_selector("[data-clip]")
        page.context.close()
        for more in (0, 1):
            enough = town.got_bytes() * more
            until(functools.partial(town.has_more_than, enough), 90, because="some of it has come")
            assert town.clip_state() == "coming", "it is in the middle"
            town.kill_uplink()
            town.kill_hub()
        until(lambda: town.clip_state() == "ready", 150, because="it came whole")
        assert town.clip_hash() == town.stated_hash()
    finally:
        town.stop()
