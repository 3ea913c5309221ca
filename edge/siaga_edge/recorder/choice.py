"""Which pictures a clip is made of. Pure but for what the strips are read from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from siaga_core.errors import SiagaError
from siaga_edge.recorder.pictures import Strip, Wall


class NoFootage(SiagaError):
    """There is nothing of the asked span."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Strips in decoding order; `hidden`: which of their pictures, counted through, are only decoded."""

    strips: list[Strip]
    hidden: frozenset[int]
    start_wall_ns: int  # of the first picture shown
    end_wall_ns: int  # after the last

    @property
    def pictures(self) -> int:
        """How many are shown."""
        return sum(len(one.columns.sizes) for one in self.strips) - len(self.hidden)

    def reaches(self, wall: Wall) -> tuple[int, int]:
        """When the first and the last picture in the file were taken, shown or not: wall times in ns."""
        seen = [at for strip in self.strips for at in strip.seen(wall)]
        return min(seen), max(seen)


def choose(found: Iterable[Strip], start_wall_ns: int, end_wall_ns: int, wall: Wall) -> Choice:
    """What a decoder needs to show the pictures taken in the span. Raises NoFootage."""
    chooser = _Chooser(start_wall_ns, end_wall_ns, wall)
    for strip in found:
        chooser.take(strip)
    return chooser.choice()


class _Chooser:
    """Takes strips in decoding order; keeps from the last key picture before the start on."""

    def __init__(self, start_wall_ns: int, end_wall_ns: int, wall: Wall) -> None:
        self._start, self._end, self._wall = start_wall_ns, end_wall_ns, wall
        self._kept: list[Strip] = []
        self._seen: list[list[int] | None] = []  # moments of strips that reach over an edge of the span
        self._late: list[Strip] = []  # not shown, but what is shown after them may be decoded from them
        self._shows = False

    def take(self, strip: Strip) -> None:
        if self._late and (self._late[-1].path, self._late[-1].stretch) != (strip.path, strip.stretch):
            self._late.clear()
        if not strip.in_order:
            self._take_over_edge(strip)
        elif strip.ended.wall_ns <= self._start:
            self._take_before(strip)
        elif strip.began.wall_ns >= self._end:
            self._late.append(strip)
        elif strip.began.wall_ns > self._start and strip.ended.wall_ns <= self._end:
            self._take_inside(strip)
        else:
            self._take_over_edge(strip)

    def choice(self) -> Choice:
        """What was kept. Raises NoFootage."""
        hidden: set[int] = set()
        count = 0
        moments: list[tuple[int, int]] = []
        for strip, seen in zip(self._kept, self._seen, strict=True):
            length = len(strip.columns.sizes)
            if seen is None:
                moments.append((strip.began.wall_ns, strip.ended.wall_ns))
            else:
                hidden.update(count + n for n, at in enumerate(seen) if not self._start <= at < self._end)
                moments += _spans(strip, seen, self._start, self._end)
            count += length
        if len(hidden) == count:
            raise NoFootage("there is no footage of this span")
        first, last = min(begin for begin, _ in moments), max(end for _, end in moments)
        return Choice(self._kept, frozenset(hidden), first, last)

    def _take_before(self, strip: Strip) -> None:
        if self._shows:
            return  # a clock set back: these moments are in the clip already
        key = _last_key(strip)
        if key is not None:
            self._begin_with(strip.part(key, len(strip.columns.sizes), self._wall))
        elif self._kept:
            self._keep(strip)

    def _take_inside(self, strip: Strip) -> None:
        key = next((n for n, is_key in enumerate(strip.columns.keys) if is_key), None)
        if not self._kept and key is None:
            return
        if key is not None and (key == 0 or not self._kept) and not self._shows:
            self._forget()  # the start lies in a gap or between two pictures
            strip = strip.part(key, len(strip.columns.sizes), self._wall)
        self._add_late()
        self._kept.append(strip)
        self._seen.append(None)
        self._shows = True

    def _take_over_edge(self, strip: Strip) -> None:
        seen = strip.seen(self._wall)
        shown = [n for n, at in enumerate(seen) if self._start <= at < self._end]
        keys = [n for n, is_key in enumerate(strip.columns.keys) if is_key]
        begin = max((n for n in keys if self._may_begin(seen, n)), default=None)
        if not shown and min(seen) >= self._end:
            self._late.append(strip)
            return
        if self._shows:
            first = 0
        elif begin is not None:
            self._forget()
            first = begin
        else:
            first = 0 if self._kept else next(iter(keys), len(seen))
        # What a picture needs is coded before it: after the last that is shown nothing is needed, but by what
        # the next fragment may show.
        after = shown[-1] + 1 if shown and max(seen) >= self._end else len(seen)
        if first < after:
            self._add_late()
            self._keep(strip.part(first, after, self._wall))
        if after < len(seen):
            self._late.append(strip.part(after, len(seen), self._wall))

    def _may_begin(self, seen: Sequence[int], key: int) -> bool:
        """Whether nothing that is shown needs what was coded before this key picture."""
        until = seen[key]
        return until <= self._start or not any(self._start <= at < until for at in seen)

    def _begin_with(self, strip: Strip) -> None:
        self._forget()
        self._keep(strip)

    def _keep(self, strip: Strip) -> None:
        seen = strip.seen(self._wall)
        self._kept.append(strip)
        self._seen.append(seen)
        self._shows = self._shows or any(self._start <= at < self._end for at in seen)

    def _add_late(self) -> None:
        late, self._late = self._late, []
        if self._kept:
            for strip in late:
                self._keep(strip)

    def _forget(self) -> None:
        self._kept.clear()
        self._seen.clear()
        self._late.clear()


def _last_key(strip: Strip) -> int | None:
    return max((n for n, is_key in enumerate(strip.columns.keys) if is_key), default=None)


def _spans(strip: Strip, seen: Sequence[int], start: int, end: int) -> list[tuple[int, int]]:
    """Of each shown picture from when to when."""
    scale = strip.init.timescale
    return [
        (at, at + duration * 1_000_000_000 // scale)
        for at, duration in zip(seen, strip.columns.durations, strict=True)
        if start <= at < end
    ]
