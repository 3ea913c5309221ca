"""What the hub's tests share."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from siaga_central.authority.authority import Authority
from siaga_central.authority.voice import Voice
from siaga_central.store import nodes
from siaga_central.store.writer import Store
from support.clock import FakeClock
from support.hub_store import hub_store


@pytest.fixture(scope="session")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Voice:
    """The hub's own voice, of a real authority."""
    now = datetime.now(UTC)
    return Voice(Authority.create(tmp_path_factory.mktemp("authority"), "Uji", now), "life-one", 1, now)


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Iterator[Store]:
    """A store with one site, two nodes and a camera."""
    opened = hub_store(tmp_path, clock)

    def furnish(c: object) -> None:
        nodes.add_site(c, "BTM-017", "Simpang Kara", "Batam Kota", "admin", 1)  # type: ignore[arg-type]
        for node in ("btm-017", "gsm-001"):
            nodes.add(c, node, "BTM-017", node, "admin", 1)  # type: ignore[arg-type]
        nodes.add_camera(c, "cam-a", "btm-017", "Simpang", 1.12, 104.05, "admin", 1)  # type: ignore[arg-type]

    opened.write(furnish)
    yield opened
    opened.close()
