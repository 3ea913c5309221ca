"""Making and picking boxes of a movie (ISO/IEC 14496-12). Pure."""

import itertools
import struct
from collections.abc import Sequence

from siaga_edge.recorder.fragments import boxes


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box (§4.2)."""
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """A box with version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def child(octets: bytes, at: int, end: int, kind: bytes) -> bytes:
    """The first box of a kind between two places, whole."""
    return next(octets[begin - 8 : stop] for found, begin, stop in boxes(octets, at, end) if found == kind)


def has(octets: bytes, at: int, end: int, kind: bytes) -> bool:
    """Whether there is one."""
    return any(found == kind for found, _, _ in boxes(octets, at, end))


def runs_of(values: Sequence[int]) -> list[tuple[int, int]]:
    """(how often, value) of values that are the same one after the other."""
    return [(len(list(same)), value) for value, same in itertools.groupby(values)]


def with_duration(tkhd: bytes, duration: int) -> bytes:
    """The track header with the clip's duration, in the movie's scale."""
    if tkhd[8] == 1:
        return tkhd[:36] + struct.pack(">Q", duration) + tkhd[44:]
    return tkhd[:28] + struct.pack(">I", min(duration, 0xFFFFFFFF)) + tkhd[32:]
