"""SMS from the modem to disk and operator, beside the stock library and gammu-smsd; and a burst."""

import contextlib
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.measure import Figure
from siaga_edge.simulate.modem.control import Control

GOAL = "p99 <= 50 ms"
SENDER = "3338"  # short codes get no automatic answer: the way in is measured alone
SAMPLES = 200
SLOW_MS = 150
BURST = 1000
QUEUED = 40
SETTLE_LIMIT_S = 900.0

# The modem service as its own process and the simulated modem are the tests' own.
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))


def run() -> Iterator[Figure]:
    """Latencies at two speeds, what the stock library strands, a burst, and the way to the operator."""
    yield from _speed(0, 50.0)
    yield from _speed(SLOW_MS, 1000.0)
    yield _stranded()
    yield from _operator()
    yield from _burst()


def _speed(delay_ms: int, limit_ms: float) -> list[Figure]:
    """Modem to committed, p50 and p99, at one speed of the modem."""
    ours = _ours(delay_ms)
    anchor = _stock(delay_ms)
    name = f"{delay_ms} ms per command" if delay_ms else "fast modem"
    library = "gsmmodem's callback, nothing on disk yet"
    found = [_figure(f"+CMTI to committed p99, {name}", ours, anchor, library, limit_ms)]
    if shutil.which("gammu-smsd") and not delay_ms:
        smsd = _smsd(delay_ms)
        found.append(_figure(f"+CMTI to committed p99, {name}", ours, smsd, "gammu-smsd, files", limit_ms))
    return found


def _figure(figure: str, ours: list[float], anchor: list[float], anchor_is: str, limit: float) -> Figure:
    mine, other = _p99(ours), _p99(anchor)
    goal = f"p99 <= {limit:.0f} ms"
    ratio = round(mine / other, 3) if other else 0.0
    return Figure("sms", figure, "ms", mine, other, anchor_is, ratio, goal, mine <= limit, len(ours))


def _p99(samples: list[float]) -> float:
    if len(samples) < 2:
        return float("inf")
    return round(statistics.quantiles(samples, n=100)[98], 1)


# -- ours ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _service(folder: Path) -> Iterator[tuple[Any, Control]]:
    from support.modem_service import Service
    from support.simulated_modem import simulated_modem
    from support.waiting import until

    with simulated_modem(folder) as modem:
        service = Service(folder, modem.link)
        # What an installed node has; the tests' own is quicker.
        config = service.config.read_text().replace("sweep_every_s = 1", "sweep_every_s = 5")
        service.config.write_text(config.replace("answer_limit_s = 2", "answer_limit_s = 4"))
        service.start()
        until(lambda: "modem ready" in (folder / "log").read_text(), 20)
        try:
            yield service, modem.control
        finally:
            service.kill()


def _ours(delay_ms: int) -> list[float]:
    """Milliseconds from the announcement until another process can read the report."""
    with tempfile.TemporaryDirectory(dir=".") as folder, _service(Path(folder)) as (service, control):
        control.fault(delay_ms=delay_ms)
        path = service.folder / "data" / "journal-modem.db"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
            return _measured(control, delay_ms, lambda count: _when_committed(reader, count))


def _when_committed(reader: sqlite3.Connection, count: int) -> float:
    """Monotonic seconds at which the `count`th report could be read."""
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        found = reader.execute("SELECT count(*) FROM record WHERE kind = 'report'").fetchone()[0]
        if found >= count:
            return time.monotonic()
        time.sleep(0.001)
    raise TimeoutError(f"report {count} was not committed in 30 s")


def _measured(control: Control, delay_ms: int, arrived: Callable[[int], float]) -> list[float]:
    """One text after the other; how long each took, ms."""
    samples: list[float] = []
    count = SAMPLES if not delay_ms else SAMPLES // 2
    for number in range(1, count + 1):
        [part] = control.sms(SENDER, f"laporan {number}")
        samples.append((arrived(number) - part["stored_mono_s"]) * 1000)
        # Uneven, so that texts meet every moment of the sweeps and checks that run anyway.
        time.sleep(0.01 + (number * 37 % 100) / 100 * (1.5 if delay_ms else 0.05))
    return samples


# -- anchors ---------------------------------------------------------------------------------------------


def _stock(delay_ms: int) -> list[float]:
    """The library's own callback; a text that it strands is waited for 5 s and left out."""
    with tempfile.TemporaryDirectory(dir=".") as folder, _stock_modem(Path(folder)) as (heard, control):
        control.fault(delay_ms=delay_ms)

        def arrived(number: int) -> float:
            deadline_s = time.monotonic() + 5
            while time.monotonic() < deadline_s:
                if len(heard) >= number:
                    return heard[number - 1]
                time.sleep(0.001)
            heard.append(float("inf"))
            return float("inf")

        return [sample for sample in _measured(control, delay_ms, arrived) if sample != float("inf")]


@contextlib.contextmanager
def _stock_modem(folder: Path) -> Iterator[tuple[list[float], Control]]:
    from support.simulated_modem import simulated_modem

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from gsmmodem.modem import GsmModem

    heard: list[float] = []
    with simulated_modem(folder) as modem:
        client = GsmModem(
            str(modem.link), 115200, smsReceivedCallbackFunc=lambda _sms: heard.append(time.monotonic())
        )
        client.connect()
        try:
            yield heard, modem.control
        finally:
            with contextlib.suppress(Exception):
                client.close()


