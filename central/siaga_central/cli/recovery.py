"""What a person does when the hub's disk has died, and practises before it does."""

import json
import sqlite3
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from siaga_central.backup.restore import Restored, Restorer
from siaga_central.backup.shipper import LATE_AFTER_S, State
from siaga_central.backup.vault import OpenVault, VaultAway
from siaga_central.backup.vault import make_key as make_pair
from siaga_central.hub import HubConfig
from siaga_core.errors import SiagaError
from siaga_core.service.main import stop_on_signals
from siaga_core.service.salvage import salvage_into, table_page
from siaga_core.service.workers import Stop

FOLLOW_EVERY_S = 2.0


class NoBackup(SiagaError):
    """The config names no second place."""


def make_key() -> int:
    """Print a new pair; the hub gets the public half alone."""
    secret, public = make_pair()
    print(f"# {public}\n{secret}")
    sys.stderr.write(
        "Simpan baris AGE-SECRET-KEY di brankas, di luar pusat; tanpa itu cadangan tak terbaca.\n"
        "Keep the AGE-SECRET-KEY line in a safe, away from the hub; without it no backup can be read.\n"
        f'hub.toml:\n[backup]\nfolder = "/srv/siaga-backup"\npublic_key = "{public}"\n'
    )
    return 0


def status(config: HubConfig, as_json: bool) -> int:
    """0 when the second place is up to date, 1 when it is late or has never been filled."""
    _place(config, None)
    path = config.hub.data_dir / "backup.json"
    if not path.exists():
        print("{}" if as_json else "belum pernah / never")
        return 1
    state = msgspec.json.decode(path.read_bytes(), type=State)
    behind_s = time.time() - state.shipped_us / 1e6
    late = behind_s > LATE_AFTER_S
    if as_json:
        print(json.dumps(msgspec.to_builtins(state) | {"behind_s": round(behind_s, 1), "late": late}))
    else:
        print(f"sampai / until {_moment(state.shipped_us)} ({behind_s:.0f} s)")
        print(f"{state.pieces} pieces, {state.folder}")
        if state.problem:
            print(f"! {state.problem}")
    return int(late)


def restore(config: HubConfig, folder: Path | None, secret_file: Path, follow: bool, as_json: bool) -> int:
    """Bring the database, keys and clips back into the config's folder."""
    began_s = time.monotonic()
    restorer = Restorer(_open(config, folder, secret_file), config.hub.data_dir, _progress)
    restored = restorer.catch_up()
    clips = restorer.take_media()
    if follow:
        restored = _follow(restorer, restored)
    damage = restorer.verify()
    _report(restored, time.monotonic() - began_s, damage, {"clips": clips}, as_json)
    return int(bool(damage))


def drill(config: HubConfig, folder: Path | None, secret_file: Path, as_json: bool) -> int:
    """0 when what was restored is sound and lacks nothing that the hub had when the drill began."""
    began_s = time.monotonic()
    had = _newest_event(config.hub.data_dir / "hub.db")
    time.sleep(2 * FOLLOW_EVERY_S)  # what the hub had then has been shipped by now
    with tempfile.TemporaryDirectory(dir=config.hub.data_dir.parent, prefix="siaga-drill-") as place:
        restorer = Restorer(_open(config, folder, secret_file), Path(place, "hub"), _progress)
        restored = restorer.catch_up()
        damage = restorer.verify()
        has = _newest_event(Path(place, "hub", "hub.db"))
    missing = max(0, had - has)
    _report(restored, time.monotonic() - began_s, damage, {"events": has, "missing": missing}, as_json)
    return int(bool(damage) or missing > 0)


def salvage(damaged: Path, into: Path, as_json: bool) -> int:
    """0 when everything could be read, 1 when something is lost."""
    saved = salvage_into(damaged, into)
    print(json.dumps([asdict(one) for one in saved]) if as_json else table_page(saved))
    return int(any(one.unread for one in saved))


def _follow(restorer: Restorer, restored: Restored) -> Restored:
    stop = Stop()
    stop_on_signals(stop)
    sys.stderr.write("mengikuti / following; Ctrl-C, then `siaga-central run` takes over\n")
    while not stop.wait(FOLLOW_EVERY_S):
        try:
            restored = restorer.catch_up()
            restorer.take_media()
        except VaultAway as error:
            sys.stderr.write(f"restore: {error}\n")
    return restored


def _report(restored: Restored, took_s: float, damage: str, more: dict[str, Any], as_json: bool) -> None:
    if as_json:
        found = msgspec.to_builtins(restored) | more | {"took_s": round(took_s, 1), "damage": damage}
        print(json.dumps(found))
        return
    print(f"sampai / until {_moment(restored.at_us)}: event {restored.event}")
    print(f"{restored.pieces} pieces, {took_s:.1f} s")
    print("  ".join(f"{name} {value}" for name, value in more.items()))
    print(f"! rusak / damaged: {damage}" if damage else "utuh / sound")


def _open(config: HubConfig, folder: Path | None, secret_file: Path) -> OpenVault:
    lines = [line for line in secret_file.read_text().splitlines() if line and not line.startswith("#")]
    return OpenVault(_place(config, folder), lines[0] if lines else "")


def _place(config: HubConfig, folder: Path | None) -> Path:
    if folder is not None:
        return folder
    if config.backup is None:
        raise NoBackup("the config has no [backup]; make a key with `siaga-central backup key` and add it")
    return config.backup.folder


def _newest_event(database: Path) -> int:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT ifnull(max(seq), 0) FROM event").fetchone()[0])
    finally:
        connection.close()


def _moment(at_us: int) -> str:
    return time.strftime("%Y-%m-%d %H.%M.%S", time.localtime(at_us / 1e6))


def _progress(words: str) -> None:
    sys.stderr.write(f"restore: {words}\n")
