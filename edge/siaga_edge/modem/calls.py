"""Notes every call before anything is answered; turns it away when it has rung long enough."""

import logging
import re
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import msgspec

from siaga_core.service.clock import Clock
from siaga_core.service.logs import mask_number
from siaga_core.wire import report as wire
from siaga_core.wire.report import CallPrompt, CallRecording
from siaga_edge.journal import Journal
from siaga_edge.modem import call, call_log, expected
from siaga_edge.modem.call import Ask, Leg, Listed, Note, Reject
from siaga_edge.modem.call_log import CallLog
from siaga_edge.modem.expected import Expected
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


class Answering(Protocol):
    """Who may pick a call up in the node's name (modem/voice)."""

    def may_answer(self) -> bool:
        """Whether a caller would be heard now."""

    def pick_up(self, port: Asked, report_id: str) -> bool:
        """Pick up the call that rings; False if it still rings. Raises the port's errors."""

    def talks(self, report_id: str) -> bool:
        """Whether this call is being talked to."""

    def finish(self, report_id: str) -> tuple[CallPrompt, CallRecording | None]:
        """The call is over: what it came to. Sends nothing to the modem."""


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
        voice: Answering | None = None,
    ) -> None:
        """`journal` was opened with SCHEMA; calls that were open when the service died are taken up again.

        `voice` None: nothing is ever picked up.
        """
        self._journal, self._modem, self._clock, self._new_id = journal, modem, clock, new_id
        self._reject_after_s, self._owed = reject_after_s, owed
        rows = journal.connection.execute("SELECT leg FROM open_call ORDER BY report_id").fetchall()
        legs = tuple(msgspec.json.decode(row["leg"], type=Leg) for row in rows)
        self._line = call.resumed(legs, clock.mono_s())
        self._log = CallLog(journal, modem, reject_after_s)
        self._voice, self._hang_ups = voice, 0
        self._expected: Expected | None = None

    @property
    def busy(self) -> bool:
        """Whether a call is not over."""
        return bool(self._line.legs)

    @property
    def are_talked_to(self) -> bool:
        """Whether every call that is not over has the prompt's voice: nobody rings."""
        return self._voice is not None and all(self._voice.talks(leg.report_id) for leg in self._line.legs)

    def hear(self, line: str) -> bool:
        """Note what the modem said by itself; False if it is not about a call. Sends nothing to the modem."""
        event = event_of(line)
        if event is None:
            return False
        # An Ask is left to `tend`: this may be heard in the middle of another command's answer.
        if not self._is_trial(event):
            self._step(event, line)
        return True

    def expect(self, number: str, until_mono_s: float) -> None:
        """The node's other modem is about to call from `number`: that is no citizen and no report."""
        self._expected = Expected(number, until_mono_s)

    def expect_nobody(self) -> None:
        """The trial call is over; whoever rings now is a citizen."""
        self._release()
        self._expected = None

    @property
    def trial_rings(self) -> bool:
        """Whether the expected call rings, and no citizen's beside it."""
        return self._expected is not None and self._expected.came and not self.busy

    def tend(self, port: Asked, reject: list[str]) -> None:
        """See what has become of the calls, turn away who has rung long enough. Raises the port's errors.

        `reject` are the profile's commands for it, tried in turn until AT+CLCC agrees.
        """
        self._release_overdue()
        if not self.busy:
            return
        asked = self._line.doubted
        for deed in self._step(call.Passed()):
            if isinstance(deed, Reject) and not self._picks_up(port, deed):
                self._turn_away(port, deed, reject)
            asked = asked or isinstance(deed, Ask)
        if asked and self.busy:
            answer = self._citizens(_list(port))
            self._step(call.Told(None if answer is None else listed(answer)), "\n".join(answer or []))
            self._leave_nobody_on_the_line(port, reject)

    def wait(self) -> None:
        """Time passes without a modem; a call that cannot be looked after any more ends."""
        self._release_overdue()
        if self.busy:
            self._step(call.Passed())

    def _is_trial(self, event: call.Event) -> bool:
        """Whether a sign is the expected call's, or is held until that is known."""
        if self._expected is None:
            return False
        after, verdict = expected.hear(
            self._expected, event, self._clock.mono_s(), self._new_id, busy=self.busy
        )
        if verdict == "release":
            self._release()
        elif verdict == "hold" and after.held is not None:
            self._hold(after.held)
        elif self._expected.held is not None and after.held is None:
            self._forget(self._expected.held)
        if verdict != "release":
            self._expected = after
        return verdict in ("ours", "hold")

    def _hold(self, leg: Leg) -> None:
        """On disk but no report yet: after a kill it is a citizen's call again."""
        self._keep("INSERT INTO open_call VALUES (?, ?)", leg.report_id, msgspec.json.encode(leg).decode())

    def _forget(self, leg: Leg) -> None:
        self._keep("DELETE FROM open_call WHERE report_id = ?", leg.report_id)

    def _keep(self, query: str, *values: str) -> None:
        def write(connection: sqlite3.Connection) -> None:
            connection.execute(query, values)

        self._journal.append_all([], write)

    def _release(self) -> None:
        """A held ring was a citizen's: note it as it came."""
        if self._expected is None or self._expected.held is None:
            return
        leg = self._expected.held
        self._expected = replace(self._expected, held=None)
        self._commit([leg])
        self._line = replace(self._line, legs=(*self._line.legs, leg))

    def _release_overdue(self) -> None:
        if self._expected is not None and expected.is_overdue(self._expected, self._clock.mono_s()):
            self._release()

    def _citizens(self, answer: list[str] | None) -> list[str] | None:
        """A list of AT+CLCC without the expected call."""
        if answer is None or self._expected is None:
            return answer
        theirs = [*expected.citizens(self._expected, listed(answer))]
        kept: list[str] = []
        for line in answer:
            for one in listed([line]):
                if one in theirs:
                    theirs.remove(one)
                    kept.append(line)
        return kept

    def _picks_up(self, port: Asked, deed: Reject) -> bool:
        """Whether the node answers instead of turning away: once, and to nobody's disadvantage."""
        leg = call.ringing(self._line)
        if self._voice is None or leg is None or self._line.blind or deed.attempt or deed.beside:
            return False
        if not self._voice.may_answer():
            return False
        self._step(call.PickedUp(leg.report_id))
        picked_up = self._voice.pick_up(port, leg.report_id)
        if not picked_up:
            self._step(call.PickedUp(leg.report_id, None))
        return picked_up

    def _leave_nobody_on_the_line(self, port: Asked, reject: list[str]) -> None:
        """Hang up a call that was picked up before the service died: nobody would ever speak to it."""
        for leg in self._line.legs:
            if (
                leg.state == "answered"
                and leg.prompt
                and not (self._voice is not None and self._voice.talks(leg.report_id))
            ):
                self._turn_away(port, Reject(self._hang_ups), reject)
                self._hang_ups += 1

    def _came_to(self, leg: Leg) -> Leg:
        """A call that is over, with what its prompt came to."""
        if leg.prompt is None or self._voice is None:
            return leg
        prompt, recording = self._voice.finish(leg.report_id)
        return replace(leg, prompt=prompt if leg.state == "ended" else None, recording=recording)

    def _step(self, event: call.Event, said: str = "") -> tuple[call.Deed, ...]:
        before, now_s = self._line, self._clock.mono_s()
        line, deeds = call.step(before, event, now_s, self._reject_after_s, lambda: self._new_id())
        self._log.add(before, call_log.entry(event, said, now_s, self._clock.wall_ns()))
        if noted := [deed.leg for deed in deeds if isinstance(deed, Note)]:
            self._commit([self._came_to(leg) if call.is_over(leg) else leg for leg in noted])
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
                    # A prompt is no person: who spoke to it has been heard by nobody yet.
                    if leg.state == "missed" or leg.prompt is not None:
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
