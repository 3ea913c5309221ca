"""A node with 8 cameras after 72 h without the hub, over 64 kbit/s that lose a fifth of all packets."""

import contextlib
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import Struct

from bench.fuzz import Outcome
from bench.fuzz_outage import NODES, City, opened
from siaga_core.service.clock import Boot
from siaga_core.wire.envelope import Lane
from siaga_core.wire.health import CAMERA_KIND, KIND, CameraState, Health, Reading
from siaga_core.wire.recording import COVERAGE_KIND, CameraCoverage, Coverage
from siaga_core.wire.report import KIND as REPORT_KIND
from siaga_core.wire.report import Report, Sms, SmsPart
from siaga_edge.cameras.watch import SAY_AGAIN_S
from siaga_edge.journal import Journal

NODE = NODES[0]
HOURS, CAMERAS, REPORTS = 72, 8, 500
SAMPLE_EVERY_S, COVERAGE_EVERY_S = 10, 60
RATE, LOSS_PERCENT = "64kbit", 20
ON_DISK_MOST_BYTES = 64 * 1024**2
REPORTS_WITHIN_S, ALL_WITHIN_S = 60.0, 300.0
GIVE_UP_AFTER_S = 1800.0
SPACE, NEAR, FAR = "siaga-longcut", "siaga-lc0", "siaga-lc1"
NEAR_IP, FAR_IP = "10.213.7.1", "10.213.7.2"
WORDS = ["kebakaran", "banjir", "laka", "pohon", "tumbang", "jalan", "rumah", "tolong", "cepat", "simpang"]


@dataclass
class Ticks:
    """A clock that runs through three days in seconds, with the noise a real one has."""

    rng: random.Random
    now_ns: int = 86_400 * 10**9
    began_wall_ns: int = field(default=1_795_000_000 * 10**9)

    def advance(self, seconds: float) -> None:
        """Let time pass, not quite evenly."""
        self.now_ns += int(seconds * 1e9) + self.rng.randrange(3_000_000)

    def mono_s(self) -> float:
        return self.now_ns / 1e9

    def boot_ns(self) -> int:
        return self.now_ns

    def wall_ns(self) -> int:
        return self.began_wall_ns + self.now_ns


class FarCity(City):
    """A city whose node lives behind the line."""

    def command(self, name: str) -> list[str]:
        """The uplink is started in the node's own network."""
        behind = ["ip", "netns", "exec", SPACE] if name.startswith("uplink") else []
        return [*behind, *super().command(name)]


