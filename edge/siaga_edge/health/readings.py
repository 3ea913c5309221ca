"""What the machine says of itself. `root` lets a test show another machine's /proc and /sys."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

_THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"
_WATCHED_TYPES = frozenset({"ext4", "f2fs", "vfat", "xfs", "btrfs"})


def read(disks: Mapping[str, Path], root: Path = Path("/")) -> Iterator[tuple[str, float | None]]:
    """(name, value) of every reading; None for what this machine cannot tell."""
    yield "cpu_percent", float(psutil.cpu_percent(interval=None))
    yield "memory_percent", float(psutil.virtual_memory().percent)
    yield "temperature_c", temperature_c(root)
    for name, path in disks.items():
        yield f"disk_free_percent.{name}", _free_percent(path)
    try:
        yield "read_only_mounts", float(len(read_only_mounts(root)))
    except OSError:
        yield "read_only_mounts", None
    now, since_boot = under_voltage(root)
    yield "under_voltage_now", now
    yield "under_voltage_since_boot", since_boot


def uptime_s(root: Path = Path("/")) -> float:
    """Seconds since boot."""
    return float((root / "proc/uptime").read_text().split()[0])


def temperature_c(root: Path) -> float | None:
    """The hottest thermal zone."""
    found = []
    for zone in (root / "sys/class/thermal").glob("thermal_zone*/temp"):
        try:
            found.append(int(zone.read_text()) / 1000)
        except (OSError, ValueError):
            continue
    return max(found, default=None)


def under_voltage(root: Path) -> tuple[float | None, float | None]:
    """Whether the supply is too weak now, and since boot (bits 0 and 16 of the firmware's get_throttled)."""
    try:
        bits = int((root / _THROTTLED).read_text(), 16)
    except (OSError, ValueError):
        return None, None
    return float(bits & 1), float(bits >> 16 & 1)


def read_only_mounts(root: Path) -> list[str]:
    """Disks mounted read-only: what ext4 does after an error. `ro` alone, not errors=remount-ro."""
    found: list[str] = []
    # A mount point may be named in any bytes; one odd line must not hide the others.
    for line in (root / "proc/mounts").read_text(errors="replace").splitlines():
        fields = line.split()
        if len(fields) < 4:
            continue
        device, place, kind, options, *_ = fields
        if kind in _WATCHED_TYPES and device.startswith("/dev/") and "ro" in options.split(","):
            found.append(place)
    return found


def _free_percent(path: Path) -> float | None:
    try:
        return 100.0 - float(psutil.disk_usage(str(path)).percent)
    except OSError:
        return None
