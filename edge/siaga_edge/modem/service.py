"""The modem's one thread: it owns port and journal, and sweeps before everything else."""

import contextlib
import logging
from functools import partial
from pathlib import Path

from siaga_core.service.clock import Clock, new_id, read_boot
from siaga_core.service.workers import Heartbeat, Stop
from siaga_core.wire import anchor
from siaga_edge.inbox import Inbox, WakeSocket, wake
from siaga_edge.inbox.reader import EXTRA_SCHEMA
from siaga_edge.journal import Journal
from siaga_edge.journal.marks import read_marks
from siaga_edge.modem import (
    at,
    bringup,
    calls,
    desk,
    ladder,
    neighbour,
    pin,
    profile,
    retention,
    turns,
    vitals,
)
from siaga_edge.modem.calls import Calls
from siaga_edge.modem.care import Care
from siaga_edge.modem.direct import DeliveryReports, DirectDelivery
from siaga_edge.modem.intake import Intake
from siaga_edge.modem.ladder import Ladder, Step
from siaga_edge.modem.ledger import SCHEMA
from siaga_edge.modem.outbound import Outbound, other_modem
from siaga_edge.modem.pin import SimLocked
from siaga_edge.modem.port import NoAnswer, Port, PortGone, PortMissing, Refused
from siaga_edge.modem.remedies import LocalRemedies, Remedies, Unavailable
from siaga_edge.modem.retention import Retention, free_bytes_of
from siaga_edge.modem.sending import Sender
from siaga_edge.modem.standing import STATUS_EVERY_S, Standing
from siaga_edge.modem.timekeeping import NetworkTime
from siaga_edge.modem.turns import Turns
from siaga_edge.modem.voice import Voice
from siaga_edge.node import Modem, NodeConfig

log = logging.getLogger(__name__)

# The modem may have restarted without a word and forgotten how to announce (measured: no other sign).
CHECK_EVERY_S = 10.0
# Under a flood there is always news; network, time and room have to be looked after all the same.
CHORES_WAIT_S = 5.0
CALL_TICK_S = 0.5
# Somebody has to come; whether he has is looked for without haste, and a wrong PIN is never tried meanwhile.
LOCKED_LOOK_S = 10.0
CURE_TICK_S = 0.1
HOUSEKEEPING_EVERY_S = 3600.0
_SCHEMA = f"{EXTRA_SCHEMA};{SCHEMA};{calls.SCHEMA};{desk.SCHEMA};{retention.SCHEMA}"


