"""Bytes written to the device for each durable record, counted by the kernel at the block device."""

from collections.abc import Callable

from bench.loop_disk import loop_disk, must_be_root
from bench.measure import Figure
from siaga_core.service.clock import Boot, SystemClock
from siaga_core.wire import health, report
from siaga_core.wire.health import Health, Reading
from siaga_edge.journal import Journal

GOAL = "<= 16 kB, <= 4 kB"
RECORDS = 300
GROUP = 10
RUNS = 5
IMAGE_BYTES = 64 * 1024 * 1024
URGENT = report.Report(
    report_id="01M85AB0C1D2E3F4G5H6J7K8M9",
    revision=1,
    source="sms",
    modem="modem",
    sms=report.Sms(text="Kebakaran di Jl. Raden Patah No. 4, tolong cepat"),
)
SAMPLE = Health(
    uptime_s=86_400.0,
    level="ok",
    readings=[Reading(name=name, value=41.5) for name in ("cpu_percent", "memory_percent", "temperature_c")],
)


def run() -> list[Figure]:
    """Median of the runs, in bytes; the goal is the anchor: what a card is to bear."""
    must_be_root()
    return [
        _figure("urgent record, committed alone", 16_384, lambda journal, _: _one(journal)),
        _figure(f"sample, committed in groups of {GROUP}", 4_096, lambda journal, at: _group(journal, at)),
    ]


def _one(journal: Journal) -> None:
    journal.append(report.KIND, URGENT)


def _group(journal: Journal, number: int) -> None:
    if number % GROUP == 0:
        journal.append_all([(health.KIND, SAMPLE, "bulk")] * GROUP)


def _figure(name: str, most: int, write: Callable[[Journal, int], None]) -> Figure:
    found = sorted(_bytes_per_record(write) for _ in range(RUNS))[RUNS // 2]
    ratio = found / most
    return Figure(
        "wear", name, "bytes", round(found), most, "the goal", round(ratio, 3), f"<= {most}", ratio <= 1, RUNS
    )


def _bytes_per_record(write: Callable[[Journal, int], None]) -> float:
    with loop_disk(IMAGE_BYTES) as disk:
        journal = Journal(disk.folder / "journal.db", SystemClock(), Boot(1, "bench"))
        for number in range(RECORDS):  # the file has grown, the WAL is in use
            write(journal, number)
        before = disk.written_bytes()
        for number in range(RECORDS):
            write(journal, number)
        written = disk.written_bytes() - before
        journal.close()
    return written / RECORDS
