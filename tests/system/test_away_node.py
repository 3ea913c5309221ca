"""A node falls silent with footage to be held: the alarm is on the page before it could be overwritten."""

import re
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import httpx
import psutil
import pytest
from demo.city import CAMERA_NODE, City, Ports

from siaga_central.console.wording import form_moment
from support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
CAMERA = "cam-simpang-kara"


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    """Hub, broker, nodes and simulated cameras, all running."""
    made = City(tmp_path, Ports.free(), lambda _said: None)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def rows(city: City, query: str) -> list[tuple[str, ...]]:
    """What the hub's database says."""
    try:
        with closing(sqlite3.connect(f"file:{city.database}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchall()
    except sqlite3.OperationalError:
        return []


def stopped(city: City, order: signal.Signals) -> None:
    """Every process of the camera node stands still, or goes on."""
    for one in city.keeper.find(str(city.node_file(CAMERA_NODE))):
        with suppress(psutil.NoSuchProcess):
            one.send_signal(order)


@pytest.mark.sop("R37")
def test_an_incident_beside_a_silent_node_alarms_and_is_confirmed_when_the_node_is_back(city: City) -> None:
    until(lambda: rows(city, "SELECT 1 FROM kept"), 150, because="the node has told of its footage")
    stopped(city, signal.SIGSTOP)
    with city.modem as modem:
        modem.sms("+6281355550001", "kebakaran di 1.1281,104.0514 tolong cepat")
    held = "SELECT state, danger FROM hold WHERE cause = 'incident'"
    until(lambda: rows(city, held), 30, because="the incident holds by itself")
    until(lambda: rows(city, "SELECT 1 FROM node WHERE online = 0"), 90, because="the node counts as silent")
    until(
        lambda: ("asked", "crit") in rows(city, held), 600, because="the alarm comes before it is overwritten"
    )
    with httpx.Client(base_url=city.console_url, follow_redirects=True, timeout=30) as browser:
        browser.post("/masuk", data={"name": "rina", "password": city.secret("operator")})
        look(city, browser)
    stopped(city, signal.SIGCONT)
    until(
        lambda: {row[0] for row in rows(city, held)} <= {"waiting", "held"},
        120,
        because="the node has taken it",
    )
    until(lambda: not any(row[1] for row in rows(city, held)), 90, because="the alarm ends")


def look(city: City, browser: httpx.Client) -> None:
    """What an operator reads while the node is away."""
    [[number]] = rows(city, "SELECT number FROM incident")
    for path in (f"/kejadian/{number}", "/rekaman-ditahan", f"/kamera/{CAMERA}"):
        assert "BELUM DIPASTIKAN" in browser.get(path).text
    csrf = re.findall(r'name="csrf" value="([^"]+)"', browser.get(f"/kamera/{CAMERA}").text)[0]
    start, end = (form_moment(int((time.time() - ago_s) * 1e6)) for ago_s in (20, 0))
    answer = browser.post(f"/kamera/{CAMERA}/cari", data={"csrf": csrf, "start": start, "end": end}).text
    assert 'data-answer="unknown"' in answer
