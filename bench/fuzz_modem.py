"""Faults of the modem, one after another in simulated time: never stuck, over in time, nothing lost."""

import contextlib
import json
import logging
import random
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from bench.fuzz import Outcome
from bench.modem_trials import FOR_GOOD, IN_A_SEND, SEND_MOST_S, Trial, late, worst
from bench.virtual_modem import WALL_S, VirtualPort, VirtualRemedies, World
from siaga_core.service.workers import Heartbeat, Stop
from siaga_edge.modem.ladder import Rung
from siaga_edge.modem.outbound import AGAIN
from siaga_edge.modem.patience import FAST_RUN, TABLE, Table
from siaga_edge.modem.profile import Profile
from siaga_edge.modem.relay import Left, leave
from siaga_edge.modem.service import ModemService
from siaga_edge.node import Hub, Modem, Node, NodeConfig
from siaga_edge.simulate.modem import tpdu
from siaga_edge.simulate.modem.dialogue import Dialogue
from siaga_edge.simulate.modem.faults import Faults
from siaga_edge.simulate.modem.machine import Now
from siaga_edge.simulate.modem.profile import PROFILES
from siaga_edge.uplink.delivery import Mark
from siaga_edge.uplink.ledger import Ledger as UplinkLedger

# Short codes get no automatic answer: what is measured here is the way in.
SENDER, RECIPIENT = "3338", "+6281200000000"
STUCK_S = 600.0
# Texts to be sent meanwhile: as many in an hour as a busy node sends.
ORDER_EVERY_S = 20.0
SLOW = "slow network"
# Of all alerts: three hangs in a row, each in the same one's send, are more than it can bear.
UNSENT_MOST = 0.01


