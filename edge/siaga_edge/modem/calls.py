"""Notes every call before anything is answered; turns it away when it has rung long enough."""

import logging
import re
import sqlite3
from collections.abc import Callable
from typing import Protocol

import msgspec

from siaga_core.service.clock import Clock
from siaga_core.service.logs import mask_number
from siaga_core.wire import report as wire
from siaga_edge.journal import Journal
from siaga_edge.modem import call, call_log
from siaga_edge.modem.call import Ask, Leg, Listed, Note, Reject
from siaga_edge.modem.call_log import CallLog
from siaga_edge.modem.port import Refused

log = logging.getLogger(__name__)

# Calls that are not over, so that a service that was killed while it rang goes on with the same report.
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS open_call (report_id TEXT PRIMARY KEY, leg TEXT NOT NULL) STRICT;"
    f"{call_log.SCHEMA}"
)
_ENDED = ("NO CARRIER", "MISSED_CALL", "VOICE CALL: END", "^CEND", "BUSY")
_CLIP = re.compile(r'\+C(?:LIP|CWA): ?"([^"]*)"(?:, ?(\d*))?')
_LISTED = re.compile(r'\+CLCC: ?\d+, ?(\d), ?(\d), ?(\d), ?\d(?:, ?"([^"]*)"(?:, ?(\d+))?)?')
_STATES = {"0": "active", "1": "held", "4": "incoming", "5": "waiting"}
_UCS2 = re.compile(r"(?:00[23][0-9A-Ba-b])+\Z")
_VOICE = "0"

# What is owed to a caller whom nobody could answer; writes inside the transaction that notes the call's end.
Owed = Callable[[sqlite3.Connection, Leg], None]


class Asked(Protocol):
    """What is needed of the port."""

    def command(self, text: str) -> list[str]:
        """The answer to an AT command. Raises Refused and what a silent port raises."""


class Calls:
    """The calls of one modem. Used by the thread that owns port and journal."""

    def __init__(
        self,
        journal: Journal,
        modem: str,
        clock: Clock,
        new_id: Callable[[], str],
        reject_after_s: float,
        owed: Owed,
    ) -> None:
        """`journal` was opened with SCHEMA; calls that were open when the service died are taken up again."""
        self._journal, self._modem, self._clock, self._new_id = journal, modem, clock, new_id
        self._reject_after_s, self._owed = reject_after_s, owed
        rows = journal.connection.execute("SELECT leg FROM open_call ORDER BY report_id").fetchall()
        legs = tuple(msgspec.json.decode(row["leg"], type=Leg) for row in rows)
        self._line = call.resumed(legs, clock.mono_s())
        self._log = CallLog(journal, modem, reject_after_s)

    @property
    def busy(self) -> bool:
        """Whether a call is not over."""
        return bool(self._line.legs)

    def hear(self, line: str) -> bool:
        """Note what the modem said by itself; False if it is not about a call. Sends nothing to the modem."""
        event = event_of(line)
        if event is None:
            return False
        # An Ask is left to `tend`: this may be heard in the middle of another command's answer.
        self._step(event, line)
        return True

    def tend(self, port: Asked, reject: list[str]) -> None:
        """See what has become of the calls, turn away who has rung long enough. Raises the port's errors.

        `reject` are the profile's commands for it, tried in turn until AT+CLCC agrees.
        """
        if not self.busy:
            return
        asked = self._line.doubted
        for deed in self._step(call.Passed()):
            if isinstance(deed, Reject):
                self._turn_away(port, deed, reject)
            asked = asked or isinstance(deed, Ask)
        if asked and self.busy:
            answer = _list(port)
            self._step(call.Told(None if answer is None else listed(answer)), "\n".join(answer or []))

    def wait(self) -> None:
        """Time passes without a modem; a call that cannot be looked after any more ends."""
        if self.busy:
            self._step(call.Passed())

    def _step(self, event: call.Event, said: str = "") -> tuple[call.Deed, ...]:
        before, now_s = self._line, self._clock.mono_s()
        line, deeds = call.step(before, event, now_s, self._reject_after_s, lambda: self._new_id())
        self._log.add(before, call_log.entry(event, said, now_s, self._clock.wall_ns()))
        if noted := [deed.leg for deed in deeds if isinstance(deed, Note)]:
            self._commit(noted)
        # Only now: what is not committed has not happened, and comes again with the next list.
        self._line = line
        self._log.done(line)
        return deeds

    def _commit(self, noted: list[Leg]) -> None:
        def write(connection: sqlite3.Connection) -> None:
            self._log.write(connection, noted)
            for leg in noted:
                if call.is_over(leg):
                    connection.execute("DELETE FROM open_call WHERE report_id = ?", (leg.report_id,))
                    if leg.state == "missed":
                        self._owed(connection, leg)
                else:
                    leg_json = msgspec.json.encode(leg).decode()
                    connection.execute(
                        "INSERT OR REPLACE INTO open_call VALUES (?, ?)", (leg.report_id, leg_json)
                    )

        records = [(wire.KIND, call.report(leg, self._modem), "urgent") for leg in noted]
        self._journal.append_all(records, write)  # type: ignore[arg-type]
        for leg in noted:
            number = mask_number(leg.number) if leg.number else "-"
            log.info("call noted report=%s state=%s from=%s", leg.report_id, leg.state, number)

    @staticmethod
    def _turn_away(port: Asked, deed: Reject, reject: list[str]) -> None:
        """One way of rejecting a call; whether it worked is seen in the list, an OK says nothing.

        SIM7600 answers ATH with OK and goes on ringing while +CVHU is 1.
        """
        ways = ["AT+CHLD=0"] if deed.beside else reject
        way = ways[deed.attempt % len(ways)]
        try:
            port.command(way)
        except Refused as error:
            log.info("call not turned away by=%s cause=%s", way, error)


def event_of(line: str) -> call.Event | None:
    """What a line of the modem says of calls, None if nothing."""
    if line.startswith(("RING", "+CRING:")):
        return None if line.startswith("+CRING:") and "VOICE" not in line else call.Rang()
    if line.startswith("+CLIP:"):
        return call.Named(_number(_CLIP.match(line)))
    if line.startswith("+CCWA:"):
        return call.Waits(_number(_CLIP.match(line)))
    return call.Doubted() if line.startswith(_ENDED) else None


def listed(answer: list[str]) -> tuple[Listed, ...]:
    """The incoming voice calls of an AT+CLCC answer (3GPP TS 27.007 §7.18)."""
    found: list[Listed] = []
    for line in answer:
        one = _LISTED.match(line)
        if one is None or one[1] != "1" or one[3] != _VOICE or one[2] not in _STATES:
            continue
        found.append(Listed(_plain(one[4], one[5]), _STATES[one[2]]))  # type: ignore[arg-type]
    return tuple(found)


def _list(port: Asked) -> list[str] | None:
    try:
        return port.command("AT+CLCC")
    except Refused:
        return None


def _number(found: re.Match[str] | None) -> str | None:
    return _plain(found[1], found[2]) if found else None


def _plain(number: str | None, kind: str | None) -> str | None:
    """A number as digits, None if there is none; UCS-2 in hexadecimal is read, 145 is international."""
    if not number:
        return None
    if _UCS2.match(number):
        number = bytes.fromhex(number).decode("utf-16-be", "replace")
    if kind == "145" and not number.startswith("+"):
        number = f"+{number}"
    return number if re.search(r"\d", number) else None
