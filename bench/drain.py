"""A report while the backlog of a long outage goes up, against one queue for all; the hub's memory."""

import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.fuzz_outage import NODES, City
from bench.measure import Figure
from bench.place import until_open
from siaga_core.service.clock import Boot, SystemClock
from siaga_core.wire import health
from siaga_core.wire.envelope import Lane
from siaga_core.wire.health import Health, Reading, ServiceState
from siaga_edge.journal import Journal
from siaga_edge.journal.marks import read_marks

GOAL = "ratio <= 0.02, +-20 %"
BACKLOG = 100_000
PROBE_EVERY_S = 0.02  # so that p99 is not the worst of a few dozen
RUNS = 5
NODE = NODES[0]
SAMPLE = Health(
    uptime_s=86_400.0,
    level="ok",
    readings=[
        Reading(name=name, value=41.5) for name in ("cpu_percent", "memory_percent", "temperature_c", "disk")
    ],
)


@dataclass(frozen=True, slots=True)
class Drained:
    """One drain: how long probes took from their commit on the node to the hub's, and the hub's memory."""

    probes_s: list[float]
    taken_s: float
    early_bytes: int
    most_bytes: int


def run() -> list[Figure]:
    """p99 of a probe in seconds, lanes against one queue; memory of the hub, late against early."""
    pairs = [(_drain("urgent"), _drain("bulk")) for _ in range(RUNS)]
    lanes, queue = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    ours, anchor = _median(_p99(one.probes_s) for one in lanes), _median(_p99(one.probes_s) for one in queue)
    ratio = ours / anchor
    late = _median(one.most_bytes / one.early_bytes for one in lanes)
    early_mb = _median(one.early_bytes / 1e6 for one in lanes)
    name = f"report during the drain of {BACKLOG} samples, p99"
    return [
        Figure(
            "drain",
            name,
            "s",
            round(ours, 4),
            round(anchor, 3),
            "one queue, same run",
            round(ratio, 4),
            "ratio <= 0.02",
            ratio <= 0.02,
            RUNS,
        ),
        Figure(
            "drain",
            "memory of the hub, most of the drain against its first tenth",
            "MB",
            round(early_mb * late, 1),
            round(early_mb, 1),
            "the first tenth",
            round(late, 3),
            "0.8 <= ratio <= 1.2",
            0.8 <= late <= 1.2,
            RUNS,
        ),
    ]


def _drain(lane: Lane) -> Drained:
    with tempfile.TemporaryDirectory(prefix="siaga-drain-") as place:
        city = City(Path(place))
        city.set_up()
        journal = Journal(city.folder / NODE / "data" / "journal-modem.db", SystemClock(), Boot(1, "bench"))
        for _ in range(BACKLOG // 500):
            journal.append_all([(health.KIND, SAMPLE, "bulk")] * 500)
        try:
            city.start("broker")
            until_open(city.broker_port)
            city.start("hub")
            time.sleep(3)
            city.start(f"uplink:{NODE}")
            return _watch(city, journal, lane)
        finally:
            journal.close()
            for name in list(city.children):
                city.kill(name)


def _watch(city: City, journal: Journal, lane: Lane) -> Drained:
    hub = psutil.Process(city.children["hub"].pid)
    said: dict[int, int] = {}
    memory: list[tuple[int, int]] = []
    started_s = time.monotonic()
    while (upto := _mark(city)) < BACKLOG:
        state = ServiceState(service="modem", level="ok", code="probe")
        seq = journal.append("probe", state, lane)
        if upto:  # until the first acknowledgement it waits for the uplink to start, not for the backlog
            said[seq] = time.time_ns() // 1000
        memory.append((upto, hub.memory_info().rss))
        time.sleep(PROBE_EVERY_S)
    taken_s = time.monotonic() - started_s
    time.sleep(2)
    with closing(sqlite3.connect(f"file:{city.folder / 'hub.db'}?mode=ro", uri=True, timeout=10)) as store:
        rows = store.execute("SELECT seq, received_us FROM record WHERE kind = 'probe'").fetchall()
    probes_s = [(received_us - said[seq]) / 1e6 for seq, received_us in rows if seq in said]
    early = [rss for at, rss in memory if BACKLOG / 20 <= at <= BACKLOG / 10] or [memory[0][1]]
    late = [rss for at, rss in memory if at > BACKLOG / 10]
    sys.stderr.write(f"drain {lane}: {taken_s:.1f} s, {len(probes_s)} probes\n")
    return Drained(probes_s, taken_s, max(early), max(late, default=max(early)))


def _mark(city: City) -> int:
    marks = read_marks(city.folder / NODE / "data" / "delivery.db")
    return next((upto for stream, _, upto in marks if stream == "modem.bulk"), 0)


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)] if values else float("inf")


def _median(values: object) -> float:
    ordered = sorted(values)  # type: ignore[call-overload]
    return float(ordered[len(ordered) // 2])
