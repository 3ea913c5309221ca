"""Rules that hold for every test."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from siaga_core.service.clock import Boot
from siaga_edge.journal import Journal
from support.clock import FakeClock


class _BadFormatFails(logging.Handler):
    """A log call whose arguments do not fit its format fails the test."""

    def emit(self, record: logging.LogRecord) -> None:
        record.getMessage()

    def handleError(self, record: logging.LogRecord) -> None:
        raise AssertionError(f"badly formatted log call: {record.msg!r} {record.args!r}")


@pytest.fixture(autouse=True)
def _bad_log_formats_fail() -> Iterator[None]:
    handler = _BadFormatFails(logging.DEBUG)
    logging.getLogger().addHandler(handler)
    yield
    logging.getLogger().removeHandler(handler)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def journal(tmp_path: Path, clock: FakeClock) -> Iterator[Journal]:
    """A fresh journal of some service."""
    opened = Journal(tmp_path / "journal-modem.db", clock, Boot(1, "boot-one"))
    yield opened
    opened.close()
