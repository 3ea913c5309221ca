"""Waking a service: an empty datagram on its own socket; the message itself is in the inbox."""

import contextlib
import select
import socket
from pathlib import Path


class WakeSocket:
    """A service's end; `wait` returns early when somebody called."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self._socket = socket.socket(
            socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        )
        self._socket.bind(str(path))

    def fileno(self) -> int:
        """For select."""
        return self._socket.fileno()

    def wait(self, seconds: float) -> bool:
        """Sleep at most `seconds`; True if somebody called. All waiting calls count as one."""
        ready, _, _ = select.select([self._socket], [], [], max(0.0, seconds))
        if not ready:
            return False
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(16)
        return True

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()


def wake(path: Path) -> bool:
    """Call the service behind `path`; False if nobody listens (it will look by itself when it starts)."""
    with socket.socket(
        socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    ) as caller:
        try:
            caller.sendto(b"!", str(path))
        except OSError:
            return False
    return True
