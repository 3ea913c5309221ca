"""The dialogue with a modem: commands and their answers, told from events and from answers that come late.

The library's takes events for answers and loses messages (docs/decisions/0005); so its `write` is replaced
here, and its error classes and its queries stand on ours.
"""

import contextlib
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable

from siaga_edge.modem import at
from siaga_edge.modem.device import CmeError, CmsError, CommandError, Device, TimeoutException
from siaga_edge.modem.failure import Hung, NoAnswer, NoWord, PortGone, PortMissing, Refused

__all__ = ["Hung", "NoAnswer", "NoWord", "Port", "PortGone", "PortMissing", "Refused"]
log = logging.getLogger(__name__)

SETTLE_TRIES, SETTLE_LIMIT_S = 3, 1.0
SENT_TRIES = 2  # after a send: with the profile's send_s before it a hang is known within 10 s
# Answers that had piled up follow each other at one pace: as long as one took is listened for the next.
LISTEN_LEAST_S, LISTEN_MOST_S, PILE_MOST_S = 0.03, 0.5, 10.0
# The prompt asks no network (3GPP TS 27.005 §4.3): a modem that says nothing for so long hangs.
PROMPT_LIMIT_S = 5.0
# Asked to find out where in the modem's answers one is: each answer names its question, every family knows
# them, and nothing else here asks them twice in a row (3GPP TS 27.005 §3.2.3, 27.007 §5.5, §8.2, §9.1).
_QUESTIONS = ("AT+CMEE?", "AT+CMGF?", "AT+CSCS?", "AT+CFUN?", "AT+CNMI?", "AT+CSQ")
_NAMES = ("+CMEE:", "+CMGF:", "+CSCS:", "+CFUN:", "+CNMI:", "+CSQ:")
# Told what to be like in one command, then, as some know only single ones, one by one.
_MANNERS = (("ATE0V1Q0",), ("ATE0", "ATV1", "ATQ0"))
# After the line that was asked for, the OK that some forget (Wavecom, of +CPIN).
ENOUGH_S = 1.0
# Pauses before a command is given again to a modem that is busy (CME 14 SIM busy, CMS 314 the same, CMS 515
# and SIMCom's wording): 1.5 s in all; the library goes on for ever.
BUSY_PAUSES_S = (0.1, 0.2, 0.4, 0.8)
_BUSY = frozenset({"14", "314", "515", "SIM busy"})
_ESCAPE = "\x1b"
# A PDU of 176 octets takes 0.4 s at 9600 baud; a slow USB stick has been late by more.
SECOND_LINE_S = 3.0


