"""Parameter sets of H.264 and H.265 as they stand in samples and sample entries (ISO/IEC 14496-15). Pure.

A camera that changes its resolution says so in the stream alone: in new parameter sets before a key picture.
ffmpeg copies them there and leaves the header as it was, so the header is made anew here.
"""

import struct
from dataclasses import dataclass, replace

from siaga_edge.recorder.fragments import BadStream, Fragment, Init, boxes, moov_of

_ENTRIES = (b"avc1", b"avc3", b"hvc1", b"hev1")
# Octets before the first box inside: stsd (§8.5.2), a visual sample entry (§12.1.3).
_SKIPPED = {b"stsd": 8} | dict.fromkeys(_ENTRIES, 78)
_H264_KINDS, _H265_KINDS = (7, 8), (32, 33, 34)  # SPS PPS; VPS SPS PPS
_H264_PICTURES, _H265_PICTURES = range(1, 6), range(32)
# Profiles whose SPS has a chroma format (ITU-T H.264 §7.3.2.1.1).
_HIGH = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)
# Looked at before the first slice of a key picture; more is no picture of a camera.
_UNITS_MOST = 32


@dataclass(frozen=True, slots=True)
class Sets:
    """Parameter sets in the order of their kinds."""

    hevc: bool
    units: tuple[bytes, ...]

    def kind(self, unit: bytes) -> int:
        """The nal_unit_type."""
        return unit[0] >> 1 & 0x3F if self.hevc else unit[0] & 0x1F

    def of_kind(self, kind: int) -> tuple[bytes, ...]:
        """Those of one kind."""
        return tuple(unit for unit in self.units if self.kind(unit) == kind)


def sets_of(init: Init) -> Sets | None:
    """What the header says; None for a codec that is not known here. Raises BadStream."""
    place = _configuration(init)
    if place is None:
        return None
    octets, hevc = place
    try:
        return Sets(hevc, tuple(_hvcc_units(octets) if hevc else _avcc_units(octets)))
    except (struct.error, IndexError) as error:
        raise BadStream(f"the parameter sets are cut short: {error}") from error


def changed(fragment: Fragment, known: Sets) -> Sets | None:
    """The sets in front of the fragment's first key picture, if they are others than `known`."""
    if not fragment.starts_with_key:
        return None
    found = _in_band(fragment.octets, fragment.payload_at, fragment.samples[0].size, known)
    if not found or all(unit in known.units for unit in found):
        return None
    kinds = _H265_KINDS if known.hevc else _H264_KINDS
    fresh = Sets(known.hevc, tuple(found))
    units = tuple(unit for kind in kinds for unit in fresh.of_kind(kind) or known.of_kind(kind))
    return None if units == known.units else Sets(known.hevc, units)


def with_sets(init: Init, sets: Sets) -> Init:
    """The header with other parameter sets and their picture size. Raises BadStream."""
    sps = sets.of_kind(33 if sets.hevc else 7)
    if not sps:
        raise BadStream("new parameter sets without a sequence parameter set")
    try:
        width, height = _size_h265(sps[0]) if sets.hevc else _size_h264(sps[0])
        moov = _rewritten(moov_of(init), sets, width, height)
    except (struct.error, IndexError) as error:
        raise BadStream(f"the new parameter sets are cut short: {error}") from error
    return replace(init, octets=init.octets[: len(init.octets) - len(moov_of(init))] + moov)


def picture_size(sets: Sets) -> tuple[int, int]:
    """Width and height of the pictures. Raises BadStream."""
    sps = sets.of_kind(33 if sets.hevc else 7)
    if not sps or not sets.of_kind(34 if sets.hevc else 8):
        raise BadStream("there are not all parameter sets")
    try:
        return _size_h265(sps[0]) if sets.hevc else _size_h264(sps[0])
    except (struct.error, IndexError) as error:
        raise BadStream(f"the parameter sets are cut short: {error}") from error


def configuration(sets: Sets) -> bytes:
    """The content of avcC or hvcC for a header of our own. Raises BadStream."""
    try:
        return _hvcc(sets, _hvcc_unknown(sets)) if sets.hevc else _avcc(sets)
    except (struct.error, IndexError) as error:
        raise BadStream(f"the parameter sets are cut short: {error}") from error


