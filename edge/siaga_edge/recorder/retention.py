"""Which segments give way for space. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stored:
    """A closed segment on the disk. `error_ms` bounds the error of its wall times; None: no bound known."""

    number: int  # its place in the chain: the order of arrival, whatever any clock said
    name: str
    camera: str
    start_wall_ns: int
    end_wall_ns: int
    size_bytes: int
    error_ms: int | None = None


def surplus(
    segments: Sequence[Stored], free_bytes: int, reserve_bytes: int, held: Collection[str]
) -> list[Stored]:
    """Segments to delete, oldest first, until `free_bytes` reaches `reserve_bytes`. Never a held one."""
    chosen: list[Stored] = []
    for segment in segments:
        if free_bytes >= reserve_bytes:
            break
        if segment.name not in held:
            chosen.append(segment)
            free_bytes += segment.size_bytes
    return chosen
