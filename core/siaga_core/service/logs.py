"""Logs to stderr, one event per line, levels as the journal reads them."""

import logging
import os
import sys

# sd-daemon(3): a line on stderr that begins with <N> gets priority N in the journal.
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}

# These tell at INFO what nobody who reads our lines can use.
CHATTY = ("alembic.runtime.plugins", "alembic.runtime.migration")


class _JournalFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record).replace("\n", "\n  ")
        return f"<{_PRIORITIES.get(record.levelno, 6)}>{text}"


def set_up(level: str = "INFO") -> None:
    """Send every log line to stderr; under systemd with priorities, else with times for a person."""
    handler = logging.StreamHandler(sys.stderr)
    if "JOURNAL_STREAM" in os.environ:
        handler.setFormatter(_JournalFormatter("%(name)s %(message)s"))
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for library in CHATTY:
        logging.getLogger(library).setLevel(logging.WARNING)


def mask_number(number: str | None) -> str:
    """Return a phone number fit for a log: `+62812345678` becomes `+62…78`."""
    if not number:
        return "-"
    return f"{number[:3]}…{number[-2:]}" if len(number) > 6 else "…"
