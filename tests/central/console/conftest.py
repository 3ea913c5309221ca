"""A city with a console that tests call as a browser does."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from support.clock import FakeClock
from support.console import PASSWORD, City, Served

Browse = Callable[[str], httpx.Client]


@pytest.fixture
def city(tmp_path: Path, clock: FakeClock) -> Iterator[City]:
    made = City(tmp_path, clock)
    yield made
    made.store.close()


@pytest.fixture
def stranger(city: City) -> Iterator[httpx.Client]:
    """A browser in which nobody is logged in."""
    served = Served(city)
    with httpx.Client(base_url=served.url, follow_redirects=True) as client:
        yield client
    served.stop()


@pytest.fixture
def login(stranger: httpx.Client) -> Iterator[Browse]:
    """A browser in which somebody of a role is logged in."""
    clients: list[httpx.Client] = []

    def log_in(role: str) -> httpx.Client:
        client = httpx.Client(base_url=stranger.base_url, follow_redirects=True)
        clients.append(client)
        answer = client.post("/masuk", data={"name": role, "password": PASSWORD})
        assert (answer.status_code, answer.url.path) == (httpx.codes.OK, "/"), answer.text
        return client

    yield log_in
    for client in clients:
        client.close()
