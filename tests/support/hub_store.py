"""A hub's store for tests: the empty database is migrated once in a run of pytest, then copied."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from siaga_central.store.writer import Store
from siaga_core.service.clock import Clock, SystemClock


def hub_store(folder: Path, clock: Clock) -> Store:
    """The store over `hub.db` in `folder`; an empty one, as the migrations make it, if there is none."""
    path = folder / "hub.db"
    if not path.exists():
        path.write_bytes(_migrated())
    return Store(f"sqlite:///{path}", clock)


@cache
def _migrated() -> bytes:
    with TemporaryDirectory() as folder:
        Store(f"sqlite:///{folder}/hub.db", SystemClock()).close()
        return Path(folder, "hub.db").read_bytes()
