"""H.265 from a file to RTP payloads: NAL units, access units, fragmentation."""

from collections.abc import Iterator, Sequence

from siaga_edge.simulate.camera.coded import MOST_PAYLOAD_BYTES, Picture, Stream, nal_units

VPS, SPS, PPS, DELIMITER = 32, 33, 34, 35  # nal_unit_type, ITU-T H.265 table 7-1
_IRAP = range(16, 24)  # intra random access pictures, the same table
_SLICES = range(32)
_FU = 49  # RFC 7798 §4.4.3


def kind_of(unit: bytes) -> int:
    """The nal_unit_type (ITU-T H.265 §7.3.1.2)."""
    return unit[0] >> 1 & 0x3F


def parse(stream: bytes) -> Stream:
    """Return the pictures of an Annex B stream whose encoder wrote access unit delimiters.

    Raises ValueError when it has no parameter sets or no picture.
    """
    sets: dict[int, bytes] = {}
    groups: list[list[bytes]] = []
    for unit in nal_units(stream):
        kind = kind_of(unit)
        if kind == DELIMITER:
            groups.append([])
        elif kind in (VPS, SPS, PPS):
            sets[kind] = unit
        elif kind in _SLICES and groups:
            groups[-1].append(unit)
    if len(sets) != 3:
        raise ValueError("the stream lacks parameter sets")
    pictures = tuple(_picture(group, sets) for group in groups if group)
    if not pictures or not pictures[0].is_key:
        raise ValueError("the stream has no picture, or does not begin with a key picture")
    return Stream("h265", (sets[VPS], sets[SPS], sets[PPS]), pictures)


def _picture(slices: Sequence[bytes], sets: dict[int, bytes]) -> Picture:
    is_key = kind_of(slices[0]) in _IRAP
    units = [sets[VPS], sets[SPS], sets[PPS], *slices] if is_key else list(slices)
    return Picture(tuple(payload for unit in units for payload in payloads(unit)), is_key)


def payloads(unit: bytes, most_bytes: int = MOST_PAYLOAD_BYTES) -> Iterator[bytes]:
    """Yield a NAL unit as RTP payloads: whole if it fits, else as fragmentation units (RFC 7798 §4.4.3)."""
    if len(unit) <= most_bytes:
        yield unit
        return
    header = bytes((unit[0] & 0x81 | _FU << 1, unit[1]))
    kind, body, step = kind_of(unit), unit[2:], most_bytes - 3
    for begin in range(0, len(body), step):
        first = 0x80 if begin == 0 else 0
        last = 0x40 if begin + step >= len(body) else 0
        yield header + bytes((first | last | kind,)) + body[begin : begin + step]
