"""The modem's wire: python-gsmmodem-new's GsmModem with a reader and a dialogue of our own.

The library's reader dies of a stray byte, takes events for answers and loses messages (docs/decisions/0005);
so its connection, reader and `write` are replaced here; its error classes and its queries stand on them.
"""

import contextlib
import logging
import os
import queue
import select
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

from siaga_core.errors import SiagaError, Transient
from siaga_edge.modem import at

with warnings.catch_warnings():
    # The library compares strings with `is` and has invalid escapes; both are loud on import.
    warnings.simplefilter("ignore")
    from gsmmodem.exceptions import CmeError, CmsError, CommandError, TimeoutException
    from gsmmodem.modem import GsmModem

import serial

log = logging.getLogger(__name__)

READ_MOST = 4096
# The network is asked, not only the modem (3GPP TS 22.083): most answer in 3 s, some in 15.
WAITING_LIMIT_S = 15.0
# A driver that takes nothing any more (a hung USB stick) must not hold its owner.
WRITE_LIMIT_S = 3.0
SETTLE_TRIES, SETTLE_LIMIT_S = 3, 1.0
# The prompt asks no network (3GPP TS 27.005 §4.3): a modem that says nothing for so long hangs.
PROMPT_LIMIT_S = 5.0
# Asked to find out where in the modem's answers one is: each answer names its question, every family knows
# them, and nothing else here asks them twice in a row (3GPP TS 27.005 §3.2.3, 27.007 §5.5, §8.2, §9.1).
_QUESTIONS = ("AT+CMEE?", "AT+CMGF?", "AT+CSCS?", "AT+CFUN?", "AT+CNMI?", "AT+CSQ")
# Told what to be like in one command, then, as some know only single ones, one by one.
_MANNERS = (("ATE0V1Q0",), ("ATE0", "ATV1", "ATQ0"))
# After the line that was asked for, the OK that some forget (Wavecom, of +CPIN).
ENOUGH_S = 1.0
# Pauses before a command is given again to a modem that is busy (CME 14 SIM busy, CMS 314 the same, CMS 515
# and SIMCom's wording): 1.5 s in all; the library goes on for ever.
BUSY_PAUSES_S = (0.1, 0.2, 0.4, 0.8)
_BUSY = frozenset({"14", "314", "515", "SIM busy"})
_ESCAPE = "\x1b"


class PortMissing(SiagaError, Transient):
    """The device is not there, or somebody else has it."""


class PortGone(SiagaError, Transient):
    """The device vanished while it was open."""


class NoAnswer(SiagaError, Transient):
    """The modem does not answer."""


class Refused(SiagaError):
    """The modem answered with an error; `code` is what it said."""

    def __init__(self, command: str, code: str) -> None:
        super().__init__(f"modem refused {command.partition('=')[0]}: {code}")
        self.code = code