@dataclass
class Campaign:
    """All faults on one modem, and what was sent to it."""

    world: World
    rng: random.Random
    trials: int
    stop: Stop
    service: ModemService | None = None
    done: list[Trial] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    current: Trial | None = None
    stuck: int = 0
    next_s: float = 20.0
    relay_dir: Path = Path()
    chosen: str = ""
    taken: Counter[str] = field(default_factory=Counter)
    ordered: dict[str, bool] = field(default_factory=dict)
    kinds: tuple[str, ...] = ()
    # How many texts the network had taken when it was last slow or looked so, and at the last hang in a send.
    slow_taken: int = -(10**6)
    hung_taken: int = -1

    def order(self) -> None:
        """A text to be sent, as another modem leaves it; every other one at least once."""
        self.count_taken()
        id = f"{len(self.ordered):026d}"
        self.ordered[id] = len(self.ordered) % 2 == 0
        text = f"tugas {id}"
        leave(self.relay_dir, Left(id=id, recipient=RECIPIENT, text=text, at_least_once=self.ordered[id]))
        if not self.stop.is_set():
            self.world.at(self.rng.expovariate(1 / ORDER_EVERY_S), self.order)

    def count_taken(self) -> None:
        """What the network has taken, by text; the modem's own list is kept short."""
        sent = self.world.dialogue.machine.sent
        over = [one.submit.text for one in sent if one.report_due_mono_s is None]
        self.taken.update(text.removeprefix(AGAIN) for text in over)
        sent[:] = [one for one in sent if one.report_due_mono_s is not None]

    def look(self) -> None:
        """At every turn of the world: has it been noticed, is it over, is it time for the next one?"""
        assert self.service is not None
        if self.current is not None and self.current.kind == SLOW:
            self.slow_taken = self.accepted
        if self.current is None:
            if self.world.now_s >= self.next_s:
                self._begin()
            return
        trial, now_s, trouble_s = self.current, self.world.now_s, self.service.trouble_since_mono_s
        if trial.noticed_s is None and trouble_s is not None and trouble_s >= trial.began_s:
            trial.noticed_s = trouble_s
        gone_s = trial.cause_ended_s
        if gone_s is not None and trouble_s is None and self.service.swept_mono_s > gone_s:
            trial.over_s = self.service.swept_mono_s
            self._end(trial)
        elif now_s - trial.began_s > STUCK_S:
            self.stuck += 1
            sys.stderr.write(f"fuzz modem: stuck in {trial}, rung {self.service.trouble_since_mono_s}\n")
            self._end(trial)

    def _begin(self) -> None:
        kind = self.chosen = self.chosen or self.rng.choice(self.kinds)
        dialogue = self.world.dialogue
        if kind in IN_A_SEND and not dialogue.is_sending:
            if self.world.now_s - self.next_s > STUCK_S:  # a mutant may never send again
                self.chosen, self.next_s = "", self.world.now_s
            return  # its moment comes with the next text
        self.chosen = ""
        sending = dialogue.is_sending or dialogue.prompts
        patient = sending and self.accepted - self.slow_taken <= FAST_RUN
        self.current = Trial(kind, self.world.now_s, sending=sending, patient=patient)
        if sending:
            self._note_sending(kind)
        if self.rng.random() < 0.5:
            self._text()
        FAULTS[kind](self)
        if self.rng.random() < 0.5:
            self.world.at(self.rng.uniform(0, 5), self._text)

    @property
    def accepted(self) -> int:
        """Texts that the network has taken so far."""
        return self.world.dialogue.machine.counters.get("sent", 0)

    def _note_sending(self, kind: str) -> None:
        """What from outside looks like a slow network: a short fault, or the second hang in a row."""
        if kind not in (*IN_A_SEND, *FOR_GOOD) or self.hung_taken == self.accepted:
            self.slow_taken = self.accepted
        self.hung_taken = self.accepted

    def _text(self) -> None:
        text = f"laporan {len(self.sent)}"
        self.sent.append(text)
        now = datetime.fromtimestamp(self.world.wall_ns() / 1e9, UTC)
        for part in tpdu.deliver(SENDER, text, now):
            self.world.dialogue.receive(part, self.world.present())

    def _end(self, trial: Trial) -> None:
        faults = self.world.dialogue.machine.faults
        for name in ("mute_count", "fail_count"):
            setattr(faults, name, 0)
        self.done.append(trial)
        self.current, self.next_s = None, self.world.now_s + self.rng.uniform(0.5, 12)
        if len(self.done) % 500 == 0:
            sys.stderr.write(f"\rfuzz modem: {len(self.done)}/{self.trials} faults")
        if len(self.done) >= self.trials:
            self.stop.set()

    # -- the faults ---------------------------------------------------------------------------------

    def gone(self, after_s: float = 0.0) -> None:
        """The cause is over now, or then."""

        def mark() -> None:
            if self.current is not None and self.current.cause_ended_s is None:
                self.current.cause_ended_s = self.world.now_s

        self.world.at(after_s, mark)

    def hang(self) -> None:
        """The firmware is stuck and comes back by itself."""
        seconds = self.rng.uniform(1, 25)
        self.world.dialogue.hang(seconds, self.world.present())
        self.gone(seconds)

    def hang_long(self) -> None:
        """The firmware is stuck for longer than any network may take."""
        seconds = self.rng.uniform(SEND_MOST_S + 5, SEND_MOST_S + 40)
        self.world.dialogue.hang(seconds, self.world.present())
        self.gone(seconds)

    def hang_until(self, *cures: str) -> None:
        """It hears nothing any more until something is done from outside."""
        self.world.dialogue.hang(10**6, self.world.present())
        self.world.cured_by = frozenset(cures)
        trial = self.current

        def watch() -> None:
            if self.current is not trial or trial is None:
                return
            if not self.world.cured_by and self.world.plugged:
                trial.cause_ended_s = self.world.now_s
            else:
                self.world.at(0.25, watch)

        watch()

    def slow_network(self) -> None:
        """Texts take long; what is typed meanwhile waits, or aborts the text, or is answered all the same."""
        faults = self.world.dialogue.machine.faults
        faults.send_ms = self.rng.randint(9_000, 40_000)
        world = self.rng.randrange(3)
        faults.send_aborts, faults.send_aside = world == 1, world == 2

        def mend() -> None:
            faults.send_ms, faults.send_aborts, faults.send_aside = 0, False, False
            until_taken()

        def until_taken() -> None:
            if self.world.dialogue.is_sending:
                self.world.at(0.25, until_taken)
            else:
                self.gone()

        self.world.at(self.rng.uniform(120, 360), mend)

    def garbage(self) -> None:
        """Octets of all kinds, with line ends and prompts among them."""
        octets = bytes(self.rng.choice((0, 10, 13, 62, 32, 79, 75, 255, 195, 43)) for _ in range(40))
        for _ in range(self.rng.randint(1, 4)):
            self.world.dialogue.machine.line.put(octets, self.world.now_s)
        self.gone()

    def unplug(self) -> None:
        """The plug is out for a while."""
        seconds = self.rng.uniform(0.3, 40)
        self.world.pull(seconds)
        self.gone(seconds + self.world.boot_s)

    def silent_reset(self) -> None:
        """It restarts without a word and has forgotten everything."""
        self.world.start()
        self.world.dialogue.machine.line.clear()
        self.gone(self.world.boot_s)

    def forget(self) -> None:
        """Its settings are gone, its words are echoed, texts come as text."""
        machine = self.world.dialogue.machine
        machine.settings = machine.fresh_settings()
        machine.settings.text_mode = self.rng.random() < 0.5
        machine.settings.verbose = self.rng.random() < 0.7
        self.gone()

    def mute(self) -> None:
        """Some commands get no answer."""
        faults = self.world.dialogue.machine.faults
        faults.mute = self.rng.choice(("+CMGL", "+CMGD", "+CPMS", "+CNMI", "+CSQ", "+CGMM", "+CMEE"))
        faults.mute_count = self.rng.randint(1, 5)
        self._until_used_up("mute_count")

    def refuse(self) -> None:
        """Some commands end in an error."""
        faults = self.world.dialogue.machine.faults
        faults.fail = self.rng.choice(("+CMGL", "+CMGD", "+CPMS", "+CNMI", "+CSCS", "+CGMM", "+CFUN"))
        faults.fail_code = self.rng.choice((3, 14, 100, 302, 500, 515))
        faults.fail_count = self.rng.randint(1, 12)
        self._until_used_up("fail_count")

    def _until_used_up(self, name: str) -> None:
        """The cause is gone when it has been met so many times, or after a while."""
        trial, faults, until_s = self.current, self.world.dialogue.machine.faults, self.world.now_s + 40

        def watch() -> None:
            if self.current is not trial or trial is None:
                return
            if self.world.now_s >= until_s:
                setattr(faults, name, 0)
            if getattr(faults, name) == 0:
                trial.cause_ended_s = self.world.now_s
            else:
                self.world.at(0.25, watch)

        watch()

    def lie(self) -> None:
        """Final results and lines that nobody asked for."""
        says = (b"OK", b"ERROR", b"+CMGL: 1,0,,24", b"+CPIN: SIM PIN", b"> ", b"+CMS ERROR: 500", b"RDY")
        for _ in range(self.rng.randint(1, 5)):
            word = self.rng.choice(says)
            self.world.at(
                self.rng.uniform(0, 6),
                lambda word=word: self.world.dialogue.machine.line.put(  # type: ignore[misc]
                    b"\r\n" + word + b"\r\n", self.world.now_s
                ),
            )
        self.gone(6)


