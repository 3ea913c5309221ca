"""Fragmented MP4 made of coded pictures and sound (ISO/IEC 14496-12, -14, -15; QuickTime for G.711). Pure."""

import struct
from collections.abc import Sequence

from siaga_edge.recorder import parameters
from siaga_edge.recorder.boxes import box, full
from siaga_edge.recorder.client.audio import Heard
from siaga_edge.recorder.client.description import Announced
from siaga_edge.recorder.client.units import Picture
from siaga_edge.recorder.fragments import BadStream, Fragment, Init, Parser, Sample

VIDEO_TRACK, SOUND_TRACK = 1, 2
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_KEY, _OTHER = 0x02000000, 0x01010000  # sample_depends_on, sample_is_non_sync_sample (§8.8.3.1)
_G711 = {"pcma": b"alaw", "pcmu": b"ulaw"}


def header(video: Announced, sets: parameters.Sets, sound: Announced | None) -> Init:
    """ftyp and moov. Raises BadStream when the parameter sets cannot be read."""
    is_quicktime = sound is not None and sound.coding in _G711
    brand = b"qt  " if is_quicktime else b"isom"
    brands = brand if is_quicktime else b"isomiso5iso6mp41"
    width, height = parameters.picture_size(sets)
    traks = [
        _trak(VIDEO_TRACK, video.rate_hz, (width, height), _visual(sets, width, height), mov=is_quicktime)
    ]
    trexes = [_trex(VIDEO_TRACK)]
    if sound is not None:
        traks.append(_trak(SOUND_TRACK, sound.rate_hz, None, _audible(sound), mov=is_quicktime))
        trexes.append(_trex(SOUND_TRACK))
    times = struct.pack(">IIIIIH", 0, 0, 1000, 0, 0x10000, 0x100)
    mvhd = full(b"mvhd", 0, 0, times, bytes(10), _MATRIX, bytes(24), struct.pack(">I", len(traks) + 1))
    moov = box(b"moov", mvhd, *traks, box(b"mvex", *trexes))
    octets = box(b"ftyp", brand, struct.pack(">I", 0x200), brands) + moov
    made = next(iter(Parser().feed(octets)))
    assert isinstance(made, Init)
    return made


def fragment(
    number: int, begin: int, pictures: Sequence[tuple[Picture, int]], sound_begin: int, sound: Sequence[Heard]
) -> Fragment:
    """moof and mdat of pictures with their durations, and of sound; the begins are decoding times."""
    sizes = [len(picture.octets) for picture, _ in pictures]
    columns = [
        word
        for (picture, lasts), size in zip(pictures, sizes, strict=True)
        for word in (lasts, size, _KEY if picture.is_key else _OTHER)
    ]
    heard = [word for one in sound for word in (one.lasts, len(one.octets))]
    size = _moof_bytes(len(pictures), len(sound)) + 8
    parts = [_traf(VIDEO_TRACK, begin, 0x701, len(pictures), size, columns)]
    if sound:
        parts.append(_traf(SOUND_TRACK, sound_begin, 0x301, len(sound), size + sum(sizes), heard))
    moof = box(b"moof", full(b"mfhd", 0, 0, struct.pack(">I", number & 0xFFFFFFFF)), *parts)
    total = sum(sizes) + sum(len(one.octets) for one in sound)
    if total > 2**31:
        raise BadStream("a fragment of more than 2 GiB")
    mdat = struct.pack(">I4s", 8 + total, b"mdat")
    octets = b"".join(
        [moof, mdat, *(picture.octets for picture, _ in pictures), *(one.octets for one in sound)]
    )
    samples = tuple(
        Sample(size, lasts, picture.is_key, 0) for (picture, lasts), size in zip(pictures, sizes, strict=True)
    )
    return Fragment(octets, samples, size_of_head(moof))


def size_of_head(moof: bytes) -> int:
    """Where the pictures begin: behind moof and the head of mdat."""
    return len(moof) + 8


