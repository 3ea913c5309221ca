"""The node's other modem: what it has said to a number, so that limits on replies hold for the node.

Each journal has one writer; the other service reads it. Both look and write in turns, by a lock that ends
with its process: without it two that look at the same moment would both answer. Nobody waits for the lock:
whoever does not get it looks again at its next round, so that a service that hangs cannot hold the other.
"""

import contextlib
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from siaga_core.service.database import AlreadyOpen, StoreMissing, WriterLock, open_reader
from siaga_edge.modem.conversation import Instant, Said
from siaga_edge.node import NodeConfig

log = logging.getLogger(__name__)


class Neighbour:
    """Used by the thread of one modem. `turn_file`: named the same by both services."""

    def __init__(self, journal_file: Path, turn_file: Path) -> None:
        self._journal_file, self._turn_file = journal_file, turn_file
        self._has_turns = True

    def said(self, number: str, now: Instant) -> list[Said]:
        """Its automatic replies to a number; none when its journal is not there or cannot be read.

        Then this modem's own limits hold alone: a citizen answered twice is better than one not answered.
        """
        query = "SELECT template, boot, boot_ns, wall_ns FROM said WHERE number = ?"
        try:
            with contextlib.closing(open_reader(self._journal_file)) as connection:
                rows = connection.execute(query, (number,)).fetchall()
        except StoreMissing:
            return []
        except sqlite3.Error as error:
            log.warning("the other modem's journal cannot be read cause=%s", error)
            return []
        return [
            Said(row["template"], Instant(row["boot"], row["boot_ns"], row["wall_ns"]).until_s(now), True)
            for row in rows
        ]

    @contextlib.contextmanager
    def turn(self) -> Iterator[bool]:
        """Whether it is this modem's turn to look and answer; it is until the block ends.

        Where no lock can be made it is always: both may answer, which is better than none.
        """
        try:
            self._turn_file.parent.mkdir(parents=True, exist_ok=True)
            lock = WriterLock(self._turn_file)
        except AlreadyOpen:
            yield False
            return
        except OSError as error:
            if self._has_turns:
                log.warning("modems answer without taking turns file=%s cause=%s", self._turn_file, error)
            self._has_turns = False
            yield True
            return
        self._has_turns = True
        try:
            yield True
        finally:
            lock.release()


def beside(config: NodeConfig, service: str) -> Neighbour | None:
    """The modem beside that of `service` on this node, if it has one."""
    other, name = (config.modemb, "modemb") if service == "modem" else (config.modem, "modem")
    if other is None:
        return None
    return Neighbour(config.journal_file(name), config.node.run_dir / "replies")
