"""H.264 from a file to RTP payloads: NAL units, access units, fragmentation."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SPS, PPS, IDR, SEI, DELIMITER = 7, 8, 5, 6, 9  # nal_unit_type, ITU-T H.264 table 7-1

# An Ethernet frame less IP, TCP, RTP and interleaving headers, with room for a tunnel.
MOST_PAYLOAD_BYTES = 1400


@dataclass(frozen=True, slots=True)
class Picture:
    """One coded picture as RTP payloads; a key picture carries its parameter sets in front."""

    payloads: tuple[bytes, ...]
    is_key: bool


@dataclass(frozen=True, slots=True)
class Stream:
    """A coded stream, ready to be sent again and again."""

    sps: bytes
    pps: bytes
    pictures: tuple[Picture, ...]

    @property
    def profile_level_id(self) -> str:
        """The `profile-level-id` of SDP (RFC 6184 §8.1): three bytes of the SPS in hex."""
        return self.sps[1:4].hex().upper()

    @property
    def parameter_sets(self) -> str:
        """The `sprop-parameter-sets` of SDP (RFC 6184 §8.1)."""
        return ",".join(base64.b64encode(unit).decode() for unit in (self.sps, self.pps))


def nal_units(stream: bytes) -> Iterator[bytes]:
    """Yield the NAL units of an Annex B byte stream, without start codes."""
    start = stream.find(b"\0\0\1")
    while start >= 0:
        following = stream.find(b"\0\0\1", start + 3)
        unit = stream[start + 3 : following if following >= 0 else len(stream)]
        if unit := unit.rstrip(b"\0"):  # trailing_zero_8bits and the long start code's first byte
            yield unit
        start = following


def parse(stream: bytes) -> Stream:
    """Return the pictures of an Annex B stream whose encoder wrote access unit delimiters.

    Raises ValueError when it has no parameter sets or no picture.
    """
    sets: dict[int, bytes] = {}
    groups: list[list[bytes]] = []
    for unit in nal_units(stream):
        kind = unit[0] & 0x1F
        if kind == DELIMITER:
            groups.append([])
        elif kind in (SPS, PPS):
            sets[kind] = unit
        elif kind != SEI and groups:
            groups[-1].append(unit)
    pictures = tuple(_picture(group, sets) for group in groups if group)
    if not pictures or not pictures[0].is_key:
        raise ValueError("the stream has no picture, or does not begin with a key picture")
    return Stream(sets[SPS], sets[PPS], pictures)


def _picture(slices: Sequence[bytes], sets: dict[int, bytes]) -> Picture:
    is_key = slices[0][0] & 0x1F == IDR
    units = [sets[SPS], sets[PPS], *slices] if is_key else list(slices)
    return Picture(tuple(payload for unit in units for payload in payloads(unit)), is_key)


def payloads(unit: bytes, most_bytes: int = MOST_PAYLOAD_BYTES) -> Iterator[bytes]:
    """Yield a NAL unit as RTP payloads: whole if it fits, else as FU-A fragments (RFC 6184 §5.8)."""
    if len(unit) <= most_bytes:
        yield unit
        return
    indicator, kind, body = unit[0] & 0xE0 | 28, unit[0] & 0x1F, unit[1:]
    step = most_bytes - 2
    for begin in range(0, len(body), step):
        first = 0x80 if begin == 0 else 0
        last = 0x40 if begin + step >= len(body) else 0
        yield bytes((indicator, first | last | kind)) + body[begin : begin + step]
