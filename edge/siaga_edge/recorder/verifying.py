"""Is the footage on this disk what was recorded? Every file against its link, its row and the chain.

Who edits a card can make file, link, chain and index fit each other again; only a head that was told to the
hub before, or printed, can show that. What is checked without one finds damage and clumsy changes alone.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from siaga_edge.recorder.chain import FIRST_HEAD, LINK_BYTES, Head, Link
from siaga_edge.recorder.finder import Finder, Row
from siaga_edge.recorder.folder import files, regular
from siaga_edge.recorder.inventory import ranges
from siaga_edge.recorder.salvage import REST, link_of, sha256_of
from siaga_edge.recorder.segments import is_ours
from siaga_edge.recorder.writing import segment_path

# A start leaves numbers free for as many segments as it could not read; more are looked at by a person.
_BEHIND = 64

Level = Literal["bad", "note"]
Advance = Callable[[int], None]

SALVAGE = "do not write on this disk; copy what is whole with `siaga-node footage salvage`"
REPORT = "somebody changed the footage: take the disk out as evidence, tell the supervisor"
RESTART = "siaga-recorder takes it in at its next start"
LEAVE = "the recorder leaves it alone; look where it came from, and move it away"
LOOK = "look who had the disk; the hub's log of this node says when it was last whole"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be (`bad`), or that a reader should know (`note`)."""

    code: str
    level: Level
    segment: str
    detail: str
    advice: str


def verify(
    finder: Finder,
    folder: Path,
    chain: str,
    heads: Mapping[int, str],
    advance: Advance,
    *,
    is_recording: bool,
    walk: "type[Walk] | None" = None,
) -> Iterator[Finding]:
    """Everything that is wrong, in the chain's order, then files that no row names.

    `heads`: number of links to the head (hexadecimal, or its first 16 digits and more) that was told before.
    """
    state = (walk or Walk)(folder, chain, heads, finder)
    last, names = 0, set[str]()
    while rows := finder.links_after(last):
        for row in rows:
            names.add(row.name)
            yield from state.take(row, advance)
        last = rows[-1].number
    yield from state.end()
    yield from _unindexed(folder, chain, names, advance, is_recording)


def whole_bytes(finder: Finder) -> int:
    """Octets that `verify` will read of the segments that have rows."""
    return sum(piece.size_bytes for camera in finder.cameras() for piece in finder.pieces(camera))