def _stranded() -> Figure:
    """40 texts, 200 ms apart, on a modem that takes 150 ms per command: how many arrive."""
    with tempfile.TemporaryDirectory(dir=".") as folder, _stock_modem(Path(folder)) as (heard, control):
        threading.excepthook = lambda _args: None  # its threads die of what they do not expect
        _paced(control)
        _settled(lambda: len(heard), 8)
        theirs = len(heard)
    threading.excepthook = threading.__excepthook__
    with tempfile.TemporaryDirectory(dir=".") as folder, _service(Path(folder)) as (service, control):
        _paced(control)
        ours = _settled(lambda: len(service.texts()), 8)
    goal, ratio = f"all {QUEUED}", round(ours / max(1, theirs), 2)
    name = f"of {QUEUED} SMS 200 ms apart at {SLOW_MS} ms per command, taken"
    return Figure("sms", name, "SMS", ours, theirs, "gsmmodem", ratio, goal, ours == QUEUED, 1)


def _paced(control: Control) -> None:
    control.fault(delay_ms=SLOW_MS)
    for number in range(QUEUED):
        control.sms(SENDER, f"laporan {number}")
        time.sleep(0.2)


def _settled(count: Callable[[], int], still_s: float) -> int:
    """The count when it has not changed for a while."""
    last, since_s = count(), time.monotonic()
    while time.monotonic() - since_s < still_s:
        time.sleep(0.1)
        if (now := count()) != last:
            last, since_s = now, time.monotonic()
    return last


def _smsd(delay_ms: int) -> list[float]:
    """gammu-smsd, its files service asked every second: until the text's file is there."""
    from support.simulated_modem import simulated_modem

    with tempfile.TemporaryDirectory() as name, simulated_modem(Path(name)) as modem:
        folder = Path(name)
        for box in ("inbox", "outbox", "sent", "error"):
            (folder / box).mkdir()
        boxes = "".join(f"{b}path = {folder}/{b}/\n" for b in ("inbox", "outbox"))
        boxes += f"sentsmspath = {folder}/sent/\nerrorsmspath = {folder}/error/\n"
        config = folder / "smsdrc"
        config.write_text(
            f"[gammu]\nport = {modem.link}\nconnection = at115200\n[smsd]\nservice = files\n"
            f"logfile = {folder}/log\nreceivefrequency = 1\nloopsleep = 1\n{boxes}"
        )
        process = subprocess.Popen(["gammu-smsd", "-c", str(config)], stderr=subprocess.DEVNULL)
        try:
            time.sleep(3)

            def arrived(number: int) -> float:
                deadline_s = time.monotonic() + 30
                while len(list((folder / "inbox").iterdir())) < number and time.monotonic() < deadline_s:
                    time.sleep(0.002)
                return time.monotonic()

            return _measured(modem.control, delay_ms, arrived)[:SAMPLES]
        finally:
            process.terminate()
            process.wait(10)


# -- a burst ---------------------------------------------------------------------------------------------


def _burst() -> list[Figure]:
    """1,000 texts on a SIM of 20 slots, 150 ms per command, announcements lost and inside other answers."""
    with tempfile.TemporaryDirectory(dir=".") as folder, _service(Path(folder)) as (service, control):
        control.fault(delay_ms=SLOW_MS, drop_cmti=0.3, cmti_inside=0.05)
        wanted = [f"laporan {number}" for number in range(BURST)]
        begun_s = time.monotonic()
        for text in wanted:
            control.sms(SENDER, text)
        deadline_s = begun_s + SETTLE_LIMIT_S
        while time.monotonic() < deadline_s and _left(control):
            time.sleep(0.5)
        took_s = time.monotonic() - begun_s
        time.sleep(2)
        found = Counter(service.texts())
    lost = sum(not found[text] for text in wanted)
    doubled = sum(found[text] - 1 for text in wanted if found[text])
    what = f"{BURST} SMS, 20 slots, {SLOW_MS} ms per command, 30 % unannounced"
    limit_s = BURST * SLOW_MS / 1000
    zero = {"anchor": 0.0, "anchor_is": "the goal", "ratio": 0.0, "goal": "0", "runs": 1}
    return [
        Figure("sms", f"{what}: lost", "SMS", ours=lost, met=not lost, **zero),  # type: ignore[arg-type]
        Figure("sms", f"{what}: doubled", "SMS", ours=doubled, met=not doubled, **zero),  # type: ignore[arg-type]
        Figure(
            "sms",
            f"{what}: until the last was taken",
            "s",
            round(took_s, 1),
            limit_s,
            "one AT+CMGD for each, at that speed",
            round(took_s / limit_s, 2),
            "ratio <= 3",
            took_s <= 3 * limit_s,
            1,
        ),
    ]


def _left(control: Control) -> bool:
    state = control.state()
    return bool(state["held_by_smsc"] or any(state["stores"].values()))


# -- to the operator -------------------------------------------------------------------------------------


def _operator() -> list[Figure]:
    """The small city of script/demo: from the announcement to the console and to an alert at a client."""
    from demo.check import measure

    painted, published = measure(SAMPLES // 2)
    return [
        _figure("+CMTI to painted on the console p99", painted, [1000.0, 1000.0], "the goal", 1000.0),
        _figure("+CMTI to MQTT alert at a client p99", published, [1000.0, 1000.0], "the goal", 1000.0),
    ]
