"""A clip: the asked span of one camera, exact to the picture, as an MP4 anybody can play.

Pictures are copied as they were recorded. The file begins at the key picture before the asked start, because
a decoder needs it; an edit list shows the span from the asked picture on (ISO/IEC 14496-12 §8.6.6). A copy
that leaves the house must not contain what was not granted: there `tight` puts newly coded pictures in the
place of the first group, so that nothing before the start is in the file.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from siaga_core.errors import SiagaError
from siaga_core.service.files import write_all
from siaga_edge.recorder import movie, pictures, recoding
from siaga_edge.recorder.pictures import Picture, Wall


class NoFootage(SiagaError):
    """There is nothing of the asked span."""


@dataclass(frozen=True, slots=True)
class Clip:
    """What was cut. Times are of the first and after the last picture shown, wrong by at most `error_ms`."""

    size_bytes: int
    sha256: str
    start_wall_ns: int
    end_wall_ns: int
    pictures: int
    gaps: tuple[tuple[int, int], ...]
    error_ms: int | None
    hidden: int  # pictures in the file before the first that is shown


def cut(
    paths: Iterable[Path], start_wall_ns: int, end_wall_ns: int, target: Path, wall: Wall, *, tight: str = ""
) -> Clip:
    """Cut the span out of segment files in order of time into `target`; synced. `tight`: the ffmpeg to use.

    Raises NoFootage and recoding.NotRecoded.
    """
    chosen, hidden = choose(
        (one for path in paths for one in pictures.of_segment(path, wall)), start_wall_ns, end_wall_ns
    )
    if not tight or not hidden:
        return _write(chosen, hidden, target)
    group, again = target.with_suffix(".group"), target.with_suffix(".again")
    try:
        after = next((n for n, one in enumerate(chosen) if n >= hidden and one.sample.is_sync), len(chosen))
        _write(chosen[:after], hidden, group)
        first = recoding.coded_again(tight, group, again, chosen[hidden:after])
        return _write([*first, *chosen[after:]], 0, target)
    finally:
        group.unlink(missing_ok=True)
        again.unlink(missing_ok=True)


def choose(found: Iterable[Picture], start_wall_ns: int, end_wall_ns: int) -> tuple[list[Picture], int]:
    """The pictures a decoder needs for the span, and how many of them come before it. Raises NoFootage."""
    chosen: list[Picture] = []
    for picture in found:
        if picture.wall_ns >= end_wall_ns:
            continue
        if picture.sample.is_sync and picture.wall_ns <= start_wall_ns:
            chosen.clear()
        if chosen or picture.sample.is_sync:
            chosen.append(picture)
    hidden = next((n for n, one in enumerate(chosen) if one.wall_ns >= start_wall_ns), len(chosen))
    if hidden == len(chosen):
        raise NoFootage("there is no footage of this span")
    return chosen, hidden


def _write(chosen: list[Picture], hidden: int, target: Path) -> Clip:
    line = movie.timeline(chosen)
    head = movie.head(chosen, line, hidden)
    digest = hashlib.sha256(head)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    try:
        write_all(descriptor, head)
        for octets in _octets(chosen):
            digest.update(octets)
            write_all(descriptor, octets)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    first, last = chosen[hidden], chosen[-1]
    errors = [one.error_ms for one in chosen[hidden:]]
    return Clip(
        size_bytes=len(head) + sum(one.sample.size for one in chosen),
        sha256=digest.hexdigest(),
        start_wall_ns=first.wall_ns,
        end_wall_ns=last.wall_ns + last.sample.duration * 1_000_000_000 // last.init.timescale,
        pictures=len(chosen) - hidden,
        gaps=tuple(gap for gap in line.gaps if gap[1] > first.wall_ns),
        error_ms=None if None in errors else max(error for error in errors if error is not None),
        hidden=hidden,
    )


def _octets(chosen: list[Picture]) -> Iterator[bytes]:
    """The pictures' octets; those that lie one after the other are read together."""
    at = 0
    while at < len(chosen):
        path, begin, end = chosen[at].path, chosen[at].at, chosen[at].at
        while at < len(chosen) and chosen[at].path == path and chosen[at].at == end:
            end += chosen[at].sample.size
            at += 1
        with path.open("rb") as file:
            file.seek(begin)
            octets = file.read(end - begin)
        if len(octets) != end - begin:
            raise OSError(f"{path.name} became shorter while it was read")
        yield octets
