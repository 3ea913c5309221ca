"""A tethered child does not outlive the thread that started it, even when that is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from siaga_core.service.tether import tethered
from support.waiting import until

PARENT = """
import subprocess, sys, time
from siaga_core.service.tether import tethered
command = ["sleep", "1000"]
if "loose" not in sys.argv:
    command = tethered(command)
print(subprocess.Popen(command).pid, flush=True)
time.sleep(1000)
"""


def _outlives(*arguments: str) -> bool:
    with subprocess.Popen([sys.executable, "-c", PARENT, *arguments], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        until(lambda: child.name() == "sleep", because="it has become the command")
        parent.kill()
    try:
        until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    except AssertionError:
        child.kill()
        return True
    return False


def test_a_child_ends_with_a_parent_that_is_killed() -> None:
    assert not _outlives()


def test_a_child_without_a_tether_would_stay() -> None:
    assert _outlives("loose")


def test_a_child_whose_parent_died_before_it_could_ask_ends_as_well() -> None:
    command = tethered(["sleep", "1000"], signal.SIGTERM)
    command[command.index(str(os.getpid()))] = "1"  # as if another process had started it
    assert subprocess.run(command, timeout=10, check=False).returncode == -signal.SIGTERM


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    ended = subprocess.run(
        tethered([str(tmp_path / "mosquitto")]), capture_output=True, text=True, timeout=10, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr == f"{tmp_path / 'mosquitto'}: No such file or directory\n"


@pytest.mark.parametrize("status", [0, 3])
def test_arguments_and_status_are_the_commands_own(status: int) -> None:
    ended = subprocess.run(
        tethered(["sh", "-c", f'echo "$1"; exit {status}', "sh", "a b"]),
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    assert (ended.stdout, ended.returncode) == ("a b\n", status)
