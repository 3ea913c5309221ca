"""The modem's half of the conversation: bytes in, bytes out, the present as an argument.

No clock, file or thread in here; `port` connects it to a pseudo-terminal and `control` to whoever
directs the exercise.
"""

import random
from collections import deque
from dataclasses import dataclass

from siaga_edge.simulate.modem import audio, general, messages, request, voice
from siaga_edge.simulate.modem.faults import Faults, LineName
from siaga_edge.simulate.modem.line import Line
from siaga_edge.simulate.modem.machine import AtError, Call, Handler, Machine, Now, Sim
from siaga_edge.simulate.modem.profile import Profile
from siaga_edge.simulate.modem.store import Delivery

COMMANDS: dict[str, Handler] = {
    **general.COMMANDS,
    **messages.COMMANDS,
    **voice.COMMANDS,
    **audio.COMMANDS,
}
BOOT_S = 0.5  # a real modem takes 5 to 20 s
SEND_S = 0.05  # between Ctrl-Z and +CMGS
HOLD_S = 2.0  # an announcement meant for the inside of an answer waits so long for one
_CMS_SIM_PIN = 311
_RESULT_NUMBERS = {"OK": 0, "CONNECT": 1, "RING": 2, "NO CARRIER": 3, "ERROR": 4}
_CTRL_Z, _ESCAPE, _BACKSPACE = 0x1A, 0x1B, 0x08


@dataclass(slots=True)
class _Prompt:
    """A command that waits for its text: AT+CMGS or AT+CMGW."""

    command: request.Request
    text: bytearray


