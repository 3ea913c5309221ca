"""RTP packets and RTCP sender reports of one track (RFC 3550)."""

import struct
import zlib
from dataclasses import dataclass

NTP_EPOCH_S = 2_208_988_800  # 1900 to 1970, RFC 3550 §4


@dataclass
class Source:
    """One synchronisation source: counts what it sends."""

    name: str
    track: int
    rate_hz: int
    payload_type: int
    jumped: int = 0  # ticks that its clock has leapt since the start
    sequence: int = 0
    packets: int = 0
    octets: int = 0

    @property
    def ssrc(self) -> int:
        """A number of its own, from its name."""
        return hash_32(self.name if not self.track else f"{self.name}/{self.track}")

    def timestamp(self, ticks: int) -> int:
        """RTP time after `ticks` of the clock; it begins anywhere (RFC 3550 §5.1)."""
        return (ticks + self.ssrc + self.jumped) & 0xFFFFFFFF

    def packet(self, payload: bytes, ticks: int, *, marker: bool) -> bytes:
        """The next packet."""
        kind = self.payload_type | (0x80 if marker else 0)
        header = struct.pack(">BBHII", 0x80, kind, self.sequence & 0xFFFF, self.timestamp(ticks), self.ssrc)
        self.sequence += 1
        self.packets += 1
        self.octets += len(payload)
        return header + payload

    def report(self, wall_ns: int, ticks: int) -> bytes:
        """SR (RFC 3550 §6.4.1) with an SDES CNAME, as a compound packet must have."""
        seconds, nanoseconds = divmod(wall_ns, 1_000_000_000)
        report = struct.pack(
            ">BBHIIIIII",
            *(0x80, 200, 6, self.ssrc),
            *((seconds + NTP_EPOCH_S) & 0xFFFFFFFF, (nanoseconds << 32) // 1_000_000_000),
            *(self.timestamp(ticks), self.packets & 0xFFFFFFFF, self.octets & 0xFFFFFFFF),
        )
        item = struct.pack(">BB", 1, len(self.name)) + self.name.encode()
        item += b"\0" * (4 - len(item) % 4)
        return report + struct.pack(">BBHI", 0x81, 202, 1 + len(item) // 4, self.ssrc) + item

    def foreign(self, ticks: int) -> bytes:
        """A packet on the same track as if another camera sent it: foreign SSRC, its own numbers and time.

        Reolink cameras send such, also before PLAY (scottlamb/moonfire-nvr issue 114).
        """
        stranger = self.ssrc ^ 0x5A5A5A5A
        header = struct.pack(
            *(">BBHII", 0x80, self.payload_type, (self.sequence * 31 + 17_000) & 0xFFFF),
            *((self.timestamp(ticks) ^ 0x40000000), stranger),
        )
        return header + bytes((0x41, 0x9A)) + b"\x55" * 64


def interleaved(channel: int, packet: bytes) -> bytes:
    """Frame a packet for the RTSP connection (RFC 2326 §10.12)."""
    return struct.pack(">BBH", 0x24, channel, len(packet)) + packet


def hash_32(text: str) -> int:
    """A stable 32-bit number of a name."""
    return zlib.crc32(text.encode())
