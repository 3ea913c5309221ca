"""H.264 from a file to RTP payloads: NAL units, access units, fragmentation."""

from collections.abc import Iterator, Sequence

from siaga_edge.simulate.camera.coded import MOST_PAYLOAD_BYTES, Picture, Stream, nal_units

SPS, PPS, IDR, SEI, DELIMITER = 7, 8, 5, 6, 9  # nal_unit_type, ITU-T H.264 table 7-1


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
    return Stream("h264", (sets[SPS], sets[PPS]), pictures)


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