def _hvcc_unknown(sets: Sets) -> bytes:
    """What an hvcC says of segmentation, parallelism and frame rate: unknown. Lengths are of 4 octets."""
    first = sets.of_kind(33)[0]
    layers, nested = (first[2] >> 1 & 7) + 1, first[2] & 1
    return bytes(13) + b"\xf0\0\xfc" + bytes(3) + bytes((0, 0, layers << 3 | nested << 2 | 3))


def _in_band(octets: bytes, at: int, size: int, known: Sets) -> list[bytes]:
    kinds = _H265_KINDS if known.hevc else _H264_KINDS
    pictures = _H265_PICTURES if known.hevc else _H264_PICTURES
    end, found = at + size, list[bytes]()
    for _ in range(_UNITS_MOST):
        if at + 5 > end:
            break
        length = int.from_bytes(octets[at : at + 4], "big")
        kind = octets[at + 4] >> 1 & 0x3F if known.hevc else octets[at + 4] & 0x1F
        if kind in pictures or not length or at + 4 + length > end:
            break
        if kind in kinds and (unit := octets[at + 4 : at + 4 + length]) not in found:
            found.append(unit)
        at += 4 + length
    return found


def _configuration(init: Init) -> tuple[bytes, bool] | None:
    """The content of avcC or hvcC, and whether it is the latter."""
    level = moov_of(init)[8:]
    for wanted in ((b"trak",), (b"mdia",), (b"minf",), (b"stbl",), (b"stsd",), _ENTRIES, (b"avcC", b"hvcC")):
        kind, level = next(((k, level[a:b]) for k, a, b in boxes(level, 0) if k in wanted), (b"", b""))
        if not kind:
            return None
        level = level[_SKIPPED.get(kind, 0) :]
    return level, kind == b"hvcC"


def _avcc_units(octets: bytes) -> list[bytes]:
    units, at = list[bytes](), 6
    for count in (octets[5] & 0x1F, None):
        if count is None:
            count, at = octets[at], at + 1
        for _ in range(count):
            length = struct.unpack_from(">H", octets, at)[0]
            units.append(octets[at + 2 : at + 2 + length])
            at += 2 + length
    return units


def _hvcc_units(octets: bytes) -> list[bytes]:
    units, at = list[bytes](), 23
    for _ in range(octets[22]):
        kind, count = octets[at] & 0x3F, struct.unpack_from(">H", octets, at + 1)[0]
        at += 3
        for _ in range(count):
            length = struct.unpack_from(">H", octets, at)[0]
            if kind in _H265_KINDS:
                units.append(octets[at + 2 : at + 2 + length])
            at += 2 + length
    return units


def _rewritten(box: bytes, sets: Sets, width: int, height: int) -> bytes:
    """A box and all in it, for the video track, with the new configuration and size."""
    kind, body = box[4:8], box[8:]
    if kind in (b"avcC", b"hvcC"):
        body = _hvcc(sets, body) if kind == b"hvcC" else _avcc(sets)
    elif kind == b"tkhd":
        body = body[:-8] + struct.pack(">II", width << 16, height << 16)
    elif kind in (b"moov", b"mdia", b"minf", b"stbl", b"stsd", *_ENTRIES) or (
        kind == b"trak" and b"vmhd" in body
    ):
        skipped = _SKIPPED.get(kind, 0)
        head = body[:skipped]
        if kind in _ENTRIES:
            head = head[:24] + struct.pack(">HH", width, height) + head[28:]
        inside = (body[a - 8 : b] for _, a, b in boxes(body, skipped))
        body = head + b"".join(_rewritten(one, sets, width, height) for one in inside)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _avcc(sets: Sets) -> bytes:
    """ISO/IEC 14496-15 §5.3.3.1."""
    all_sps, all_pps = sets.of_kind(7), sets.of_kind(8)
    sps = all_sps[0]
    made = bytes((1, *sps[1:4], 0xFF, 0xE0 | len(all_sps)))
    made += b"".join(struct.pack(">H", len(unit)) + unit for unit in all_sps)
    made += bytes((len(all_pps),)) + b"".join(struct.pack(">H", len(unit)) + unit for unit in all_pps)
    if sps[1] in _HIGH[:4]:
        bits = _Bits(sps, 4)
        bits.ue()
        chroma, luma_depth, chroma_depth = bits.ue(), bits.ue(), bits.ue()
        made += bytes((0xFC | chroma, 0xF8 | luma_depth, 0xF8 | chroma_depth, 0))
    return made


