"""Durable ingest of a queued backlog, against mosquitto_sub writing the same messages to a file."""

import subprocess
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select

from bench.measure import Figure, at_least
from bench.place import EPOCH, NODE, STREAM, Place, running_broker
from siaga_central.authority.voice import Voice
from siaga_central.bus.client import Bus
from siaga_central.ingest.policy import Policy
from siaga_central.ingest.worker import Ingest
from siaga_central.store import records
from siaga_central.store.schema import record
from siaga_central.store.writer import Store
from siaga_core.service.clock import SystemClock
from siaga_core.service.workers import Heartbeat, Stop

GOAL = "ratio >= 0.4"
RECORDS = 10_000
# As the uplink packs a backlog of these samples (88 kB before compression); enough of them that both sides'
# start, a TLS handshake, is little of the time.
BATCHED_RECORDS, PER_BATCH = 98_000, 140


class Hub:
    """Bus, ingest and store as the hub has them, over a session that the broker has queued for."""

    def __init__(self, place: Place) -> None:
        self._place, self._clock = place, SystemClock()
        self.store = Store(f"sqlite:///{place.folder / 'hub.db'}", self._clock)
        place.register(self.store)
        self._voice = Voice(place.authority, "bench", 1, datetime.now(UTC))

    def take_until(self, upto: int) -> float:
        """Connect, take what is queued, leave; seconds until record `upto` was committed."""
        bus = Bus(self._place.connect())
        ingest = Ingest(self.store, bus, self._clock, Policy(), self._voice)
        stop = Stop()
        threads = [
            threading.Thread(target=work, args=(stop, Heartbeat(self._clock)), daemon=True)
            for work in (bus.work, ingest.work)
        ]
        started_s = time.monotonic()
        for thread in threads:
            thread.start()
        while self.upto() < upto:
            time.sleep(0.01)
        taken_s = time.monotonic() - started_s
        time.sleep(0.3)  # the last PUBACKs leave
        stop.set()
        for thread in threads:
            thread.join(10)
        return taken_s

    def upto(self) -> int:
        """The mark."""
        with self.store.read() as connection:
            return records.upto(connection, (NODE, STREAM, EPOCH))

    def count(self) -> int:
        """Records that are here."""
        with self.store.read() as connection:
            return int(connection.execute(select(func.count()).select_from(record)).scalar_one())


def run() -> list[Figure]:
    """Records per second: one record in a message, then batches as nodes send them."""
    return [
        _figure("one record in each message", RECORDS, 1),
        _figure(f"{PER_BATCH} records in each message", BATCHED_RECORDS, PER_BATCH),
    ]


def _figure(name: str, count: int, per_batch: int) -> Figure:
    with tempfile.TemporaryDirectory(prefix="siaga-bench-") as folder:
        place = Place(Path(folder))
        with running_broker(place):
            hub = Hub(place)
            first = [1]
            subscribe = [*place.subscriber("anchor", 1)[:-4], "-E"]
            subprocess.run(subscribe, check=True, timeout=20)
            hub.take_until(0)

            def ours() -> float:
                place.publish(place.batches(first[0], count, per_batch))
                first[0] += count
                return count / hub.take_until(first[0] - 1)

            def anchor() -> float:
                started_s = time.monotonic()
                with (place.folder / "anchor").open("wb") as file:
                    subprocess.run(
                        place.subscriber("anchor", count // per_batch), stdout=file, check=True, timeout=120
                    )
                return count / (time.monotonic() - started_s)

            figure = at_least(
                "ingest",
                name,
                "records/s",
                ours,
                anchor,
                anchor_is="mosquitto_sub -q 1 to a file, not synced, same messages",
                limit=0.4,
            )
            if hub.count() != first[0] - 1:
                raise SystemExit(f"{hub.count()} records are here, {first[0] - 1} were sent")
            hub.store.close()
    return figure
