"""Whole fragments of a damaged or foreign card, copied into a new folder; the source is only read.

A fragment begins at our mark; so what follows a damaged stretch is found again. Octets that the card does not
give any more are left out, and what is cut through with them.
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from siaga_core.errors import SiagaError
from siaga_core.service.files import sync_directory, write_all, write_atomic
from siaga_edge.recorder.chain import LINK_BYTES, read_link
from siaga_edge.recorder.folder import files, regular
from siaga_edge.recorder.fragments import MARK_TYPE, BadStream, Init, Parser
from siaga_edge.recorder.salvage import REST

REPORT_NAME = "salvage.json"
_READ_BYTES = 1 << 20
_SECTOR_BYTES = 4096
_INIT_MOST_BYTES = 64 * 1024
# Where fragments lie does not depend on the parameters; they only have to be there.
_ANY = Init(b"", 1000, 0, 0, 0)
Read = Callable[[int, int, int], bytes]


class NotRescued(SiagaError):
    """Nothing was copied."""


@dataclass(frozen=True, slots=True)
class Rescued:
    """What became of one file.

    `state`: `whole` (it is what its link says), `changed` (every fragment is there, but not all of its octets
    are those that were linked), `part`, or `nothing`.
    """

    name: str
    state: str
    fragments: int
    media_ms: int
    kept_bytes: int
    lost_bytes: int
    sha256_linked: str = ""  # what its own link says it was, if it still ends in one


def rescue(source: Path, into: Path, advance: Callable[[int], None], read: Read = os.pread) -> list[Rescued]:
    """Copy what is whole of every segment under `source`; a report is left beside it. Raises NotRescued."""
    _check(source, into)
    into.mkdir(parents=True)
    found = [
        _file(source / name, source, into, advance, read)
        for name, is_regular in files(source)
        if is_regular and name.endswith((".mp4", REST))
    ]
    meta = source / "META.json"
    if meta.is_file():
        shutil.copyfile(meta, into / "META.source.json")
    report = json.dumps([asdict(one) for one in found], indent=1).encode()
    write_atomic(into / REPORT_NAME, report)
    return found


def source_bytes(source: Path) -> int:
    """Octets of everything that would be read."""
    return sum((source / name).stat().st_size for name, is_regular in files(source) if is_regular)


def _check(source: Path, into: Path) -> None:
    if not source.is_dir():
        raise NotRescued(f"{source} is no folder; mount the card read-only and name its footage folder")
    if into.exists():
        raise NotRescued(f"{into} exists; name a new folder")
    inside, outer = into.resolve(), source.resolve()
    if inside == outer or outer in inside.parents:
        raise NotRescued(f"{into} lies on the source; nothing is written there, name another disk")


def _file(path: Path, source: Path, into: Path, advance: Callable[[int], None], read: Read) -> Rescued:
    name = str(path.relative_to(source))
    octets, unread = _octets(path, read)
    advance(len(octets))
    link = read_link(octets)
    linked = "" if link is None else link.sha256.hex()
    if link is not None and not unread and _sha256(octets) == link.sha256:
        _write(into / name, [octets])
        return Rescued(name, "whole", link.span.fragments, link.span.media_ms, len(octets), 0, linked)
    init, parts = _whole_parts(octets)
    has_own_init = init is not None
    init = init or _init_of_a_neighbour(path, read)
    parts = [one for one in parts if not any(one.begin < end and begin < one.end for begin, end in unread)]
    if not parts or init is None:
        return Rescued(name, "nothing", 0, 0, 0, len(octets), linked)
    _write(into / name, [init.octets, *(octets[one.begin : one.end] for one in parts)])
    kept = sum(one.end - one.begin for one in parts)
    lost = max(0, len(octets) - kept - len(init.octets) - (0 if link is None else LINK_BYTES))
    state = "changed" if link is not None and has_own_init and not lost else "part"
    return Rescued(name, state, len(parts), sum(one.media_ms for one in parts), kept, lost, linked)


@dataclass(frozen=True, slots=True)
class _Part:
    """Where a whole fragment with its mark lies."""

    begin: int
    end: int
    media_ms: int


def _sha256(octets: bytes) -> bytes:
    return hashlib.sha256(octets[:-LINK_BYTES]).digest()


def _octets(path: Path, read: Read) -> tuple[bytes, list[tuple[int, int]]]:
    """A file's octets, zeros where the card gives none; and from where to where those are."""
    descriptor = regular(str(path), os.O_RDONLY)
    made, unread = bytearray(), list[tuple[int, int]]()
    try:
        size_bytes = os.fstat(descriptor).st_size
        while len(made) < size_bytes:
            want = min(_READ_BYTES, size_bytes - len(made))
            part = _pread(descriptor, want, len(made), read)
            if not part:
                want = min(_SECTOR_BYTES - len(made) % _SECTOR_BYTES, size_bytes - len(made))
                part = _pread(descriptor, want, len(made), read)
            if not part:
                unread.append((len(made), len(made) + want))
                part = bytes(want)
            made += part
    finally:
        os.close(descriptor)
    return bytes(made), unread


def _pread(descriptor: int, size: int, at: int, read: Read) -> bytes:
    try:
        return read(descriptor, size, at)
    except OSError:
        return b""


def _whole_parts(octets: bytes) -> tuple[Init | None, list[_Part]]:
    """The stream's parameters, if the file still tells them, and every whole fragment behind a mark."""
    init, parts, at = None, list[_Part](), 0
    while 0 <= at < len(octets):
        parser = Parser()
        parser.init = init or _ANY
        with contextlib.suppress(BadStream):
            for made in parser.feed(octets[at:]):
                if isinstance(made, Init):
                    init = init or made
                elif made.mark is not None:
                    end = at + parser.consumed
                    begin = end - len(made.octets) - len(made.mark.box())
                    parts.append(_Part(begin, end, made.mark.duration_ms))
        # A box that claims more than there is swallows what follows it: look behind its beginning.
        at = _next_mark(octets, at + parser.consumed + 1)
    return init, parts


def _init_of_a_neighbour(path: Path, read: Read) -> Init | None:
    """The parameters of another segment of the same run, which are nearly always the same."""
    for other in sorted(path.parent.glob("*.mp4")):
        if other == path:
            continue
        with contextlib.suppress(OSError):
            descriptor = regular(str(other), os.O_RDONLY)
            try:
                octets = _pread(descriptor, _INIT_MOST_BYTES, 0, read)
            finally:
                os.close(descriptor)
            init = _whole_parts(octets)[0]
            if init is not None:
                return init
    return None


def _next_mark(octets: bytes, at: int) -> int:
    """Where the next mark's box begins, or -1."""
    found = octets.find(MARK_TYPE, at + 8)
    return -1 if found < 0 else found - 8


def _write(path: Path, parts: list[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
    try:
        for part in parts:
            write_all(descriptor, part)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_directory(path.parent)
