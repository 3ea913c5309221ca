"""Waiting for something real to happen, with a limit and without long sleeps."""

import socket
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(what: Callable[[], T], limit_s: float = 10, *, because: str = "") -> T:
    """Return the first true answer of `what`; fail after `limit_s`."""
    deadline = time.monotonic() + limit_s
    while True:
        if answer := what():
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen in {limit_s} s: {because or what}")
        time.sleep(0.02)


def free_port() -> int:
    """A TCP port nobody uses on loopback right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
