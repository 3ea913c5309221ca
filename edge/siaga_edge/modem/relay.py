"""What one modem cannot send the other does: texts left as files, each taken once and never given back."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from siaga_core.service.files import write_atomic


class Left(Struct, frozen=True, kw_only=True):
    """One text as it was queued; `id` is the same at both modems.

    `modems`: so many of this node's modems had it before and did not send it. `again`: it may have left by
    one of them, and says so from now on.
    """

    id: str
    recipient: str
    text: str
    at_least_once: bool
    modems: int = 0
    again: bool = False


def leave(folder: Path, text: Left) -> None:
    """Leave a text for the other modem; when this returns, it outlives a power cut."""
    folder.mkdir(parents=True, exist_ok=True)
    _withdrawn(folder, text.id).unlink(missing_ok=True)
    write_atomic(_path(folder, text.id), msgspec.json.encode(text))


def is_untaken(folder: Path, id: str) -> bool:
    """Whether a text that was left still lies there, withdrawn or not."""
    return _path(folder, id).exists() or _withdrawn(folder, id).exists()


def withdraw(folder: Path, id: str) -> None:
    """Have a text that was left not be taken any more; it may have been this very moment. Raises OSError.

    It still counts as untaken, until `take_back`: who dies in between finds it so.
    """
    with contextlib.suppress(FileNotFoundError):
        _path(folder, id).rename(_withdrawn(folder, id))


def take_back(folder: Path, id: str) -> None:
    """Remove a text that was withdrawn. Raises OSError."""
    _withdrawn(folder, id).unlink(missing_ok=True)


def _path(folder: Path, id: str) -> Path:
    return folder / f"{id}.json"


def _withdrawn(folder: Path, id: str) -> Path:
    return folder / f"{id}.withdrawn"


def found(folder: Path) -> Iterator[tuple[Path, Left]]:
    """The texts that were left, oldest first; one that cannot be read stays where it is."""
    for path in sorted(folder.glob("*.json")):
        with contextlib.suppress(OSError, msgspec.DecodeError):
            yield path, msgspec.json.decode(path.read_bytes(), type=Left)
