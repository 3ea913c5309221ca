"""The lines of docs/alerts.md, run as they stand there."""

import os
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from siaga_central.authority.voice import Voice
from siaga_central.bus import broker
from siaga_central.ingest.desk import Desk
from siaga_central.outbox.worker import Outbox
from siaga_central.store import clients, incidents, users
from siaga_central.store.writer import Store
from siaga_core.service.clock import SystemClock, new_id
from siaga_core.wire.acknowledgement import Answer
from support.clock import FakeClock
from support.hub import make_place, running
from support.hub_store import hub_store
from support.waiting import until

PAGE = (Path(__file__).parents[2] / "docs/alerts.md").read_text()
LINES = dict(re.findall(r"<!-- (\w+) -->\n```sh\n(.*?)```", PAGE, re.DOTALL))
OPENING = incidents.Opening("KBR", "P1", "sms", "api di pasar", "Nagoya")


class Desktop:
    """An operator's machine: a folder with hub-ca.pem, and what the administrator told."""

    def __init__(self, folder: Path, store: Store, told: dict[str, str]) -> None:
        self.folder, self.store, self.env = folder, store, {**os.environ, **told}

    def run(self, name: str, limit_s: float = 20) -> str:
        """What a line of the page prints; stopped after `limit_s`."""
        line = ["timeout", str(limit_s), "bash", "-c", LINES[name]]
        return subprocess.run(line, cwd=self.folder, env=self.env, capture_output=True, text=True).stdout

    def taken_by(self) -> str | None:
        with self.store.read() as c:
            found: str | None = incidents.find(c, self.env["INCIDENT"]).taken_by
            return found


@pytest.fixture
def desktop(tmp_path: Path) -> Iterator[Desktop]:
    clock = SystemClock()
    place = make_place(tmp_path / "hub")
    store = hub_store(tmp_path, FakeClock())
    incident = new_id(clock)

    def furnish(c: object) -> None:
        users.add(c, "rina", "Rina", "operator", "-", "admin", 1)  # type: ignore[arg-type]
        clients.add(c, "rina-desk", "rina", "admin", 1)  # type: ignore[arg-type]
        incidents.open_new(c, incident, OPENING, "hub", 1)  # type: ignore[arg-type]

    store.write(furnish)
    child, bus = broker.Broker("mosquitto", broker.write(place.settings)), place.bus()
    broker.set_operator_password(place.settings.folder, "rina-desk", "sangat-rahasia")
    (tmp_path / "hub-ca.pem").write_bytes(place.authority.ca_file.read_bytes())
    told = {"HUB": "127.0.0.1", "PORT": str(place.settings.operator_port), "CLIENT": "rina-desk"}
    voice = Voice(place.authority, "life-one", 1, datetime.now(UTC))
    with running(child, bus, Desk(store, bus, clock), Outbox(store, bus, clock, voice)):
        until(lambda: bus.connection, 15)
        yield Desktop(tmp_path, store, {**told, "PASSWORD": "sangat-rahasia", "INCIDENT": incident})
    store.close()


def test_the_line_that_acknowledges_prints_the_answer(desktop: Desktop) -> None:
    answer = msgspec.json.decode(desktop.run("acknowledge"), type=Answer)
    assert (answer.outcome, answer.acknowledged_by) == ("taken", "rina")
    assert desktop.taken_by() == "rina"


def test_the_line_that_only_says_it_and_the_one_that_listens(desktop: Desktop) -> None:
    incident = desktop.env["INCIDENT"]
    until(lambda: f'siaga/v1/alert/{incident} {{"v":1' in desktop.run("listen", 1))
    desktop.run("say")
    until(lambda: desktop.taken_by() == "rina")
    until(lambda: '"acknowledged_by":"rina"' in desktop.run("listen", 1))


def test_every_reason_of_an_answer_is_explained() -> None:
    field = next(one for one in msgspec.structs.fields(Answer) if one.name == "reason")
    table = PAGE.partition("## What the hub answers")[2].partition("## ")[0]
    assert [word for word in field.type.__args__ if word and f"`{word}`" not in table] == []
