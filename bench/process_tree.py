"""CPU time and memory of a program with all its children, as the kernel counts them."""

import os
from collections.abc import Iterable
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def members(roots: Iterable[int]) -> list[int]:
    """The process ids of `roots` and of everything that descends from them."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        if words := _stat(path):
            children.setdefault(int(words[1]), []).append(int(path.parent.name))
    found, waiting = list[int](), list(roots)
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting += children.get(one, [])
    return found


def cpu_s(roots: Iterable[int]) -> float:
    """Seconds of user and system time, those of ended threads and of reaped children included (proc(5))."""
    ticks = 0
    for one in members(roots):
        words = _stat(Path(f"/proc/{one}/stat"))
        ticks += sum(int(word) for word in words[11:15])  # utime, stime, cutime, cstime
    return ticks * _TICK_S


def pss_bytes(roots: Iterable[int]) -> int:
    """Memory, every shared page divided among those who share it (proc(5), smaps_rollup)."""
    kilobytes = 0
    for one in members(roots):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes * 1024


def _stat(path: Path) -> list[str]:
    """The words after the program's name; empty when the process is gone."""
    try:
        return path.read_text().rpartition(")")[2].split()
    except OSError:
        return []
