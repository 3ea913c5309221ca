"""What a segment's file holds: by its link alone when it was closed, else up to the last whole fragment."""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from siaga_core.service.files import sync_directory, write_all
from siaga_edge.recorder.chain import LINK_BYTES, Head, Link, Span, read_link
from siaga_edge.recorder.dating import Observation
from siaga_edge.recorder.folder import regular
from siaga_edge.recorder.fragments import MARK_TYPE, BadStream, Fragment, Mark, Parser

_READ_BYTES = 1 << 20
# What follows a first bad box and may hold whole fragments is kept beside the segment under this ending.
REST = ".rest"
# A file of this size without a whole fragment has no more than a stream's parameters in it.
_EMPTY_MOST_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Content:
    """What could be read of a file, from its begin."""

    span: Span | None  # None: not one whole fragment
    whole_bytes: int  # up to the end of the last whole fragment
    sha256: bytes  # of these
    first: Observation | None  # what its first mark says of the clock


@dataclass(frozen=True, slots=True)
class Closed:
    """A segment that will not change any more, linked and durable."""

    name: str
    camera: str
    size_bytes: int  # with its link
    link: Link


@dataclass(frozen=True, slots=True)
class LeftOpen:
    """What became of a segment that nobody had closed."""

    closed: Closed
    cut_bytes: int
    first: Observation | None


def link_of(path: Path) -> Link | None:
    """The link a file ends in; None while it was not closed. Raises OSError."""
    with open(path, "rb", opener=regular) as file:
        size_bytes = file.seek(0, os.SEEK_END)
        file.seek(max(0, size_bytes - LINK_BYTES))
        return read_link(file.read(LINK_BYTES))


def content(path: Path) -> Content:
    """Read a file as far as it is whole. Raises OSError."""
    parser, marks = Parser(), list[Mark]()
    try:
        with open(path, "rb", opener=regular) as file:
            # Pages whose flush has failed look whole and are on no disk: read what is on it.
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            while octets := file.read(_READ_BYTES):
                marks += _marks(parser, octets)
    except BadStream:
        pass  # what came before it is whole
    whole_bytes = parser.consumed if marks else 0
    return Content(span_of(marks), whole_bytes, sha256_of(path, whole_bytes), _observed(marks))


def _marks(parser: Parser, octets: bytes) -> Iterator[Mark]:
    for made in parser.feed(octets):
        if isinstance(made, Fragment) and made.mark is not None:
            yield made.mark


def span_of(marks: list[Mark]) -> Span | None:
    """The span of a segment with these marks."""
    if not marks:
        return None
    start_ns = max(0, marks[0].boot_ns - marks[0].duration_ms * 1_000_000)
    media_ms = sum(mark.duration_ms for mark in marks)
    return Span(marks[0].boot_seq, start_ns, marks[-1].boot_ns, media_ms, len(marks))


def sha256_of(path: Path, size_bytes: int, advance: Callable[[int], None] = lambda _octets: None) -> bytes:
    """SHA-256 of the first `size_bytes` of a file; `advance` is told how many more were read."""
    digest, left = hashlib.sha256(), size_bytes
    with open(path, "rb", opener=regular) as file:
        while left and (octets := file.read(min(_READ_BYTES, left))):
            digest.update(octets)
            left -= len(octets)
            advance(len(octets))
    return digest.digest()


def cut(path: Path, whole_bytes: int) -> int:
    """Cut a file after its last whole fragment; durable. How many octets were cut.

    A rest that still holds a mark of ours is copied beside it first, so that no fragment is ever thrown away.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        size_bytes = os.fstat(descriptor).st_size
        rest = os.pread(descriptor, size_bytes - whole_bytes, whole_bytes)
        if rest.find(MARK_TYPE, 9) >= 0:
            _keep_rest(path, rest)
        os.ftruncate(descriptor, whole_bytes)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return size_bytes - whole_bytes


def close_left_open(path: Path, name: str, head: Head, now: Observation) -> LeftOpen | None:
    """Cut a file that nobody closed and make it the next link; None (and no file) if it holds nothing whole.

    Raises OSError: the file is as it was, or cut, and this may be tried again.
    """
    held = content(path)
    if held.span is None:
        rest = path.with_suffix(REST)
        if path.stat().st_size > _EMPTY_MOST_BYTES and not rest.exists():
            path.rename(rest)  # octets that cannot be read today
        else:
            path.unlink()
        sync_directory(path.parent)
        return None
    cut_bytes = cut(path, held.whole_bytes)
    link = Link(head.chain, head.links + 1, head.head, held.sha256, held.span, now)
    append_link(path, link)
    closed = Closed(name, name.partition("/")[0], held.whole_bytes + LINK_BYTES, link)
    return LeftOpen(closed, cut_bytes, held.first)


def append_link(path: Path, link: Link) -> None:
    """Close a salvaged file with its link; durable when this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        write_all(descriptor, link.box())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def discard(path: Path) -> None:
    """Unlink a segment and its rest, durably: its row may go afterwards, never before."""
    path.unlink(missing_ok=True)
    path.with_suffix(REST).unlink(missing_ok=True)
    if path.parent.is_dir():
        sync_directory(path.parent)


def _keep_rest(path: Path, rest: bytes) -> None:
    kept = path.with_suffix(REST)
    descriptor = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    try:
        write_all(descriptor, rest)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_directory(path.parent)


def _observed(marks: list[Mark]) -> Observation | None:
    return (
        Observation(marks[0].boot_seq, marks[0].boot_ns, marks[0].wall_ns, "unknown", None) if marks else None
    )
