"""What the modem's tests share: a simulated modem, the library's own modem and ours in front of it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from siaga_edge.simulate.modem.control import Control
from support.library import Ours, Stock
from support.simulated_modem import modem_in_thread


@pytest.fixture
def modem(tmp_path: Path) -> Iterator[tuple[Path, Control]]:
    with modem_in_thread(tmp_path) as played:
        yield played


@pytest.fixture
def stock(modem: tuple[Path, Control]) -> Iterator[Callable[..., Stock]]:
    made: list[Stock] = []

    def make(**keys: Any) -> Stock:
        made.append(Stock(modem[0], **keys))
        made[-1].modem.connect()
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def ours(modem: tuple[Path, Control], tmp_path: Path) -> Iterator[Callable[..., Ours]]:
    made: list[Ours] = []

    def make(**keys: Any) -> Ours:
        made.append(Ours(tmp_path, modem[0], **keys))
        return made[-1]

    yield make
    for one in made:
        one.close()
