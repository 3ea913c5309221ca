"""Looking after a modem that answers: network, SIM, balance, and whether a text really comes round."""

import contextlib
import logging
import secrets
from collections.abc import Callable, Collection, Generator, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from siaga_core.service.clock import Clock
from siaga_edge.modem import forwarding, pdu, vitals
from siaga_edge.modem.number import to_e164
from siaga_edge.modem.port import NoAnswer, NoWord, Port, PortGone, Refused
from siaga_edge.modem.profile import Limits, Profile
from siaga_edge.modem.sending import Sender
from siaga_edge.modem.vitals import Loop, Verdict
from siaga_edge.node import Modem

log = logging.getLogger(__name__)

ASK_EVERY_S = 60.0
# Signal and network; an LTE modem may be registered in the packet domain alone.
ASKS = ("AT+CSQ", "AT+CREG?", "AT+CEREG?")
# A text that was not heard is tried again sooner than the next is due.
LOOP_AGAIN_S = 60.0
Tell = Callable[[Verdict], None]


class Care:
    """Used by the thread that owns the port. `tell` hears each verdict."""

    def __init__(
        self,
        settings: Modem,
        run_dir: Path,
        clock: Clock,
        tell: Tell,
        sender: Sender,
        own: Collection[str] = (),
    ) -> None:
        """`own`: the numbers of this node's modems."""
        self._settings, self._clock, self._tell, self._sender = settings, clock, tell, sender
        self._folder = run_dir / "loop"
        self._loop = Loop(sent_mono_s=clock.mono_s() - settings.loop_every_s + LOOP_AGAIN_S)
        self._asked_mono_s = self._balance_mono_s = float("-inf")
        self._own, self._forwards, self._forward_mono_s = own, False, float("-inf")
        self._forwarding: Iterator[bool] | None = None
        self._awaits_balance = False
        self._answers: list[list[str]] = []
        # Texts from these numbers may be a loop-back; a citizen's never is, whatever it says.
        self._peers = {number for number in (settings.loop_to, settings.number) if number}

    def is_loop(self, sender: str, text: str) -> bool:
        """Whether a text is a modem's own loop-back; it is noted as heard if it can be, and is no report."""
        token = vitals.loop_token(text)
        if token is None or (to_e164(sender) or sender) not in self._peers:
            return False
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / token).touch()
        except OSError as error:  # in a store's commit: the trial is late, the messages beside it are kept
            log.warning("loop-back text cannot be noted token=%s cause=%s", token, error)
            return True
        log.info("loop-back text heard token=%s", token)
        return True

    def tend(self, port: Port, profile: Profile, slots: dict[str, tuple[int, int]]) -> None:
        """Ask and send what is due, little at a time. Raises NoAnswer, PortGone."""
        now_s = self._clock.mono_s()
        if now_s - self._asked_mono_s >= ASK_EVERY_S:
            self._ask(port, slots)
            return
        if self._settings.balance_code and now_s - self._balance_mono_s >= self._settings.balance_every_s:
            self._balance_mono_s, self._awaits_balance = now_s, True
            ask = f'AT+CUSD=1,"{self._settings.balance_code}",15'
            for line in self._quietly(port, ask, profile.limits.network_s):
                self.hear(line)  # some give it before their OK
            return
        if self._settings.forward_to and now_s - self._forward_mono_s >= forwarding.CHECK_EVERY_S:
            self._forward_mono_s = now_s
            self._forwarding = self._keep_forwarding(port, profile.limits.network_s)
        if self._forwarding is not None:
            if not next(self._forwarding, False):
                self._forwarding = None
            return
        if self._settings.loop_to:
            self._loop_round(port, now_s, profile.limits)

    def hear(self, line: str) -> bool:
        """Take the network's answer to the question about the balance; False if the line is none."""
        if not (self._awaits_balance and line.startswith("+CUSD:")):
            return False
        self._awaits_balance = False
        found = vitals.read_balance(line)
        self._tell(vitals.balance(found, self._settings.balance_least))
        if found.until is not None:
            self._tell(vitals.term(found.until, self._today()))
        return True

    def _keep_forwarding(self, port: Port, limit_s: float) -> Iterator[bool]:
        """See that the network forwards as the config says, and set it again where it does not.

        One command at each turn, as the network may take its time over each and reports wait meanwhile.
        """
        wanted = self._settings.forward_to
        if forwarding.loops(wanted, self._own):
            self._tell(forwarding.refusal(wanted))
            return
        found = yield from self._forwarded(port, limit_s)
        orders = forwarding.orders(found, wanted)
        for order in orders:
            self._quietly(port, order, limit_s)
            yield True
        if orders:
            found = yield from self._forwarded(port, limit_s)
        self._tell(forwarding.verdict(found, wanted, set_again=bool(orders) and self._forwards))
        self._forwards = self._forwards or not forwarding.orders(found, wanted)

    def _forwarded(self, port: Port, limit_s: float) -> Generator[bool, None, dict[int, str | None]]:
        found: dict[int, str | None] = {}
        for reason in forwarding.REASONS:
            found[reason] = forwarding.target(self._quietly(port, forwarding.query(reason), limit_s))
            yield True
        return found

    def _ask(self, port: Port, slots: dict[str, tuple[int, int]]) -> None:
        """One question of a round of them: a message that comes meanwhile waits for one command at most."""
        self._answers.append(self._quietly(port, ASKS[len(self._answers)]))
        if len(self._answers) < len(ASKS):
            return
        self._asked_mono_s = self._clock.mono_s()
        (strength, *stats), self._answers = self._answers, []
        known = [stat for answer in stats if (stat := vitals.registration(answer)) is not None]
        stat = next((one for one in known if one in vitals.REGISTERED), known[0] if known else None)
        self._tell(vitals.signal(vitals.rssi(strength), stat))
        self._tell(vitals.slots(slots))
        if self._settings.sim_expires is not None:
            self._tell(vitals.term(self._settings.sim_expires, self._today()))

    def _loop_round(self, port: Port, now_s: float, limits: Limits) -> None:
        loop = self._loop
        if loop.token and (self._folder / loop.token).exists():
            with contextlib.suppress(OSError):  # each token is of one trial
                (self._folder / loop.token).unlink(missing_ok=True)
            self._set(vitals.loop_heard(loop, now_s))
        elif vitals.loop_is_late(loop, now_s):
            self._set(vitals.loop_failed(loop))
        due_s = LOOP_AGAIN_S if loop.failures else self._settings.loop_every_s
        is_free = not (self._sender.waits or self._sender.is_kept)
        if not self._loop.token and now_s - loop.sent_mono_s >= due_s and is_free:
            self._send_loop(port, now_s, limits)

    def _send_loop(self, port: Port, now_s: float, limits: Limits) -> None:
        token = secrets.token_hex(4).upper()
        self._loop = vitals.loop_begun(self._loop, token, now_s)
        [part] = pdu.encode(self._settings.loop_to, vitals.loop_text(token), 1)
        try:
            self._sender.send(port, part, limits)
        except NoWord as error:
            log.warning("loop-back text in doubt cause=%s", error)  # it comes round, or is late
        except Refused as error:
            log.warning("loop-back text refused cause=%s", error)
            self._set(vitals.loop_failed(self._loop))
        except (NoAnswer, PortGone):
            self._set(vitals.loop_failed(self._loop))
            raise

    def _set(self, loop: Loop) -> None:
        self._loop = loop
        self._tell(vitals.loop_verdict(loop))

    @staticmethod
    def _quietly(port: Port, command: str, limit_s: float | None = None) -> list[str]:
        try:
            return port.command(command, limit_s)
        except Refused:
            return []

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock.wall_ns() / 1e9, UTC).date()