FAULTS: dict[str, Callable[[Campaign], None]] = {
    "hang for a while": Campaign.hang,
    "hang in a send": Campaign.hang_long,
    "hang in a send until reset": lambda one: one.hang_until("restart", "usb", "power"),
    "hang in a send until power": lambda one: one.hang_until("power"),
    SLOW: Campaign.slow_network,
    "hang until reset": lambda one: one.hang_until("restart", "usb", "power"),
    "hang until usb": lambda one: one.hang_until("usb", "power"),
    "hang until power": lambda one: one.hang_until("power"),
    "garbage": Campaign.garbage,
    "unplug": Campaign.unplug,
    "silent reset": Campaign.silent_reset,
    "settings forgotten": Campaign.forget,
    "no answer": Campaign.mute,
    "refusals": Campaign.refuse,
    "wrong answers": Campaign.lie,
}


def run(trials: int, seed: int) -> Outcome:
    """`trials` faults; then as many texts as were sent must be reports, each once."""
    outcome = trouble(trials, seed)
    missed = [one.name for one in MUTANTS if one.tried(seed).met]
    for name in missed:
        sys.stderr.write(f"fuzz modem: not noticed: {name}\n")
    return replace(outcome, uncaught=len(missed), extra={**outcome.extra, "mutants": len(MUTANTS)})