def _hvcc(sets: Sets, before: bytes) -> bytes:
    """ISO/IEC 14496-15 §8.3.3.1; what the SPS does not say stays as it was."""
    bits = _Bits(sets.of_kind(33)[0], 2)
    bits.skip(4)
    layers = bits.take(3)
    bits.skip(1)
    general = bytes(bits.take(8) for _ in range(12))
    _skip_sub_layers(bits, layers)
    bits.ue()
    chroma = bits.ue()
    if chroma == 3:
        bits.skip(1)
    bits.ue(), bits.ue()
    if bits.take(1):
        [bits.ue() for _ in range(4)]
    depths = bytes((0xFC | chroma, 0xF8 | bits.ue(), 0xF8 | bits.ue()))
    made = b"\1" + general + before[13:16] + depths + before[19:22] + bytes((len(_H265_KINDS),))
    for kind in _H265_KINDS:
        units = sets.of_kind(kind)
        made += struct.pack(">BH", 0x80 | kind, len(units))
        made += b"".join(struct.pack(">H", len(unit)) + unit for unit in units)
    return made


def _size_h264(sps: bytes) -> tuple[int, int]:
    """Width and height in luma samples after cropping (ITU-T H.264 §7.3.2.1.1)."""
    bits, chroma = _Bits(sps, 4), 1
    bits.ue()
    if sps[1] in _HIGH:
        chroma = bits.ue()
        if chroma == 3:
            bits.skip(1)
        bits.ue(), bits.ue()
        bits.skip(1)
        if bits.take(1):
            for number in range(8 if chroma != 3 else 12):
                if bits.take(1):
                    _skip_scaling_list(bits, 16 if number < 6 else 64)
    bits.ue()
    order = bits.ue()
    if order == 0:
        bits.ue()
    elif order == 1:
        bits.skip(1)
        bits.ue(), bits.ue()
        [bits.ue() for _ in range(min(bits.ue(), 255))]
    bits.ue()
    bits.skip(1)
    width, height = (bits.ue() + 1) * 16, bits.ue() + 1
    by_field = not bits.take(1)
    if by_field:
        bits.skip(1)
    height *= 32 if by_field else 16
    bits.skip(1)
    if bits.take(1):
        left, right, top, bottom = (bits.ue() for _ in range(4))
        across, down = (1 if chroma in (0, 3) else 2), (2 if chroma == 1 else 1) * (2 if by_field else 1)
        width, height = width - across * (left + right), height - down * (top + bottom)
    return width, height


def _size_h265(sps: bytes) -> tuple[int, int]:
    """Width and height in luma samples within the conformance window (ITU-T H.265 §7.3.2.2.1)."""
    bits = _Bits(sps, 2)
    bits.skip(4)
    layers = bits.take(3)
    bits.skip(1 + 96)
    _skip_sub_layers(bits, layers)
    bits.ue()
    chroma = bits.ue()
    if chroma == 3:
        bits.skip(1)
    width, height = bits.ue(), bits.ue()
    if bits.take(1):
        left, right, top, bottom = (bits.ue() for _ in range(4))
        across, down = (2 if chroma in (1, 2) else 1), (2 if chroma == 1 else 1)
        width, height = width - across * (left + right), height - down * (top + bottom)
    return width, height


def _skip_sub_layers(bits: "_Bits", layers: int) -> None:
    """The rest of profile_tier_level (ITU-T H.265 §7.3.3)."""
    present = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    if layers:
        bits.skip(2 * (8 - layers))
    for profile, level in present:
        bits.skip(88 * profile + 8 * level)


def _skip_scaling_list(bits: "_Bits", size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


class _Bits:
    """Reads a NAL unit's payload without its emulation prevention (ITU-T H.264 §7.3.1)."""

    def __init__(self, unit: bytes, skipped_bytes: int) -> None:
        raw = unit.replace(b"\0\0\3", b"\0\0")
        self._value, self._left = int.from_bytes(raw, "big"), len(raw) * 8
        self.skip(skipped_bytes * 8)

    def take(self, count: int) -> int:
        """The next bits as a number. Raises IndexError at the end."""
        if count > self._left:
            raise IndexError("the unit ended")
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)

    def skip(self, count: int) -> None:
        """Pass over bits."""
        self.take(count)

    def ue(self) -> int:
        """An unsigned Exp-Golomb number (§9.1)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)

    def se(self) -> int:
        """A signed one (§9.1.1)."""
        number = self.ue()
        return (number + 1) // 2 if number & 1 else -(number // 2)
