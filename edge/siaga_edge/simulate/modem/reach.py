"""Simulated modems that reach each other: what one sends to another's number arrives there."""

import contextlib
import json
import socket
from pathlib import Path

from siaga_edge.simulate.modem.machine import Sent

# A peer that takes no order within this is away; its text is lost, as in a network without its phone.
PEER_LIMIT_S = 0.5


class Reach:
    """Who is where: control sockets by number. `number` is this modem's own."""

    def __init__(self, number: str = "", peers: dict[str, Path] | None = None) -> None:
        self.number, self.peers = number, peers or {}
        self._carried = 0

    def carry(self, sent: list[Sent], *, expired: bool) -> int:
        """Bring on what was sent since the last call; how many texts arrived. An expired SIM's never do.

        No answer is waited for: the peer may be doing the same.
        """
        fresh, self._carried = sent[self._carried :], len(sent)
        if expired:
            return 0
        return sum(self._bring(one) for one in fresh)

    def _bring(self, one: Sent) -> bool:
        way = self.peers.get(one.submit.to)
        if way is None:
            return False
        return self._order(way, {"do": "sms", "from": self.number, "text": one.submit.text})

    def signal(self, number: str, order: dict[str, object]) -> bool:
        """Have a call's beginning, answer or end arrive at the modem of `number`; False if there is none."""
        way = self.peers.get(number)
        if way is None:
            return False
        if order["do"] == "call":
            order = order | {"from": self.number}
        elif order["do"] == "hangup":
            order = order | {"number": self.number}
        return self._order(way, order)

    @staticmethod
    def _order(way: Path, order: dict[str, object]) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(PEER_LIMIT_S)
            peer.connect(str(way))
            peer.sendall(json.dumps(order).encode() + b"\n")
            return True
        return False