def _moof_bytes(pictures: int, sounds: int) -> int:
    traf = 8 + 20 + 20 + 20  # its own head, tfhd, tfdt, trun
    return 8 + 16 + traf + 12 * pictures + (traf + 8 * sounds if sounds else 0)


def _traf(track: int, begin: int, flags: int, count: int, data_at: int, columns: Sequence[int]) -> bytes:
    tfhd = full(b"tfhd", 0, 0x20020, struct.pack(">II", track, _KEY))
    tfdt = full(b"tfdt", 1, 0, struct.pack(">Q", begin))
    trun = full(b"trun", 0, flags, struct.pack(f">Ii{len(columns)}I", count, data_at, *columns))
    return box(b"traf", tfhd, tfdt, trun)


def _trex(track: int) -> bytes:
    return full(b"trex", 0, 0, struct.pack(">5I", track, 1, 0, 0, 0))


def _trak(number: int, scale: int, size: tuple[int, int] | None, entry: bytes, *, mov: bool) -> bytes:
    width, height = size or (0, 0)
    kind, name = (b"vide", b"VideoHandler") if size else (b"soun", b"SoundHandler")
    volume = 0 if size else 0x100
    head = struct.pack(">IIIII8sHHHH", 0, 0, number, 0, 0, bytes(8), 0, 0 if size else 1, volume, 0)
    tkhd = full(b"tkhd", 0, 3, head, _MATRIX, struct.pack(">II", width << 16, height << 16))
    mdhd = full(b"mdhd", 0, 0, struct.pack(">IIIIHH", 0, 0, scale, 0, 0x55C4, 0))
    said = bytes((len(name),)) + name if mov else name + b"\0"
    hdlr = full(b"hdlr", 0, 0, b"mhlr" if mov else bytes(4), kind, bytes(12), said)
    media = full(b"vmhd", 0, 1, bytes(8)) if size else full(b"smhd", 0, 0, bytes(4))
    dinf = box(b"dinf", full(b"dref", 0, 0, struct.pack(">I", 1), full(b"url ", 0, 1)))
    stbl = box(
        b"stbl",
        full(b"stsd", 0, 0, struct.pack(">I", 1), entry),
        full(b"stts", 0, 0, bytes(4)),
        full(b"stsc", 0, 0, bytes(4)),
        full(b"stsz", 0, 0, bytes(8)),
        full(b"stco", 0, 0, bytes(4)),
    )
    return box(b"trak", tkhd, box(b"mdia", mdhd, hdlr, box(b"minf", media, dinf, stbl)))


def _visual(sets: parameters.Sets, width: int, height: int) -> bytes:
    head = struct.pack(">6xH16xHHIIIH32xHh", 1, width, height, 0x480000, 0x480000, 0, 1, 0x18, -1)
    kind, inside = (b"hvc1", b"hvcC") if sets.hevc else (b"avc1", b"avcC")
    return box(kind, head, box(inside, parameters.configuration(sets)))


def _audible(sound: Announced) -> bytes:
    head = struct.pack(">6xHHHIHHHHI", 1, 0, 0, 0, sound.channels, 16, 0, 0, sound.rate_hz << 16 & 0xFFFFFFFF)
    if sound.coding in _G711:
        # UseChannelBitmap: left and right, or the centre (Core Audio Format specification).
        heard = struct.pack(">III", 0x10000, 4 if sound.channels == 1 else 3, 0)
        return box(_G711[sound.coding], head, full(b"chan", 0, 0, heard))
    return box(b"mp4a", head, full(b"esds", 0, 0, _es_descriptor(sound.config)))


def _es_descriptor(config: bytes) -> bytes:
    """ISO/IEC 14496-1 §7.2.6: object type 0x40 is AAC, stream type 5 sound."""
    special = b"\x05" + bytes((len(config),)) + config
    decoder = bytes((0x40, 0x15, 0, 0, 0)) + struct.pack(">II", 0, 0) + special
    inside = struct.pack(">HB", SOUND_TRACK, 0) + b"\x04" + bytes((len(decoder),)) + decoder + b"\x06\x01\x02"
    return b"\x03" + bytes((len(inside),)) + inside
