"""The real service, killed again and again while it answers: nobody is answered twice."""

import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from siaga_core.service.clock import SystemClock
from siaga_edge.modem.template import citizen
from siaga_edge.uplink.delivery import Mark
from siaga_edge.uplink.ledger import Ledger
from support.modem_service import Service
from support.simulated_modem import simulated_modem
from support.waiting import until

KILLS = 8


def test_killed_while_it_answers_it_answers_nobody_twice(tmp_path: Path) -> None:
    rng = random.Random(18)
    numbers = [f"+62812777700{place:02d}" for place in range(5)]
    (tmp_path / "data").mkdir()
    hub = Ledger(tmp_path / "data/delivery.db", SystemClock())
    with simulated_modem(tmp_path) as modem:
        service = Service(tmp_path, modem.link)
        service.start()
        try:
            for number in numbers:
                modem.control.sms(number, "Kebakaran di Nagoya depan Hotel Harmoni")
            until(lambda: len(service.reports()) == len(numbers), 30)
            hub.commit([Mark("modem.urgent", _epoch(tmp_path), 10**9)])  # from now on the hub has everything
            for _ in range(KILLS):
                end_s = time.monotonic() + rng.uniform(0.3, 1.4)
                until(lambda end_s=end_s: time.monotonic() >= end_s)  # type: ignore[misc]
                service.kill()
                service.start()
            until(lambda: len(service.bodies("reply.auto")) == len(numbers), 30, because="all are answered")
            until(lambda: not _unsettled(tmp_path), 30, because="every text has its last word")
        finally:
            service.kill()
            hub.close()
        sent = [one["to"] for one in modem.control.sent() if one["text"] == citizen("report")]
    assert len(sent) == len(set(sent)), "somebody was answered twice"
    assert sent, "nobody was answered at all"
    assert len(service.reports()) == len(numbers)


def _epoch(folder: Path) -> str:
    with closing(sqlite3.connect(f"file:{folder}/data/journal-modem.db?mode=ro", uri=True)) as connection:
        return str(connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()[0])


def _unsettled(folder: Path) -> int:
    with closing(sqlite3.connect(f"file:{folder}/data/journal-modem.db?mode=ro", uri=True)) as connection:
        query = "SELECT count(*) FROM outgoing WHERE state IN ('queued', 'sending')"
        return int(connection.execute(query).fetchone()[0])