class Walk:
    """Where the walk along the chain stands."""

    def __init__(self, folder: Path, chain: str, heads: Mapping[int, str], finder: Finder) -> None:
        self._folder, self._chain, self._heads, self._finder = folder, chain, heads, finder
        self._before: Head | None = None
        self._number = 0
        self._behind = deque[bytes](maxlen=_BEHIND)
        self._compared: set[int] = set()

    def take(self, row: Row, advance: Advance) -> Iterator[Finding]:
        """Judge one row and its file."""
        yield from self._between(row)
        before = self._before
        if before is not None and before.links == row.number - 1 and before.head != row.head_before:
            yield self._broken(row.name, row.number, "its row does not go on from the segment before it")
        if row.number == 1 and row.head_before != FIRST_HEAD:
            yield self._broken(row.name, row.number, "the first segment names one before it")
        yield from self._file(row, advance)
        yield from self._known(row.number - 1, row.head_before, row.name)
        self._before = Head(self._chain, row.number - 1, row.head_before).after(row.name, row.sha256)
        self._number = row.number
        self._behind.append(self._before.head)
        yield from self._known(row.number, self._before.head, row.name)

    def end(self) -> Iterator[Finding]:
        """After the last row: a chain that was longer once."""
        furthest = max(self._heads, default=0)
        if furthest > self._number:
            yield Finding(
                "shorter",
                "bad",
                "",
                f"the chain ends with number {self._number}; the hub was told of {furthest}",
                REPORT,
            )

    def _between(self, row: Row) -> Iterator[Finding]:
        """Numbers without a row; what retention deleted is remembered, and asked anew."""
        numbers = range(self._number + 1, row.number)
        gone = [one for one in numbers if not ranges(self._finder.given_up())(one)]
        if not gone:
            return
        if self._number == 0:
            detail = f"numbers {gone[0]} to {gone[-1]} are older than what this index remembers"
            yield Finding("forgotten", "note", "", detail, "normal after `rebuild`; " + LOOK)
            return
        if row.head_before in self._behind:
            # Only a link that was written so goes on from there: who takes segments away cannot make one.
            detail = f"numbers {gone[0]} to {gone[-1]} were left free: segments could not be read at a start"
            yield Finding("left-free", "note", row.name, detail, SALVAGE)
            return
        detail = f"numbers {gone[0]} to {gone[-1]} have no row, and retention did not delete them"
        yield Finding("missing-number", "bad", "", detail, REPORT)

    def _file(self, row: Row, advance: Advance) -> Iterator[Finding]:
        path = segment_path(self._folder, row.name)
        try:
            size_bytes, link = path.stat().st_size, link_of(path)
        except FileNotFoundError:
            if not ranges(self._finder.given_up())(row.number):
                yield Finding("missing-file", "bad", row.name, "the index knows it, its file is gone", LOOK)
            return
        except OSError as error:
            yield Finding("unreadable", "bad", row.name, f"{error.strerror}", SALVAGE)
            return
        if link is None:
            detail = f"{size_bytes} octets instead of {row.size_bytes}, and it does not end in its link"
            yield Finding("torn", "bad", row.name, detail, SALVAGE)
            return
        yield from self._linked(row, link, size_bytes)
        yield from self._hash(row, link, size_bytes, advance)

    def _hash(self, row: Row, link: Link, size_bytes: int, advance: Advance) -> Iterator[Finding]:
        path = segment_path(self._folder, row.name)
        try:
            sha256 = hashed(path, size_bytes - LINK_BYTES, advance)
        except OSError as error:
            yield Finding("unreadable", "bad", row.name, f"{error.strerror}", SALVAGE)
            return
        if sha256 != link.sha256:
            yield Finding("changed", "bad", row.name, "its octets are not those that were linked", REPORT)

    def _linked(self, row: Row, link: Link, size_bytes: int) -> Iterator[Finding]:
        if link.chain != self._chain:
            detail = f"its file is a link of chain {link.chain}, not of this disk's {self._chain}"
            yield Finding("foreign-chain", "bad", row.name, detail, REPORT)
        elif link.number != row.number:
            detail = f"its file is number {link.number} of the chain; the index has it as {row.number}"
            yield Finding("swapped", "bad", row.name, detail, REPORT)
        elif (link.head_before, link.sha256, size_bytes) != (row.head_before, row.sha256, row.size_bytes):
            yield Finding("unlike-row", "bad", row.name, "file and index do not say the same", REPORT)

    def _known(self, links: int, head: bytes, name: str) -> Iterator[Finding]:
        """Compare with what was told before, once for each number."""
        told = self._heads.get(links)
        if told is None or links in self._compared:
            return
        self._compared.add(links)
        if not head.hex().startswith(told):
            detail = f"after number {links} the chain says {head.hex()[:16]}; the hub was told {told[:16]}"
            yield Finding("other-head", "bad", name, detail, REPORT)

    def _broken(self, name: str, number: int, detail: str) -> Finding:
        return Finding("broken-chain", "bad", name, f"number {number}: {detail}", REPORT)


def hashed(path: Path, size_bytes: int, advance: Advance) -> bytes:
    """SHA-256 of a file's beginning; it does not push what others need out of the page cache."""
    sha256 = sha256_of(path, size_bytes, advance)
    descriptor = regular(str(path), os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
    return sha256


def _unindexed(
    folder: Path, chain: str, names: set[str], advance: Advance, is_recording: bool
) -> Iterator[Finding]:
    for file, is_regular in files(folder):
        path = folder / file
        name = str(Path(file).with_suffix(""))
        if path.suffix == ".mp4" and not (is_regular and is_ours(name)):
            yield Finding("strange", "note", name, "it is no segment: another name, or no file", LEAVE)
            continue
        if path.suffix == REST:
            yield Finding("rest", "note", name, "octets that could not be read when it was closed", SALVAGE)
        if path.suffix != ".mp4" or name in names:
            continue
        try:
            link, size_bytes = link_of(path), path.stat().st_size
        except FileNotFoundError:
            continue
        except OSError as error:
            yield Finding("unreadable", "bad", name, f"{error.strerror}", SALVAGE)
            continue
        if link is None:
            if not is_recording:
                yield Finding("open", "note", name, "it was not closed; a power cut leaves such", RESTART)
        elif link.chain != chain:
            yield Finding("foreign-chain", "bad", name, f"of another disk, chain {link.chain}", LOOK)
        elif not is_recording:
            yield from _without_row(path, name, link, size_bytes, advance)


def _without_row(path: Path, name: str, link: Link, size_bytes: int, advance: Advance) -> Iterator[Finding]:
    if hashed(path, size_bytes - LINK_BYTES, advance) != link.sha256:
        yield Finding("changed", "bad", name, "its octets are not those that were linked", REPORT)
    yield Finding("unindexed", "note", name, f"number {link.number} has no row", RESTART)
