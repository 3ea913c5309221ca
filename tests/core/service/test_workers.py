"""A worker that stalls or has a bug ends the process; one whose world is away is tried again."""

import socket
import threading
from pathlib import Path

import pytest

from siaga_core.errors import SiagaError, Transient
from siaga_core.service.workers import EXIT_STALLED, Heartbeat, Stop, Supervisor, back_off_s
from support.waiting import until


class Away(SiagaError, Transient):
    """The outside is not there."""


def test_a_silent_worker_ends_the_process_with_its_own_status() -> None:
    supervisor = Supervisor()

    def stuck(stop: Stop, _beat: Heartbeat) -> None:
        stop.wait(60)

    supervisor.add("stuck", stuck, silence_limit_s=0.05)
    assert supervisor.run(poll_s=0.01) == EXIT_STALLED


def test_a_bug_ends_the_process() -> None:
    def bug(_stop: Stop, _beat: Heartbeat) -> None:
        raise ZeroDivisionError

    supervisor = Supervisor()
    supervisor.add("bug", bug)
    assert supervisor.run(poll_s=0.01) == 1


def test_a_worker_that_ends_by_itself_is_a_bug_too() -> None:
    supervisor = Supervisor()
    supervisor.add("gone", lambda _stop, _beat: None)
    assert supervisor.run(poll_s=0.01) == 1


def test_a_worker_whose_world_is_away_is_tried_again() -> None:
    tries = []
    supervisor = Supervisor()

    def work(stop: Stop, beat: Heartbeat) -> None:
        tries.append(1)
        if len(tries) < 2:
            raise Away("broker away")
        supervisor.stop.set()

    supervisor.add("link", work)
    assert supervisor.run(poll_s=0.01) == 0
    assert len(tries) == 2


def test_systemd_is_told_and_fed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(path))
        systemd.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        monkeypatch.setenv("WATCHDOG_USEC", "60000")
        supervisor = Supervisor()
        supervisor.add("fine", lambda stop, beat: _beat_until(stop, beat))
        thread = threading.Thread(target=supervisor.run)
        thread.start()
        heard = [systemd.recv(100) for _ in range(3)]
        supervisor.stop.set()
        thread.join()
    assert heard == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
    assert until(lambda: not thread.is_alive())


def _beat_until(stop: Stop, beat: Heartbeat) -> None:
    while not stop.wait(0.01):
        beat.beat()


def test_back_off_doubles_and_is_capped() -> None:
    assert [back_off_s(tries, 0.5) for tries in (0, 1, 2, 3, 4, 50)] == [0.5, 0.5, 1.0, 2.0, 4.0, 30.0]
