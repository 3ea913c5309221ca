"""The node's other modem: its replies to a number and its alarms for it, so that both are the node's.

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
from siaga_edge.modem.conversation import SESSION_S, Instant, Said
from siaga_edge.modem.same_matter import TheirAlarm
from siaga_edge.modem.status import OLD_S, read_status
from siaga_edge.node import NodeConfig

log = logging.getLogger(__name__)


# What was written comes from the raw messages: the alarm's own text is cut to one part.
_ALARMS = """
SELECT a.code, a.party, a.state, a.boot, a.boot_ns, a.wall_ns,
    (SELECT group_concat(text, '') FROM (SELECT text FROM pdu WHERE report_id = a.report_id ORDER BY number))
        AS said,
    EXISTS (SELECT 1 FROM alarm_told t JOIN outgoing o USING (id)
        WHERE t.code = a.code AND o.state IN ('sent', 'handed over')) AS reached
FROM alarm a WHERE a.state != 'over' OR a.wall_ns > ? ORDER BY a.wall_ns
"""
# What the hub has ordered to a number; what did not leave has told it nothing.
HUB_TEXTS = """
SELECT at_wall_ns, state NOT IN ('queued', 'sending', 'left') AS is_out FROM outgoing
WHERE recipient = ? AND state != 'failed' AND id IN (SELECT id FROM taken_command)
"""
_PLACED = "SELECT 1 FROM talk WHERE number = ? AND state IN ('located', 'placed', 'bounced_placed')"


class Neighbour:
    """Used by the thread of one modem. `turn_file`: in the run directory, named the same by both services.

    `service`: the other's name there.
    """

    def __init__(self, journal_file: Path, turn_file: Path, service: str = "") -> None:
        self._journal_file, self._turn_file, self._service = journal_file, turn_file, service
        self._has_turns = True

    def said(self, number: str, now: Instant) -> list[Said]:
        """Its automatic replies to a number; none when its journal is not there or cannot be read.

        Then this modem's own limits hold alone: a citizen answered twice is better than one not answered.
        """
        query = "SELECT template, boot, boot_ns, wall_ns FROM said WHERE number = ?"
        rows = self._rows(query, number)
        return [
            Said(row["template"], Instant(row["boot"], row["boot_ns"], row["wall_ns"]).until_s(now), True)
            for row in rows
        ]

    def hub_texts(self, number: str, now: Instant) -> list[Said]:
        """What the hub had it send to a number."""
        return [by_hub(row, now) for row in self._rows(HUB_TEXTS, number)]

    def knows_place(self, number: str) -> bool:
        """Whether who has this number gave it a place."""
        return bool(self._rows(_PLACED, number))

    def alarms(self, now: Instant) -> dict[str, TheirAlarm]:
        """Its newest alarm for each who wrote or rang; none when they cannot be read: then all is alarmed."""
        status = read_status(self._turn_file.parent, self._service)
        tended = status is not None and abs(now.wall_ns - status.at_wall_ns) < OLD_S * 1e9
        return {
            row["party"]: TheirAlarm(
                row["code"],
                row["state"],
                Instant(row["boot"], row["boot_ns"], row["wall_ns"]).until_s(now),
                row["said"],
                bool(row["reached"]),
                tended,
            )
            for row in self._rows(_ALARMS, now.wall_ns - int(SESSION_S * 1e9))
        }

    def _rows(self, query: str, value: str | int) -> list[sqlite3.Row]:
        try:
            with contextlib.closing(open_reader(self._journal_file)) as connection:
                return connection.execute(query, (value,)).fetchall()
        except StoreMissing:
            return []
        except sqlite3.Error as error:
            log.warning("the other modem's journal cannot be read cause=%s", error)
            return []

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


def by_hub(row: sqlite3.Row, now: Instant) -> Said:
    """A row of HUB_TEXTS; its age goes by wall time, which is all that is kept of it."""
    return Said("hub", (now.wall_ns - row["at_wall_ns"]) / 1e9, is_out=bool(row["is_out"]))


def beside(config: NodeConfig, service: str) -> Neighbour | None:
    """The modem beside that of `service` on this node, if it has one."""
    other, name = (config.modemb, "modemb") if service == "modem" else (config.modem, "modem")
    if other is None:
        return None
    return Neighbour(config.journal_file(name), config.node.run_dir / "replies", name)
