"""Who is at the other end: puts the client certificate's name and serial into each request's scope."""

import ssl
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from uvicorn.protocols.http.h11_impl import H11Protocol

_KEY = "siaga_peer"


@dataclass(frozen=True, slots=True)
class Peer:
    """A verified client certificate: its CN and its serial number in hexadecimal."""

    name: str
    serial: str


class PeerProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 with one addition: the peer of the connection."""

    def connection_made(self, transport: Any) -> None:
        """Note the certificate that TLS has verified, if the client showed one."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        self.app_state = {**self.app_state, _KEY: _peer(tls)}


def peer_of(request: Request) -> Peer | None:
    """The request's verified peer, None if it showed no certificate."""
    found: Peer | None = request.scope.get("state", {}).get(_KEY)
    return found


def _peer(tls: ssl.SSLObject | None) -> Peer | None:
    certificate: Any = tls.getpeercert() if tls is not None else None
    if not certificate:
        return None
    names = [value for part in certificate["subject"] for key, value in part if key == "commonName"]
    if len(names) != 1:
        return None
    return Peer(names[0], format(int(certificate["serialNumber"], 16), "x"))
