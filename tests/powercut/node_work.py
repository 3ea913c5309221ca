"""What a node's stores promise, each as a workload: the product's classes write, and open what is left."""

import hashlib
import random
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import cast

import msgspec

from powercut.campaign import Complaint, Say, broken, lost
from siaga_core.service.clock import Boot, read_boot
from siaga_core.service.files import write_atomic
from siaga_core.wire.command import Command, SoundSiren
from siaga_core.wire.envelope import Lane
from siaga_core.wire.health import ServiceState
from siaga_core.wire.want import Want
from siaga_edge.inbox import Inbox, InboxWriter
from siaga_edge.inbox.reader import EXTRA_SCHEMA
from siaga_edge.journal import Journal, JournalReader
from siaga_edge.modem.intake import Intake
from siaga_edge.modem.ledger import SCHEMA as INTAKE_SCHEMA
from siaga_edge.modem.ledger import Ledger as Outbox
from siaga_edge.modem.ledger import Outgoing
from siaga_edge.modem.outbound import Outbound
from siaga_edge.modem.port import Port
from siaga_edge.simulate.modem import tpdu
from siaga_edge.uplink.delivery import Mark
from siaga_edge.uplink.ledger import Ledger
from support.clock import FakeClock

STATE = ServiceState(service="modem", level="ok", code="ready")
LANES: tuple[Lane, ...] = ("urgent", "bulk")


class Journaling:
    """An appended record stays until it was acknowledged and pruned; its number is never given again."""

    name = "journal"
    rounds = 150

    def open(self, folder: Path, clock: FakeClock) -> Journal:
        return Journal(folder / "journal.db", clock, Boot(1, "b"))

    def append(self, journal: Journal, lane: Lane, how_many: int, say: Say) -> None:
        numbers = journal.append_all([("service", STATE, lane)] * how_many)
        say(f"has {lane} {numbers[-1]}")

    def run(self, folder: Path, say: Say, rng: random.Random) -> None:
        clock = FakeClock()
        with closing(self.open(folder, clock)) as journal:
            say(f"epoch {journal.epoch}")
            last: dict[str, int] = dict.fromkeys(LANES, 0)
            for _ in range(self.rounds):
                clock.advance(1)
                lane = rng.choice(LANES)
                if rng.random() < 0.1 and last[lane]:
                    upto = last[lane] if rng.random() < 0.5 else rng.randint(1, last[lane])
                    say(f"may drop {lane} {upto}")
                    journal.prune([(f"modem.{lane}", journal.epoch, upto)], keep_urgent_s=0)
                else:
                    many = 1 if lane == "urgent" else rng.randint(1, 12)
                    self.append(journal, lane, many, say)
                    last[lane] += many

    def check(self, folder: Path, said: Sequence[str]) -> list[Complaint]:
        if not any(mark.startswith("epoch") for mark in said):
            return []
        found: list[Complaint] = []
        with closing(self.open(folder, FakeClock())) as journal:
            if f"epoch {journal.epoch}" not in said:
                found.append(lost("the journal came back with another epoch"))
            for lane in LANES:
                found += self._check_lane(folder, journal, lane, said)
        return found

    @staticmethod
    def _check_lane(folder: Path, journal: Journal, lane: Lane, said: Sequence[str]) -> list[Complaint]:
        has, gone = _highest(said, f"has {lane} "), _highest(said, f"may drop {lane} ")
        with closing(JournalReader(folder / "journal.db", "modem")) as reader:
            present = [record.seq for record in reader.after(lane, 0, 10**9)]
        missing = set(range(gone + 1, has + 1)) - set(present)
        found = [lost(f"{lane} {sorted(missing)[:3]} of {has} gone")] if missing else []
        if present and present != list(range(present[0], present[-1] + 1)):
            found.append(broken(f"{lane} has a hole"))
        following = journal.append("service", STATE, lane)
        if following <= has:
            found.append(broken(f"{lane} gives {following} again, {has} was given"))
        return found


