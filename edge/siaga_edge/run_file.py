"""Files of the run directory: what one program tells another of this boot, gone with the power."""

from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

_Kind = TypeVar("_Kind", bound=Struct)


def replace(run_dir: Path, name: str, value: Struct) -> None:
    """Replace the file; a reader sees the old one or the new one. Not synced: true for this boot only."""
    run_dir.mkdir(parents=True, exist_ok=True)
    part = run_dir / f".{name}.part"
    part.write_bytes(msgspec.json.encode(value))
    part.replace(run_dir / name)


def read(run_dir: Path, name: str, kind: type[_Kind]) -> _Kind | None:
    """What was written last; None without it, or when another release wrote something else there."""
    try:
        return msgspec.json.decode((run_dir / name).read_bytes(), type=kind)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
