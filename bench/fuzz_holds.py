"""Holds asked of a real city whose processes die by -9 before they are confirmed; held footage stays."""

import random
import re
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec
import psutil
from demo.city import CAMERA_NODE, CAMERAS, City, Ports

from bench.fuzz import Outcome
from siaga_core.wire.recording import HoldState
from siaga_edge.recorder.chain import read_link
from siaga_edge.recorder.finder import open_finder
from siaga_edge.recorder.writing import segment_path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

T = TypeVar("T")
WIB = timezone(timedelta(hours=7))
SUPERVISOR = "sari"
# Two cameras of the city write about 0.35 MB/s together. Where nobody vouches for the clock a hold keeps all
# that may be of its span, ten minutes before and after: the disk takes that, or recording pauses.
DISK_BYTES, RESERVE_BYTES = 1024**3, 8 * 1024**2
SPAN_S = 5
ACTIVE_MOST = 4
CONVERGED_WITHIN_S = 90.0
SYNCED_S = 2  # what a run may lose at a kill, and the time until a fragment is in its file
# What of a span may be missing when the recorder was killed: what was not yet synced, at most two seconds.
MISSED_MOST_NS = 2_000_000_000


class HoldingCity(City):
    """The demonstration's city with a footage disk of its own."""

    free_reserve_bytes = RESERVE_BYTES


@dataclass
class Found:
    """What the trials have seen."""

    lost: int = 0
    undelivered: int = 0
    kills: int = 0
    converged_s: list[float] = field(default_factory=list)
    active: dict[str, HoldState] = field(default_factory=dict)
    runs: dict[str, float] = field(default_factory=dict)  # a camera's run -> when it was first seen


class Desk:
    """A supervisor at the console, over HTTP; waits for a hub that is away."""

    def __init__(self, city: City) -> None:
        self._city = city
        self._client = httpx.Client(base_url=city.console_url, follow_redirects=False, timeout=10)

    def log_in(self) -> None:
        """Open a session."""
        form = {"name": SUPERVISOR, "password": self._city.secret(SUPERVISOR)}
        until(lambda: self._send("/masuk", form), 30, "the supervisor logs in")
        page = until(lambda: self._page("/rekaman-ditahan"), 30, "the page of holds")
        self._csrf = re.findall(r'name="csrf" value="([^"]+)"', page)[0]

    def send(self, path: str, **form: str) -> None:
        """Send a form, again until the hub has taken it."""
        until(lambda: self._send(path, {"csrf": self._csrf, **form}), 60, f"the hub takes {path}")

    def close(self) -> None:
        """Leave."""
        self._client.close()

    def _page(self, path: str) -> str:
        with suppress(httpx.TransportError):
            answer = self._client.get(path)
            return answer.text if answer.status_code == 200 else ""
        return ""

    def _send(self, path: str, form: dict[str, str]) -> bool:
        with suppress(httpx.TransportError):
            answer = self._client.post(path, data=form)
            assert answer.status_code < 400 or answer.status_code >= 500, (path, answer.text[:400])
            return answer.status_code == 303
        return False


def run(trials: int, seed: int) -> Outcome:
    """One hold a trial, up to three deaths before it is confirmed; held footage is looked at to the end."""
    from support.small_disk import small_disk

    rng, found = random.Random(seed), Found()
    with tempfile.TemporaryDirectory(prefix="siaga-holds-") as place:
        city = HoldingCity(Path(place, "city"), Ports.free(), lambda _said: None)
        footage = city.folder / CAMERA_NODE / "footage"
        (Path(place, "disk")).mkdir(parents=True)
        with small_disk(Path(place, "disk"), DISK_BYTES) as disk:
            footage.parent.mkdir(parents=True)
            footage.symlink_to(disk.folder)
            try:
                desk = _begin(city)
                for number in range(trials):
                    _trial(city, desk, rng, found)
                    sys.stderr.write(f"fuzz holds: {number + 1} of {trials}, {found.kills} deaths\n")
                desk.close()
                deleted = _deleted(city)
            finally:
                city.stop()
    ordered = sorted(found.converged_s)
    extra: dict[str, float] = {"deaths": found.kills, "deleted_segments": deleted}
    extra["converged_most_s"] = round(ordered[-1], 1) if ordered else 0.0
    return Outcome("holds", trials, found.lost, 0, found.undelivered, 0, seed, extra)


def _begin(city: City) -> Desk:
    city.start()
    password_file = city.folder / "secret" / SUPERVISOR
    city.secret(SUPERVISOR)
    names = ("--role", "supervisor", "--full-name", "Sari Pengawas")
    city.central("user", "add", SUPERVISOR, *names, "--password-file", str(password_file))
    with city.modem as modem:
        modem.sms("+6281355550001", "kebakaran di simpang kara")
    until(lambda: _rows(city, "SELECT number FROM incident"), 30, "an incident")
    desk = Desk(city)
    desk.log_in()
    return desk


