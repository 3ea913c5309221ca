"""SQLite's write-ahead log as octets: what was committed, and putting it into a database file. Pure.

Format: https://sqlite.org/fileformat2.html#walformat. A log starts with 32 octets, each frame with 24; the
frame that ends a commit names the size of the database in pages. Frames of an older log carry other salts.
"""

import struct
from dataclasses import dataclass

HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
MAGICS = (0x377F0682, 0x377F0683)
_HEADER = struct.Struct(">6I")  # magic, version, page size, checkpoint, salt, salt
_FRAME = struct.Struct(">4I")  # page, pages after a commit (else 0), salt, salt


@dataclass(frozen=True, slots=True)
class Header:
    """What a log says of itself."""

    page_bytes: int
    salt: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """One page as a frame brings it; `pages` is the database's size after a commit that ends here."""

    number: int
    pages: int
    octets: bytes


def header(octets: bytes) -> Header | None:
    """The head of a log, None if there is none yet."""
    if len(octets) < HEADER_BYTES:
        return None
    magic, _, page_bytes, _, *_ = _HEADER.unpack_from(octets)
    return Header(page_bytes, octets[16:24]) if magic in MAGICS else None


def committed_bytes(octets: bytes, head: Header) -> int:
    """How much of `octets`, which begin at a frame, is committed: up to the end of the last commit."""
    step, at, end = FRAME_HEADER_BYTES + head.page_bytes, 0, 0
    while at + step <= len(octets):
        _, pages, *_ = _FRAME.unpack_from(octets, at)
        if octets[at + 8 : at + 16] != head.salt:
            break
        at += step
        if pages:
            end = at
    return end


def pages(octets: bytes, page_bytes: int) -> list[Page]:
    """The pages of whole frames. Raises ValueError when there is a piece too much."""
    step = FRAME_HEADER_BYTES + page_bytes
    if len(octets) % step:
        raise ValueError(f"{len(octets)} octets are no whole frames of {step}")
    found = []
    for at in range(0, len(octets), step):
        number, size, *_ = _FRAME.unpack_from(octets, at)
        found.append(Page(number, size, octets[at + FRAME_HEADER_BYTES : at + step]))
    return found
