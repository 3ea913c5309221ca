"""What has come of a progressive MP4, as a fragmented one that ends there (ISO/IEC 14496-12 §8.8)."""

import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from siaga_core.errors import SiagaError

# Half an hour at 60 pictures a second has tables of about 1.5 MB.
_MOOV_MOST_BYTES = 16 * 1024**2
_READ_BYTES = 256 * 1024
_NON_SYNC = 0x10000  # sample_is_non_sync_sample (§8.8.3.1)
_CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts")


class NothingYet(SiagaError):
    """Not one picture has come, or this is no film."""


@dataclass(frozen=True, slots=True)
class Film:
    """A head of our own, and the part of the file that follows it."""

    path: Path
    head: bytes
    data_at: int
    data_bytes: int

    @property
    def size_bytes(self) -> int:
        """Of the whole film."""
        return len(self.head) + self.data_bytes

    def octets(self, first: int = 0, after: int | None = None) -> Iterator[bytes]:
        """Those from `first` to before `after`; a file that became whole meanwhile has another name."""
        after = self.size_bytes if after is None else after
        if first < len(self.head):
            yield self.head[first:after]
        at = self.data_at + max(0, first - len(self.head))
        left = after - max(first, len(self.head))
        path = self.path if self.path.exists() else self.path.with_suffix(".mp4")
        with path.open("rb") as file:
            file.seek(at)
            while left > 0 and (piece := file.read(min(left, _READ_BYTES))):
                left -= len(piece)
                yield piece


@dataclass(frozen=True, slots=True)
class _Sample:
    at: int
    size: int
    duration: int
    offset: int
    is_key: bool
    entry: int


def read_partial(path: Path, upto_bytes: int) -> Film:
    """The film of the first `upto_bytes` of a file that is coming. Raises NothingYet."""
    with path.open("rb") as file:
        start = file.read(_MOOV_MOST_BYTES)
        have = min(upto_bytes, path.stat().st_size)
    try:
        places = {kind: (begin, end) for kind, begin, end in _boxes(start, 0, len(start))}
        (_, ftyp_end), (moov_at, moov_end) = places[b"ftyp"], places[b"moov"]
        moov = start[moov_at:moov_end]
        tracks = [moov[begin:end] for kind, begin, end in _boxes(moov, 8, len(moov)) if kind == b"trak"]
        samples = [list(_came(_samples(track), have)) for track in tracks]
    except (KeyError, struct.error, IndexError, StopIteration) as error:
        raise NothingYet("not enough of it has come") from error
    if not samples or not samples[0]:
        raise NothingYet("not one picture has come")
    first = min(one.at for track in samples for one in track)
    last = max(one.at + one.size for track in samples for one in track)
    init = start[:ftyp_end] + _init(moov, len(tracks))
    length = len(_moof(samples, 0))
    moof = _moof(samples, length + 8 - first)
    head = init + moof + struct.pack(">I4s", last - first + 8, b"mdat")
    return Film(path, head, first, last - first)


