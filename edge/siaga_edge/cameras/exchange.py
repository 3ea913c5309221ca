"""One HTTP exchange with a device that is not trusted: a deadline for all of it, a cap, no redirects.

The timeout of common clients counts per read, so a device that drips a byte every half second holds them for
ever. Here every read gets only what is left of the whole.
"""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from siaga_core.errors import SiagaError, Transient

CONNECT_S = 3.0
MOST_ANSWER_BYTES = 2 * 1024 * 1024


class ExchangeFailed(SiagaError, Transient):
    """The device did not answer as it should; `is_timeout` says whether it was too slow."""

    def __init__(self, message: str, *, is_timeout: bool = False) -> None:
        super().__init__(message)
        self.is_timeout = is_timeout


@dataclass(frozen=True, slots=True)
class Reply:
    """Status and whole body."""

    status: int
    content: bytes


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    limit_s: float,
    most_bytes: int = MOST_ANSWER_BYTES,
) -> Reply:
    """Post once; returns or raises ExchangeFailed within `limit_s`, the look-up of a host name excepted."""
    deadline_mono_s = time.monotonic() + limit_s
    parts = urlsplit(url)
    host, where = parts.hostname or "", f"{parts.hostname}:{parts.port or parts.scheme}"
    connection: http.client.HTTPConnection | None = None
    try:
        connection = http.client.HTTPConnection(host, parts.port or (443 if parts.scheme == "https" else 80))
        connection.sock = _Deadlined(
            _connect(parts.scheme, connection, min(CONNECT_S, limit_s)), deadline_mono_s
        )
        connection.request("POST", parts.path or "/", body, {**headers, "Connection": "close"})
        response = connection.getresponse()
        content = response.read(most_bytes + 1)
    except TimeoutError as error:
        raise ExchangeFailed(f"{where} did not answer in {limit_s:g} s", is_timeout=True) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ExchangeFailed(f"{where} cannot be asked: {error or type(error).__name__}") from error
    finally:
        if connection is not None:
            connection.close()
    if len(content) > most_bytes:
        raise ExchangeFailed(f"{where} answers with more than {most_bytes} bytes")
    if 300 <= response.status < 400:
        raise ExchangeFailed(f"{where} wants to send us elsewhere; redirects are not followed")
    return Reply(response.status, content)


def _connect(scheme: str, connection: http.client.HTTPConnection, limit_s: float) -> socket.socket:
    if scheme not in ("http", "https"):
        raise ValueError(f"{scheme!r} is neither http nor https")
    plain = socket.create_connection((connection.host, connection.port), limit_s)
    if scheme == "http":
        return plain
    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=connection.host)
    except BaseException:
        plain.close()
        raise


class _Deadlined:
    """As much of a socket as http.client uses; every wait is cut to what is left."""

    def __init__(self, inner: socket.socket, deadline_mono_s: float) -> None:
        self._inner, self._deadline_mono_s = inner, deadline_mono_s

    def sendall(self, content: bytes) -> None:
        self._hurry()
        self._inner.sendall(content)

    def makefile(self, *_args: Any, **_kwargs: Any) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._inner, self._hurry))

    def close(self) -> None:
        self._inner.close()

    def _hurry(self) -> None:
        left_s = self._deadline_mono_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._inner.settimeout(left_s)


class _Reader(io.RawIOBase):
    """Reads a socket, asking before each read how much time is left."""

    def __init__(self, inner: socket.socket, hurry: Any) -> None:
        self._inner, self._hurry = inner, hurry

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        self._hurry()
        return self._inner.recv_into(buffer)
