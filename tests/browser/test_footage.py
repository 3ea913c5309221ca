"""A clip plays on the page of its incident, in Chromium, with the octets a camera's node sends."""

import hashlib
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Page
from sqlalchemy import Connection

from siaga_central.store import clips
from support.console import City, Served

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