class Port(Device):
    """One open modem, used by one thread. `fileno` becomes readable when a line has come."""

    def __init__(
        self,
        port: str,
        baud: int,
        answer_limit_s: float,
        events: tuple[str, ...] = (),
        now_mono_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open the port; `events` are the words that its family says by itself. Raises PortMissing."""
        super().__init__(port, baud)
        self._limit_s, self.family_events, self._now_mono_s = answer_limit_s, events, now_mono_s
        self._owner = threading.get_ident()
        self._question, self._asked_last = 0, ""
        # Whether the modem may owe an answer: what it says next may belong to an earlier question.
        self._owes = True
        # Of the send being settled: its reference, whether an error ended it, whether its word is still owed.
        self._settles_send, self._late, self._ended, self._owes_word = False, "", False, False
        # Whether it said anything final while settled, and whether it has ever named an answer (never unset).
        self._answered = self._names_answers = False
        self._put_back: deque[str] = deque()
        self._events: list[at.Event] = []
        # Hears every event at once, in the owner's thread and perhaps inside another command's answer; one
        # that it takes (True) is not kept for `events`. It must send nothing.
        self.listener: Callable[[at.Event], bool] = lambda _event: False
        # A line that is picked up without audio makes the caller think he was heard: only modem/voice sets
        # this, while trial calls have proved the audio since the port was opened (modem/proof).
        self.audio_is_proved = False
        self._is_trial = False
        self._begin()

    # -- the owner's side ------------------------------------------------------------------------

    def command(
        self, text: str, limit_s: float | None = None, quiet_s: float | None = None, *, enough: str = ""
    ) -> list[str]:
        """Send one command; the lines of its answer. Raises Refused, NoAnswer, PortGone.

        `quiet_s` ends a long answer (a listing) that has stopped in the middle before `limit_s` does. A line
        that begins with `enough` is the answer even if no OK comes after it. A busy modem is asked again,
        BUSY_PAUSES_S long at most.
        """
        limit_s = limit_s or self._limit_s
        for pause_s in (*BUSY_PAUSES_S, None):
            lines = self._dialogue(text, "\r", limit_s, quiet_s=quiet_s, enough=enough)
            failed = at.failure(lines[-1])
            if failed is None:
                return lines[:-1]
            if failed not in _BUSY or pause_s is None:
                raise Refused(text, failed)
            self._listen(pause_s)
        raise AssertionError("the last try has no pause")

    def settle(self, limit_s: float = SETTLE_LIMIT_S, tries: int = SETTLE_TRIES) -> None:
        """Make sure that what the modem says next answers what it is asked next.

        After a time-out its late answer may still come, and would be taken for the answer to the next
        question, and so on for ever. So it is asked something whose answer names the question, another one
        each time, until that answer comes and no other follows. Leaves a prompt, turns echo off. Raises
        NoAnswer, PortGone.

        A modem that says nothing final in so many `tries` is given up; one that does, and knows only some of
        the questions, is asked all of them.
        """
        self._owes, self._answered = True, False
        for tried in range(len(_QUESTIONS)):
            if tried >= tries and not self._answered:
                break
            self._question = (self._question + 1) % len(_QUESTIONS)
            question = _QUESTIONS[self._question]
            if question == self._asked_last:
                continue
            begun_s = self._now_mono_s()
            self._write(f"{_ESCAPE}\r")
            # After a text an error may be its word: so nothing is said then that some modems refuse.
            for manner in _MANNERS[tried > 0 or self._settles_send]:
                self._write(f"{manner}\r")
            self._write(f"{question}\r")
            if self._came_round(question, begun_s + limit_s) and self._was_last(begun_s):
                self._owes, self._names_answers = False, True
                return
        if self._answered and not self._names_answers and self._is_alone():
            self._owes = False
            return
        raise NoAnswer(f"modem {self.port} does not answer; check power and SIM tray")

    def _is_alone(self) -> bool:
        """Whether a modem that knows none of the questions has said all it owed: one AT, one answer.

        Only for a modem that has never named an answer, and after as long a silence as an answer may take.
        """
        if self._line("its silence", self._now_mono_s() + self._limit_s) is not None:
            return False
        self._write("AT\r")
        finals = 0
        until_s = self._now_mono_s() + self._limit_s
        while (line := self._line("AT", until_s)) is not None:
            if at.classify(line, "AT", self.family_events) == "final":
                finals, until_s = finals + 1, self._now_mono_s() + SETTLE_LIMIT_S
        return finals == 1

    def _came_round(self, question: str, deadline_s: float) -> bool:
        """Whether the answer to this very question came, and its end."""
        name, named = question[2:].rstrip("?") + ":", False
        while (line := self._line(question, deadline_s)) is not None:
            self._answered = self._answered or at.classify(line, question) == "final"
            if line.startswith(name):
                named = True
            elif named and line == "OK":
                return True
            elif line.startswith(at.ERRORS):
                self._ended = True
            elif at.classify(line, "", self.family_events) == "event" and not at.is_rest(line):
                self._take_event(line)
        return False

    def _was_last(self, begun_s: float) -> bool:
        """Whether no more answers follow; those of questions that had piled up are passed over."""
        now_s = self._now_mono_s()
        pace_s = min(max(now_s - begun_s, LISTEN_LEAST_S), LISTEN_MOST_S)
        last, until_s = True, now_s + pace_s
        while (line := self._line("", until_s)) is not None:
            if at.is_rest(line) or line.startswith(_NAMES):
                last, until_s = False, min(self._now_mono_s() + pace_s, now_s + PILE_MOST_S)
            else:
                self._take_event(line)
        return last

    def _listen(self, seconds: float) -> None:
        """Hear events for a while; what else comes is nobody's answer."""
        until_s = self._now_mono_s() + seconds
        while (line := self._line("", until_s)) is not None:
            if not at.is_rest(line):
                self._take_event(line)

    def shout(self, text: str) -> None:
        """Say something to a modem that answers nothing; it may hear all the same. Raises PortGone."""
        self._owes = True
        self._write(f"{_ESCAPE}\r{text}\r")

    def answer_trial(self) -> None:
        """Pick up a call of the node's other modem: nobody waits to be heard on it. Raises as `command`."""
        self._is_trial = True
        try:
            self.command("ATA")
        finally:
            self._is_trial = False

    def send(self, length: int, pdu: str, limit_s: float) -> int:
        """Hand over one PDU; its message reference. Raises Refused, BadAnswer, NoWord, NoAnswer, PortGone.

        Between Ctrl-Z and the result not one octet is written before `limit_s`: any character may abort
        +CMGS (Fibocom G510 manual, note to +CMGS; ITU-T V.250 §5.6.1). Then the modem is asked whether it is
        there: Hung if it is not.
        """
        self._ready("AT+CMGS")
        self._open_prompt(length)
        self._late, self._owes_word = "", False
        try:
            lines = self._dialogue(pdu, "\x1a", limit_s, pending="AT+CMGS", first=False)
        except NoAnswer:
            return self._late_reference(limit_s)
        if (failed := at.failure(lines[-1])) is not None:
            raise Refused("AT+CMGS", failed)
        return at.sent_reference(lines[:-1])

    def _open_prompt(self, length: int) -> None:
        self._prompt.clear()
        self._write(f"AT+CMGS={length}\r")
        prompt_s = min(self._limit_s, PROMPT_LIMIT_S)
        deadline_s = self._now_mono_s() + prompt_s
        while not self._prompt.is_set():
            final = self._line("AT+CMGS", deadline_s, quiet=True)
            kind = final and at.classify(final, "AT+CMGS", self.family_events)
            if final is not None and kind == "final":
                raise Refused("AT+CMGS", at.failure(final) or final)
            if final is not None and kind == "event":
                self._take_event(final)
            if self._now_mono_s() >= deadline_s:
                self._drain()
                raise NoAnswer(f"modem {self.port} gave no prompt in {prompt_s:.0f} s; it is being reset")

    def _late_reference(self, waited_s: float) -> int:
        """A reference that comes while the modem is asked whether it is there. Else NoWord, Hung, PortGone.

        Nothing asked meanwhile is answered so, and a text begins only when no other's word is awaited
        (sending.py): it is this text's. An error is not taken for the network's: what was typed may cause it.
        """
        self._settles_send, self._ended = True, False
        try:
            self.settle(tries=SENT_TRIES)
        except PortGone:
            if not self._late:
                raise
        except NoAnswer as error:
            if not self._late:
                why = f"nothing for {waited_s:.0f} s after a text and answers nothing; it is being reset"
                raise Hung(f"modem {self.port} said {why}") from error
        finally:
            self._settles_send = False
        if self._late:
            return at.sent_reference([self._late])
        self._owes_word = not self._ended
        raise NoWord(
            f"the network said nothing for {waited_s:.0f} s after a text, though the modem answers",
            may_come=self._owes_word,
        )

    @property
    def has_news(self) -> bool:
        """Whether the modem has said something that `events` has not given yet."""
        return bool(self._events) or not self._lines.empty()

    def events(self) -> list[at.Event]:
        """What the modem has said by itself since the last call. Raises PortGone."""
        self._rest()
        while self._put_back or not self._lines.empty():
            line = self._line("its silence", self._now_mono_s())
            if line is not None:
                self._take_event(line)
        events, self._events = self._events, []
        return events

    def write(
        self,
        data: str,
        waitForResponse: bool = True,
        timeout: float = 10,
        parseError: bool = True,
        writeTerm: str = "\r",
        expectedResponseTermSeq: str | None = None,  # noqa: ARG002
    ) -> list[str] | None:
        """What the library's own queries call: the same dialogue, its kind of errors."""
        if not waitForResponse:
            self._guard(data)
            self._ready(data)
            self._write(data + writeTerm)
            self._owes = True
            return None
        try:
            lines = self._dialogue(data, writeTerm, timeout)
        except NoAnswer as error:
            raise TimeoutException(str(error)) from error
        if at.failure(lines[-1]) is not None and parseError:
            raise _library_error(data, lines[-1])
        return lines

    # -- the dialogue ------------------------------------------------------------------------------

    def _dialogue(
        self,
        text: str,
        end: str,
        limit_s: float,
        pending: str = "",
        *,
        quiet_s: float | None = None,
        first: bool = True,
        enough: str = "",
    ) -> list[str]:
        pending = pending or text
        self._guard(text)
        if first:
            self._ready(pending)
        self._write(text + end)
        end_s = self._now_mono_s() + limit_s
        lines: list[str] = []
        skips_ok = False
        while True:
            due_s = end_s if quiet_s is None else min(end_s, self._now_mono_s() + quiet_s)
            if enough and lines and lines[-1].startswith(enough):
                due_s = min(end_s, self._now_mono_s() + ENOUGH_S)
            line = self._line(pending, due_s)
            if line is None and enough and lines and lines[-1].startswith(enough):
                self._owes = True  # its OK may still come
                return [*lines, "OK"]
            if line is None:
                self._drain()
                raise NoAnswer(
                    f"modem {self.port} gave no answer to {pending.partition('=')[0]} in"
                    f" {quiet_s or limit_s:.0f} s; check power and SIM tray"
                )
            if line == text:
                continue  # an echo that could not be turned off: of a PDU it looks like a message
            kind = at.classify(line, pending, self.family_events)
            if kind == "final" and skips_ok and line == "OK":
                skips_ok = False
            elif kind == "final":
                # While a text's result is owed an error may be it: then this answer still comes, or its rest.
                self._owes = self._owes or (self._owes_word and line != "OK")
                return [*lines, line]
            elif kind == "answer":
                if line.startswith(at.REFERENCE):
                    self._late = line
                lines.append(line)
            elif kind == "event":
                skips_ok = skips_ok or line.startswith(at.REFERENCE)  # a late one has an OK of its own
                self._take_event(line)

    def _guard(self, text: str) -> None:
        if at.answers_a_call(text) and not (self.audio_is_proved or self._is_trial):
            raise Refused(text, "it would pick up a call on a line without proved audio")

    def _ready(self, asking: str) -> None:
        """Before a command: one owner, and no answer is owed. Raises NoAnswer, PortGone."""
        if threading.get_ident() != self._owner:
            raise RuntimeError(f"modem {self.port} belongs to another thread; its owner alone may ask")
        if self._owes:
            self.settle()
        self._asked_last = asking

    def _line(self, pending: str, deadline_s: float, *, quiet: bool = False) -> str | None:
        """The next line; None at the deadline, or soon if `quiet`. Raises PortGone, at once when it dies."""
        if self._put_back:
            return self._put_back.popleft()
        left_s = max(0.0, deadline_s - self._now_mono_s())
        try:
            line = self._next(min(left_s, 0.02) if quiet else left_s)
        except queue.Empty:
            return None
        if line is None:
            self._lines.put(None)  # it stays gone, whoever asks next
            raise PortGone(f"modem {self.port} vanished during {pending.partition('=')[0]}; check its plug")
        return line

    def _take_event(self, line: str) -> None:
        if self._owes and at.is_octets(line):
            return  # of a listing that comes too late; the next one gives it again
        if line.startswith(at.REFERENCE):
            self._owes_word = False
            if self._settles_send:
                self._late = line
                return
            self._owes = True  # it has an OK of its own, which may come with the next command
        event = at.Event(line, self._second_line(line))
        try:
            is_taken = self.listener(event)
        except Exception:
            self._owes = True  # what is being read now is left half read
            raise
        if not is_taken:
            self._events.append(event)

    def _second_line(self, line: str) -> str:
        """What belongs to an event and follows it, whatever else is waited for: it is said once.

        Where octets have to come, a line that says something of its own is put back; the event is then told
        without, and also when the modem vanishes between the two.
        """
        kind, second = at.follows(line), None
        if kind is not None:
            with contextlib.suppress(PortGone):
                second = self._line("", self._now_mono_s() + SECOND_LINE_S)
        if kind == "octets" and second is not None and at.stands_alone(second):
            self._put_back.append(second)
            return ""
        return second or ""

    def _drain(self) -> None:
        """After a missing answer: leave a prompt. The next command settles first, so a late one is lost."""
        self._owes = True
        with contextlib.suppress(PortGone):
            self._write(_ESCAPE)


def _library_error(data: str, final: str) -> CommandError:
    found = at.failure(final) or ""
    if found.isdecimal():
        return CmsError(data, int(found)) if "CMS" in final else CmeError(data, int(found))
    return CommandError(data)
