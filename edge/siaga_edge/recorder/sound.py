"""The sound of a clip: which recorded samples are heard while its pictures are seen, and when.

A fragment's pictures and its sound tell the same clock, so the sound is dated by the pictures beside it.
Only samples that lie in the span as a whole are taken.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from siaga_edge.recorder.fragments import BadStream, Init, boxes, find, moov_of
from siaga_edge.recorder.pictures import Strip, Wall
from siaga_edge.recorder.scan import Columns

# Runs that miss each other by less were recorded without a break: the rest is rounding.
_JOINED_NS = 40_000_000


@dataclass(frozen=True, slots=True)
class Run:
    """Samples of one fragment that follow each other: their coding, where they lie, when they begin."""

    init: Init
    columns: Columns
    path: Path
    at: int
    begin_wall_ns: int

    @property
    def scale(self) -> int:
        """Units per second."""
        assert self.init.sound is not None
        return self.init.sound.timescale

    @property
    def end_wall_ns(self) -> int:
        """When the last one is over."""
        return self.begin_wall_ns + sum(self.columns.durations) * 1_000_000_000 // self.scale


class Listener:
    """Lets strips pass and remembers the sound beside those that reach into the span."""

    def __init__(self, start_wall_ns: int, end_wall_ns: int, wall: Wall) -> None:
        self._start, self._end, self._wall = start_wall_ns, end_wall_ns, wall
        self._runs: list[Run] = []

    def passing(self, strips: Iterable[Strip]) -> Iterator[Strip]:
        """The strips, as they came."""
        for strip in strips:
            if strip.heard is not None and strip.init.sound is not None:
                run = self._run(strip)
                if run.end_wall_ns > self._start and run.begin_wall_ns < self._end:
                    self._runs.append(run)
            yield strip

    def runs(self, start_wall_ns: int, end_wall_ns: int, *, tight: bool) -> list[Run]:
        """What is heard from the first picture to the last; `tight`: nothing that was coded from before it.

        A sample of AAC is coded over the end of the one before it (ISO/IEC 14496-3 §4.6.11).
        """
        found = []
        for run in self._runs:
            part = _within(run, start_wall_ns, end_wall_ns, spared=1 if tight else 0)
            if part is not None and run.init.sound is not None:
                found.append(part)
        return found

    def _run(self, strip: Strip) -> Run:
        assert strip.heard is not None
        begin_ns = strip.begin_boot_ns + strip.heard.after_pictures_ns
        wall_ns = self._wall(strip.boot_seq, begin_ns).wall_ns
        return Run(strip.init, strip.heard.columns, strip.path, strip.heard.at, wall_ns)


def _within(run: Run, start_wall_ns: int, end_wall_ns: int, *, spared: int) -> Run | None:
    """The samples of a run that lie in the span as a whole, but for the first `spared` after its start."""
    at, first, after = run.begin_wall_ns, None, 0
    begin_ns = at
    for number, duration in enumerate(run.columns.durations):
        lasts_ns = duration * 1_000_000_000 // run.scale
        if at - spared * lasts_ns >= start_wall_ns and at + lasts_ns <= end_wall_ns:
            if first is None:
                first, begin_ns = number, at
            after = number + 1
        at += lasts_ns
    if first is None:
        return None
    skipped = sum(run.columns.sizes[:first])
    return replace(run, columns=run.columns.part(first, after), at=run.at + skipped, begin_wall_ns=begin_ns)


@dataclass(frozen=True, slots=True)
class Track:
    """What a movie says of its sound. `delay_ns`: from the first picture to the first sample."""

    init: Init
    runs: list[Run]
    durations: list[int]
    delay_ns: int
    silent: tuple[tuple[int, int], ...] = ()  # from when to when sound was coded otherwise: wall times in ns

    @property
    def scale(self) -> int:
        """Units per second."""
        return self.runs[0].scale

    @property
    def size_bytes(self) -> int:
        """Of all samples."""
        return sum(sum(run.columns.sizes) for run in self.runs)


def track(runs: list[Run], start_wall_ns: int) -> Track | None:
    """One track of runs in order of time; None without any.

    Over a gap the last sample lasts until the next, so that sound and pictures stay together. A track has one
    time scale, and players do not follow a change of coding: the coding that lasts longest is heard, the rest
    is silent and said so. Runs that would be heard twice (a clock set back) are left out.
    """
    coding = _most_heard(runs)
    kept: list[Run] = []
    silent: list[tuple[int, int]] = []
    durations: list[int] = []
    reckoned_ns = 0
    for run in runs:
        if coding is None or not _coded_alike(run.init, coding):
            _join(silent, run.begin_wall_ns, run.end_wall_ns)
            continue
        if kept:
            missing_ns = run.begin_wall_ns - reckoned_ns
            if missing_ns < -_JOINED_NS:
                continue
            if missing_ns > _JOINED_NS:
                durations[-1] += missing_ns * run.scale // 1_000_000_000
                reckoned_ns = run.begin_wall_ns
        else:
            reckoned_ns = run.begin_wall_ns
        kept.append(run)
        durations += run.columns.durations
        reckoned_ns += sum(run.columns.durations) * 1_000_000_000 // run.scale
    if not kept:
        return None
    delay_ns = max(0, kept[0].begin_wall_ns - start_wall_ns)
    return Track(kept[0].init, kept, durations, delay_ns, tuple(silent))


def _most_heard(runs: list[Run]) -> Init | None:
    codings: list[tuple[Init, int]] = []
    for run in runs:
        lasts_ns = run.end_wall_ns - run.begin_wall_ns
        alike = next((at for at, one in enumerate(codings) if _coded_alike(one[0], run.init)), None)
        if alike is None:
            codings.append((run.init, lasts_ns))
        else:
            codings[alike] = codings[alike][0], codings[alike][1] + lasts_ns
    return max(codings, key=lambda one: one[1])[0] if codings else None


def _join(spans: list[tuple[int, int]], begin_ns: int, end_ns: int) -> None:
    """Add a span; one that goes on from the last makes it longer."""
    if spans and begin_ns - spans[-1][1] <= _JOINED_NS:
        spans[-1] = spans[-1][0], end_ns
    else:
        spans.append((begin_ns, end_ns))


def recorded_trak(init: Init) -> bytes:
    """The sound's trak as it was recorded. Raises BadStream."""
    moov = moov_of(init)
    for kind, at, end in boxes(moov):
        if kind == b"trak":
            found = moov[at - 8 : end]
            handler, _ = find(found, b"mdia", b"hdlr")
            if found[handler + 8 : handler + 12] == b"soun":
                return found
    raise BadStream("there is no sound")


def _coded_alike(one: Init, other: Init) -> bool:
    if one.octets == other.octets:
        return True
    entries = [recorded_trak(init) for init in (one, other)]
    stsds = [entry[slice(*find(entry, b"mdia", b"minf", b"stbl", b"stsd"))] for entry in entries]
    return stsds[0] == stsds[1] and one.sound == other.sound
