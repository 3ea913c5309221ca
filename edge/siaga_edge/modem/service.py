"""The modem's one thread: it owns port and journal, and sweeps before everything else."""

import logging
import select
from collections.abc import Callable

from siaga_core.service.clock import Clock, new_id, read_boot
from siaga_core.service.workers import Heartbeat, Stop, back_off_s
from siaga_core.wire import anchor, health
from siaga_core.wire.health import Level, ServiceState
from siaga_edge.inbox import Inbox, WakeSocket, wake
from siaga_edge.inbox.reader import EXTRA_SCHEMA
from siaga_edge.journal import Journal
from siaga_edge.journal.marks import read_marks
from siaga_edge.modem import at, calls, desk, pdu, profile
from siaga_edge.modem.calls import Calls
from siaga_edge.modem.intake import Intake
from siaga_edge.modem.ledger import SCHEMA, Ledger
from siaga_edge.modem.outbound import Outbound
from siaga_edge.modem.port import NoAnswer, Port, PortGone, PortMissing, Refused
from siaga_edge.modem.timekeeping import NetworkTime
from siaga_edge.node import Modem, NodeConfig

log = logging.getLogger(__name__)

# The modem may have restarted without a word and forgotten how to announce (measured: no other sign).
CHECK_EVERY_S = 10.0
CALL_TICK_S = 0.5
OPEN_AGAIN_MOST_S = 3.0
HOUSEKEEPING_EVERY_S = 3600.0
KEEP_PDUS_NS = 90 * 86400 * 10**9


