"""Asking siaga-health for the siren: a lease in the run directory, which ends by itself with its owner."""

import contextlib
from pathlib import Path

import msgspec
from msgspec import Struct

# Renewed every few seconds while the cause lasts: a service that has died does not leave a siren behind.
LEASE_S = 15.0


class SirenLease(Struct, frozen=True, kw_only=True):
    """Sound until `until_mono_s` (CLOCK_MONOTONIC, one clock for the whole machine) because of `reason`."""

    until_mono_s: float
    reason: str


def ask(run_dir: Path, owner: str, lease: SirenLease) -> None:
    """Replace the lease of `owner`, a service; readers see the old one or the new one. Not synced."""
    run_dir.mkdir(parents=True, exist_ok=True)
    part = run_dir / f".siren-{owner}.part"
    part.write_bytes(msgspec.json.encode(lease))
    part.replace(run_dir / f"siren-{owner}.json")


def asked(run_dir: Path) -> SirenLease | None:
    """The lease that lasts longest; None without one."""
    leases: list[SirenLease] = []
    for path in run_dir.glob("siren-*.json"):
        with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
            leases.append(msgspec.json.decode(path.read_bytes(), type=SirenLease))
    return max(leases, key=lambda lease: lease.until_mono_s, default=None)
