"""Coded sound out of RTP payloads: AAC-hbr (RFC 3640) and G.711 (RFC 3551). Pure."""

from dataclasses import dataclass

from siaga_edge.recorder.client.packets import Taken

AAC_STEP = 1024


@dataclass(frozen=True, slots=True)
class Heard:
    """One coded sample; `time` and `lasts` in units of the clock."""

    time: int
    lasts: int
    octets: bytes


class G711:
    """A packet is a sample: an octet for each moment and channel."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self.broken = 0

    def take(self, taken: Taken) -> list[Heard]:
        """What is in a packet."""
        _, time, payload, _ = taken
        lasts = len(payload) // self._channels
        return [Heard(time, lasts, bytes(payload[: lasts * self._channels]))] if lasts else []


class Aac:
    """Access units behind their headers, one packet with several or several packets with one."""

    def __init__(self) -> None:
        self.broken = 0
        self._parts = bytearray()
        self._wanted = 0
        self._time = 0

    def take(self, taken: Taken) -> list[Heard]:
        """The access units that have become whole; what is broken is counted."""
        _, time, payload, missing = taken
        if len(payload) < 4:
            return self._spoilt()
        bits = payload[0] << 8 | payload[1]
        count, at = bits // 16, 2 + (bits + 7) // 8
        if bits % 16 or not count or at > len(payload):
            return self._spoilt()
        sizes = [(payload[2 + 2 * n] << 8 | payload[3 + 2 * n]) >> 3 for n in range(count)]
        if count == 1 and sizes[0] > len(payload) - at:
            return self._part(time, sizes[0], payload[at:], missing=missing)
        self._wanted = 0
        if at + sum(sizes) > len(payload):
            return self._spoilt()
        made = []
        for number, size in enumerate(sizes):
            made.append(Heard(time + number * AAC_STEP, AAC_STEP, bytes(payload[at : at + size])))
            at += size
        return [one for one in made if one.octets]

    def _part(self, time: int, size: int, part: memoryview, *, missing: bool) -> list[Heard]:
        """A part of a unit that is larger than a packet (RFC 3640 §3.2.3)."""
        if self._wanted != size or self._time != time or missing:
            self._parts, self._wanted, self._time = bytearray(), size, time
        self._parts += part
        if len(self._parts) < size:
            return []
        whole, self._wanted = bytes(self._parts[:size]), 0
        return [Heard(time, AAC_STEP, whole)]

    def _spoilt(self) -> list[Heard]:
        self.broken += 1
        self._wanted = 0
        return []
