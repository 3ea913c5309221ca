"""A workload on a recorded disk, then as many power cuts as asked, each judged by what had been said."""

import random
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from powercut.disk import END, booted, cut, load, recorded

Say = Callable[[str], None]
LOST, BROKEN = "lost", "broken"


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something that should have outlived the cut and did not, or that is damaged."""

    kind: str
    what: str


def lost(what: str) -> Complaint:
    """An acknowledged thing is gone."""
    return Complaint(LOST, what)


def broken(what: str) -> Complaint:
    """A store or file is damaged, or says what never was."""
    return Complaint(BROKEN, what)


class Workload(Protocol):
    """Something that writes, says what it has acknowledged, and can tell afterwards whether that holds."""

    name: str

    def run(self, folder: Path, say: Say, rng: random.Random) -> None:
        """Work in `folder`; say each thing after it was acknowledged to somebody."""

    def check(self, folder: Path, said: Sequence[str]) -> list[Complaint]:
        """Open what is left, as the next start does; what is wrong with it."""


@dataclass(slots=True)
class Verdict:
    """What the cuts of one workload have shown."""

    workload: str
    cuts: int = 0
    acknowledged: int = 0
    lost: int = 0
    broken: int = 0
    first: str = ""
    complaints: list[Complaint] = field(default_factory=list)

    @property
    def caught(self) -> bool:
        """Whether anything at all was wrong."""
        return bool(self.lost or self.broken)


def run(workload: Workload, cuts: int, seed: int, *, stop_at_first: bool = False) -> Verdict:
    """Record the workload once, then cut the power `cuts` times. Raises what the workload raises."""
    rng = random.Random(f"{workload.name}:{seed}")
    verdict = Verdict(workload.name)
    with tempfile.TemporaryDirectory() as place:
        log = Path(place, "log")
        with recorded(log) as disk:
            workload.run(disk.folder, disk.say, rng)
        recording = load(log)
        for number, remains in enumerate(cut(recording, recording.points(cuts, rng), rng)):
            said = [mark for mark in remains.said if mark != END]
            try:
                with booted(remains) as folder:
                    found = _judged(workload, folder, said)
            except subprocess.CalledProcessError as error:
                found = [broken(f"ext4 cannot be mounted: {error.stderr!r}")]
            _count(verdict, found, said, f"seed {seed} cut {number}")
            if found and stop_at_first:
                break
    return verdict


def _judged(workload: Workload, folder: Path, said: Sequence[str]) -> list[Complaint]:
    damaged = [
        broken(f"{path.name}: {answer}")
        for path in sorted(folder.rglob("*.db"))
        if (answer := _integrity(path)) != "ok"
    ]
    return damaged or workload.check(folder, said)


def _integrity(path: Path) -> str:
    connection = sqlite3.connect(path)
    try:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    except sqlite3.DatabaseError as error:
        return str(error)
    finally:
        connection.close()


def _count(verdict: Verdict, found: list[Complaint], said: Sequence[str], where: str) -> None:
    verdict.cuts += 1
    verdict.acknowledged += len(said)
    verdict.lost += any(one.kind == LOST for one in found)
    verdict.broken += any(one.kind == BROKEN for one in found)
    if found and not verdict.first:
        verdict.first = f"{where}: {found[0].what}"
    verdict.complaints += found[:3]
