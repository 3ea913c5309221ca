"""Starts programs, keeps them running as systemd would, and leaves no process behind."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from siaga_core.service.tether import tethered

# What systemd's RestartSec is for the real services, shorter because somebody is watching.
RESTART_AFTER_S = 0.5


class Keeper:
    """Keeps named programs alive until `stop`; each writes to its own log file."""

    def __init__(self, log_folder: Path) -> None:
        self._log_folder = log_folder
        log_folder.mkdir(parents=True, exist_ok=True)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._programs: dict[str, subprocess.Popen[bytes]] = {}
        self._threads: list[threading.Thread] = []
        self.restarts: dict[str, int] = {}

    def start(self, name: str, command: Sequence[str | Path]) -> None:
        """Start a program and start it again whenever it ends."""
        started = threading.Event()
        thread = threading.Thread(
            target=self._keep, args=(name, command, started), name=f"keep-{name}", daemon=True
        )
        thread.start()
        self._threads.append(thread)
        started.wait()

    def log(self, name: str) -> Path:
        """Where a program's output goes."""
        return self._log_folder / f"{name}.log"

    def stop(self, limit_s: float = 10) -> None:
        """End every program politely, then for certain."""
        self._stopping.set()
        with self._lock:
            programs = list(self._programs.values())
        families = [family(program.pid) for program in programs]
        for program in programs:
            program.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + limit_s
        for program in programs:
            try:
                program.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
        for member in (member for members in families for member in members):
            _kill(member)
        for thread in self._threads:
            thread.join(timeout=2)

    def find(self, *words: str) -> list[psutil.Process]:
        """Processes of ours, at any depth, whose command line holds all `words`."""
        with self._lock:
            roots = [program.pid for program in self._programs.values()]
        members = {member.pid: member for root in roots for member in family(root)}.values()
        return [member for member in members if all(word in _words(member) for word in words)]

    def _spawn(self, name: str, command: Sequence[str | Path]) -> None:
        guarded = tethered([str(word) for word in command])
        with self.log(name).open("ab") as log, self._lock:
            self._programs[name] = subprocess.Popen(
                guarded, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _keep(self, name: str, command: Sequence[str | Path], started: threading.Event) -> None:
        # The death signal belongs to the thread that forked (service/tether): one thread starts all.
        while not self._stopping.is_set():
            self._spawn(name, command)
            started.set()
            self._programs[name].wait()
            if not self._stopping.wait(RESTART_AFTER_S):
                self.restarts[name] = self.restarts.get(name, 0) + 1


def family(pid: int) -> list[psutil.Process]:
    """A process and all that descend from it; empty when it is gone."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


def _kill(process: psutil.Process) -> None:
    try:
        if process.pid != os.getpid():
            process.kill()
    except psutil.NoSuchProcess:
        return