class Receiving:
    """A command called received is there; one called begun is begun with its record in the same commit."""

    name = "inbox"
    rounds = 70

    def open_writer(self, folder: Path) -> InboxWriter:
        return InboxWriter(folder / "inbox.db")

    def receive(self, writer: InboxWriter, order: Command, say: Say) -> None:
        writer.put(order)
        say(f"received {order.id}")

    def begin(self, inbox: Inbox, journal: Journal, order: Command) -> None:
        inbox.begin(order)

    def run(self, folder: Path, say: Say, rng: random.Random) -> None:
        clock = FakeClock()
        journal = Journal(folder / "journal.db", clock, Boot(1, "b"), extra_schema=EXTRA_SCHEMA)
        writer = self.open_writer(folder)
        inbox = Inbox(folder / "inbox.db", "health", journal)
        for number in range(self.rounds):
            order = _order(number)
            self.receive(writer, order, say)
            if rng.random() < 0.3:
                writer.put_want(
                    Want(
                        name="roster", service="health", node="n", version=number + 1, body=msgspec.Raw(b"{}")
                    )
                )
                say(f"wants {number + 1}")
            if rng.random() < 0.6:
                self.begin(inbox, journal, order)
                say(f"begun {order.id}")
        for one in (inbox, writer, journal):
            one.close()

    def check(self, folder: Path, said: Sequence[str]) -> list[Complaint]:
        if not said:
            return []
        with (
            closing(
                Journal(folder / "journal.db", FakeClock(), Boot(2, "c"), extra_schema=EXTRA_SCHEMA)
            ) as journal,
            closing(Inbox(folder / "inbox.db", "health", journal)) as inbox,
        ):
            begun = {str(row["id"]) for row in journal.connection.execute("SELECT id FROM taken_command")}
            told = {
                str(row["id"])
                for row in journal.connection.execute(
                    "SELECT json_extract(body, '$.id') AS id FROM record WHERE kind = 'command'"
                )
            }
            there = {order.id for order in inbox.waiting(0)} | begun
            version = inbox.wants()["roster"].version if "roster" in inbox.wants() else 0
        found = [lost(f"command {id}") for id in _said(said, "received ") - there]
        found += [lost(f"begin of {id}") for id in _said(said, "begun ") - begun]
        found += [broken(f"{id}: begun and told are not one") for id in begun ^ told]
        if version < _highest(said, "wants "):
            found.append(lost(f"desired state {version}"))
        return found


class Marking:
    """What the hub acknowledged stays acknowledged; after a change of generation no older mark comes back."""

    name = "ledger"
    rounds = 130

    def open(self, folder: Path) -> Ledger:
        return Ledger(folder / "delivery.db", FakeClock())

    def commit(self, ledger: Ledger, marks: list[Mark], say: Say) -> None:
        ledger.commit(marks)
        for mark in marks:
            say(f"mark {mark.stream} {mark.upto}")

    def run(self, folder: Path, say: Say, rng: random.Random) -> None:
        with closing(self.open(folder)) as ledger:
            say("made")
            for number in range(1, self.rounds):
                if rng.random() < 0.05:
                    say(f"resetting g{number}")
                    ledger.reset(f"g{number}", [])
                    say(f"reset g{number}")
                    continue
                streams = rng.sample(["modem.urgent", "modem.bulk", "health.bulk"], rng.randint(1, 3))
                say(f"may mark {number}")
                self.commit(ledger, [Mark(stream, "e" * 16, number) for stream in streams], say)

    def check(self, folder: Path, said: Sequence[str]) -> list[Complaint]:
        if "made" not in said:
            return []
        with closing(self.open(folder)) as ledger:
            marks, generation = {mark.stream: mark.upto for mark in ledger.marks()}, ledger.generation()
        wanted, before, promised, begun = dict[str, int](), dict[str, int](), "", ""
        for mark in said:
            match mark.split():
                case ["mark", stream, upto]:
                    wanted[stream] = int(upto)
                case ["resetting", name]:
                    before, begun = dict(wanted), name
                case ["reset", name]:
                    wanted = {stream: upto for stream, upto in wanted.items() if before.get(stream) != upto}
                    promised, begun = name, ""
                case _:
                    pass
        if generation not in {promised, begun}:
            return [lost(f"generation {promised}, found {generation}")]
        if begun and generation == begun:
            return []
        found = [lost(f"{s} {u}, found {marks.get(s, 0)}") for s, u in wanted.items() if marks.get(s, 0) < u]
        most = _highest(said, "may mark ")
        return found + [broken(f"{s} {u} was never said") for s, u in marks.items() if u > most]


