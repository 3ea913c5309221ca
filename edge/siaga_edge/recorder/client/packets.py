"""RTP of one source, its sequence and time made long, and its RTCP (RFC 3550). Pure."""

import struct
from dataclasses import dataclass, field

_HEAD = struct.Struct(">BBHII")
_NTP_EPOCH_S = 2_208_988_800
# So many packets in a row of another source, and none of our own: the stream has a new source.
STRANGERS_MOST = 64

# So many late packets in a row, each next to the one before: the camera counts anew.
ANEW_ROW = 4

# marker, time in units of the clock since some moment, payload, whether packets are missing before it
Taken = tuple[bool, int, memoryview, bool]


@dataclass(slots=True)
class Receiver:
    """Follows one source. What is not of it is counted and passed over."""

    payload_type: int
    ssrc: int | None = None  # None: the first that comes
    lost: int = 0  # packets missing
    strangers: int = 0  # packets of another source or kind, or broken
    late: int = 0  # packets that came again, or after those that follow them
    received: int = 0
    _next: int = -1
    _odd: int = -1
    _odd_row: int = 0
    _stamp: int = 0
    _time: int = 0
    _row: int = 0  # strangers since the last of our own
    _cycles: int = 0
    _reported: tuple[int, int] = (0, 0)
    _report: "SenderReport | None" = field(default=None)

    @property
    def is_replaced(self) -> bool:
        """Whether another source sends instead of this one."""
        return self._row >= STRANGERS_MOST

    def take(self, packet: memoryview) -> Taken | None:
        """A packet of the source, in order; None for one to be passed over."""
        size = len(packet)
        if size < 12:
            self._strange()
            return None
        first, second, sequence, stamp, ssrc = _HEAD.unpack_from(packet)
        if first >> 6 != 2 or second & 0x7F != self.payload_type:
            self._strange()
            return None
        if ssrc != self.ssrc:
            if self.ssrc is not None:
                self._strange()
                return None
            self.ssrc = ssrc
        begin, end = 12, size
        if first != 0x80:
            begin, end = _payload(packet, first)
            if begin > end:
                self._strange()
                return None
        self._row = 0
        missing = False
        if sequence != self._next:
            order = self._order(sequence)
            if order is None:
                return None
            missing = order
            self._odd = -1
        self._next = sequence + 1 & 0xFFFF
        if not self._next:
            self._cycles += 1
        self.received += 1
        if stamp != self._stamp:
            leap = stamp - self._stamp & 0xFFFFFFFF
            self._time += leap - (leap >> 31 << 32)
            self._stamp = stamp
        return second > 0x7F, self._time, packet[begin:end], missing

    def _strange(self) -> None:
        self.strangers += 1
        self._row += 1

    def _order(self, sequence: int) -> bool | None:
        """Whether packets are missing before this one; None: it comes late or again.

        Several in a row that do not fit mean that the camera counts anew (as appendix A.1 has it).
        """
        if self._next < 0:
            return False
        ahead = sequence - self._next & 0xFFFF
        if ahead < 0x8000:
            self.lost += ahead
            if self._next + ahead > 0xFFFF:
                self._cycles += 1
            return True
        self._odd_row = self._odd_row + 1 if sequence == self._odd else 1
        self._odd = sequence + 1 & 0xFFFF
        if self._odd_row >= ANEW_ROW:
            return True
        self.late += 1
        return None

    def heard(self, packet: memoryview, now_mono_s: float) -> "SenderReport | None":
        """The source's own report in a packet of RTCP, if there is one."""
        report = sender_report(packet, now_mono_s)
        if report is not None and report.ssrc == self.ssrc:
            self._report = report
            return report
        return None

    def report(self, own_ssrc: int, now_mono_s: float) -> bytes:
        """RR with SDES CNAME (§6.4.2, §6.5). Jitter is said as 0: over TCP arrival is not the network's."""
        expected = self.received + self.lost
        before, lost_before = self._reported
        newly, newly_lost = expected - before, self.lost - lost_before
        share = min(255, newly_lost * 256 // newly) if newly > 0 else 0
        self._reported = expected, self.lost
        last = delay = 0
        if self._report is not None:
            last = self._report.ntp >> 16 & 0xFFFFFFFF
            delay = int((now_mono_s - self._report.arrived_mono_s) * 65536) & 0xFFFFFFFF
        highest = ((self._cycles << 16) + ((self._next - 1) & 0xFFFF)) & 0xFFFFFFFF
        counted = share << 24 | min(self.lost, 0x7FFFFF)
        made = struct.pack(
            ">BBHIIIIIII", 0x81, 201, 7, own_ssrc, self.ssrc or 0, counted, highest, 0, last, delay
        )
        return made + struct.pack(">BBHI", 0x81, 202, 3, own_ssrc) + b"\1\5siaga\0"


@dataclass(frozen=True, slots=True)
class SenderReport:
    """Which moment of the camera's clock a time of the stream is (§6.4.1)."""

    ssrc: int
    ntp: int  # 64 bits, seconds since 1900 in the upper half
    stamp: int
    arrived_mono_s: float

    @property
    def seconds(self) -> float:
        """The camera's clock, seconds since 1970."""
        return self.ntp / 2**32 - _NTP_EPOCH_S


def sender_report(packet: memoryview, now_mono_s: float) -> SenderReport | None:
    """The first sender report of a compound packet; None if it has none or is broken."""
    at = 0
    while at + 8 <= len(packet):
        first, kind, words = struct.unpack_from(">BBH", packet, at)
        if first >> 6 != 2:
            return None
        if kind == 200 and at + 20 <= len(packet):
            ssrc, ntp, stamp = struct.unpack_from(">IQI", packet, at + 4)
            return SenderReport(ssrc, ntp, stamp, now_mono_s)
        at += 4 + 4 * words
    return None


def _payload(packet: memoryview, first: int) -> tuple[int, int]:
    """Begin and end of the payload behind sources, extension and before padding; begin > end: broken."""
    begin, end = 12 + 4 * (first & 15), len(packet)
    if first & 0x10:
        if begin + 4 > end:
            return 1, 0
        begin += 4 + 4 * (packet[begin + 2] << 8 | packet[begin + 3])
    if first & 0x20 and begin < end:
        padding = packet[end - 1]
        end = end - padding if padding else -1
    return begin, end
