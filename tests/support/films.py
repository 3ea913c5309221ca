"""A coded film of 3 s and its RTP packets."""

import functools
import subprocess
from collections.abc import Iterable

from siaga_edge.simulate.camera import h264, h265
from siaga_edge.simulate.camera.coded import Stream
from siaga_edge.simulate.camera.rtp import Source


@functools.cache
def coded(codec: str) -> Stream:
    """3 s of pictures, key pictures each second, large enough for fragments."""
    form, more = ("h264", ["-bf", "0"]) if codec == "h264" else ("hevc", [])
    if codec == "h265":
        more = ["-x265-params", "log-level=none:bframes=0:aud=1:repeat-headers=1"]
    else:
        more += ["-x264-params", "aud=1"]
    library = "libx264" if codec == "h264" else "libx265"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=10", "-t", "3"]
    command += ["-c:v", library, *more, "-g", "10", "-b:v", "900k", "-pix_fmt", "yuv420p", "-f", form, "-"]
    octets = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
    return h264.parse(octets) if codec == "h264" else h265.parse(octets)


def packets(stream: Stream, *, jumped: int = 0, first_sequence: int = 65_500) -> list[list[bytes]]:
    """The RTP packets of each picture."""
    source = Source("cam-a", 0, 90_000, 96, jumped=jumped, sequence=first_sequence)
    return [
        [
            source.packet(payload, number * 9000, marker=at == len(picture.payloads) - 1)
            for at, payload in enumerate(picture.payloads)
        ]
        for number, picture in enumerate(stream.pictures)
    ]


def flat(groups: Iterable[list[bytes]]) -> list[bytes]:
    """One after the other."""
    return [packet for group in groups for packet in group]
