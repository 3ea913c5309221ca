"""A burnt hub with a large database, brought back from the second place, against copying the same file."""

import os
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench.measure import Figure
from siaga_central.authority.authority import Authority
from siaga_central.backup.restore import Restorer
from siaga_central.backup.shipper import Shipper
from siaga_central.backup.vault import OpenVault, Vault, make_key
from siaga_central.store import records
from siaga_central.store.writer import Store
from siaga_core.service.clock import SystemClock
from siaga_core.wire.envelope import Record, Stamp

GOAL = "<= 600 s"
GOAL_S = 600.0
SIZE_BYTES = 2 * 1024**3
AT_ONCE = 20_000
# Pieces shipped after the base, as in a quiet day.
PIECES = 200


def run() -> list[Figure]:
    """Seconds until the restored database is whole and checked; one run, because it is gigabytes."""
    with tempfile.TemporaryDirectory(prefix="siaga-bench-") as place:
        folder = Path(place)
        secret, public = make_key()
        _shipped(folder, public)
        size_bytes = (folder / "hub" / "hub.db").stat().st_size
        copied_s = _copy(folder)
        shutil.rmtree(folder / "hub")
        began_s = time.monotonic()
        restorer = Restorer(OpenVault(folder / "second", secret), folder / "hub", lambda _line: None)
        restorer.catch_up()
        damage = restorer.verify()
        took_s = time.monotonic() - began_s
    if damage:
        raise SystemExit(f"restored, but damaged: {damage}")
    name = f"hub restored, database of {size_bytes / 1e9:.1f} GB and {PIECES} pieces"
    ratio = took_s / copied_s
    text = "the same file copied and synced"
    figure = (round(took_s, 1), round(copied_s, 1), text, round(ratio, 1), GOAL, took_s <= GOAL_S, 1)
    return [Figure("restore", name, "s", *figure)]


def _shipped(folder: Path, public: str) -> None:
    clock, home = SystemClock(), folder / "hub"
    (folder / "second").mkdir()
    Authority.create(home / "authority", "Uji", datetime.now(UTC))
    store = Store(f"sqlite:///{home / 'hub.db'}", clock)
    try:
        seq = 1
        while (home / "hub.db").stat().st_size < SIZE_BYTES:
            seq = _fill(store, seq, AT_ONCE)
            sys.stderr.write(f"\rrestore: {(home / 'hub.db').stat().st_size / 1e9:.2f} GB")
        sys.stderr.write("\n")
        shipper = Shipper(store, Vault(folder / "second", public), home, home, [home / "authority"], clock)
        shipper.ship()
        for _ in range(PIECES):
            seq = _fill(store, seq, 20)
            shipper.ship()
    finally:
        store.close()


def _fill(store: Store, first: int, count: int) -> int:
    key = ("btm-017", "health.bulk", "00000000000000bb")
    at = Stamp(boot_seq=1, boot_id="bench", boot_ns=first, wall_ns=first, clock="synced")
    made = [
        Record(
            node=key[0],
            stream=key[1],
            epoch=key[2],
            seq=seq,
            kind="health",
            at=at,
            body=msgspec.Raw(msgspec.json.encode({"noise": os.urandom(300).hex()})),
        )
        for seq in range(first, first + count)
    ]
    store.write(lambda connection: records.keep(connection, key, made, first))
    return first + count


def _copy(folder: Path) -> float:
    began_s = time.monotonic()
    with (folder / "hub" / "hub.db").open("rb") as source, (folder / "copy").open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
        target.flush()
        os.fsync(target.fileno())
    (folder / "copy").unlink()
    return time.monotonic() - began_s
