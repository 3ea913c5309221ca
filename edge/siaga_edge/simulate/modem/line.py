"""What a serial line does to the bytes that a modem says: pauses, losses, noise."""

import random
from collections import deque
from dataclasses import dataclass, field

from siaga_edge.simulate.modem.faults import Faults, LineName

SLOW_BYTES_PER_S = 960  # 9600 baud, eight bits and start and stop
LOSSY_ONE_IN = 400
NOISY_ONE_IN = 8


@dataclass(slots=True)
class Line:
    """The modem's way to the node. Everything comes out in the order it went in."""

    kind: LineName
    rng: random.Random
    faults: Faults
    _pieces: deque[tuple[float, bytes]] = field(default_factory=deque)
    _busy_until: float = 0.0

    def put(self, octets: bytes, now_mono_s: float) -> None:
        """Say `octets`, not before what was said earlier has gone."""
        at = max(now_mono_s, self._busy_until)
        if self.kind == "garbage" and self.rng.random() < 1 / NOISY_ONE_IN:
            octets = self._noise() + octets
        if self.faults.garbage and self.rng.random() < self.faults.garbage:
            octets = self._noise() + octets
        if self.kind == "lossy":
            octets = bytes(octet for octet in octets if self.rng.randrange(LOSSY_ONE_IN))
        for pause_s, piece in self._cut(octets):
            at += pause_s
            self._pieces.append((at, piece))
        self._busy_until = at

    def take(self, now_mono_s: float) -> bytes:
        """What has arrived at the other end: one piece at a time on a line that breaks things up."""
        if not self._pieces or self._pieces[0][0] > now_mono_s:
            return b""
        taken = self._pieces.popleft()[1]
        while self.kind != "one-byte" and self._pieces and self._pieces[0][0] <= now_mono_s:
            taken += self._pieces.popleft()[1]
        return taken

    def due_mono_s(self) -> float | None:
        """When `take` has something."""
        return self._pieces[0][0] if self._pieces else None

    def clear(self) -> None:
        """Forget what is under way; the plug was pulled."""
        self._pieces.clear()
        self._busy_until = 0.0

    def _cut(self, octets: bytes) -> list[tuple[float, bytes]]:
        if self.kind == "slow":
            pieces = [octets[place : place + 16] for place in range(0, len(octets), 16)]
            return [(len(piece) / SLOW_BYTES_PER_S, piece) for piece in pieces]
        if self.kind == "one-byte":
            return [(0.0002, octets[place : place + 1]) for place in range(len(octets))]
        if self.faults.split_ms and len(octets) > 1:
            cut = self.rng.randrange(1, len(octets))
            return [(0.0, octets[:cut]), (self.faults.split_ms / 1000, octets[cut:])]
        return [(0.0, octets)]

    def _noise(self) -> bytes:
        """A burst such as a badly earthed lead or a booting modem gives; never a whole line of text."""
        return bytes(
            self.rng.choice((0x00, 0x80, 0xC3, 0xE0, 0xFE, 0xFF)) for _ in range(self.rng.randint(1, 4))
        )
