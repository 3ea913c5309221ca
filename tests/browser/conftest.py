"""A real browser on a real console."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from siaga_core.service.clock import SystemClock
from support.console import PASSWORD, City, Served

_ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a screen."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(_ARGS))
        yield browser
        browser.close()


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    made = City(tmp_path, SystemClock())
    yield made
    made.store.close()


@pytest.fixture
def served(city: City) -> Iterator[Served]:
    console = Served(city)
    yield console
    console.stop()


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    """A page on which an operator is logged in; an error in a script or a blocked resource fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(30_000)  # of a machine that does other things as well
    opened = context.new_page()
    troubles: list[str] = []
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on(
        "console",
        lambda message: troubles.append(message.text) if "Content Security Policy" in message.text else None,
    )
    context.request.post(f"{served.url}/masuk", form={"name": "operator", "password": PASSWORD})
    opened.goto(served.url)
    opened.wait_for_selector("#lane-act")
    yield opened
    context.close()
    assert troubles == []