class ModemService:
    """One modem. Made and used in one thread."""

    def __init__(self, config: NodeConfig, settings: Modem, clock: Clock) -> None:
        self._config, self._settings, self._clock = config, settings, clock
        boot = read_boot(config.node.data_dir)
        self._network_time = NetworkTime(config.node.data_dir, clock, boot)
        self._journal = Journal(
            config.journal_file("modem"),
            clock,
            boot,
            extra_schema=f"{EXTRA_SCHEMA};{SCHEMA};{calls.SCHEMA};{desk.SCHEMA}",
        )
        self._inbox = Inbox(config.inbox_file, "modem", self._journal)
        self._wake = WakeSocket(config.socket_file("modem"))
        self._outbound = Outbound(self._journal, self._inbox, clock)
        self._desk = desk.Desk(
            self._journal,
            self._inbox,
            clock,
            boot,
            self._new_id,
            lambda: read_marks(config.delivery_file),
            config.node.run_dir,
            lambda: wake(config.socket_file("health")),
        )
        self._intake = Intake(
            self._journal, settings.name, clock, self._new_id, self._outbound.status, self._desk.heard
        )
        self._profiles = profile.load_all()
        self._profile = self._profiles["generic"]
        self._memories = ["SM"]
        self._calls = Calls(
            self._journal,
            settings.name,
            clock,
            self._new_id,
            settings.reject_after_s,
            self._desk.missed,
        )
        self._wants_waiting = self._knows_waiting = True
        self._restarted = self._sends_on = False
        self._said: tuple[Level, str] | None = None
        self._swept_mono_s = self._checked_mono_s = self._cleaned_mono_s = float("-inf")

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """Serve until asked to stop; a modem that is away or silent is opened again, for ever."""
        self._outbound.recover()
        tries = 0
        while not stop.is_set():
            try:
                self._serve(stop, heartbeat)
            except PortMissing as error:
                self._say("crit", "modem.missing", str(error))
            except (PortGone, NoAnswer, Refused) as error:
                self._say("crit", "modem.silent", str(error))
            self._calls.wait()
            self._intake.give_up_missing()
            self._desk.tick()
            self._outbound.recover()
            tries = 0 if self._said == ("ok", "modem.ok") else tries + 1
            # The cause is outside: a service that waits for its modem is not stuck.
            heartbeat.beat()
            stop.wait(back_off_s(tries, 0.5, first_s=0.3, most_s=OPEN_AGAIN_MOST_S))

    def close(self) -> None:
        """Close the files."""
        self._wake.close()
        self._inbox.close()
        self._journal.close()

    def _serve(self, stop: Stop, heartbeat: Heartbeat) -> None:
        words = profile.every_event(self._profiles)
        port = Port(self._settings.port, self._settings.baud, self._settings.answer_limit_s, words)
        port.listener = lambda event: self._calls.hear(event.line)
        try:
            self._set_up(port)
            while not stop.is_set():
                self._round(port)
                heartbeat.beat()
                self._sleep(port)
        finally:
            port.close()

    def _set_up(self, port: Port) -> None:
        """Bring the modem into a known state; the first sweep follows at once."""
        port.leave_calls_alone()
        model = " ".join(port.command("AT+CGMM"))
        name, self._profile = profile.choose(self._profiles, model)
        port.family_events = (*self._profile.events, *self._profile.boot)
        self._unlock(port)
        for command in self._profile.init:
            try:
                port.command(command)
            except Refused as error:
                log.info("modem has no %s: %s", command, error)
        self._memories = [*self._profile.stores] or at.memories(port.command("AT+CPMS=?"))
        self._announce(port)
        self._swept_mono_s = float("-inf")
        self._wants_waiting = self._knows_waiting
        log.info("modem ready model=%s profile=%s stores=%s", model, name, ",".join(self._memories))

    def _unlock(self, port: Port) -> None:
        """Give the SIM its PIN once: three wrong ones lock it, so a refused one is not tried again."""
        state = " ".join(port.command("AT+CPIN?"))
        if "READY" in state or self._settings.pin_file is None or "SIM PIN" not in state:
            return
        tried = self._config.node.data_dir / "modem-pin-refused"
        if tried.exists():
            raise NoAnswer(f"the SIM refused its PIN before; check pin_file, then delete {tried}")
        try:
            port.command(f'AT+CPIN="{self._settings.pin_file.read_text().strip()}"', 20)
        except Refused as error:
            tried.write_text(str(error))
            raise NoAnswer(
                f"the SIM refused its PIN: {error}; check pin_file, then delete {tried}"
            ) from error

    def _announce(self, port: Port) -> None:
        for command in self._profile.announce:
            try:
                port.command(command)
            except Refused:
                continue
            return
        log.warning(
            "modem announces nothing; messages are found by the sweep every %s s",
            self._settings.sweep_every_s,
        )

    def _round(self, port: Port) -> None:
        """Everything there is to do now; a sweep before any other command."""
        wants_sweep = self._hear(port)
        if self._restarted:
            port.leave_calls_alone()
            self._restarted, self._wants_waiting = False, self._knows_waiting
        now_s = self._clock.mono_s()
        if wants_sweep or now_s - self._swept_mono_s >= self._settings.sweep_every_s:
            self._intake.sweep(port, self._memories, self._profile)
            self._swept_mono_s = self._clock.mono_s()
            self._say("ok", "modem.ok", "")
        self._intake.give_up_missing()
        self._calls.tend(port, self._profile.reject)
        self._desk.tick()
        self._outbound.take_orders()
        self._sends_on = not self._calls.busy and self._outbound.send_next(port)
        if not self._calls.busy:
            self._ask_time(port)
            self._let_calls_wait(port)
        if now_s - self._checked_mono_s >= CHECK_EVERY_S:
            self._checked_mono_s = now_s
            self._check(port)
        self._clean(now_s)

    def _let_calls_wait(self, port: Port) -> None:
        """After the first sweep: asking the network for it may take seconds in which nothing else is done."""
        if not self._wants_waiting:
            return
        self._wants_waiting = False
        try:
            port.let_calls_wait()
        except NoAnswer:
            self._knows_waiting = False  # it cost a reopening; never again until the service starts anew
            raise

    def _ask_time(self, port: Port) -> None:
        if (told := self._network_time.look(port)) is not None:
            self._journal.append(anchor.KIND, told, "bulk")

    def _hear(self, port: Port) -> bool:
        """Note what the modem said by itself; whether that asks for a sweep."""
        wants_sweep = False
        for event in port.events():
            if event.line.startswith("+CDS:"):
                self._status(event.pdu)
            elif at.is_boot(event.line, tuple(self._profile.boot)):
                log.warning("modem restarted line=%s", event.line)
                self._checked_mono_s = float("-inf")
                self._restarted = wants_sweep = True
            elif event.line.startswith(("+CMTI:", "+CDSI:")):
                wants_sweep = True
        return wants_sweep

    def _status(self, octets: str) -> None:
        try:
            report = pdu.decode(octets)
        except pdu.BadPdu as error:
            log.warning("status report not readable cause=%s", error)
            return
        if isinstance(report, pdu.StatusReport):
            self._outbound.status(report)

    def _check(self, port: Port) -> None:
        """Find out whether the modem still announces; set it up again if it has forgotten."""
        port.leave_calls_alone()
        answer = " ".join(port.command("AT+CNMI?"))
        if "+CNMI:" in answer and not answer.replace(" ", "").startswith("+CNMI:2,1"):
            log.warning("modem forgot its settings; setting it up again answer=%s", answer)
            self._set_up(port)

    def _clean(self, now_s: float) -> None:
        if now_s - self._cleaned_mono_s < HOUSEKEEPING_EVERY_S:
            return
        self._cleaned_mono_s = now_s
        self._journal.prune(read_marks(self._config.delivery_file))
        self._outbound.give_up_waiting()
        old_wall_ns = self._clock.wall_ns() - KEEP_PDUS_NS
        ledger = Ledger(self._journal.connection)
        self._journal.append_all([], lambda _connection: ledger.forget(old_wall_ns))
        self._journal.append_all([], lambda _connection: self._desk.forget())

    def _sleep(self, port: Port) -> None:
        """Wait for the modem, for an order, or for the next thing that falls due."""
        now_s = self._clock.mono_s()
        due_s = min(self._swept_mono_s + self._settings.sweep_every_s - now_s, self._desk.due_s())
        if self._sends_on:
            due_s = 0  # the next part; what has come meanwhile is swept first
        if self._calls.busy:
            due_s = min(due_s, CALL_TICK_S)
        woken = self._wake.fileno()
        readable, _, _ = select.select([port.fileno(), woken], [], [], max(0.0, due_s))
        if woken in readable:
            self._wake.wait(0)

    def _say(self, level: Level, code: str, detail: str) -> None:
        """Tell the hub how the modem is, when that has changed."""
        if self._said == (level, code) or (self._said is None and level == "ok"):
            self._said = (level, code)
            return
        self._said = (level, code)
        state = ServiceState(service="modem", level=level, code="modem", detail=f"{code} {detail}".strip())
        self._journal.append(health.SERVICE_KIND, state)

    @property
    def _new_id(self) -> Callable[[], str]:
        return lambda: new_id(self._clock)