def _trial(city: City, desk: Desk, rng: random.Random, found: Found) -> None:
    until(
        lambda: _recording_since_s(city, found.runs) > SPAN_S + 4 + SYNCED_S, 90, "cameras that are recorded"
    )
    camera = rng.choice(sorted(CAMERAS))
    [number] = _rows(city, "SELECT number FROM incident ORDER BY number LIMIT 1")[0]
    before = {str(row[0]) for row in _rows(city, "SELECT id FROM hold")}
    end = datetime.now(WIB) - timedelta(seconds=rng.uniform(2, 4))
    start = end - timedelta(seconds=SPAN_S)
    span = {"start": start.isoformat(timespec="seconds")[:19], "end": end.isoformat(timespec="seconds")[:19]}
    began_s = time.monotonic()
    desk.send(f"/kejadian/{number}/tahan", camera=camera, reason="uji", **span)
    [id] = {str(row[0]) for row in _rows(city, "SELECT id FROM hold")} - before
    for _ in range(rng.randrange(4)):
        time.sleep(rng.uniform(0, 0.7))
        found.kills += _die(city, rng)
    try:
        told = until(lambda: _settled(city, id), CONVERGED_WITHIN_S, f"a word on hold {id}")
    except TimeoutError as error:
        sys.stderr.write(f"fuzz holds: {error}\n")
        found.undelivered += 1
        return
    found.converged_s.append(time.monotonic() - began_s)
    if told.state != "held" or sum(b - a for a, b in told.missing) > MISSED_MOST_NS:
        sys.stderr.write(f"fuzz holds: {told}\n")
        found.lost += 1
    found.active[id] = told
    found.lost += sum(not _is_kept(city, one) for one in found.active.values())
    if len(found.active) > ACTIVE_MOST:
        oldest = next(iter(found.active))
        del found.active[oldest]
        desk.send(f"/rekaman-ditahan/{oldest}/lepas", reason="uji selesai")


def _die(city: City, rng: random.Random) -> int:
    """Kill one process of the way, or let the hub be away for a while and kill it then."""
    node = str(city.node_file(CAMERA_NODE))
    if rng.random() < 0.2:
        _hang(city, rng.uniform(1, 3))
    ways = [(city.mosquitto,), (city.central_program, "run"), ("siaga_edge.uplink", node)]
    words = rng.choice([*ways, ("siaga_edge.recorder", node)])
    victims = city.keeper.find(*words)
    for victim in victims:
        with suppress(psutil.NoSuchProcess):
            victim.send_signal(signal.SIGKILL)
    return len(victims)


def _hang(city: City, seconds: float) -> None:
    """The hub is there and does nothing: what comes to it waits."""
    hubs = city.keeper.find(city.central_program, "run")
    for order in (signal.SIGSTOP, signal.SIGCONT):
        for one in hubs:
            with suppress(psutil.NoSuchProcess):
                one.send_signal(order)
        if order is signal.SIGSTOP:
            time.sleep(seconds)


def _recording_since_s(city: City, runs: dict[str, float]) -> float:
    """For how long every camera's newest run has been on the disk; a slow machine starts late."""
    footage = city.folder / CAMERA_NODE / "footage"
    alive = city.keeper.find("siaga_edge.recorder", str(city.node_file(CAMERA_NODE)))
    newest: list[str] = []
    for camera in CAMERAS:
        files = [path for path in (footage / camera).glob("*/*.mp4") if _size_bytes(path)]
        newest += [str(max(files, key=_changed_s).parent)] if files else []
    now_s = time.monotonic()
    seen_s = [runs.setdefault(run, now_s) for run in newest]
    return now_s - max(seen_s) if alive and len(seen_s) == len(CAMERAS) else 0.0


def _changed_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # retention took it
        return 0


def _settled(city: City, id: str) -> HoldState | None:
    rows = _rows(city, "SELECT told FROM hold WHERE id = ? AND state IN ('held', 'lost')", id)
    return msgspec.json.decode(rows[0][0], type=HoldState) if rows else None


def _is_kept(city: City, told: HoldState) -> bool:
    """Whether every segment that the node said it holds is still a whole file, by its own link."""
    footage = city.folder / CAMERA_NODE / "footage"
    with open_finder(city.folder / CAMERA_NODE / "data" / "footage.db") as finder:
        [hold] = [one for one in finder.holds() if one.id == told.id]
        stored = finder.between(hold.camera, told.start_wall_ns, told.end_wall_ns)
        names = [one.name for one in stored]
    reach_ns = sum(
        max(0, min(one.end_wall_ns, told.end_wall_ns) - max(one.start_wall_ns, told.start_wall_ns))
        for one in stored
    )
    wanted_ns = told.end_wall_ns - told.start_wall_ns - sum(b - a for a, b in told.missing)
    whole = all(read_link(segment_path(footage, name).read_bytes()) is not None for name in names)
    if not (whole and reach_ns >= wanted_ns - MISSED_MOST_NS):
        sys.stderr.write(f"fuzz holds: {told} was held, {names} with {reach_ns / 1e9:.1f} s are left\n")
        return False
    return True


def _deleted(city: City) -> int:
    """Segments that retention took meanwhile: without any the disk was not full."""
    with open_finder(city.folder / CAMERA_NODE / "data" / "footage.db") as finder:
        return sum(last - first + 1 for first, last in finder.given_up())


def _rows(city: City, query: str, *values: object) -> list[tuple[str, ...]]:
    try:
        with closing(sqlite3.connect(f"file:{city.database}?mode=ro", uri=True)) as connection:
            return connection.execute(query, values).fetchall()
    except sqlite3.OperationalError:
        return []


def until(seen: Callable[[], T | None], limit_s: float, what: str) -> T:
    """Wait for something. Raises TimeoutError naming it."""
    deadline_s = time.monotonic() + limit_s
    while not (found := seen()):
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"{what}: not within {limit_s:.0f} s")
        time.sleep(0.05)
    return found
