"""A clip: the asked span of one camera, exact to the picture, as an MP4 anybody can play.

Pictures are copied as they were recorded. The file begins at the key picture before the asked start, because
a decoder needs it; an edit list shows the span from the asked picture on (ISO/IEC 14496-12 §8.6.6). A copy
that leaves the house must not contain what was not granted: there `tight` puts newly coded pictures in the
place of the groups at the edges, so that nothing from outside the span is in the file.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from siaga_core.service.files import write_all
from siaga_edge.recorder import movie, pictures, recoding, sound
from siaga_edge.recorder.choice import Choice, NoFootage, choose
from siaga_edge.recorder.pictures import Strip, Wall

__all__ = ["Clip", "NoFootage", "cut"]

# Reading into one buffer and writing from it takes less CPU than copy_file_range(2) or sendfile(2), which
# move page by page through a pipe (54 MB on ext4, Linux 6.18: 14 ms against 20 ms and 18 ms). Half a megabyte
# is a fragment at 4 Mbit/s and stays in the processor's cache; with 64 KiB it is 36 ms.
_COPY_BYTES = 1 << 19


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
    hidden: int  # pictures in the file that are not shown
    silent: tuple[tuple[int, int], ...]  # sound was coded otherwise than the rest, and is not in the file


def cut(
    paths: Iterable[Path],
    start_wall_ns: int,
    end_wall_ns: int,
    target: Path,
    wall: Wall,
    *,
    tight: str = "",
    hashed: bool = True,
) -> Clip:
    """Cut the span out of segment files in order of time into `target`; synced. `tight`: the ffmpeg to use.

    Memory is bounded by half a megabyte and what is said of the pictures (about 100 octets each). Without
    `hashed` the clip has no SHA-256. Raises NoFootage and recoding.NotRecoded.
    """
    strips = (one for path in paths for one in pictures.of_segment(path, wall))
    listener = sound.Listener(start_wall_ns, end_wall_ns, wall)
    choice = choose(listener.passing(strips), start_wall_ns, end_wall_ns, wall)
    runs = listener.runs(choice.start_wall_ns, choice.end_wall_ns, tight=bool(tight))
    heard = sound.track(runs, choice.start_wall_ns)
    if not tight or not choice.hidden:
        return _write(choice, target, heard, hashed=hashed)
    with contextlib.ExitStack() as kept:
        return _write(_tightened(choice, tight, target, wall, kept), target, heard, hashed=hashed)


def _tightened(choice: Choice, program: str, target: Path, wall: Wall, kept: contextlib.ExitStack) -> Choice:
    """The choice with newly coded pictures for every group that has hidden ones."""
    strips: list[Strip] = []
    count = 0
    for number, group in enumerate(recoding.groups(choice.strips, wall)):
        length = sum(len(one.columns.sizes) for one in group)
        hidden = frozenset(n - count for n in choice.hidden if count <= n < count + length)
        count += length
        if hidden:
            old, new = (target.with_suffix(f".{name}{number}") for name in ("group", "again"))
            kept.callback(old.unlink, missing_ok=True)
            kept.callback(new.unlink, missing_ok=True)
            if len(hidden) == length:
                continue
            seen = enumerate(at for one in group for at in one.seen(wall))
            begin_ns = min(at for n, at in seen if n not in hidden)
            part = Choice(group, hidden, begin_ns, choice.end_wall_ns)
            _write(part, old, hashed=False)
            group = recoding.coded_again(program, old, new, part)
        strips += group
    return Choice(strips, frozenset(), choice.start_wall_ns, choice.end_wall_ns)


def _write(choice: Choice, target: Path, heard: sound.Track | None = None, *, hashed: bool) -> Clip:
    """The sound's octets come first: they are few, and pictures play while they are still being fetched."""
    line = movie.timeline(choice.strips)
    head = movie.head(choice.strips, line, choice.hidden, heard)
    digest = hashlib.sha256(head)
    parts = [*(heard.runs if heard else ()), *choice.strips]
    size_bytes = len(head) + sum(sum(one.columns.sizes) for one in parts)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    try:
        os.posix_fallocate(descriptor, 0, size_bytes)  # a full disk says so at once
        write_all(descriptor, head)
        for octets in _octets(parts):
            if hashed:
                digest.update(octets)
            write_all(descriptor, octets)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    errors = [error for one in choice.strips for error in (one.began.error_ms, one.ended.error_ms)]
    return Clip(
        size_bytes=size_bytes,
        sha256=digest.hexdigest() if hashed else "",
        start_wall_ns=choice.start_wall_ns,
        end_wall_ns=choice.end_wall_ns,
        pictures=choice.pictures,
        gaps=tuple(gap for gap in line.gaps if gap[1] > choice.start_wall_ns),
        error_ms=None if None in errors else max(error for error in errors if error is not None),
        hidden=len(choice.hidden),
        silent=heard.silent if heard else (),
    )


def _octets(strips: Iterable[Strip | sound.Run]) -> Iterator[memoryview]:
    """Their octets in a buffer that is used again for the next."""
    buffer = memoryview(bytearray(_COPY_BYTES))
    for path, spans in _by_file(strips):
        with path.open("rb", buffering=0) as file:
            for at, size in spans:
                while size:
                    got = os.preadv(file.fileno(), [buffer[: min(size, _COPY_BYTES)]], at)
                    if not got:
                        raise OSError(f"{path.name} became shorter while it was read")
                    yield buffer[:got]
                    at, size = at + got, size - got


def _by_file(strips: Iterable[Strip | sound.Run]) -> Iterator[tuple[Path, list[tuple[int, int]]]]:
    """(file, [(place, octets)]) of strips that follow each other in one file."""
    path, spans = None, list[tuple[int, int]]()
    for strip in strips:
        if path is not None and strip.path != path:
            yield path, spans
            spans = []
        path = strip.path
        spans.append((strip.at, sum(strip.columns.sizes)))
    if path is not None:
        yield path, spans
