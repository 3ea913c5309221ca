"""Speaking to systemd (sd_notify(3)): ready, watchdog, status. A no-op elsewhere."""

import os
import socket


def notify(state: str) -> bool:
    """Send `state` (`READY=1`, `WATCHDOG=1`, `STATUS=...`); whether somebody listened."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.sendto(state.encode(), address)
        except OSError:
            return False
    return True


def watchdog_interval_s() -> float | None:
    """Return how often systemd wants a sign of life at the latest, None if it does not watch."""
    microseconds = os.environ.get("WATCHDOG_USEC")
    pid = os.environ.get("WATCHDOG_PID")
    if not microseconds or (pid and int(pid) != os.getpid()):
        return None
    return int(microseconds) / 1_000_000