class ModemService:
    """One modem. Made and used in one thread."""

    def __init__(
        self,
        config: NodeConfig,
        settings: Modem,
        clock: Clock,
        service: str = "modem",
        remedies: Remedies | None = None,
        sender: Sender | None = None,
    ) -> None:
        """`service`: its name there, `modem` or `modemb`; `remedies` and `sender`: a test's own."""
        self._config, self._settings, self._clock, self._service = config, settings, clock, service
        boot, run_dir, name = read_boot(config.node.data_dir), config.node.run_dir, settings.name or service
        made_id = partial(new_id, clock)
        self._network_time = NetworkTime(config.node.data_dir, clock, boot)
        self._journal = journal = Journal(config.journal_file(service), clock, boot, extra_schema=_SCHEMA)
        self._inbox = Inbox(config.inbox_file, service, journal)
        self._wake = WakeSocket(config.socket_file(service))
        self.standing, self.sender = Standing(journal, run_dir, service, clock), sender or Sender(clock)
        tell, wake_health = self.standing.tell, partial(wake, config.socket_file("health"))
        other = other_modem(config, service)
        self._outbound = Outbound(journal, self._inbox, clock, self.sender, other)
        marks = partial(read_marks, config.delivery_file)
        self._retention = Retention(journal, service, clock, marks, free_bytes_of(config.node.data_dir))
        own = [one.number for one in (config.modem, config.modemb) if one is not None and one.number]
        beside = neighbour.beside(config, service)
        self._desk = desk.Desk(
            journal, self._inbox, clock, boot, made_id, marks, run_dir, wake_health, service, own, beside
        )
        self._care = Care(settings, run_dir, clock, tell, self.sender, own)
        reports = DeliveryReports(self._outbound.status, tell)
        heard, is_loop = self._desk.heard, self._care.is_loop
        self._intake = Intake(journal, name, clock, made_id, reports.came, heard, is_loop, reports.unreadable)
        self._direct = DirectDelivery(self._intake, self._retention.with_room)
        self._remedies: Remedies = remedies or LocalRemedies(
            settings, run_dir, clock, wake_health, second=other is not None
        )
        self._profiles = profile.load_all()
        self._profile = self._profiles["generic"]
        self._memories, self._announces, self._turns = ["SM"], "", Turns()
        self._voice = Voice(config, settings, service, clock, tell)
        self._calls = Calls(
            journal, name, clock, made_id, settings.reject_after_s, self._desk.missed, self._voice
        )
        self._wants_waiting = self._knows_waiting = True
        self._restarted = self._sends_on = False
        self._port: Port | None = None
        self._ladder = Ladder()
        # Once the second modem has been asked, it gets what comes later too, until this one is well.
        self._hands_over, self._handed_mono_s = False, float("-inf")
        self._swept_mono_s = self._checked_mono_s = self._chores_mono_s = self._cleaned_mono_s = float("-inf")

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """Serve until asked to stop; a modem that is away or silent is put right rung by rung, for ever."""
        self._outbound.recover()
        try:
            while not stop.is_set():
                self._attempt(stop, heartbeat)
        finally:
            self._drop()

    def _attempt(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """One stretch of service, and what is done when it ends."""
        try:
            self._serve(stop, heartbeat)
        except SimLocked as error:
            self._fail("modem.locked", str(error))
            self._drop()
            heartbeat.beat()
            self._remedies.pause(stop, LOCKED_LOOK_S)
        except PortMissing as error:
            self._fail("modem.missing", str(error))
            self._cure(stop, heartbeat, missing=True)
        except PortGone as error:
            self._fail("modem.silent", str(error))
            self._drop()
            self._cure(stop, heartbeat, missing=False)
        except (NoAnswer, Refused) as error:
            self._fail("modem.silent", str(error))
            self._cure(stop, heartbeat, missing=False)

    def _cure(self, stop: Stop, heartbeat: Heartbeat, *, missing: bool) -> None:
        """Climb until there is reason to try the modem again."""
        self._ladder = ladder.failed(self._ladder, self._clock.mono_s())
        while not stop.is_set():
            self._calls.wait()
            self._intake.give_up_missing()
            self._desk.tick()
            self._outbound.recover()
            self._outbound.take_back()
            now_s, waits_s = self._clock.mono_s(), self._remedies.waits_s(self._profile)
            self._ladder, step = ladder.step(self._ladder, now_s, waits_s, missing=missing)
            self._write_status(ready=False)
            if self._hands_over and now_s - self._handed_mono_s >= STATUS_EVERY_S:
                self._handed_mono_s = now_s
                self._hand_over()
            if step is None:
                self._remedies.pause(stop, CURE_TICK_S)
            elif self._climb(step, stop, heartbeat):
                return

    def _climb(self, step: Step, stop: Stop, heartbeat: Heartbeat) -> bool:
        """Do one step; whether the modem is worth another try. Each rung is an event at the hub."""
        did = ""
        try:
            match step.rung:
                case "drain":
                    did = self._drain()
                case "restart":
                    did = self._restart(stop)
                case "usb":
                    self._drop()
                    did = self._remedies.usb(stop)
                case "power":
                    self._drop()
                    did = self._remedies.power()
                case "second":
                    did = self._hand_over()
                case "reopen":
                    self._drop()
                    did = "the device is opened again"
        except (Unavailable, NoAnswer, PortGone) as error:
            did = f"without success: {error}"
        if step.anew:
            self.standing.rung = step.rung
            # A rung done is proof that this thread works, while the modem is known and told to be away.
            heartbeat.beat()
            self.standing.note("warn", "modem.ladder", f"{step.rung}: {did}")
            log.warning("modem ladder rung=%s did=%s", step.rung, did)
        return step.rung == "reopen" or (step.rung == "drain" and not did.startswith("without"))

    def _drain(self) -> str:
        if self._port is None:
            raise Unavailable("the device is not open")
        self._port.settle()
        return "it answers again"

    def _restart(self, stop: Stop) -> str:
        """Reset by command, said also to a modem that answers nothing: some hear all the same."""
        if self._port is None:
            try:
                self._port = self._open()
            except PortMissing as error:
                raise Unavailable(str(error)) from error
        for command in self._profile.reset:
            self._port.shout(command)
            self._remedies.pause(stop, 1.0)
        self._drop()
        return " ".join(self._profile.reset)

    def _hand_over(self) -> str:
        """Let the other modem send what waits here."""
        self._hands_over = True
        self._outbound.take_orders()
        return f"{self._outbound.hand_over()} texts handed to the other modem"

    def _open(self) -> Port:
        port = self._remedies.open(profile.every_event(self._profiles))
        # It is said once: on a full disk what the hub has gives way, and it is heard again.
        port.listener = lambda event: self._retention.with_room(partial(self._takes, event))
        return port

    def _takes(self, event: at.Event) -> bool:
        """Whether what the modem says by itself is somebody's."""
        if self._is_boot(event):
            self.sender.restarted()
        heard = any(one.hear(event.line) for one in (self._calls, self._care, self.sender))
        return heard or self._direct.hear(event)

    def _is_boot(self, event: at.Event) -> bool:
        return at.is_boot(event.line, tuple(self._profile.boot))

    def _drop(self) -> None:
        self._voice.drop()
        if self._port is not None:
            with contextlib.suppress(PortGone):
                self._port.events()  # what has been handed over and not yet been heard is nowhere else
            self._port.close()
            self._port = None

    @property
    def trouble_since_mono_s(self) -> float | None:
        """Since when the modem has been known not to be well; None while it is."""
        return self._ladder.since_mono_s

    @property
    def swept_mono_s(self) -> float:
        """When the last sweep succeeded."""
        return self._swept_mono_s

    def close(self) -> None:
        """Close the files."""
        self._wake.close()
        self._inbox.close()
        self._journal.close()

    def _serve(self, stop: Stop, heartbeat: Heartbeat) -> None:
        self._port = port = self._port or self._open()
        self._set_up(port)
        while not stop.is_set():
            if self._retention.with_room(partial(self._round, port)):
                heartbeat.beat()  # only a fresh sweep feeds the watchdog
            self._sleep(port)

    def _set_up(self, port: Port) -> None:
        """Bring the modem into a known state; the first sweep follows at once."""
        bringup.leave_calls_alone(port)
        self.standing.model = bringup.model(port)
        self.standing.family, self._profile = profile.choose(self._profiles, self.standing.model)
        port.family_events = profile.own_words(self._profiles, self.standing.family)
        tried = self._config.node.data_dir / f"{self._service}-pin-refused"
        bringup.switch_on(port, self._profile.limits.network_s)
        self._unlock(port, tried)
        bringup.tell(port, self._profile.init)
        found = bringup.stores(port, self._profile)
        self._memories, self._intake.selection = found.names, found.selection
        self._direct.ask(port)
        self._announce(port)
        self._voice.begin(port, self._profile)
        self._swept_mono_s, self._turns = float("-inf"), Turns()
        self._wants_waiting = self._knows_waiting
        stores = ",".join(self._memories)
        log.info(
            "modem ready model=%s profile=%s stores=%s", self.standing.model, self.standing.family, stores
        )

    def _unlock(self, port: Port, tried: Path) -> None:
        pin.unlock(port, self._settings.pin_file, tried, self._profile.pin_tries)

    def _announce(self, port: Port) -> None:
        self._announces = bringup.announce(port, self._profile.announce)
        if not self._announces:
            log.warning(
                "modem announces nothing; messages are found by the sweep every %s s",
                self._settings.sweep_every_s,
            )

    def _round(self, port: Port) -> bool:
        """Everything there is to do now; a sweep before any other command. Whether a full one was finished.

        Stores are swept one by one, as `turns` says.
        """
        self._hear(port)
        if self._restarted:
            bringup.leave_calls_alone(port)
            if self._memories == [bringup.AS_IT_IS]:
                self._set_up(port)  # it may only not have been ready when it was asked for its stores
            self._restarted, self._wants_waiting = False, self._knows_waiting
            self._direct.ask(port)
        now_s = self._clock.mono_s()
        if not self._turns.full and now_s - self._swept_mono_s >= self._settings.sweep_every_s:
            self._turns = turns.begin(self._turns, self._memories)
        finished = self._sweep_one(port)
        self._intake.give_up_missing()
        self._calls.tend(port, self._profile.reject)
        self._voice.tend(port, self._calls, self._profile)
        self._desk.tick()
        self._outbound.take_orders()
        self._outbound.take_over(self._config.relay_dir(self._service))
        self._outbound.take_back()
        if self._turns.next is not None:
            return finished
        # Texts go out beside a call whose sound flows; not while somebody rings, who is looked after first.
        self._sends_on = not self._is_engaged and self._outbound.send_next(port, self._profile.limits)
        self._do_chores(port, now_s)
        return finished

    def _do_chores(self, port: Port, now_s: float) -> None:
        """What can wait: one after the other until the modem has news, and all of them now and then."""
        for chore in (self._check, self._ask_time, self._let_calls_wait, self._tend):
            if port.has_news and now_s - self._chores_mono_s < CHORES_WAIT_S:
                return
            chore(port)
        self._chores_mono_s = now_s
        self._clean(now_s)
        self._write_status(ready=True)

    def _tend(self, port: Port) -> None:
        if not self._is_on_a_call and not self._sends_on:  # a text may have taken a minute: first a sweep
            self._care.tend(port, self._profile, self._intake.slots)

    @property
    def _is_on_a_call(self) -> bool:
        return self._calls.busy or self._voice.busy

    @property
    def _is_engaged(self) -> bool:
        return self._voice.busy or (self._calls.busy and not self._calls.are_talked_to)

    def _sweep_one(self, port: Port) -> bool:
        """Sweep the store whose turn it is; whether that was the last of a full sweep."""
        if (store := self._turns.next) is None:
            return False
        self._intake.sweep(port, [store], self._profile)
        self._turns, finished = turns.swept(self._turns, store)
        if not finished:
            return False
        self._swept_mono_s = self._clock.mono_s()
        self.standing.tell(vitals.inbox(is_blind=self._intake.is_blind, hidden=self._intake.hidden))
        if not self._intake.is_blind:
            self.standing.swept_wall_ns = self._clock.wall_ns()
        self._well()
        return True

    def _let_calls_wait(self, port: Port) -> None:
        """After the first sweep: asking the network for it may take seconds in which nothing else is done."""
        if not self._wants_waiting or self._is_on_a_call:
            return
        self._wants_waiting = False
        try:
            bringup.let_calls_wait(port)
        except NoAnswer:
            self._knows_waiting = False  # it cost a reopening; never again until the service starts anew
            raise

    def _ask_time(self, port: Port) -> None:
        if not self._is_on_a_call and (told := self._network_time.look(port)) is not None:
            self._journal.append(anchor.KIND, told, "bulk")

    def _hear(self, port: Port) -> None:
        """Note what the modem said by itself, and which stores that asks to be swept."""
        for event in port.events():
            if self._is_boot(event):
                log.warning("modem restarted line=%s", event.line)
                self._checked_mono_s = float("-inf")
                self._restarted = True
                self._voice.void("the modem restarted")
                self._turns = turns.announce(self._turns, self._memories)
            elif (name := at.announced_store(event.line)) is not None:
                # Where a report is said to lie it may not be (EC25): neither index nor store is believed.
                stores = [name] if name in self._memories else self._memories
                self._turns = turns.announce(self._turns, stores)
        self._direct.tend(port)

    def _check(self, port: Port) -> None:
        """Find out now and then whether the modem still announces; set it up again if it has forgotten."""
        now_s = self._clock.mono_s()
        if now_s - self._checked_mono_s < CHECK_EVERY_S:
            return
        self._checked_mono_s = now_s
        bringup.leave_calls_alone(port)
        if not bringup.still_announces(port, self._announces):
            log.warning("modem forgot its settings; setting it up again")
            self._set_up(port)

    def _clean(self, now_s: float) -> None:
        self._retention.make_room()
        if now_s - self._cleaned_mono_s < HOUSEKEEPING_EVERY_S:
            return
        self._cleaned_mono_s = now_s
        self._outbound.give_up_waiting()
        self._retention.tend()
        self._voice.prune()
        self._journal.append_all([], lambda _connection: self._desk.forget())

    def _sleep(self, port: Port) -> None:
        """Wait for the modem, for an order, or for the next thing that falls due."""
        now_s = self._clock.mono_s()
        due_s = min(self._swept_mono_s + self._settings.sweep_every_s - now_s, self._desk.due_s())
        if self._sends_on or self._turns.next is not None:
            due_s = 0  # the next part; what has come meanwhile is swept first
        if self._calls.busy:
            due_s = min(due_s, CALL_TICK_S)
        due_s = min(due_s, self._voice.due_s())
        if port.wait(self._wake.fileno(), max(0.0, due_s)):
            self._wake.wait(0)

    def _well(self) -> None:
        """A sweep has succeeded: the trouble, if there was one, is over."""
        if self._ladder.since_mono_s is not None:
            took_s = self._clock.mono_s() - self._ladder.since_mono_s
            self.standing.note(
                "ok", "modem.ladder", f"well again after {took_s:.0f} s by {self.standing.rung or 'itself'}"
            )
        self._ladder, self.standing.rung, self._hands_over = ladder.healthy(), "", False
        self.standing.say("ok", "modem.ok")

    def _fail(self, code: str, why: str) -> None:
        self.standing.say("crit", code, why)
        self._write_status(ready=False)

    def _write_status(self, *, ready: bool) -> None:
        noise = self._port.noise if self._port else 0
        self.standing.write(ready=ready, noise=noise, slots=self._intake.slots)
