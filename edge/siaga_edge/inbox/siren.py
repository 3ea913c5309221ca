"""Asking siaga-health for the siren: a lease in the run directory, which ends by itself with its owner."""

from pathlib import Path

import msgspec
from msgspec import Struct

FILE = "siren-asked.json"
# Renewed every few seconds while the cause lasts: a service that has died does not leave a siren behind.
LEASE_S = 15.0


class SirenLease(Struct, frozen=True, kw_only=True):
    """Sound until `until_mono_s` (CLOCK_MONOTONIC, one clock for the whole machine) because of `reason`."""

    until_mono_s: float
    reason: str


def ask(run_dir: Path, lease: SirenLease) -> None:
    """Replace the lease; a reader sees the old one or the new one. Not synced: true for this boot only."""
    run_dir.mkdir(parents=True, exist_ok=True)
    part = run_dir / f".{FILE}.part"
    part.write_bytes(msgspec.json.encode(lease))
    part.replace(run_dir / FILE)


def asked(run_dir: Path) -> SirenLease | None:
    """The lease as it stands; None without one."""
    try:
        return msgspec.json.decode((run_dir / FILE).read_bytes(), type=SirenLease)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
