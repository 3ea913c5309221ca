"""A segment's pictures, fragment by fragment, each with the wall time it was taken at as far as can be said.

A fragment's arrival jitters with the network; the camera's own media time does not. So arrival only anchors
media time: within a stretch the earliest arrival counts (the least delayed), and a new stretch begins where
the two stray from each other, as after a jump of the camera's RTP clock.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from siaga_edge.recorder.dating import Dated
from siaga_edge.recorder.fragments import Init
from siaga_edge.recorder.scan import Columns, Heard, scan

# Media time and arrival further apart than this are of different stretches: a second for the longest
# fragment and one for the network.
STRAYED_MOST_NS = 2_000_000_000
# No picture stands longer: a recorder gives a silent stream up after 12 s. What claims to is a jump of the
# camera's RTP clock.
STANDS_MOST_S = 12

Wall = Callable[[int, int], Dated]


@dataclass(frozen=True, slots=True)
class Piece:
    """A fragment without its octets: when its end arrived, and where its pictures lie in the file."""

    init: Init
    boot_seq: int
    arrived_boot_ns: int
    columns: Columns
    at: int
    heard: Heard | None = None

    @property
    def lasts_ns(self) -> int:
        """By the camera's clock."""
        return sum(self.columns.durations) * 1_000_000_000 // self.init.timescale


@dataclass(frozen=True, slots=True)
class Strip:
    """Pictures of one fragment that follow each other, dated.

    `began`, `ended`: when the first was decoded and the last one's time was over. A picture is seen `lead`
    units earlier than its presentation offset says: pictures that are coded out of order wait for each other.
    """

    init: Init
    columns: Columns
    path: Path
    at: int
    stretch: int
    lead: int
    boot_seq: int
    begin_boot_ns: int
    began: Dated
    ended: Dated
    heard: Heard | None = None  # the sound of the whole fragment

    @property
    def in_order(self) -> bool:
        """Whether pictures are seen in the order in which they are coded."""
        offsets = self.columns.offsets
        return offsets.count(self.lead) == len(offsets)

    def seen(self, wall: Wall) -> list[int]:
        """When each picture was taken: wall time in ns."""
        elapsed, moments = 0, []
        for duration, offset in zip(self.columns.durations, self.columns.offsets, strict=True):
            boot_ns = self._boot_ns(elapsed + offset - self.lead)
            moments.append(wall(self.boot_seq, boot_ns).wall_ns)
            elapsed += duration
        return moments

    def part(self, first: int, after: int, wall: Wall) -> "Strip":
        """From one picture to before another."""
        if first == 0 and after >= len(self.columns.sizes):
            return self
        before, columns = self.columns.part(0, first), self.columns.part(first, after)
        begin_ns = self._boot_ns(sum(before.durations))
        end_ns = self._boot_ns(sum(before.durations) + sum(columns.durations))
        return replace(
            self,
            columns=columns,
            at=self.at + sum(before.sizes),
            begin_boot_ns=begin_ns,
            began=wall(self.boot_seq, begin_ns),
            ended=wall(self.boot_seq, end_ns),
        )

    def _boot_ns(self, elapsed: int) -> int:
        return self.begin_boot_ns + elapsed * 1_000_000_000 // self.init.timescale


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


def believable(durations: Sequence[int], timescale: int) -> Sequence[int]:
    """Durations that pictures have; one that none has lasts as long as the picture before it. Pure."""
    most = STANDS_MOST_S * timescale
    if max(durations, default=0) <= most:
        return durations
    usual = next((one for one in durations if one <= most), timescale // 25)
    made = []
    for duration in durations:
        usual = duration if duration <= most else usual
        made.append(usual)
    return made


def _believable(columns: Columns, timescale: int) -> Columns:
    durations = believable(columns.durations, timescale)
    return columns if durations is columns.durations else replace(columns, durations=tuple(durations))


def read(path: Path) -> list[Piece]:
    """A segment's whole fragments; what is torn at the end is left out, a file that has gone has none."""
    return [
        Piece(
            found.init,
            found.mark.boot_seq,
            found.mark.boot_ns,
            _believable(found.columns, found.init.timescale),
            found.at,
            found.heard,
        )
        for found in scan(path)
        if found.mark is not None and found.columns.sizes
    ]


def of_segment(path: Path, wall: Wall) -> Iterator[Strip]:
    """Its fragments in decoding order, dated."""
    pieces = read(path)
    lead = _earliest(pieces[0].columns) if pieces else 0
    before, ended = (-1, -1, -1), Dated(0, None)
    for piece, (stretch, begin_ns) in zip(pieces, begins(pieces), strict=True):
        same = before == (stretch, piece.boot_seq, begin_ns)
        end_ns = begin_ns + piece.lasts_ns
        began = ended if same else wall(piece.boot_seq, begin_ns)
        ended, before = wall(piece.boot_seq, end_ns), (stretch, piece.boot_seq, end_ns)
        columns, at, boot = piece.columns, piece.at, piece.boot_seq
        heard = piece.heard
        yield Strip(piece.init, columns, path, at, stretch, lead, boot, begin_ns, began, ended, heard)


def _earliest(columns: Columns) -> int:
    """When the first picture of a segment is seen, which need not be the one that is coded first."""
    begins = itertools.accumulate(columns.durations, initial=0)
    return min(begin + offset for begin, offset in zip(begins, columns.offsets, strict=False))
