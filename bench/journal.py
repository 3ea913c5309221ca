"""What it costs a service to commit one urgent record, against a bare insert that is as durable."""

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.measure import Figure, at_most
from siaga_core.service.clock import Boot, SystemClock
from siaga_core.wire import report
from siaga_edge.journal import Journal

GOAL = "ratio <= 1.5"
RECORDS = 200
BODY = report.Report(
    report_id="r",
    revision=1,
    source="sms",
    modem="m",
    sms=report.Sms(text="Kebakaran di Jl. Raden Patah " * 4),
)


def run() -> list[Figure]:
    """Median milliseconds per record until it is durable."""
    return [
        at_most(
            "journal",
            "one urgent record durable",
            "ms",
            ours,
            bare,
            anchor_is="one row in SQLite WAL with synchronous=FULL",
            limit=1.5,
        )
    ]


def ours() -> float:
    """Through the journal: stamp, sequence, JSON, commit."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        journal = Journal(Path(folder) / "j.db", SystemClock(), Boot(1, "x"))
        try:
            return _median_ms(lambda: journal.append(report.KIND, BODY))
        finally:
            journal.close()


def bare() -> float:
    """The same number of bytes in one row, nothing else."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        connection = sqlite3.connect(Path(folder) / "b.db", isolation_level=None)
        connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (b TEXT)")
        try:
            return _median_ms(lambda: connection.execute("INSERT INTO t VALUES (?)", ("x" * 600,)))
        finally:
            connection.close()


def _median_ms(work: Callable[[], object]) -> float:
    samples = []
    for _ in range(RECORDS):
        started = time.perf_counter()
        work()
        samples.append((time.perf_counter() - started) * 1000)
    return statistics.median(samples)
