"""`script/demo --check`: the same city without a person; each point is seen, not assumed."""

import contextlib
import hashlib
import json
import re
import select
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, TypeVar

from demo.city import ALERT_CLIENT, CAMERAS, NODES, City, Ports
from demo.intruder import REASONS, Intruder
from demo.screen import MARK, Screen
from siaga_central.store import coverage
from siaga_central.store.dialect import reader_engine

T = TypeVar("T")
WIB = timezone(timedelta(hours=7))
FORM = "%Y-%m-%dT%H:%M:%S"
CLIP_OVER = "SELECT * FROM clip WHERE state IN ('ready', 'failed')"
DELIVERED = "SELECT 1 FROM reply WHERE state = 'DELIVERED'"

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
                ("footage is held and its node confirms it", self.footage_is_held),
                ("an SMS to the reporter is delivered", self.answer_is_delivered),
                ("bad input is refused, counted, shown", self.bad_input_is_shown),
                (f"latency of {LATENCY_SAMPLES} SMS, +CMTI to painted", self.latency),
                (f"every process killed during {BURST} SMS", self.kills),
            ):
                self._see(name, point)
            self._alerts.close()
        return all(point.met for point in self.points)

    def as_json(self) -> str:
        """All points as one JSON object."""
        met = all(point.met for point in self.points)
        return json.dumps(
            {"met": met, "points": [asdict(point) for point in self.points]}, ensure_ascii=False
        )

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
        if re.search(rf"{head}.*AKHIR", page, re.DOTALL) is None:
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
        self._city.cameras.switch(CAMERA, "drop")
        self._wait(lambda: self._camera_status() == "down", 60, f"{name} down")
        down_s = time.monotonic() - started_s
        if not self._screen.shows(name, 10):
            raise NotSeen(f"{name} is not among the signals")
        self._city.cameras.switch(CAMERA, "normal")
        started_s = time.monotonic()
        self._wait(lambda: self._camera_status() == "up", 60, f"{name} up again")
        return f"down after {down_s:.1f} s, up after {time.monotonic() - started_s:.1f} s"

    def clip_is_fetched(self) -> str:
        """Ten seconds of a camera, asked on the incident's page, with the hash the node stated."""
        began_s = time.monotonic()
        end = self._wait(self._span_end, 90, "ten seconds of footage without a gap")
        form = {"camera": CAMERA, "reason": "uji demo"}
        form |= {"start": (end - timedelta(seconds=10)).strftime(FORM), "end": end.strftime(FORM)}
        self._screen.submit(f"/kejadian/{self._number_of(self._first_mark)}", "klip", form)
        clip = self._wait(
            lambda: self._row("SELECT * FROM clip WHERE state IN ('ready', 'failed')"), 60, "the clip"
        )
        if clip["state"] != "ready":
            raise NotSeen(f"the clip failed: {clip['detail']}")
        status, octets = self._screen.fetch(f"/klip/{clip['id']}")
        stated = json.loads(self._row("SELECT result FROM command WHERE id = ?", clip["id"])["result"])[
            "sha256"
        ]
        if status != 200 or hashlib.sha256(octets).hexdigest() != stated:
            raise NotSeen(f"status {status}, and the bytes are not what the node stated ({stated[:12]}…)")
        seconds, pictures = _played(octets)
        if abs(seconds - 10) > 0.5:
            raise NotSeen(f"it plays {seconds:.2f} s instead of 10")
        took_s = time.monotonic() - began_s
        return f"{seconds:.2f} s, {pictures} pictures, SHA-256 {stated[:12]}…, after {took_s:.1f} s"

    def footage_is_held(self) -> str:
        """The same span, held on the incident's page; the node says what it keeps, the page shows it."""
        began_s = time.monotonic()
        end = self._wait(self._span_end, 90, "ten seconds of footage without a gap")
        form = {"camera": CAMERA, "reason": "uji demo"}
        form |= {"start": (end - timedelta(seconds=10)).strftime(FORM), "end": end.strftime(FORM)}
        page = f"/kejadian/{self._number_of(self._first_mark)}"
        self._screen.submit(page, "tahan", form)
        kept = 'data-hold-state="held"'
        self._wait(lambda: kept in self._screen.html(page), 90, "the node's word on the hold")
        told = json.loads(self._row("SELECT told FROM hold WHERE state = 'held'")["told"])
        if told["missing"] or told["end_wall_ns"] - told["start_wall_ns"] < 10 * 10**9:
            raise NotSeen(f"the node keeps {told}")
        return f"{told['size_bytes'] / 1e6:.1f} MB kept, after {time.monotonic() - began_s:.1f} s"

    def answer_is_delivered(self) -> str:
        """An operator answers on the page; the modem sends it; the network's report reaches the page."""
        number = self._number_of(self._first_mark)
        self._screen.submit(f"/kejadian/{number}", "jawab", {"text": "Petugas menuju lokasi"})
        with self._city.modem as modem:

            def answers() -> list[dict[str, Any]]:
                return [one for one in modem.sent() if one["text"] == "Petugas menuju lokasi"]

            sent = self._wait(answers, 20, "the SMS at the modem")
            modem.report(sent[-1]["reference"])
        self._wait(
            lambda: self._row("SELECT 1 FROM reply WHERE state = 'DELIVERED'"), 20, "the delivery report"
        )
        if "Sampai" not in self._screen.open(f"/kejadian/{number}"):
            raise NotSeen("the page does not say that it has arrived")
        return f"to {sent[-1]['to']}, shown as Sampai"

    def bad_input_is_shown(self) -> str:
        """What is refused is counted on the quarantine page, and nothing stops."""
        with self._city.modem as modem:
            modem.pdu("00" * 3 + "FF" * 9)
        Intruder(self._city).send_everything_bad()
        self._wait(lambda: set(REASONS) <= self._refused().keys(), 20, f"all of {REASONS}")
        undecodable = "SELECT 1 FROM report WHERE undecodable IS NOT NULL"
        self._wait(lambda: self._row(undecodable), 20, "the SMS that is no PDU")
        page = self._screen.html("/karantina")
        unseen = [reason for reason in REASONS if f'data-reason="{reason}"' not in page]
        if unseen:
            raise NotSeen(f"not on the page: {unseen}")
        mark, _ = self._sms("masih berjalan")
        self._painted([mark], 20)
        return ", ".join(f"{reason} {count}" for reason, count in sorted(self._refused().items()))

    def latency(self) -> str:
        """One SMS after the other, each from another number, until painted."""
        samples_ms = []
        for _ in range(LATENCY_SAMPLES):
            mark, announced_s = self._sms("kecelakaan di simpang")
            samples_ms.append((self._painted([mark], 20)[mark] - announced_s) * 1000)
        cuts = statistics.quantiles(samples_ms, n=100)
        if cuts[98] > 1000:
            raise NotSeen(f"p50 {cuts[49]:.0f} ms, p99 {cuts[98]:.0f} ms, over a second")
        return f"p50 {cuts[49]:.0f} ms, p99 {cuts[98]:.0f} ms, n={len(samples_ms)}"

    def latencies_ms(self, samples: int) -> tuple[list[float], list[float]]:
        """Of one SMS after the other: until painted, until its alert arrived; the first is not counted."""
        painted: list[float] = []
        published: list[float] = []
        city = self._city
        with Screen(city.console_url, "rina", city.secret("operator")) as self._screen:
            self._alerts = _Alerts(city)
            try:
                for _ in range(samples + 1):
                    mark, announced_s = self._sms("kebakaran di simpang")
                    self._alerts.next(20)
                    published.append((time.time() - announced_s) * 1000)
                    painted.append((self._painted([mark], 20)[mark] - announced_s) * 1000)
                    time.sleep(0.05)
            finally:
                self._alerts.close()
        return painted[1:], published[1:]

    def kills(self) -> str:
        """Broker, hub and every service of both nodes die by -9, one after another, during a burst."""
        city = self._city
        services = [
            (f"siaga_edge.{name}", str(city.node_file(node)))
            for node in NODES
            for name in city.services(node)
        ]
        victims: list[tuple[str, ...]] = [(city.mosquitto,), (city.central_program, "run"), *services]
        marks: list[str] = []
        killed: list[str] = []
        for turn in range(BURST):
            marks.append(self._sms("laporan beruntun")[0])
            if turn % (BURST // (len(victims) + 1)) == 10 and len(killed) < len(victims):
                killed += self._kill(victims[len(killed)])
        if len(killed) < len(victims):
            raise NotSeen(f"only {len(killed)} of {len(victims)} processes were there to be killed")
        self._wait(lambda: len(self._counts(marks)) == BURST, 120, f"all {BURST} reports")
        counts = self._counts(marks)
        doubled = sum(count - 1 for count in counts.values())
        lost = BURST - len(counts)
        if lost or doubled:
            raise NotSeen(f"{lost} lost, {doubled} doubled")
        newest = "SELECT text FROM report ORDER BY received_us DESC LIMIT 1"
        mark = MARK.findall(self._row(newest)["text"])[0]
        self._wait(lambda: mark in self._screen.html("/"), 30, "the newest one on the console")
        return f"{len(killed)} processes killed, {BURST} reports, 0 lost, 0 doubled"

    # -- hands and eyes --------------------------------------------------------------------------

    def _kill(self, words: tuple[str, ...]) -> list[str]:
        found = self._wait(lambda: self._city.keeper.find(*words), 20, f"a process {words[0]}")
        for process in found:
            process.kill()
        return [words[0]]

    def _mark(self) -> str:
        self._number += 1
        return f"TANDA-{self._number:04d}"

    def _sms(self, text: str) -> tuple[str, float]:
        """Inject an SMS of a new number; its mark, and when the modem announced it (Unix seconds)."""
        mark = self._mark()
        with self._city.modem as modem:
            [part] = modem.sms(f"+62813{self._number:08d}", f"{mark} {text}")
        return mark, part["announced_wall_s"] or time.time()

    def _painted(self, marks: list[str], limit_s: float) -> dict[str, float]:
        def seen() -> dict[str, float]:
            painted = self._screen.painted()
            return painted if all(mark in painted for mark in marks) else {}

        return self._wait(seen, limit_s, f"{', '.join(marks)} painted")

    def _wait(self, seen: Callable[[], T | None], limit_s: float, what: str) -> T:
        deadline_s = time.monotonic() + limit_s
        while True:
            if found := seen():
                return found
            if time.monotonic() > deadline_s:
                raise NotSeen(f"{what}: not within {limit_s:.0f} s")
            time.sleep(0.01)

    def _database(self) -> contextlib.closing[sqlite3.Connection]:
        return contextlib.closing(sqlite3.connect(f"file:{self._city.database}?mode=ro", uri=True))

    def _row(self, query: str, *values: object) -> Any:
        """The first row of a query on the hub's database, read-only; None while it is locked or empty."""
        with contextlib.closing(
            sqlite3.connect(f"file:{self._city.database}?mode=ro", uri=True)
        ) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute(query, values).fetchone()

    def _counts(self, marks: list[str]) -> dict[str, int]:
        with contextlib.closing(
            sqlite3.connect(f"file:{self._city.database}?mode=ro", uri=True)
        ) as connection:
            texts = [str(row[0]) for row in connection.execute("SELECT text FROM report")]
        found = [mark for text in texts for mark in MARK.findall(text)]
        return {mark: found.count(mark) for mark in marks if mark in found}

    def _number_of(self, mark: str) -> str:
        query = "SELECT number FROM incident JOIN report ON report.incident = incident.id WHERE text LIKE ?"
        return str(self._row(query, f"%{mark}%")["number"])

    def _incident_page_with(self, mark: str, word: str) -> str:
        row = self._row("SELECT 1 FROM report WHERE text LIKE ? AND text LIKE ?", f"%{mark}%", f"%{word}%")
        return self._screen.open(f"/kejadian/{self._number_of(mark)}") if row else ""

    def _camera_status(self) -> str:
        found = re.search(rf'data-camera="{CAMERA}" data-status="(\w+)"', self._screen.html("/perangkat"))
        return found[1] if found else ""

    def _span_end(self) -> datetime | None:
        """The end of ten seconds behind us that were recorded without a gap; None while there are none."""
        with reader_engine(f"sqlite:///{self._city.database}").begin() as connection:
            known = coverage.of_camera(connection, CAMERA, 0, time.time_ns())
        if not known or known[-1].end_ns - known[-1].start_ns < 12 * 10**9:
            return None
        return datetime.fromtimestamp(known[-1].end_ns // 10**9 - 1, WIB)

    def _refused(self) -> dict[str, int]:
        with contextlib.closing(
            sqlite3.connect(f"file:{self._city.database}?mode=ro", uri=True)
        ) as connection:
            return dict(connection.execute("SELECT reason, count(*) FROM quarantine GROUP BY reason"))


def measure(samples: int) -> tuple[list[float], list[float]]:
    """Milliseconds from +CMTI until painted on the console, and until an alert reaches a client, per SMS."""
    folder = Path(tempfile.mkdtemp(prefix="siaga-measure-"))
    city = City(folder, Ports.free(), lambda _text: None)
    try:
        city.start()
        return Check(city, lambda _point: None).latencies_ms(samples)
    finally:
        city.stop()
        shutil.rmtree(folder, ignore_errors=True)


class _Alerts:
    """An operator's own client: mosquitto_sub with credentials, as the documents show it."""

    def __init__(self, city: City) -> None:
        command = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(city.ports.operators), "--cafile"]
        command += [str(city.ca_file), "-u", ALERT_CLIENT, "-P", city.secret("alert-client")]
        # It says so when the broker dies, which is what the check does to it: that belongs to the logs.
        with city.keeper.log("alert-client").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "-t", "siaga/v1/alert/#", "-v", "-W", "600"],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def next(self, limit_s: float) -> tuple[str, dict[str, Any]]:
        """The next alert: its topic and what it says."""
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], limit_s)[0]:
            raise NotSeen(f"mosquitto_sub received nothing in {limit_s:.0f} s")
        topic, _, payload = self._process.stdout.readline().partition(" ")
        return topic, json.loads(payload)

    def close(self) -> None:
        """Leave."""
        self._process.terminate()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def _played(octets: bytes) -> tuple[float, int]:
    """Seconds and pictures that ffprobe, an independent reader, finds by decoding all of it."""
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        file.write(octets)
        file.flush()
        command = ["ffprobe", "-v", "error", "-count_frames", "-show_entries"]
        command += ["stream=nb_read_frames:format=duration", "-of", "default=nw=1", file.name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = dict(line.split("=") for line in done.stdout.split())
    return float(found["duration"]), int(found["nb_read_frames"])
