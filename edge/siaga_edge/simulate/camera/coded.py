"""Coded pictures, whatever the codec: NAL units out of a byte stream, ready to be sent again and again."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

Codec = Literal["h264", "h265"]
CODECS: tuple[Codec, ...] = get_args(Codec)

# An Ethernet frame less IP, TCP, RTP and interleaving headers, with room for a tunnel.
MOST_PAYLOAD_BYTES = 1400


@dataclass(frozen=True, slots=True)
class Picture:
    """One coded picture as RTP payloads; a key picture carries its parameter sets in front."""

    payloads: tuple[bytes, ...]
    is_key: bool


@dataclass(frozen=True, slots=True)
class Stream:
    """A coded stream: its parameter sets (H.264: SPS, PPS; H.265: VPS, SPS, PPS) and its pictures."""

    codec: Codec
    sets: tuple[bytes, ...]
    pictures: tuple[Picture, ...]

    @property
    def rtpmap(self) -> str:
        """The encoding name and clock of SDP (RFC 6184 §8.2.1, RFC 7798 §7.2.1)."""
        return "H264/90000" if self.codec == "h264" else "H265/90000"

    @property
    def fmtp(self) -> str:
        """The parameters of SDP (RFC 6184 §8.1, RFC 7798 §7.1)."""
        coded = [base64.b64encode(one).decode() for one in self.sets]
        if self.codec == "h264":
            profile = self.sets[0][1:4].hex().upper()
            return (
                f"packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={coded[0]},{coded[1]}"
            )
        return f"sprop-vps={coded[0]};sprop-sps={coded[1]};sprop-pps={coded[2]}"


def nal_units(stream: bytes) -> Iterator[bytes]:
    """Yield the NAL units of an Annex B byte stream, without start codes."""
    start = stream.find(b"\0\0\1")
    while start >= 0:
        following = stream.find(b"\0\0\1", start + 3)
        unit = stream[start + 3 : following if following >= 0 else len(stream)]
        if unit := unit.rstrip(b"\0"):  # trailing_zero_8bits and the long start code's first byte
            yield unit
        start = following
