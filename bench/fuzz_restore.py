"""The hub's disk destroyed under load and brought back from the second place: what nodes and people lose."""

import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from bench.fuzz import Outcome
from bench.fuzz_outage import NODES, City, drained, opened
from bench.place import until_open
from siaga_central.backup.vault import make_key

PEOPLE_MAY_LOSE_S = 10.0
RESTORED_WITHIN_S = 600.0


@dataclass
class Told:
    """What the trials have measured."""

    restore_s: list[float] = field(default_factory=list)
    killed_at_s: list[float] = field(default_factory=list)


class BackedCity(City):
    """A city whose hub ships to a second place."""

    def set_up(self) -> None:
        super().set_up()
        home = self.folder / "hub"
        home.mkdir()
        shutil.copytree(self.folder / "authority", home / "authority")
        (self.folder / "hub.db").rename(home / "hub.db")
        secret, public = make_key()
        (self.folder / "secret").write_text(secret)
        (self.folder / "hub.toml").write_text(
            f'[hub]\ndata_dir = "{home}"\n[broker]\nhost = "127.0.0.1"\nport = {self.broker_port}\n'
            f'[backup]\nfolder = "{self.folder}/second"\npublic_key = "{public}"\n'
        )

    def command(self, name: str) -> list[str]:
        """The hub is another one here."""
        if name == "hub":
            return [sys.executable, "-m", "bench.outage_parts", "backed-hub", str(self.folder / "hub.toml")]
        return super().command(name)

    def restore(self) -> float:
        """By the command an administrator types; how many seconds it took. Raises when it fails."""
        command = [sys.executable, "-m", "siaga_central.cli", "restore", "--json"]
        command += ["--config", str(self.folder / "hub.toml")]
        command += ["--secret-key-file", str(self.folder / "secret")]
        began_s = time.monotonic()
        answer = subprocess.run(command, check=True, capture_output=True, timeout=RESTORED_WITHIN_S)
        assert json.loads(answer.stdout)["damage"] == ""
        return time.monotonic() - began_s


def run(trials: int, seed: int) -> Outcome:
    """`trials` destroyed disks in one life of the nodes."""
    rng, told = random.Random(seed), Told()
    with tempfile.TemporaryDirectory(prefix="siaga-restore-") as place:
        city = BackedCity(Path(place))
        city.set_up()
        try:
            city.start("broker")
            until_open(city.broker_port)
            for name in ["hub", *(f"{kind}:{node}" for node in NODES for kind in ("writer", "uplink"))]:
                city.start(name)
            time.sleep(5)
            for trial in range(trials):
                _destroy(city, rng, told)
                sys.stderr.write(f"\rfuzz restore: {trial + 1}/{trials} in {told.restore_s[-1]:.1f} s")
                sys.stderr.flush()
            for node in NODES:
                city.kill(f"writer:{node}")
            undelivered = drained(city)
            lost, bulk_lost, made = _count(city)
            entries, people_lost, worst_s = _people(city, told)
        finally:
            for name in list(city.children):
                city.kill(name)
    sys.stderr.write("\n")
    too_much = int(worst_s > PEOPLE_MAY_LOSE_S) + int(max(told.restore_s) > RESTORED_WITHIN_S)
    extra: dict[str, float] = {"records": made, "bulk_lost": bulk_lost, "entries": entries}
    extra |= {"entries_lost": people_lost, "entries_worst_s": round(worst_s, 2)}
    extra["restore_worst_s"] = round(max(told.restore_s), 2)
    return Outcome("restore", trials, lost, 0, undelivered, too_much, seed, extra)


def _destroy(city: BackedCity, rng: random.Random, told: Told) -> None:
    time.sleep(rng.uniform(1.0, 6.0))
    city.kill("hub")
    told.killed_at_s.append(time.time())
    shutil.rmtree(city.folder / "hub")
    told.restore_s.append(city.restore())
    city.start("hub")
    time.sleep(3)


def _count(city: City) -> tuple[int, int, int]:
    """(urgent lost, bulk lost, made)."""
    with closing(opened(city.folder / "hub" / "hub.db")) as store:
        rows = store.execute("SELECT node, stream, seq FROM record").fetchall()
    here = {(node, stream.partition(".")[2], seq) for node, stream, seq in rows}
    lost = {"urgent": 0, "bulk": 0}
    made = 0
    for node in NODES:
        for line in (city.folder / node / "said").read_text().splitlines():
            lane, seq, _ = line.split(" ")
            made += 1
            lost[lane] += (node, lane, int(seq)) not in here
    return lost["urgent"], lost["bulk"], made


def _people(city: City, told: Told) -> tuple[int, int, float]:
    """(entries, lost, seconds from the oldest lost entry to the death of its disk)."""
    with closing(opened(city.folder / "hub" / "hub.db")) as store:
        here = {row[0] for row in store.execute("SELECT subject FROM event WHERE kind = 'note'")}
    entries = [line.split() for line in (city.folder / "entered").read_text().splitlines()]
    lost_at = [float(at_s) for number, at_s in entries if number not in here]
    worst_s = max((min(k for k in told.killed_at_s if k >= at - 0.1) - at for at in lost_at), default=0.0)
    return len(entries), len(lost_at), worst_s