def trouble(
    trials: int,
    seed: int,
    remedies: type[VirtualRemedies] = VirtualRemedies,
    table: Table = TABLE,
    kinds: tuple[str, ...] = (),
) -> Outcome:
    """One campaign, with the service's hands and patience or a mutant's; `kinds`: of faults, or all."""
    memory = Path("/dev/shm")
    with _quiet(), tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        campaign, lost, doubled, unsent = _campaign(
            Path(folder), trials, random.Random(seed), remedies, table, kinds or tuple(FAULTS)
        )
    sys.stderr.write("\n")
    late_ones = late(campaign.done)
    for line in late_ones[:10]:
        sys.stderr.write(f"fuzz modem: {line}\n")
    figures: dict[str, float] = {
        "stuck": campaign.stuck,
        "late": len(late_ones),
        "alerts_unsent": unsent,
        "texts": len(campaign.sent),
        "texts_out": len(campaign.ordered),
        "simulated_hours": round(campaign.world.now_s / 3600, 1),
        **worst(campaign.done),
    }
    sys.stderr.write(json.dumps(Counter(trial.kind for trial in campaign.done)) + "\n")
    too_many = unsent > max(1, UNSENT_MOST * len(campaign.ordered) / 2)
    failed = campaign.stuck + len(late_ones) + too_many
    return Outcome("modem", trials, lost, doubled, failed, 0, seed, figures)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Thousands of faults are told of by the figures, not by the log."""
    logger = logging.getLogger("siaga_edge")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


class NoPowerNoUsb(VirtualRemedies):
    """A ladder that ends below the plug."""

    def waits_s(self, profile: Profile) -> Mapping[Rung, float]:
        """The soft means alone."""
        return {"drain": 0, "reopen": 0, "restart": profile.boot_s}


class WaitsForEver(VirtualPort):
    """A send without an end."""

    def send(self, length: int, pdu: str, limit_s: float) -> int:  # noqa: ARG002
        return super().send(length, pdu, 4 * SEND_MOST_S)


class NoEndOfASend(VirtualRemedies):
    """Hands that open such a port."""

    port = WaitsForEver


@dataclass(frozen=True)
class Mutant:
    """A worse way, and how many of which faults show it."""

    name: str
    remedies: type[VirtualRemedies] = VirtualRemedies
    table: Table = field(default_factory=lambda: TABLE)
    kinds: tuple[str, ...] = ()
    trials: int = 30

    def tried(self, seed: int) -> Outcome:
        """A campaign with it."""
        return trouble(self.trials, seed, self.remedies, self.table, self.kinds)


MUTANTS = (
    Mutant("no power, no usb", NoPowerNoUsb),
    Mutant("no end of a send", NoEndOfASend),
    Mutant("patience never grows", table={}, kinds=(SLOW,), trials=20),
    Mutant("patience grows after a hang", table={**TABLE, ("short", "hung"): "long"}, kinds=IN_A_SEND),
)


def _campaign(
    folder: Path,
    trials: int,
    rng: random.Random,
    remedies: type[VirtualRemedies],
    table: Table,
    kinds: tuple[str, ...],
) -> tuple[Campaign, int, int, int]:
    dialogue = Dialogue(PROFILES["sim7600"], Now(0.0, 0.0), faults=Faults(), seed=rng.randrange(10**6))
    world, stop = World(dialogue), Stop()
    campaign = Campaign(world, rng, trials, stop, kinds=kinds)
    settings = Modem(port="virtual", power_relay=True)
    hub = Hub(broker_host="x", gateway_url="x", ca_file=folder, certificate_file=folder, key_file=folder)
    node = Node(id="gsm-001", site="x", data_dir=folder / "data", run_dir=folder / "run")
    (folder / "data").mkdir()
    config = NodeConfig(node=node, hub=hub, modem=settings)
    service = ModemService(config, settings, world, remedies=remedies(world, settings.answer_limit_s))
    campaign.service, service.sender.table = service, table
    campaign.relay_dir = config.relay_dir("modem")
    world.look = campaign.look
    world.at(20, campaign.order)
    _acknowledge(config, world)
    service.work(stop, Heartbeat(world))
    # What came in during the last fault is taken before the books are closed.
    world.look, quiet = lambda: None, Stop()
    world.at(240, quiet.set)
    service.work(quiet, Heartbeat(world))
    service.close()
    texts = Counter(_texts(config.journal_file("modem")))
    campaign.count_taken()
    wrong, unsent = _wrongly_sent(config.journal_file("modem"), campaign)
    lost = [text for text in campaign.sent if not texts[text]] + wrong
    for text in lost[:5]:
        sys.stderr.write(f"fuzz modem: lost {text}\n")
    for text in [text for text, count in texts.items() if count > 1][:5]:
        came = "; ".join(_ways(config.journal_file("modem"), text))
        sys.stderr.write(f"fuzz modem: doubled {text}: {came}\n")
    return campaign, len(lost), sum(count - 1 for count in texts.values() if count > 1), unsent


def _ways(path: Path, text: str) -> list[str]:
    """How a text came in: store, slot, simulated second and report of each time."""
    query = "SELECT memory, slot, at_wall_ns, report_id FROM pdu WHERE text = ? ORDER BY id"
    with contextlib.closing(sqlite3.connect(path)) as journal:
        rows = journal.execute(query, (text,)).fetchall()
    return [f"{row[0]} {row[1]} at {row[2] / 1e9 - WALL_S:.1f} {row[3]}" for row in rows]


def _wrongly_sent(path: Path, campaign: Campaign) -> tuple[list[str], int]:
    """A courtesy that left twice, a text said to be sent that never left, one of which nothing is told.

    And how many alerts never left, as is said of them.
    """
    with contextlib.closing(sqlite3.connect(path)) as journal:
        states = {str(id): str(state) for id, state in journal.execute("SELECT id, state FROM outgoing")}
    found, unsent = list[str](), 0
    for id, at_least_once in campaign.ordered.items():
        taken, state = campaign.taken[f"tugas {id}"], states.get(id, "never taken")
        if not at_least_once and taken > 1:
            found.append(f"{id}: a courtesy left {taken} times")
        if state not in ("sent", "failed", "unknown") or (state == "sent" and not taken):
            found.append(f"{id}: {state}, left {taken} times")
        unsent += at_least_once and not taken
    return found, unsent


def _acknowledge(config: NodeConfig, world: World) -> None:
    """Every few minutes the hub has all there is: a node alone would text its duty phones instead."""
    ledger = UplinkLedger(config.delivery_file, world)

    def acknowledge() -> None:
        with contextlib.closing(sqlite3.connect(config.journal_file("modem"))) as journal:
            epoch, last = _place(journal)
        if last:
            ledger.commit([Mark("modem.urgent", epoch, last)])
        world.at(5, acknowledge)

    world.at(5, acknowledge)


def _place(journal: sqlite3.Connection) -> tuple[str, int]:
    epoch = journal.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()[0]
    last = journal.execute("SELECT ifnull(max(seq), 0) FROM record WHERE lane = 'urgent'").fetchone()[0]
    return str(epoch), int(last)


def _texts(path: Path) -> list[str]:
    """The text of every report, by its PDUs: what was pruned from the records is still here.

    A copy that came on another way is a PDU more and no report more (decision 0021).
    """
    query = "SELECT DISTINCT report_id, text FROM pdu WHERE report_id != ''"
    with contextlib.closing(sqlite3.connect(path)) as journal:
        return [str(row[1]) for row in journal.execute(query)]
