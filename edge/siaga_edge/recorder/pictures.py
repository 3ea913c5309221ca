"""A segment's pictures one by one, each with the wall time it was taken at as far as the node can say.

A fragment's arrival jitters with the network; the camera's own media time does not. So arrival only anchors
media time: within a stretch the earliest arrival counts (the least delayed), and a new stretch begins where
the two stray from each other, as after a jump of the camera's RTP clock.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from siaga_edge.recorder.dating import Dated
from siaga_edge.recorder.fragments import BadStream, Fragment, Init, Parser, Sample

# Media time and arrival further apart than this are of different stretches: a second for the longest
# fragment and one for the network.
STRAYED_MOST_NS = 2_000_000_000
# No picture stands longer: a recorder gives a silent stream up after 12 s. What claims to is a jump of the
# camera's RTP clock.
STANDS_MOST_S = 12
_READ_BYTES = 1 << 20

Wall = Callable[[int, int], Dated]


@dataclass(frozen=True, slots=True)
class Piece:
    """A fragment without its octets: when its end arrived, and where its pictures lie in the file."""

    init: Init
    boot_seq: int
    arrived_boot_ns: int
    samples: tuple[Sample, ...]
    at: int

    @property
    def lasts_ns(self) -> int:
        """By the camera's clock."""
        return sum(sample.duration for sample in self.samples) * 1_000_000_000 // self.init.timescale


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: when it was, how far that can be wrong, what it is, and where its octets lie."""

    wall_ns: int
    error_ms: int | None
    init: Init
    sample: Sample
    path: Path
    at: int
    stretch: int = 0


def begins(pieces: Iterable[Piece]) -> Iterator[tuple[int, int]]:
    """(stretch, boot time in ns) of the beginning of each piece of one segment. Pure."""
    for number, stretch in enumerate(_stretches(list(pieces))):
        elapsed, ends = 0, []
        for piece in stretch:
            elapsed += piece.lasts_ns
            ends.append(elapsed)
        anchor_ns = min(piece.arrived_boot_ns - end for piece, end in zip(stretch, ends, strict=True))
        for piece, end in zip(stretch, ends, strict=True):
            yield number, anchor_ns + end - piece.lasts_ns


def _stretches(pieces: list[Piece]) -> Iterator[list[Piece]]:
    stretch: list[Piece] = []
    elapsed = least = 0
    for piece in pieces:
        offset = piece.arrived_boot_ns - elapsed - piece.lasts_ns
        if stretch and (abs(offset - least) > STRAYED_MOST_NS or piece.boot_seq != stretch[0].boot_seq):
            yield stretch
            stretch, elapsed = [], 0
            offset = piece.arrived_boot_ns - piece.lasts_ns
        least = min(least, offset) if stretch else offset
        stretch.append(piece)
        elapsed += piece.lasts_ns
    if stretch:
        yield stretch


def believable(samples: tuple[Sample, ...], init: Init) -> tuple[Sample, ...]:
    """Samples without durations that no picture has: such a one lasts as long as the one before it. Pure."""
    most = STANDS_MOST_S * init.timescale
    if all(sample.duration <= most for sample in samples):
        return samples
    usual = next((sample.duration for sample in samples if sample.duration <= most), init.timescale // 25)
    made = []
    for sample in samples:
        usual = sample.duration if sample.duration <= most else usual
        made.append(replace(sample, duration=usual))
    return tuple(made)


def read(path: Path) -> list[Piece]:
    """A segment's whole fragments; what is torn at the end is left out, a file that has gone has none."""
    parser, pieces = Parser(), []
    try:
        with path.open("rb") as file:
            while octets := file.read(_READ_BYTES):
                for made in parser.feed(octets):
                    if isinstance(made, Fragment) and parser.init is not None and made.mark is not None:
                        at = parser.consumed - len(made.octets) + made.payload_at
                        mark = made.mark
                        samples = believable(made.samples, parser.init)
                        pieces.append(Piece(parser.init, mark.boot_seq, mark.boot_ns, samples, at))
    except (BadStream, FileNotFoundError):
        pass
    return pieces


def of_segment(path: Path, wall: Wall) -> Iterator[Picture]:
    """Its pictures in decoding order, dated."""
    pieces = read(path)
    for piece, (stretch, begin_ns) in zip(pieces, begins(pieces), strict=True):
        elapsed, at = 0, piece.at
        for sample in piece.samples:
            dated = wall(piece.boot_seq, begin_ns + elapsed * 1_000_000_000 // piece.init.timescale)
            yield Picture(dated.wall_ns, dated.error_ms, piece.init, sample, path, at, stretch)
            elapsed += sample.duration
            at += sample.size
