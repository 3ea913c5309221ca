"""An anchor is written when it is due, and never by a clock whose error nobody knows."""

from pathlib import Path

import msgspec
import pytest

from siaga_core.service.clock import SystemClock, read_boot_id
from siaga_core.service.workers import Heartbeat, Stop
from siaga_core.wire.anchor import KIND, ClockAnchor
from siaga_core.wire.envelope import ClockState, Stamp
from siaga_edge.health.service import HealthService
from siaga_edge.health.timekeeping import EVERY_S, Noted, look
from siaga_edge.node import load

_WALL_NS = 1_795_000_000 * 10**9


def at(clock: ClockState, error_ms: int | None) -> Stamp:
    return Stamp(boot_seq=1, boot_id="boot-one", boot_ns=7, wall_ns=_WALL_NS, clock=clock, error_ms=error_ms)


def test_an_anchor_is_due_at_first_then_every_ten_minutes_and_when_the_state_changes() -> None:
    noted, first = look(Noted(), at("synced", 40), 5.0)
    assert first == ClockAnchor(boot_id="boot-one", boot_ns=7, utc_ns=_WALL_NS, source="ntp", error_ms=40)
    noted, again = look(noted, at("synced", 40), 5.0 + EVERY_S - 1)
    assert again is None
    noted, changed = look(noted, at("holdover", 2500), 5.0 + EVERY_S - 1)
    assert changed is not None
    assert changed.error_ms == 2500
    noted, later = look(noted, at("holdover", 3000), 4.0 + 2 * EVERY_S)
    assert later is not None
    noted, lost = look(noted, at("unknown", None), 5.0 + 2 * EVERY_S)
    assert lost is None
    _, back = look(noted, at("synced", 40), 6.0 + 2 * EVERY_S)
    assert back is not None


@pytest.mark.parametrize("clock", ["unknown", "floor"])
def test_a_clock_whose_error_nobody_knows_gives_none(clock: ClockState) -> None:
    assert look(Noted(), at(clock, None), 0.0)[1] is None
    assert look(Noted(), at(clock, 40), 0.0)[1] is None


class _Once(Heartbeat):
    """Ends the service after its first sample."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop

    def beat(self) -> None:
        self._stop.set()


@pytest.mark.parametrize(("kernel", "written"), [(("synced", 40), 1), (("unknown", None), 0)])
def test_the_service_journals_what_the_kernel_says(
    tmp_path: Path, kernel: tuple[ClockState, int | None], written: int
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "node.toml").write_text(
        f'[node]\nid = "node-one"\nsite = "x"\ndata_dir = "{tmp_path}/data"\nrun_dir = "{tmp_path}/run"\n'
        '[hub]\nbroker_host = "x"\ngateway_url = "x"\nca_file = "x"\ncertificate_file = "x"\n'
        'key_file = "x"\n[health]\npin_factory = "none"\n'
    )
    config = load(tmp_path / "node.toml")
    assert config.health is not None
    service = HealthService(config, config.health, SystemClock(), kernel=lambda: kernel)
    stop = Stop()
    service.work(stop, _Once(stop))
    rows = service._journal.connection.execute("SELECT body FROM record WHERE kind = ?", (KIND,)).fetchall()
    service.close()
    assert len(rows) == written
    for row in rows:
        anchor = msgspec.json.decode(row["body"], type=ClockAnchor)
        assert (anchor.source, anchor.boot_id, anchor.error_ms) == ("ntp", read_boot_id(), 40)