class Publishing:
    """A published file is the old one or the new one, whole; a boot's number is never given twice."""

    name = "files"
    rounds = 70

    def publish(self, path: Path, content: bytes) -> None:
        write_atomic(path, content)

    def run(self, folder: Path, say: Say, rng: random.Random) -> None:
        boot_id = folder.parent / "boot_id"
        for version in range(1, self.rounds):
            name = f"file{rng.randrange(5)}"
            say(f"may {name} {version}")
            self.publish(folder / name, _content(name, version))
            say(f"has {name} {version}")
            if rng.random() < 0.2:
                boot_id.write_text(f"boot{version}\n")
                say(f"boot {read_boot(folder / 'state', boot_id).seq}")

    def check(self, folder: Path, said: Sequence[str]) -> list[Complaint]:
        found: list[Complaint] = []
        for name in (f"file{number}" for number in range(5)):
            has, may = _highest(said, f"has {name} "), _highest(said, f"may {name} ")
            path = folder / name
            if not path.exists():
                found += [lost(f"{name} {has}")] if has else []
                continue
            content = path.read_bytes()
            versions = [v for v in range(max(1, has), may + 1) if _content(name, v) == content]
            if not versions:
                older = any(_content(name, v) == content for v in range(1, has))
                found.append(lost(f"{name} {has}") if older else broken(f"{name} is no version of it"))
        boot_id = folder.parent / "boot_id"
        boot_id.write_text("after\n")
        if (seq := read_boot(folder / "state", boot_id).seq) <= _highest(said, "boot "):
            found.append(lost(f"boot {seq} is given again"))
        return found


class Sim:
    """The modem's store of messages; it keeps them through the power cut, as a SIM does."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self.slots: dict[int, str] = {}

    noise = 0

    def command(self, line: str, limit_s: float = 5, quiet_s: float = 5) -> list[str]:
        """Answer as the modem does, without the final result."""
        if line.startswith("AT+CMGL"):
            listed = [(f"+CMGL: {slot},0,,{_tpdu_length(pdu)}", pdu) for slot, pdu in self.slots.items()]
            return [part for pair in listed for part in pair]
        if line.startswith("AT+CMGD="):
            self._say(f"forgot {self.slots.pop(int(line.removeprefix('AT+CMGD=')))}")
        return []


class TakingIn:
    """What the modem was told to forget is committed: the raw message and the report made of it."""

    name = "modem"
    rounds = 30
    intake: type[Intake] = Intake

    def open(self, folder: Path, clock: FakeClock) -> Journal:
        return Journal(folder / "journal.db", clock, Boot(1, "b"), extra_schema=INTAKE_SCHEMA)

    def run(self, folder: Path, say: Say, rng: random.Random) -> None:
        clock, sim = FakeClock(), Sim(say)
        ids = iter(f"r{number}" for number in range(10**6))
        with closing(self.open(folder, clock)) as journal:
            intake = self.intake(journal, "modem", clock, lambda: next(ids), lambda _status: None)
            for number in range(self.rounds):
                clock.advance(1)
                for slot in range(1, rng.randint(2, 5)):
                    pdu = tpdu.deliver(f"+62811{number}", f"Kebakaran {number} {slot}", datetime.now(UTC))
                    sim.slots[slot] = pdu[0].hex().upper()
                intake.sweep(cast(Port, sim), ["SM"])

    def check(self, folder: Path, said: Sequence[str]) -> list[Complaint]:
        forgotten = _said(said, "forgot ")
        if not forgotten:
            return []
        with closing(sqlite3.connect(folder / "journal.db")) as connection:
            kept = {str(row[0]) for row in connection.execute("SELECT pdu FROM pdu")}
            reports = {
                str(row[0])
                for row in connection.execute(
                    "SELECT json_extract(body, '$.report_id') FROM record WHERE kind = 'report'"
                )
            }
            named = {str(row[0]) for row in connection.execute("SELECT report_id FROM pdu")}
        found = [lost(f"message {pdu[-20:]}") for pdu in forgotten - kept]
        return found + [broken(f"report {id} is not there with its message") for id in named - reports]


class Network:
    """A modem that hands texts on; what it took, the network has, whatever becomes of the node."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self.references = 0

    def send(self, length: int, pdu: str, limit_s: float) -> int:
        """Take one part and give its reference."""
        self._say(f"left {pdu}")
        self.references = (self.references + 1) % 256
        return self.references


