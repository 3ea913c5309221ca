"""What the hub's tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from siaga_central.store import nodes
from siaga_central.store.writer import Store
from support.clock import FakeClock


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Iterator[Store]:
    """A store with one site, two nodes and a camera."""
    opened = Store(f"sqlite:///{tmp_path}/hub.db", clock)

    def furnish(c: object) -> None:
        nodes.add_site(c, "BTM-017", "Simpang Kara", "Batam Kota", "admin", 1)  # type: ignore[arg-type]
        for node in ("btm-017", "gsm-001"):
            nodes.add(c, node, "BTM-017", node, "admin", 1)  # type: ignore[arg-type]
        nodes.add_camera(c, "cam-a", "btm-017", "Simpang", 1.12, 104.05, "admin", 1)  # type: ignore[arg-type]

    opened.write(furnish)
    yield opened
    opened.close()
