"""How packets reach one client: interleaved on its RTSP connection, or as datagrams (RFC 2326 §12.39)."""

import asyncio
import contextlib
import random
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from siaga_edge.simulate.camera.feed import Packets
from siaga_edge.simulate.camera.rtp import interleaved

_PORTS = re.compile(r"client_port=(\d+)-(\d+)")


class Way(Protocol):
    """One way for one track."""

    def send(self, packets: Packets, lost_share: float) -> None:
        """Send packets of its track; a way that can lose them does so with this probability."""

    def close(self) -> None:
        """Let go of what it holds."""

    @property
    def answer(self) -> str:
        """Value of the Transport header."""


@dataclass
class Interleaved:
    """On the RTSP connection itself (RFC 2326 §10.12). Nothing is lost."""

    writer: asyncio.StreamWriter
    track: int

    def send(self, packets: Packets, lost_share: float) -> None:  # noqa: ARG002
        """Queue them, in one write."""
        self.writer.write(b"".join(interleaved(channel, packet) for channel, packet in packets))

    def close(self) -> None:
        """The connection is not its own."""

    @property
    def answer(self) -> str:
        """Value of the Transport header."""
        return f"RTP/AVP/TCP;unicast;interleaved={2 * self.track}-{2 * self.track + 1}"


class Datagrams:
    """A pair of UDP ports of its own, RTP even and RTCP odd (RFC 3550 §11)."""

    def __init__(self, track: int, host: str, client_ports: tuple[int, int], seed: int) -> None:
        self._track, self._client = track, (host, client_ports)
        self._random = random.Random(seed)  # noqa: S311 - which packets are lost is no secret
        self._sockets = _pair_of_ports()

    def send(self, packets: Packets, lost_share: float) -> None:
        """Send them but for those that shall be lost. Reports are not lost."""
        host, ports = self._client
        for channel, packet in packets:
            is_report = channel & 1
            if not is_report and lost_share and self._random.random() < lost_share:
                continue
            with contextlib.suppress(OSError):  # nobody listens any more: that is the network's trouble
                self._sockets[is_report].sendto(packet, (host, ports[is_report]))

    def close(self) -> None:
        """Close the ports."""
        for one in self._sockets:
            one.close()

    @property
    def answer(self) -> str:
        """Value of the Transport header."""
        here = "-".join(str(one.getsockname()[1]) for one in self._sockets)
        _, (first, last) = self._client
        return f"RTP/AVP;unicast;client_port={first}-{last};server_port={here}"


def wanted(header: str, track: int, writer: asyncio.StreamWriter, seed: int) -> Way | None:
    """The way that a Transport header asks for; None for one that is not there."""
    for offer in header.split(","):
        if offer.strip().startswith("RTP/AVP/TCP"):
            return Interleaved(writer, track)
        ports = _PORTS.search(offer)
        if ports and "multicast" not in offer:
            host = writer.get_extra_info("peername")[0]
            return Datagrams(track, host, (int(ports[1]), int(ports[2])), seed)
    return None


def deliver(ways: Mapping[int, Way], packets: Packets, lost_share: float) -> None:
    """Send each packet on the way of its track; tracks that were not asked for get nothing."""
    for track, way in ways.items():
        way.send([one for one in packets if one[0] // 2 == track], lost_share)


def _pair_of_ports() -> tuple[socket.socket, socket.socket]:
    """Two neighbouring free ports, the first even."""
    for _ in range(200):
        first = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        first.setblocking(False)
        first.bind(("", 0))
        port = first.getsockname()[1]
        second = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        second.setblocking(False)
        try:
            if port % 2 == 0:
                second.bind(("", port + 1))
                return first, second
        except OSError:
            pass
        first.close()
        second.close()
    raise OSError("no two neighbouring UDP ports are free")
