"""What one modem cannot send the other does: texts left as files, each taken once."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from siaga_core.service.files import write_atomic


class Left(Struct, frozen=True, kw_only=True):
    """One text as it was queued; `id` is the same at both modems."""

    id: str
    recipient: str
    text: str
    at_least_once: bool


def leave(folder: Path, text: Left) -> None:
    """Leave a text for the other modem; when this returns, it outlives a power cut."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / f"{text.id}.json", msgspec.json.encode(text))


def found(folder: Path) -> Iterator[tuple[Path, Left]]:
    """The texts that were left, oldest first; one that cannot be read stays where it is."""
    for path in sorted(folder.glob("*.json")):
        with contextlib.suppress(OSError, msgspec.DecodeError):
            yield path, msgspec.json.decode(path.read_bytes(), type=Left)