class Dialogue:
    """One modem that is talked to. Not thread-safe."""

    def __init__(
        self,
        profile: Profile,
        now: Now,
        *,
        sim: Sim | None = None,
        line: LineName = "clean",
        faults: Faults | None = None,
        seed: int = 0,
    ) -> None:
        rng = random.Random(seed)  # noqa: S311 - repeatable faults, not a secret
        faults = faults or Faults()
        self.machine = Machine(profile, sim or Sim(), Line(line, rng, faults), faults, rng)
        self.machine.known_commands = frozenset(COMMANDS) | {"+CMGS", "+CMGW"}
        self.machine.say, self.machine.announce = self._say, self._announce
        self.machine.reset = self._reset_soon
        self._input = bytearray()
        self._typed = bytearray()
        self._prompt: _Prompt | None = None
        self._pending: tuple[float, str | _Prompt] | None = None
        self._held: deque[tuple[float, str, Delivery | None]] = deque()
        self._inside: deque[tuple[float, str, Delivery]] = deque()
        self._hung_until = 0.0
        self._booted_at = now.mono_s
        self._reset_at: float | None = None
        self._next_id = 1

    # ---- the serial side -------------------------------------------------------------------------

    def feed(self, octets: bytes, now: Now) -> None:
        """The node wrote `octets`. A hung or booting modem does not hear them."""
        if now.mono_s < self._hung_until or now.mono_s < self._booted_at:
            return
        if self.is_sending and self.machine.faults.send_aborts:
            self._pending = None
            self.machine.count("sends_aborted")
            self._answer([], "ERROR", now)
        self._input += octets
        self._listen(now)

    @property
    def is_sending(self) -> bool:
        """Whether a text was ended with Ctrl-Z and the network has not answered yet."""
        return self._pending is not None and isinstance(self._pending[1], _Prompt)

    @property
    def prompts(self) -> bool:
        """Whether it waits for a text."""
        return self._prompt is not None

    def advance(self, now: Now) -> None:
        """Let happen what is due: commands under way, messages, rings, reports."""
        machine = self.machine
        if self._reset_at is not None and now.mono_s >= self._reset_at:
            self.power_on(now, boot_s=BOOT_S)
        if self._pending is not None and now.mono_s >= self._pending[0]:
            work, self._pending = self._pending[1], None
            self._carry_out(work, now)
            self._listen(now)
        self._release_late(now)
        if now.mono_s >= self._booted_at:
            messages.hand_over(machine, now)
            voice.advance(machine, now)
            self._report(now)

    def output(self, now: Now) -> bytes:
        """What the node hears now."""
        return self.machine.line.take(now.mono_s)

    def due_mono_s(self) -> float | None:
        """When `advance` or `output` has something to do next."""
        machine = self.machine
        times = [machine.line.due_mono_s(), machine.centre.due_mono_s(), voice.due_mono_s(machine)]
        times += [sent.report_due_mono_s for sent in machine.sent]
        times += [self._pending[0] if self._pending else None, self._reset_at]
        times += [self._inside[0][0] if self._inside else None]
        if self._held and self._prompt is None:
            times.append(self._held[0][0])
        due = min((max(at, self._booted_at) for at in times if at is not None), default=None)
        return None if due == float("inf") else due

    # ---- the network's side ----------------------------------------------------------------------

    def receive(self, pdu: bytes, now: Now, *, after_s: float = 0.0) -> Delivery:
        """The network has a message for this number."""
        delivery = Delivery(self._next_id, pdu, now.mono_s + after_s)
        self._next_id += 1
        self.machine.deliveries.append(delivery)
        self.machine.centre.schedule(delivery, now.mono_s + after_s)
        self.advance(now)
        return delivery

    def ring(
        self, number: str, now: Now, *, rings: int = 5, withheld: bool = False, every_s: float = 3
    ) -> Call | None:
        """Somebody calls this number; None if the network finds it busy or switched off."""
        if now.mono_s < self._booted_at:
            return None
        return voice.ring(self.machine, number, now, rings=rings, withheld=withheld, every_s=every_s)

    def hang_up(self, now: Now, number: str = "") -> int:
        """The other side of every call, or of those with `number`, gives up; how many there were."""
        calls = [call for call in self.machine.calls if not number or call.number == number]
        for call in calls:
            voice.end(self.machine, call, now, by_node=False, is_told=bool(number))
        return len(calls)

    def report(self, reference: int, status: int, now: Now) -> bool:
        """The network tells what became of the newest sent message of this reference."""
        sent = next((sent for sent in reversed(self.machine.sent) if sent.reference == reference), None)
        return sent is not None and messages.report(self.machine, sent, status, now)

    def hang(self, seconds: float, now: Now) -> None:
        """The firmware is stuck: nothing is heard or said, while the radio goes on storing messages."""
        self._hung_until = now.mono_s + seconds
        self._input.clear()
        self._typed.clear()
        self._prompt = self._pending = None

    def power_off(self, now: Now) -> None:
        """No current: the network cannot reach the modem, the service centre keeps its messages."""
        self.machine.calls.clear()
        self.machine.pcm_open, self.machine.pcm_uses = False, 0
        self.machine.line.clear()
        self.hang(0, now)
        self._booted_at = float("inf")

    def power_on(self, now: Now, *, boot_s: float = BOOT_S) -> None:
        """Start anew: settings forgotten, calls gone, banner said; the SIM and the stores stay."""
        machine = self.machine
        machine.settings = machine.fresh_settings()
        machine.function = 4 if machine.profile.lacks.radio else 1
        machine.sim.unlocked = not machine.sim.pin
        machine.calls.clear()
        machine.pcm_open = False
        machine.line.clear()
        machine.count("boots")
        self.hang(0, now)
        self._hung_until, self._reset_at = 0.0, None
        self._held.clear()
        self._inside.clear()
        self._booted_at = now.mono_s + boot_s
        for text in machine.profile.banner:
            if text != "+CPIN: READY" or machine.sim.state() == "READY":
                machine.line.put(f"\r\n{text}\r\n".encode(), self._booted_at)

    # ---- saying ----------------------------------------------------------------------------------

    def _say(self, text: str, now: Now, delivery: Delivery | None = None) -> None:
        if now.mono_s < self._hung_until:
            self.machine.count("urcs_lost")
            if delivery is not None:
                delivery.announcement = "dropped"
            return
        if self._prompt is not None:
            self._held.append((now.mono_s, text, delivery))  # the line is reserved until Ctrl-Z or ESC
            return
        if delivery is not None:
            delivery.announcement = "sent"
            delivery.announced_mono_s, delivery.announced_wall_s = now.mono_s, now.wall_s
        if not self.machine.settings.verbose and text in _RESULT_NUMBERS:
            text = str(_RESULT_NUMBERS[text])
        self.machine.line.put(f"\r\n{text}\r\n".encode("latin-1", errors="replace"), now.mono_s)

    def _announce(self, text: str, delivery: Delivery, now: Now) -> None:
        faults, rng = self.machine.faults, self.machine.rng
        if faults.drop_cmti and rng.random() < faults.drop_cmti:
            delivery.announcement = "dropped"
            self.machine.count("cmti_dropped")
        elif faults.cmti_inside and rng.random() < faults.cmti_inside:
            delivery.announcement = "waiting"
            self._inside.append((now.mono_s + HOLD_S, text, delivery))
        else:
            self._say(text, now, delivery)

    def _release_late(self, now: Now) -> None:
        while self._inside and now.mono_s >= self._inside[0][0]:
            _, text, delivery = self._inside.popleft()
            self._say(text, now, delivery)
        while self._held and self._prompt is None:
            _, text, held = self._held.popleft()
            self._say(text, now, held)

    def _answer(self, lines: list[str], final: str, now: Now) -> None:
        for place, text in enumerate(lines):
            self._put_line(text, now)
            if place == 0 and self._inside:
                _, urc, delivery = self._inside.popleft()
                self._say(urc, now, delivery)
                self.machine.count("cmti_inside")
        if final and not self.machine.settings.quiet:
            verbose = self.machine.settings.verbose
            short = f"{_RESULT_NUMBERS.get(final, final)}\r"
            self.machine.line.put((f"\r\n{final}\r\n" if verbose else short).encode(), now.mono_s)

    def _put_line(self, text: str, now: Now) -> None:
        before = "\r\n" if self.machine.settings.verbose else ""
        self.machine.line.put(f"{before}{text}\r\n".encode("latin-1", errors="replace"), now.mono_s)

    # ---- listening -------------------------------------------------------------------------------

    def _listen(self, now: Now) -> None:
        while self._input and self._pending is None:
            octet = self._input.pop(0)
            if self.machine.settings.echo and octet != _ESCAPE:
                self.machine.line.put(bytes([octet]), now.mono_s)
            if self._prompt is not None:
                self._take_text(self._prompt, octet, now)
            else:
                self._take_command(octet, now)

    def _take_text(self, prompt: _Prompt, octet: int, now: Now) -> None:
        if octet == _ESCAPE:
            self._prompt = None
            self._answer([], "OK", now)
        elif octet == _CTRL_Z:
            self._prompt = None
            faults = self.machine.faults
            self._pending = (now.mono_s + SEND_S + (faults.delay_ms + faults.send_ms) / 1000, prompt)
        elif octet == _BACKSPACE:
            del prompt.text[-1:]
        elif not (octet in (0x0A, 0x0D) and not self.machine.settings.text_mode):
            prompt.text.append(octet)

    def _take_command(self, octet: int, now: Now) -> None:
        if octet == _BACKSPACE:
            del self._typed[-1:]
        elif octet == 0x0D:
            line = self._typed.decode("latin-1").strip()
            self._typed.clear()
            start = line.upper().find("AT")  # noise before a command is skipped, as autobauding does
            if start >= 0:
                self._start(line[start + 2 :], now)
        elif octet not in (0x00, 0x0A, _ESCAPE):
            self._typed.append(octet)

    def _start(self, line: str, now: Now) -> None:
        delay_ms = self.machine.faults.delay_ms
        if delay_ms:
            self._pending = (now.mono_s + delay_ms / 1000, line)
        else:
            self._carry_out(line, now)

    # ---- carrying out ----------------------------------------------------------------------------

    def _carry_out(self, work: str | _Prompt, now: Now) -> None:
        self.machine.count("commands")
        try:
            lines = self._run_line(work, now) if isinstance(work, str) else self._submit(work, now)
        except AtError as error:
            self._answer([], self._error(error), now)
        else:
            if lines is not None:
                forgotten = isinstance(work, str) and work in self.machine.profile.lacks.ok_after
                self._answer(lines, "" if forgotten else "OK", now)
        self._release_late(now)

    def _run_line(self, line: str, now: Now) -> list[str] | None:
        """The answer's lines; None when there is no final result yet (a prompt) or ever (muted)."""
        try:
            requests = request.parse(line)
        except ValueError as error:
            raise AtError from error
        if self.machine.profile.lacks.refuse(requests):
            raise AtError
        lines: list[str] = []
        for one in requests:
            self._check(one)
            if self._is_muted(one):
                return None
            if one.name in ("+CMGS", "+CMGW") and one.form == "set":
                self._prompt = _Prompt(one, bytearray())
                self.machine.line.put(b"\r\n> ", now.mono_s)
                return None
            lines += self._run(one, now)
        return lines

    def _run(self, one: request.Request, now: Now) -> list[str]:
        if one.name in ("+CMGS", "+CMGW"):
            if one.form == "test":
                return []
            raise AtError("CMS", messages.CMS_BAD_TEXT)
        handler = COMMANDS.get(one.name) or COMMANDS.get(one.name.rstrip("0123456789"))
        if handler is None:
            raise AtError
        try:
            return handler(self.machine, one, now)
        except (ValueError, IndexError) as error:
            raise AtError("CME", general.CME_BAD_PARAMETER) from error

    def _check(self, one: request.Request) -> None:
        machine, faults = self.machine, self.machine.faults
        if faults.fail_count and one.name == faults.fail.upper():
            faults.fail_count -= 1
            raise AtError("CMS" if one.name in messages.COMMANDS else "CME", faults.fail_code)
        if machine.sim.state() != "READY" and one.name not in general.WITHOUT_PIN:
            if one.name in messages.COMMANDS or one.name.startswith("+CMG"):
                raise AtError("CMS", _CMS_SIM_PIN)
            locked = machine.sim.state() == "SIM PUK"
            raise AtError("CME", general.CME_NO_SIM_PUK if locked else general.CME_NO_SIM_PIN)

    def _is_muted(self, one: request.Request) -> bool:
        faults = self.machine.faults
        if not faults.mute_count or one.name != faults.mute.upper():
            return False
        faults.mute_count -= 1
        return True

    def _submit(self, prompt: _Prompt, now: Now) -> list[str]:
        command, machine = prompt.command, self.machine
        text = prompt.text.decode("latin-1")
        if command.name == "+CMGW":
            return self._write(command, text)
        try:
            if machine.settings.text_mode:
                return messages.submit_text(machine, command.arguments[0], text, now)
            return messages.submit_pdu(machine, text, command.number(0, -1), now)
        except ValueError as error:
            raise AtError("CMS", messages.CMS_BAD_PDU) from error

    def _write(self, command: request.Request, text: str) -> list[str]:
        try:
            pdu = bytes.fromhex(text)
            if not pdu or len(pdu) - 1 - pdu[0] != command.number(0, -1):
                raise AtError("CMS", messages.CMS_BAD_PDU)
            return messages.store(self.machine, pdu, command.number(1, 2))
        except ValueError as error:
            raise AtError("CMS", messages.CMS_BAD_PDU) from error

    def _error(self, error: AtError) -> str:
        """+CMEE decides whether the cause is named (3GPP TS 27.007 §9.1); +CMS ERROR always is."""
        if error.kind == "CMS":
            return f"+CMS ERROR: {error.code}"
        if error.kind == "CME" and self.machine.settings.error_level == 1:
            return f"+CME ERROR: {error.code}"
        if error.kind == "CME" and self.machine.settings.error_level == 2:
            return f"+CME ERROR: {_CME_WORDS.get(error.code or 100, 'unknown')}"
        return "ERROR"

    # ---- later -----------------------------------------------------------------------------------

    def _report(self, now: Now) -> None:
        failed = self.machine.faults.report == "failed"
        for sent in self.machine.sent:
            if sent.report_due_mono_s is None or now.mono_s < sent.report_due_mono_s:
                continue
            sent.report_due_mono_s = None
            messages.report(self.machine, sent, 0x46 if failed else 0x00, now)  # 0x46: validity expired

    def _reset_soon(self, now: Now) -> None:
        self._reset_at = now.mono_s + 0.1


_CME_WORDS = {
    3: "operation not allowed",
    11: "SIM PIN required",
    12: "SIM PUK required",
    14: "SIM busy",
    16: "incorrect password",
    50: "Incorrect parameters",
}
