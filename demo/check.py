"""`script/demo --check`: the same city without a person; each point is seen, not assumed."""

import contextlib
import hashlib
import json
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from demo.city import ALERT_CLIENT, CAMERAS, GSM_NODE, City
from demo.screen import MARK, Screen

LATENCY_SAMPLES = 200
BURST = 200
CAMERA = next(iter(CAMERAS))


@dataclass(frozen=True, slots=True)
class Point:
    """One point of the check."""

    name: str
    met: bool
    figure: str


class NotSeen(Exception):
    """What should have been seen was not."""


class Check:
    """Runs the points in order against a running city; `tell` gets each as soon as it is known."""

    def __init__(self, city: City, tell: Callable[[Point], None]) -> None:
        self._city, self._tell = city, tell
        self.points: list[Point] = []
        self._number = 0

    def run(self) -> bool:
        """Whether every point was met."""
        city = self._city
        with Screen(city.console_url, "rina", city.secret("operator")) as screen:
            self._screen = screen
            for name, point in (
                ("an SMS is painted in Chromium", self.sms_is_painted),
                ("its alert reaches mosquitto_sub", self.alert_is_published),
                ("two parts out of order are joined", self.parts_are_joined),
                ("a call that rings once becomes a call-back", self.call_becomes_call_back),
                ("a camera unplugged is shown down, and up again", self.camera_goes_down_and_up),
                ("a clip of a given span is fetched and played", self.clip_is_fetched),
                ("an SMS to the reporter is delivered", self.answer_is_delivered),
                ("bad input is refused, counted, shown", self.bad_input_is_shown),
                (f"latency of {LATENCY_SAMPLES} SMS, +CMTI to painted", self.latency),
                (f"every process killed during {BURST} SMS", self.kills),
            ):
                self._see(name, point)
        return all(point.met for point in self.points)

    def as_json(self) -> str:
        """All points as one JSON object."""
        met = all(point.met for point in self.points)
        return json.dumps({"met": met, "points": [asdict(point) for point in self.points]}, ensure_ascii=False)

    def _see(self, name: str, point: Callable[[], str]) -> None:
        try:
            seen = Point(name, True, point())
        except Exception as error:  # noqa: BLE001 - the next points still count
            seen = Point(name, False, f"{type(error).__name__}: {error}".partition("\n")[0][:300])
        self.points.append(seen)
        self._tell(seen)

    # -- the points ------------------------------------------------------------------------------------------

    def sms_is_painted(self) -> str:
        """A citizen's SMS, injected at the modem, is on the operator's screen without a reload."""
        self._alerts = _Alerts(self._city)
        mark, announced_s = self._sms("Kebakaran di Jl. Raden Patah dekat pasar")
        self._first_mark = mark
        return f"{(self._painted([mark], 20)[mark] - announced_s) * 1000:.0f} ms after +CMTI"

    def alert_is_published(self) -> str:
        """An independent client, with an operator's credentials, receives the retained alert."""
        topic, alert = self._alerts.next(15)
        if alert.get("priority") != "P1" or "reporter" in json.dumps(alert):
            raise NotSeen(f"alert on {topic} is {alert}")
        return f"{topic} {alert['priority']} {alert['category']} {alert['number']}"

    def parts_are_joined(self) -> str:
        """The second part first; the operator sees a gap, then one text."""
        head = self._mark()
        text = f"{head} kecelakaan beruntun " + "di jalan raya " * 9 + "korban tiga orang AKHIR"
        with self._city.modem as modem:
            parts = modem.sms("+6281377770001", text, order=[2, 1], delay_s=1.0)
        if len(parts) != 2:
            raise NotSeen(f"the text went out in {len(parts)} parts")
        self._painted([head], 20)
        page = self._wait(lambda: self._incident_page_with(head, "AKHIR"), 10, "the joined text")
        if page.count(head) < 1 or re.search(rf"{head}.*AKHIR", page, re.DOTALL) is None:
            raise NotSeen("the parts are not in order")
        return "2 parts, injected 2 then 1"

    def call_becomes_call_back(self) -> str:
        """One ring, then silence: there is an entry with the caller's number."""
        with self._city.modem as modem:
            modem.call("+6281377770002", rings=1)
        self._wait(lambda: "0002" in self._screen.open("/panggilan-balik"), 30, "the call-back entry")
        return "one ring, entry with number"

    def camera_goes_down_and_up(self) -> str:
        """The line of one camera is cut and mended."""
        name = CAMERAS[CAMERA][0]
        self._wait(lambda: self._camera_status() == "up", 60, f"{name} up before the test")
        started_s = time.monotonic()
        self._city.cameras.drop(CAMERA)
        self._wait(lambda: self._camera_status() == "down", 60, f"{name} down")
        down_s = time.monotonic() - started_s
        if not self._screen.shows(name, 10):
            raise NotSeen(f"{name} is not among the signals")
        self._city.cameras.normal(CAMERA)
        started_s = time.monotonic()
        self._wait(lambda: self._camera_status() == "up", 60, f"{name} up again")
        return f"down after {down_s:.1f} s, up after {time.monotonic() - started_s:.1f} s"