def _boxes(octets: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(type, begin with its head, end) of boxes that are whole."""
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", octets, at)
        if size < 8 or at + size > end:
            return
        yield kind, at, at + size
        at += size


def _find(octets: bytes, *path: bytes) -> bytes:
    """The first box along `path` in the box `octets`. Raises StopIteration."""
    for name in path:
        octets = next(octets[b:e] for kind, b, e in _boxes(octets, 8, len(octets)) if kind == name)
    return octets


def _samples(track: bytes) -> Iterator[_Sample]:
    """Where each of a track's samples lies and how it is shown."""
    stbl = _find(track, b"mdia", b"minf", b"stbl")
    tables = {kind: stbl[begin + 8 : end] for kind, begin, end in _boxes(stbl, 8, len(stbl))}
    usual, count = struct.unpack_from(">II", tables[b"stsz"], 4)
    sizes = [usual] * count if usual else struct.unpack_from(f">{count}I", tables[b"stsz"], 12)
    durations = _spread(tables[b"stts"], ">II")
    offsets = _spread(tables[b"ctts"], ">Ii") if b"ctts" in tables else itertools.repeat(0)
    keys = None
    if b"stss" in tables:
        keys = set(struct.unpack_from(f">{_count(tables[b'stss'])}I", tables[b"stss"], 8))
    places = _places(tables, sizes)
    rows = zip(places, sizes, durations, offsets, strict=False)
    for number, ((at, entry), size, duration, offset) in enumerate(rows, 1):
        yield _Sample(at, size, duration, offset, keys is None or number in keys, entry)


def _count(table: bytes) -> int:
    return int(struct.unpack_from(">I", table, 4)[0])


def _spread(table: bytes, form: str) -> Iterator[int]:
    for number in range(_count(table)):
        count, value = struct.unpack_from(form, table, 8 + number * 8)
        yield from itertools.repeat(value, count)


def _places(tables: dict[bytes, bytes], sizes: "list[int] | tuple[int, ...]") -> Iterator[tuple[int, int]]:
    """(place in the file, number of the sample entry) of each sample (stsc, stco or co64)."""
    wide = b"co64" in tables
    table = tables[b"co64" if wide else b"stco"]
    chunks = struct.unpack_from(f">{_count(table)}{'Q' if wide else 'I'}", table, 8)
    rows = [struct.unpack_from(">III", tables[b"stsc"], 8 + 12 * n) for n in range(_count(tables[b"stsc"]))]
    number = 0
    for (begin, per_chunk, entry), following in itertools.zip_longest(rows, rows[1:]):
        for chunk in range(begin, following[0] if following else len(chunks) + 1):
            at = chunks[chunk - 1]
            for size in sizes[number : number + per_chunk]:
                yield at, entry
                at += size
            number += per_chunk


def _came(samples: Iterator[_Sample], have: int) -> Iterator[_Sample]:
    return itertools.takewhile(lambda one: one.at + one.size <= have, samples)


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _init(moov: bytes, tracks: int) -> bytes:
    """The same tracks without tables: what they hold follows in fragments."""
    trex = b"".join(
        _box(b"trex", struct.pack(">IIIIII", 0, number + 1, 1, 0, 0, 0)) for number in range(tracks)
    )
    numbers = itertools.count(1)
    return _box(b"moov", _emptied(moov, numbers), _box(b"mvex", trex))


def _emptied(box: bytes, numbers: Iterator[int]) -> bytes:
    """The content of a container with empty sample tables, lengths of zero and tracks numbered anew."""
    made = []
    for kind, begin, end in _boxes(box, 8, len(box)):
        child = box[begin:end]
        if kind in (b"stts", b"stsc", b"co64", b"stco", b"ctts", b"stss"):
            if kind in (b"ctts", b"stss"):
                continue
            child = _box(b"stco" if kind == b"co64" else kind, bytes(8))
        elif kind == b"stsz":
            child = _box(kind, bytes(12))
        elif kind == b"elst":
            child = _until_the_end(child)
        elif kind == b"tkhd":
            at = 28 if child[8] else 20
            child = child[:at] + struct.pack(">II", next(numbers), 0) + child[at + 8 :]
            child = _no_length(child, 36 if child[8] else 28)
        elif kind in (b"mvhd", b"mdhd"):
            child = _no_length(child, 32 if child[8] else 24)
        elif kind in _CONTAINERS:
            child = _box(kind, _emptied(child, numbers))
        made.append(child)
    return b"".join(made)


def _no_length(box: bytes, at: int) -> bytes:
    """A header without a duration: the fragments say it."""
    size = 8 if box[8] else 4
    return box[:at] + bytes(size) + box[at + size :]


def _until_the_end(elst: bytes) -> bytes:
    """An edit list whose last edit goes on as long as there is something (a length of 0, §8.6.6)."""
    wide = elst[8] == 1
    at = len(elst) - (20 if wide else 12)
    return elst[:at] + bytes(8 if wide else 4) + elst[at + (8 if wide else 4) :]


def _moof(tracks: list[list[_Sample]], data_offset: int) -> bytes:
    """One fragment; a sample lies `data_offset` after its place in the file, from the moof's beginning."""
    parts = [_box(b"mfhd", struct.pack(">II", 0, 1))]
    for number, samples in enumerate(tracks, 1):
        elapsed = 0
        for entry, same in itertools.groupby(samples, key=lambda one: one.entry):
            run = list(same)
            tfhd = _box(b"tfhd", struct.pack(">III", 0x20002, number, entry))
            tfdt = _box(b"tfdt", struct.pack(">IQ", 1 << 24, elapsed))
            parts.append(_box(b"traf", tfhd, tfdt, *_truns(run, data_offset)))
            elapsed += sum(one.duration for one in run)
    return _box(b"moof", *parts)


def _truns(samples: list[_Sample], data_offset: int) -> Iterator[bytes]:
    """One run for samples that lie one after the other."""
    at = 0
    while at < len(samples):
        end = at + 1
        while end < len(samples) and samples[end].at == samples[end - 1].at + samples[end - 1].size:
            end += 1
        rows = b"".join(
            struct.pack(">IIIi", one.duration, one.size, 0 if one.is_key else _NON_SYNC, one.offset)
            for one in samples[at:end]
        )
        place = samples[at].at + data_offset
        yield _box(b"trun", struct.pack(">IIi", 1 << 24 | 0xF01, end - at, place), rows)
        at = end
