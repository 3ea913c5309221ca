"""What a technician in front of a node reads about its way to the hub."""

import json
from pathlib import Path

import pytest

from siaga_core.service.clock import Boot
from siaga_core.wire import health
from siaga_core.wire.health import ServiceState
from siaga_edge.cli.__main__ import main
from siaga_edge.journal import Journal
from siaga_edge.uplink.delivery import Mark
from siaga_edge.uplink.ledger import Ledger
from siaga_edge.uplink.status import LinkStatus, read_status, write_status
from support.clock import FakeClock
from support.pki import Authority
from support.uplink import write_config


@pytest.fixture
def config(tmp_path: Path, clock: FakeClock) -> Path:
    """A node with three records, one of them acknowledged."""
    authority = Authority(tmp_path / "pki")
    path = write_config(tmp_path, 1, authority, authority.issue("node-one"))
    journal = Journal(tmp_path / "data" / "journal-modem.db", clock, Boot(1, "b"))
    for code in ("a", "b", "c"):
        journal.append(health.SERVICE_KIND, ServiceState(service="modem", level="ok", code=code))
    ledger = Ledger(tmp_path / "data" / "delivery.db", clock)
    ledger.commit([Mark("modem.urgent", journal.epoch, 1)])
    ledger.close()
    journal.close()
    return path


def look(config: Path, capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    status = main(["link", "status", "--config", str(config), *words])
    return status, capfd.readouterr().out


def test_it_says_since_when_and_why_the_hub_is_not_reached(
    config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    status, page = look(config, capfd)
    assert (status, "uplink belum berjalan" in page) == (1, True)
    write_status(config.parent / "run", LinkStatus(up=False, since_wall_ns=1, reason="Connection refused"))
    status, page = look(config, capfd)
    assert (status, "terputus" in page, "Connection refused" in page) == (1, True, True)


def test_it_counts_what_waits_for_the_hub(config: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_status(config.parent / "run", LinkStatus(up=True, since_wall_ns=1))
    status, text = look(config, capfd, "--json")
    answer = json.loads(text)
    [stream] = answer["streams"]
    assert (status, answer["link"]["up"]) == (0, True)
    assert (stream["stream"], stream["written"], stream["waiting"]) == ("modem.urgent", 3, 2)


def test_a_damaged_status_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "link.json").write_text("{")
    assert read_status(tmp_path) is None