def run(_trials: int, seed: int) -> Outcome:
    """One outage, whatever the trials. Lost and undelivered are counted at the hub's database."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="siaga-longcut-") as place:
        city = FarCity(Path(place), NEAR_IP)
        city.set_up()
        data = city.folder / NODE / "data"
        toml = city.folder / NODE / "node.toml"
        toml.write_text(toml.read_text().replace(str(city.gates[NODE].port), str(city.broker_port)))
        made = _three_days(data, rng)
        shed = made.pop("shed")
        on_disk = sum(path.stat().st_size for path in data.iterdir())
        sys.stderr.write(f"fuzz longcut: {sum(made.values())} records, {on_disk / 1e6:.1f} MB on disk\n")
        with _line():
            reports_s, all_s, sent = _drain(city, made)
        with closing(opened(city.folder / "hub.db")) as store:
            rows = store.execute(
                "SELECT stream, count(*) FROM record WHERE node = ? GROUP BY stream", (NODE,)
            )
            here = sum(count for stream, count in rows if stream in made)
            gone = store.execute("SELECT ifnull(sum(last - first + 1), 0) FROM gap").fetchone()[0]
    undelivered = sum(made.values()) - here
    missed = (reports_s > REPORTS_WITHIN_S) + (all_s > ALL_WITHIN_S) + (on_disk > ON_DISK_MOST_BYTES)
    extra: dict[str, float] = {"records": sum(made.values()), "disk_mb": round(on_disk / 1e6, 1)}
    extra |= {"reports_s": round(reports_s, 1), "all_s": round(all_s, 1), "wire_kb": round(sent / 1e3)}
    extra |= {
        "sample_every_s": SAMPLE_EVERY_S,
        "coverage_every_s": COVERAGE_EVERY_S,
        "camera_state_every_s": SAY_AGAIN_S,
    }
    return Outcome("longcut", 1, int(gone) + shed, 0, undelivered, missed, seed, extra)


def _three_days(data: Path, rng: random.Random) -> dict[str, int]:
    """Journals as the services write them, at the product's own rates; records by stream."""
    clock, boot = Ticks(rng), Boot(7, "3f0c4a52-6f1e-4a0e-9f0a-1f6a5a2b7c11")
    made: dict[str, int] = {}
    reports = sorted(rng.sample(range(HOURS * 3600 // SAMPLE_EVERY_S), REPORTS))
    with contextlib.ExitStack() as stack:
        journals = {
            name: stack.enter_context(closing(Journal(data / f"journal-{name}.db", clock, boot)))
            for name in ("modem", "cameras", "recorder", "health")
        }

        def put(service: str, lane: Lane, entries: list[tuple[str, Struct, Lane]]) -> None:
            journals[service].append_all(entries)
            made[f"{service}.{lane}"] = made.get(f"{service}.{lane}", 0) + len(entries)

        for step in range(HOURS * 3600 // SAMPLE_EVERY_S):
            clock.advance(SAMPLE_EVERY_S)
            now_s = step * SAMPLE_EVERY_S
            put("health", "bulk", [(KIND, _sample(rng, now_s), "bulk")])
            if now_s % COVERAGE_EVERY_S == 0:
                put("recorder", "bulk", [(COVERAGE_KIND, _coverage(rng, now_s), "bulk")])
            if now_s % int(SAY_AGAIN_S) == 0:
                put("cameras", "urgent", [(CAMERA_KIND, _camera(n), "urgent") for n in range(CAMERAS)])
            if now_s % 3600 == 0:  # as the services do: what takes too much room is shed here
                made["shed"] = made.get("shed", 0) + sum(journal.prune([]) for journal in journals.values())
            while reports and reports[0] == step:
                reports.pop(0)
                put("modem", "urgent", [(REPORT_KIND, _report(rng), "urgent")])
    return made


def _sample(rng: random.Random, now_s: int) -> Health:
    values = {
        "cpu_percent": round(rng.uniform(20, 45), 1),
        "memory_percent": round(rng.uniform(38, 40), 1),
        "temperature_c": round(rng.uniform(52, 58), 1),
        "disk_free_percent.data": round(80 - now_s / 1e6, 1),
        "disk_free_percent.footage": round(rng.uniform(7.9, 8.1), 1),
        "read_only_mounts": 0,
        "under_voltage_now": 0,
        "under_voltage_since_boot": 0,
    }
    readings = [Reading(name=name, value=value) for name, value in values.items()]
    return Health(uptime_s=86_400.0 + now_s, level="ok", readings=readings, version="0.1.0")


def _coverage(rng: random.Random, now_s: int) -> Coverage:
    cameras = tuple(
        CameraCoverage(
            camera=f"btm-017-{number}",
            upto_ago_ms=rng.randrange(40, 600),
            kept_ago_s=14 * 86_400 + rng.randrange(60),
        )
        for number in range(CAMERAS)
    )
    links = CAMERAS * now_s // COVERAGE_EVERY_S
    return Coverage(cameras=cameras, chain="5be1c3a09f77d2e4", links=links, head=rng.randbytes(32))


def _camera(number: int) -> CameraState:
    camera = f"btm-017-{number}"
    return CameraState(camera=camera, status="up", model="DS-2CD2043G2", firmware="V5.7.1", onvif="ok")


def _report(rng: random.Random) -> Report:
    text = " ".join(rng.choices(WORDS, k=14))
    number = f"+62811{rng.randrange(10**7):07d}"
    pdu = rng.randbytes(12).hex() + text.encode().hex()
    return Report(
        report_id=rng.randbytes(13).hex(),
        revision=1,
        source="sms",
        modem="modem",
        reporter=number,
        reporter_e164=number,
        sms=Sms(text=text, parts_total=1, parts=[SmsPart(number=1, pdu=pdu)]),
    )


@contextlib.contextmanager
def _line() -> Iterator[None]:
    """A network namespace behind a slow line that loses packets in both directions where they arrive."""
    drop = f"numgen random mod 100 < {LOSS_PERCENT} drop"
    inside = ["ip", "netns", "exec", SPACE]
    shape = ["root", "tbf", "rate", RATE, "burst", "3000", "latency", "500ms"]
    up = [
        ["ip", "netns", "add", SPACE],
        ["ip", "link", "add", NEAR, "type", "veth", "peer", "name", FAR, "netns", SPACE],
        ["ip", "addr", "add", f"{NEAR_IP}/30", "dev", NEAR],
        ["ip", "link", "set", NEAR, "up"],
        [*inside, "ip", "addr", "add", f"{FAR_IP}/30", "dev", FAR],
        [*inside, "ip", "link", "set", FAR, "up"],
        [*inside, "ip", "link", "set", "lo", "up"],
        ["tc", "qdisc", "add", "dev", NEAR, *shape],
        [*inside, "tc", "qdisc", "add", "dev", FAR, *shape],
        ["nft", f"add table inet {SPACE}"],
        ["nft", f"add chain inet {SPACE} loss {{ type filter hook input priority 0; }}"],
        ["nft", f"add rule inet {SPACE} loss iifname {NEAR} {drop}"],
        [*inside, "nft", f"add table inet {SPACE}"],
        [*inside, "nft", f"add chain inet {SPACE} loss {{ type filter hook input priority 0; }}"],
        [*inside, "nft", f"add rule inet {SPACE} loss iifname {FAR} {drop}"],
    ]
    try:
        for command in up:
            subprocess.run(command, check=True)
        yield
    finally:
        for line in (f"nft delete table inet {SPACE}", f"ip netns del {SPACE}", f"ip link del {NEAR}"):
            subprocess.run(line.split(), check=False, capture_output=True)


def _drain(city: City, made: dict[str, int]) -> tuple[float, float, int]:
    """(seconds until every report is at the hub, until everything is, bytes that the node sent)."""
    reports_s = GIVE_UP_AFTER_S
    try:
        for name in ("broker", "hub"):
            city.start(name)
            time.sleep(3)
        city.start(f"uplink:{NODE}")
        began_s = time.monotonic()
        while (took_s := time.monotonic() - began_s) < GIVE_UP_AFTER_S:
            time.sleep(0.5)
            here = _here(city)
            if here.get("modem.urgent", 0) >= made["modem.urgent"]:
                reports_s = min(reports_s, took_s)
            sys.stderr.write(f"\rfuzz longcut: {took_s:5.0f} s {sum(here.values())}/{sum(made.values())}")
            sys.stderr.flush()
            if all(here.get(stream, 0) >= count for stream, count in made.items()):
                break
        return reports_s, took_s, _sent_bytes()
    finally:
        sys.stderr.write("\n")
        for name in list(city.children):
            city.kill(name)


def _here(city: City) -> dict[str, int]:
    with closing(opened(city.folder / "hub.db")) as store:
        rows = store.execute("SELECT stream, count(*) FROM record GROUP BY stream").fetchall()
    return dict(rows)


def _sent_bytes() -> int:
    counted = ["ip", "netns", "exec", SPACE, "cat", f"/sys/class/net/{FAR}/statistics/tx_bytes"]
    return int(subprocess.run(counted, check=True, capture_output=True).stdout or 0)