class SendingOut:
    """A text that was queued leaves: an alert at least once, a courtesy at most once, whatever is cut."""

    name = "modem outbound"
    rounds = 40
    outbound: type[Outbound] = Outbound

    def open(self, folder: Path, clock: FakeClock) -> Journal:
        schema = f"{EXTRA_SCHEMA};{INTAKE_SCHEMA}"
        return Journal(folder / "journal.db", clock, Boot(1, "b"), extra_schema=schema)

    def run(self, folder: Path, say: Say, rng: random.Random) -> None:
        clock = FakeClock()
        with closing(self.open(folder, clock)) as journal:
            outbound, network = self._outbound(folder, journal, clock), Network(say)
            for number in range(self.rounds):
                clock.advance(1)
                kind = rng.choice(("alert", "courtesy"))
                words = f"{kind} {number}"
                text = Outgoing(f"{number:026d}", f"+62811{number:06d}", words, kind == "alert", 0)
                journal.append_all([], partial(queue_text, text, clock.wall_ns()))
                say(f"queued {number} {kind}")
                while rng.random() < 0.8 and outbound.send_next(cast(Port, network)):
                    continue

    def _outbound(self, folder: Path, journal: Journal, clock: FakeClock) -> Outbound:
        return self.outbound(journal, Inbox(folder / "inbox.db", "modem", journal), clock)

    def check(self, folder: Path, said: Sequence[str]) -> list[Complaint]:
        queued = dict(mark.split()[1:] for mark in said if mark.startswith("queued "))
        left = [mark.removeprefix("left ") for mark in said if mark.startswith("left ")]
        clock = FakeClock()
        clock.advance(10_000)
        with closing(self.open(folder, clock)) as journal:
            outbound = self._outbound(folder, journal, clock)
            outbound.recover()
            network = Network(lambda mark: left.append(mark.removeprefix("left ")))
            for _ in range(2):  # what may have left goes again half a minute later
                while outbound.send_next(cast(Port, network)):
                    continue
                clock.advance(60)
        times = Counter(recipient(octets) for octets in left)
        found = [
            lost(f"alert {number}")
            for number, kind in queued.items()
            if kind == "alert" and not times[number]
        ]
        return found + [
            broken(f"courtesy {number} left {times[number]} times")
            for number, kind in queued.items()
            if kind == "courtesy" and times[number] > 1
        ]


def queue_text(text: Outgoing, now_wall_ns: int, connection: sqlite3.Connection) -> None:
    """Queue a text to be sent, inside a transaction."""
    Outbox(connection).queue(text, now_wall_ns)


def recipient(octets: str) -> str:
    """The number of the text, which its recipient ends in."""
    submit = tpdu.decode_submit(bytes.fromhex(octets)[1 + int(octets[:2], 16) :])
    return str(int(submit.to[-6:]))


def _tpdu_length(pdu: str) -> int:
    return len(pdu) // 2 - 1 - int(pdu[:2], 16)


def _order(number: int) -> Command:
    return Command(
        id=f"{number:026d}",
        node="n",
        service="health",
        order=SoundSiren(incident="i", duration_s=5),
        issued_ms=0,
        expires_ms=10**13,
        issuer="i",
    )


def _content(name: str, version: int) -> bytes:
    return hashlib.sha256(f"{name} {version}".encode()).digest() * (200 + version % 7 * 150)


def _said(said: Sequence[str], start: str) -> set[str]:
    return {mark.removeprefix(start) for mark in said if mark.startswith(start)}


def _highest(said: Sequence[str], start: str) -> int:
    return max((int(mark.rpartition(" ")[2]) for mark in said if mark.startswith(start)), default=0)
