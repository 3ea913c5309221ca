"""Waiting for something real to happen, with a limit and without long sleeps."""

import contextlib
import itertools
import os
import socket
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Below what Linux gives to outgoing connections (net.ipv4.ip_local_port_range begins at 32768): one of those
# could take the port before the program under test does. Processes of one run begin far from each other.
_PORTS = range(10_000, 32_000)
_turn = itertools.count(os.getpid() * 7919)


def until(what: Callable[[], T], limit_s: float = 30, *, because: str = "") -> T:
    """Return the first true answer of `what`; fail after `limit_s`."""
    deadline = time.monotonic() + limit_s
    while True:
        if answer := what():
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen in {limit_s} s: {because or what}")
        time.sleep(0.02)


def free_port() -> int:
    """A TCP port of loopback that nobody uses now; not given again in this process for thousands of calls."""
    while True:
        port = _PORTS[next(_turn) % len(_PORTS)]
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
