"""What the hub has acknowledged, as the uplink wrote it down: by this a service may prune its own journal."""

import sqlite3
from pathlib import Path

from siaga_core.service.database import StoreMissing, open_reader


def read_marks(delivery_file: Path) -> list[tuple[str, str, int]]:
    """Return (stream, epoch, upto) of every acknowledged stream; empty while the uplink has written none.

    Fit for `Journal.prune`. A mark stands here only after the hub's own acknowledgement, not after a PUBACK.
    """
    try:
        connection = open_reader(delivery_file)
    except StoreMissing:
        return []
    try:
        rows = connection.execute("SELECT stream, epoch, upto FROM mark ORDER BY stream, epoch").fetchall()
    except sqlite3.OperationalError:  # made a moment ago, without its table
        return []
    finally:
        connection.close()
    return [(str(row["stream"]), str(row["epoch"]), int(row["upto"])) for row in rows]