class Port(GsmModem):  # type: ignore[misc]
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
        # Whether it said anything final while settled, and whether it has ever named an answer (never unset).
        self._answered = self._names_answers = False
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._events: list[at.Event] = []
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._prompt = threading.Event()
        self._unfinished = b""
        self.noise = 0
        # Hears every event at once, in the owner's thread and perhaps inside another command's answer; one
        # that it takes (True) is not kept for `events`. It must send nothing.
        self.listener: Callable[[at.Event], bool] = lambda _event: False
        # A line that is picked up without audio makes the caller think he was heard: only modem/voice sets
        # this, while trial calls have proved the audio since the port was opened (modem/proof).
        self.audio_is_proved = False
        self._is_trial = False
        try:
            self.connect()
        except PortMissing:
            self._close_wake()  # it is tried every second while the modem is away
            raise

    def connect(self, *_: Any, **__: Any) -> None:
        """Open without flow control (a 3-wire UART has none) and alone; begin to read."""
        try:
            if self.port.startswith("socket://"):
                self.serial = serial.serial_for_url(self.port, timeout=0.2)
            else:
                self.serial = serial.Serial(
                    self.port, self.baudrate, timeout=0.2, write_timeout=WRITE_LIMIT_S, exclusive=True
                )
        except (OSError, ValueError) as error:
            raise PortMissing(
                f"modem {self.port} cannot be opened: {error}; check plug and supply"
            ) from error
        self.alive = True
        self.rxThread = threading.Thread(target=self._readLoop, name="modem-reader", daemon=True)
        self.rxThread.start()

    def close(self) -> None:
        """Stop reading and close."""
        self.alive = False
        with contextlib.suppress(OSError):
            self.serial.close()
        self.rxThread.join(2)
        self._close_wake()

    def _close_wake(self) -> None:
        os.close(self._wake_read)
        os.close(self._wake_write)

    def fileno(self) -> int:
        """For select."""
        return self._wake_read

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
        each time, until that answer comes. Leaves a prompt, turns echo off. Raises NoAnswer, PortGone.

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
            self._write(f"{_ESCAPE}\r")
            for manner in _MANNERS[tried > 0]:
                self._write(f"{manner}\r")
            self._write(f"{question}\r")
            if self._came_round(question, self._now_mono_s() + limit_s):
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
            elif at.classify(line, "", self.family_events) == "event" and not _looks_like_answer(line):
                self._take_event(line, deadline_s)
        return False

    def _listen(self, seconds: float) -> None:
        """Hear events for a while; what else comes is nobody's answer."""
        until_s = self._now_mono_s() + seconds
        while (line := self._line("", until_s)) is not None:
            if not _looks_like_answer(line):
                self._take_event(line, until_s)

    def wait(self, woken: int, limit_s: float) -> bool:
        """Until a line has come, or `woken` can be read (True), or the time is over."""
        readable, _, _ = select.select([self.fileno(), woken], [], [], max(0.0, limit_s))
        return woken in readable

    def shout(self, text: str) -> None:
        """Say something to a modem that answers nothing; it may hear all the same. Raises PortGone."""
        self._owes = True
        self._write(f"{_ESCAPE}\r{text}\r")

    def leave_calls_alone(self) -> None:
        """Forbid the modem to pick calls up by itself: one stored with ATS0=1 does so before anybody asks.

        Holds until the modem restarts. Raises NoAnswer, PortGone; a modem that refuses is one without S0.
        """
        try:
            self.command("ATS0=0")
        except Refused as error:
            log.error("modem refused ATS0=0; see that it does not answer calls by itself: %s", error)

    def let_calls_wait(self) -> bool:
        """Have a second caller announced (+CCWA) instead of turned away as busy; False if it cannot be had.

        Raises NoAnswer, PortGone.
        """
        for command in ("AT+CCWA=1,1,1", "AT+CCWA=1"):
            with contextlib.suppress(Refused):
                self.command(command, WAITING_LIMIT_S)
                return True
        log.info("modem has no call waiting; a second caller hears the engaged tone")
        return False

    def answer_trial(self) -> None:
        """Pick up a call of the node's other modem: nobody waits to be heard on it. Raises as `command`."""
        self._is_trial = True
        try:
            self.command("ATA")
        finally:
            self._is_trial = False

    def send(self, length: int, pdu: str, limit_s: float) -> int:
        """Hand over one PDU; its message reference. Raises Refused, NoAnswer, PortGone.

        Between Ctrl-Z and the result not one octet is written: any character may abort +CMGS (Fibocom G510
        manual, note to +CMGS; ITU-T V.250 §5.6.1), so no question can tell a network that takes its time
        from a modem that hangs, before `limit_s`.
        """
        self._ready("AT+CMGS")
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
                self._take_event(final, deadline_s)
            if self._now_mono_s() >= deadline_s:
                self._drain()
                raise NoAnswer(f"modem {self.port} gave no prompt in {prompt_s:.0f} s; it is being reset")
        lines = self._dialogue(pdu, "\x1a", limit_s, pending="AT+CMGS", first=False)
        failed = at.failure(lines[-1])
        if failed is not None:
            raise Refused("AT+CMGS", failed)
        return at.sent_reference(lines[:-1])

    @property
    def has_news(self) -> bool:
        """Whether the modem has said something that `events` has not given yet."""
        return bool(self._events) or not self._lines.empty()

    def events(self) -> list[at.Event]:
        """What the modem has said by itself since the last call. Raises PortGone."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wake_read, READ_MOST):
                pass
        while not self._lines.empty():
            line = self._line("its silence", self._now_mono_s())
            if line is not None:
                self._take_event(line, self._now_mono_s() + 0.5)
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
        failed = at.failure(lines[-1])
        if failed is not None and parseError:
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
            if kind == "final":
                return [*lines, line]
            if kind == "answer":
                lines.append(line)
            elif kind == "event":
                self._take_event(line, due_s)

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
        left_s = max(0.0, deadline_s - self._now_mono_s())
        try:
            line = self._next(min(left_s, 0.02) if quiet else left_s)
        except queue.Empty:
            return None
        if line is None:
            self._lines.put(None)  # it stays gone, whoever asks next
            raise PortGone(f"modem {self.port} vanished during {pending.partition('=')[0]}; check its plug")
        return line

    def _next(self, limit_s: float) -> str | None:
        """What the reader has queued. Raises queue.Empty after `limit_s`."""
        return self._lines.get(timeout=limit_s)

    def _take_event(self, line: str, deadline_s: float) -> None:
        pdu = ""
        if at.has_pdu(line):
            pdu = self._line("", min(deadline_s, self._now_mono_s() + 0.5)) or ""
        event = at.Event(line, pdu)
        if not self.listener(event):
            self._events.append(event)

    def _write(self, text: str) -> None:
        try:
            self.serial.write(text.encode("latin-1", "replace"))
        except (OSError, serial.SerialException) as error:
            raise PortGone(f"modem {self.port} cannot be written: {error}") from error

    def _drain(self) -> None:
        """After a missing answer: leave a prompt. The next command settles first, so a late one is lost."""
        self._owes = True
        with contextlib.suppress(PortGone):
            self._write(_ESCAPE)

    # -- the reader's thread: it queues lines, and nothing it reads can end it -------------------------

    def _readLoop(self) -> None:
        while self.alive:
            try:
                octets = self.serial.read(max(1, min(READ_MOST, self.serial.in_waiting)))
            except (OSError, TypeError, ValueError, AttributeError, serial.SerialException):
                break  # pyserial's ports raise any of these when they are closed under a reader
            if octets:
                self._take_octets(octets)
        self._lines.put(None)
        self._call()

    def _take_octets(self, octets: bytes) -> None:
        *lines, buffer = (self._unfinished + octets).replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            self._put(line)
        if buffer.lstrip(b"\x00 ") == b">" or buffer.endswith(b"> "):
            buffer = b""
            self._prompt.set()
        self._unfinished = buffer[-READ_MOST:]

    def _put(self, raw: bytes) -> None:
        text = raw.decode("latin-1").replace("\x00", "").strip()
        if not text:
            return
        if any(not 32 <= ord(letter) < 127 for letter in text):
            self.noise += 1
            text = "".join(letter for letter in text if 32 <= ord(letter) < 127).strip()
        if text:
            self._lines.put(text)
            self._call()

    def _call(self) -> None:
        with contextlib.suppress(OSError):
            os.write(self._wake_write, b"!")


def _looks_like_answer(line: str) -> bool:
    """Whether a line that nobody asked for is the rest of an answer, and no event."""
    return at.failure(line) is None or line.startswith(("ERROR", "+CME ERROR", "+CMS ERROR", "AT"))


def _library_error(data: str, final: str) -> CommandError:
    found = at.failure(final) or ""
    if found.isdecimal():
        return CmsError(data, int(found)) if "CMS" in final else CmeError(data, int(found))
    return CommandError(data)
