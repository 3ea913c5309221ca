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
    root, handler = logging.getLogger(), _BadFormatFails(logging.DEBUG)
    root.addHandler(handler)
    yield
    root.removeHandler(handler)
    # A program that ran in this process has left its own, onto a stderr that is closed by now.
    for left in [one for one in root.handlers if type(one) is logging.StreamHandler]:
        root.removeHandler(left)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def journal(tmp_path: Path, clock: FakeClock) -> Iterator[Journal]:
    """A fresh journal of some service."""
    opened = Journal(tmp_path / "journal-modem.db", clock, Boot(1, "boot-one"))
    yield opened
    opened.close()
