"""Urgent records by SMS, lost, doubled, torn and forged on their way to a hub that dies: believed once.

A camera site signs and orders texts as its uplink does; they go as parts to a GSM node's real intake, and
what it journals to the hub's own rules in a process that is killed. At the end the link brings everything.
Two hubs with worse rules must be found out by the same run: `control_loses`.
"""

import itertools
import json
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from bench.fuzz import Outcome
from bench.relay_hub import RULES, Order
from siaga_core.service.clock import Boot
from siaga_core.wire import carried, health, report
from siaga_core.wire.health import CameraState, ServiceState
from siaga_core.wire.ids import node_id
from siaga_core.wire.report import Call, Report, Sms, SmsPart
from siaga_core.wire.roster import Gateway, Roster
from siaga_core.wire.want import Want
from siaga_edge.inbox import InboxWriter
from siaga_edge.journal import Journal, JournalReader
from siaga_edge.modem.at import Stored
from siaga_edge.simulate.modem import tpdu
from siaga_edge.uplink.texting import Texting

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

SITE, GSM = node_id("node-1"), node_id("gsm-1")
OURS, SITE_NUMBER = "+628111000112", "+628133333333"
TEAMS = tuple(f"+62811222{place:04d}" for place in range(4))
SERVICES = ("modem", "cameras", "health")
CAMERAS = ("cam-1", "cam-2")
FORGED = "PALSU"
CONTROL_TRIALS = 120
Key = tuple[str, str, int]  # stream, epoch, seq


@dataclass
class Sent:
    """One passage of a text through the network: which of its parts have come."""

    key: Key | None  # of the record it carries; None for what was forged or torn
    parts: list[str]
    came: set[int] = field(default_factory=set)
    is_forged: bool = False
    answer: tuple[str, str] | None = None  # code and number of an answer

    @property
    def is_whole(self) -> bool:
        """Whether every part has come."""
        return len(self.came) == len(self.parts)


class Hub:
    """The hub's process, begun again after each death; what was not answered is said again."""

    def __init__(self, database: Path, rules: str) -> None:
        self._command = [sys.executable, "-m", "bench.relay_hub", str(database), rules]
        self.deaths = 0
        self._begin()

    def _begin(self) -> None:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def ask(self, order: Order, *, dies: bool = False) -> Any:
        """Its answer; with `dies` it is killed while it may be at work, and asked again."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(order).decode() + "\n")
        if dies:
            self.deaths += 1
            self._process.send_signal(signal.SIGKILL)
            self.end()
            self._begin()
            return self.ask(order)
        line = self._process.stdout.readline()
        assert line, "the hub ended by itself"
        return json.loads(line)

    def end(self) -> None:
        """Wait for its end."""
        self._process.communicate()


class World:
    """Site, network, GSM node and hub; `rules` are the hub's."""

    def __init__(self, folder: Path, rng: random.Random, rules: str) -> None:
        from support.desk_hub import DeskHub
        from support.front_desk import FrontDesk
        from support.sealing import NodeVoice

        self.rng, self.folder, self.rules = rng, folder, rules
        self.gsm = FrontDesk(folder / "gsm")
        self.clock = self.gsm.clock
        made = DeskHub(folder)  # registers both nodes; the hub's own process goes on with its database
        self.voice, self.stranger, self.revoked = made.camera_node, NodeVoice(SITE), NodeVoice("node-9")
        made.store.write(lambda c: self._furnish(c))
        made.close()
        self.hub = Hub(folder / "hub.db", rules)
        boot = Boot(1, "boot-one")
        self.journals = {name: Journal(folder / f"journal-{name}.db", self.clock, boot) for name in SERVICES}
        self.readers = {name: JournalReader(folder / f"journal-{name}.db", name) for name in SERVICES}
        self.gsm_reader = JournalReader(folder / "gsm" / "journal-modem.db", "modem")
        self.inbox = InboxWriter(folder / "inbox.db")
        roster = msgspec.Raw(msgspec.json.encode(Roster(gateways=[Gateway(node=GSM, number=OURS)])))
        self.inbox.put_want(Want(node=SITE, service="modem", name="roster", version=1, body=roster))
        self.texting = Texting(SITE, self.inbox, self.clock, "boot-one")
        self.pool: list[tuple[Sent, int]] = []
        self.sent: list[Sent] = []
        self.ordered = self.told_upto = 0
        self.linked: dict[str, int] = dict.fromkeys(SERVICES, 0)
        self.early_by_link: set[Key] = set()
        self.reports: list[tuple[str, str]] = []  # id and number of citizens
        self.alerts: dict[tuple[str, str], bool] = {}  # code and number -> answered
        self.codes: dict[str, str] = {}  # report -> code of its incident
        self.strangers: set[tuple[str, str]] = set()  # code and number of those who were not told
        self.forged = 0
        self._ids, self._references, self._slots = itertools.count(1), itertools.count(1), itertools.count(1)

    def _furnish(self, connection: Any) -> None:
        from siaga_central.store import certificates, nodes

        nodes.add(connection, "node-9", "s", "node-9", "fuzz", 1)
        nodes.add_camera(connection, "cam-2", SITE, "selatan", None, None, "fuzz", 1)
        self.revoked.enrol(connection, "03")
        certificates.revoke(connection, "node-9", "fuzz", 1)

    # -- the site --------------------------------------------------------------------------------

    def happen(self) -> None:
        """Something urgent happens at the site and is committed there."""
        service = self.rng.choice(SERVICES)
        kind, body = self._event(service)
        self.journals[service].append(kind, body, "urgent")

    def _event(self, service: str) -> tuple[str, msgspec.Struct]:
        rng = self.rng
        if service == "cameras":
            status: Any = rng.choice(("black", "down", "frozen", "up"))
            words = "".join(rng.choice("abcdefghij ") for _ in range(rng.randrange(40)))
            return health.CAMERA_KIND, CameraState(camera=rng.choice(CAMERAS), status=status, reason=words)
        if service == "health":
            code = f"disk.{rng.randrange(3)}"
            return health.SERVICE_KIND, ServiceState(service="health", level="crit", code=code)
        id, number = f"01KA6P3ZQ4N8S5T6V7X8{next(self._ids):06d}", f"+62812{rng.randrange(10**8):08d}"
        self.reports.append((id, number))
        common: dict[str, Any] = {"report_id": id, "revision": 1, "modem": "modem"}
        common |= {"reporter": number, "reporter_e164": number}
        if rng.random() < 0.3:
            return report.KIND, Report(source="call", call=Call(state="missed", rings=3), **common)
        words = "".join(rng.choice("kebakaran di nagoya tolong  \n.") for _ in range(rng.randrange(10, 160)))
        sms = Sms(text=words, parts=[SmsPart(number=1, pdu="07" * 60)])
        return report.KIND, Report(source="sms", sms=sms, **common)

    def waiting(self) -> Iterator[tuple[str, Any]]:
        """What the hub has not acknowledged over the link."""
        for service, reader in self.readers.items():
            for record in reader.after("urgent", self.linked[service], 10**6):
                yield service, record

    def order(self) -> None:
        """The uplink looks, and what it orders leaves as texts."""
        self.clock.advance(61)
        self.texting.look(self.waiting(), self.voice.signer)
        with closing(sqlite3.connect(f"file:{self.folder}/inbox.db?mode=ro", uri=True)) as connection:
            query = "SELECT number, payload FROM command WHERE number > ? ORDER BY number"
            rows = connection.execute(query, (self.ordered,)).fetchall()
        for number, payload in rows:
            self.ordered = number
            text = str(json.loads(payload)["order"]["text"])
            self.travel(text)

    # -- the network -----------------------------------------------------------------------------

    def travel(self, text: str) -> None:
        """A genuine text sets out: lost, doubled, torn, changed, or whole, and perhaps again later."""
        rng, one = self.rng, carried.opened(carried.parse(text).content)
        key = (one.stream, one.epoch, one.seq)
        fate = rng.random()
        if fate < 0.1:
            self.send(text[: rng.randrange(8, len(text))], None)
        elif fate < 0.2:
            at = rng.randrange(len(carried.MARK), len(text))
            self.send(text[:at] + rng.choice("AZaz09+/") + text[at + 1 :], None)
        else:
            self.send(text, key)
        while rng.random() < 0.3:
            self.send(f"(ulang) {text}" if rng.random() < 0.5 else text, key)
        if rng.random() < 0.3:
            self.send(self.forgery(text), None, forged=True)

    def forgery(self, text: str) -> str:
        """A record that the site never made, signed as somebody without its key can."""
        self.forged += 1
        rng, good = self.rng, carried.parse(text)
        bodies = (
            (health.CAMERA_KIND, CameraState(camera=rng.choice(CAMERAS), status="black", reason=FORGED)),
            (
                report.KIND,
                Report(
                    report_id=f"01KA6P3ZQ4N8S5T6V7Z9{next(self._ids):06d}", revision=1, source="sms",
                    modem="modem", reporter=OURS, reporter_e164="+6281555000111",
                    sms=Sms(text=f"kebakaran {FORGED}", parts=[]),
                ),
            ),
        )  # fmt: skip
        kind, body = rng.choice(bodies)
        made = carried.Carried(
            "modem", "00000000000000ee", rng.randrange(1, 10**6), 1, kind, msgspec.json.encode(body)
        )
        content = carried.content_of(made)
        assert content is not None
        octets = carried.signed_octets(content)
        signatures = (
            (good.key_id, good.signature),
            (good.key_id, bytes(64)),
            (good.key_id, self.stranger.signer.sign(octets)),
            (self.stranger.signer.key_id[:4], self.stranger.signer.sign(octets)),
            (self.revoked.signer.key_id[:4], self.revoked.signer.sign(octets)),
            (good.key_id, self.revoked.signer.sign(octets)),
        )
        key_id, signature = rng.choice(signatures)
        return carried.text_of(carried.Signed(key_id, signature, content))

    def send(
        self,
        text: str,
        key: Key | None,
        sender: str = SITE_NUMBER,
        answer: tuple[str, str] | None = None,
        *,
        forged: bool = False,
    ) -> None:
        """Cut a text into parts, each of which is lost, doubled or kept for later by itself."""
        now = datetime.fromtimestamp(self.clock.wall_ns() / 1e9, UTC)
        octets = tpdu.deliver(
            sender, text, now, smsc="+62811000000", coding="auto", reference=next(self._references), wide=True
        )
        one = Sent(key, [each.hex().upper() for each in octets], is_forged=forged, answer=answer)
        self.sent.append(one)
        for number in range(len(one.parts)):
            copies = self.rng.choices((0, 1, 2), (6, 84, 10))[0]
            self.pool += [(one, number)] * copies

    def deliver(self, most: int) -> None:
        """Some parts come in at the GSM node, in any order."""
        self.rng.shuffle(self.pool)
        for _ in range(min(most, len(self.pool))):
            one, number = self.pool.pop()
            one.came.add(number)
            self.gsm.intake.commit("SM", [Stored(next(self._slots), one.parts[number])])
            self.clock.advance(0.2)
        if self.rng.random() < 0.1:
            self.gsm.restart()
            self.gsm_reader.close()
            self.gsm_reader = JournalReader(self.gsm.folder / "journal-modem.db", "modem")

    # -- the hub ---------------------------------------------------------------------------------

    def hand_over(self) -> None:
        """The GSM node's link brings what the hub has not acknowledged."""
        for one in self.gsm_reader.after("urgent", self.told_upto, 10**6):
            self.hub.ask(Order(record=one.as_wire(GSM)), dies=self.rng.random() < 0.02)
            self.told_upto = one.seq

    def link(self, most: int) -> None:
        """The site's own link works for a while."""
        for service, reader in self.readers.items():
            for one in reader.after("urgent", self.linked[service], most):
                self.hub.ask(Order(record=one.as_wire(SITE)), dies=self.rng.random() < 0.01)
                self.linked[service] = one.seq
                self.early_by_link.add((one.stream, one.epoch, one.seq))

    def tell(self) -> None:
        """A phone on duty is texted of some report; it answers, or a stranger does."""
        if not self.reports:
            return
        id, team = self.rng.choice(self.reports)[0], self.rng.choice(TEAMS)
        if (self.codes.get(id, ""), team) in self.strangers:
            return  # its word from before it was told may still be on its way
        keys = {"report_id": id, "name": f"Regu {team[-1]}", "number": team, "node": GSM}
        code = str(self.hub.ask(Order(keys=keys)))
        if not code:
            return
        self.codes[id] = code
        self.alerts.setdefault((code, team), False)
        word = self.rng.choice(("TERIMA", "otw", "SELESAI"))
        if self.rng.random() < 0.5:
            self.send(f"{word} {code}", None, team, (code, team))
        if self.rng.random() < 0.8:
            others = [phone for phone in TEAMS if (code, phone) not in self.alerts]
            stranger = self.rng.choice([f"+62813{self.rng.randrange(10**8):08d}", *others[:1]])
            self.strangers.add((code, stranger))
            self.send(f"{word} {code}", None, stranger)

    def say(self, text: str) -> None:
        """Name what is wrong; of a worse hub that is what is looked for."""
        if self.rules == RULES[0]:
            sys.stderr.write(f"\nfuzz relay: {text}\n")

    def end(self) -> None:
        """Close everything."""
        self.hub.end()
        for journal in self.journals.values():
            journal.close()
        for reader in (*self.readers.values(), self.gsm_reader):
            reader.close()
        self.inbox.close()
        self.gsm.end()


@dataclass
class Found:
    """What was wrong at the end of one world.

    `accepted`: believed without a signature or a phone's own answer; `unseen`: forged and not counted as
    such, or a torn text taken for a citizen's.
    """

    lost: int = 0
    doubled: int = 0
    undelivered: int = 0
    accepted: int = 0
    unseen: int = 0
    texts: int = 0
    parts_lost: int = 0
    forged: int = 0
    deaths: int = 0


def run(trials: int, seed: int) -> Outcome:
    """`trials` urgent records; a tenth as many, at most, are tried on each worse hub."""
    found = play(trials, seed, "sound")
    worse = [play(min(trials, CONTROL_TRIALS), seed, rules).accepted for rules in RULES[1:]]
    extra: dict[str, float] = {
        "texts": found.texts,
        "parts_lost": found.parts_lost,
        "forged": found.forged,
        "accepted": found.accepted,
        "deaths": found.deaths,
        "accepted_by_believes_all": worse[0],
        "accepted_by_code_alone": worse[1],
        "control_loses": float(all(worse)),
    }
    uncaught = found.accepted + found.unseen
    return Outcome("relay", trials, found.lost, found.doubled, found.undelivered, uncaught, seed, extra)


def play(trials: int, seed: int, rules: str) -> Found:
    """One world from beginning to end."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="siaga-relay-") as place:
        (Path(place) / "gsm").mkdir()
        world = World(Path(place), rng, rules)
        try:
            for trial in range(trials):
                world.happen()
                if rng.random() < 0.3:
                    world.order()
                world.deliver(rng.randrange(6))
                if rng.random() < 0.5:
                    world.hand_over()
                if rng.random() < 0.3:
                    world.tell()
                if rng.random() < 0.05:
                    world.link(rng.randrange(1, 8))
                sys.stderr.write(f"\rfuzz relay ({rules}): {trial + 1}/{trials}, {world.hub.deaths} deaths")
            world.order()
            world.deliver(10**9)
            world.clock.advance(120)
            world.gsm.intake.give_up_missing()
            world.hand_over()
            found = before_the_link(world)
            world.link(10**6)
            after_the_link(world, found)
        finally:
            world.end()
    sys.stderr.write("\n")
    found.texts, found.forged, found.deaths = len(world.sent), world.forged, world.hub.deaths
    found.parts_lost = sum(len(one.parts) - len(one.came) for one in world.sent)
    return found


def before_the_link(world: World) -> Found:
    """Whether what came whole was believed, and nothing else."""
    found = Found()
    rows = _rows(world, "SELECT stream, epoch, seq, body FROM early")
    early = {(row[0], row[1], row[2]): row[3] for row in rows}
    whole = {one.key for one in world.sent if one.key is not None and one.is_whole}
    found.undelivered += len(whole - early.keys() - world.early_by_link)
    true = {
        (record.stream, record.epoch, record.seq): record.body
        for reader in world.readers.values()
        for record in reader.after("urgent", 0, 10**6)
    }
    for key, body in early.items():
        if key not in true or not _says(body, true[key]):
            found.accepted += 1
            world.say(f"believed {key} {body}")
    for one in world.sent:
        if one.answer is not None and one.is_whole:
            world.alerts[one.answer] = True
    newest = "SELECT code, number, max(state != 'told') FROM assignment GROUP BY code, number"
    for code, number, taken in _rows(world, newest):
        answered = world.alerts[code, number]
        if taken and not answered:
            found.accepted += 1
            world.say(f"believed an answer to {code} in the name of {number}")
        found.undelivered += answered and not taken
    return found


def after_the_link(world: World, found: Found) -> None:
    """Whether everything is at the hub, once, and the newest word on each camera stands."""
    marked = "SELECT count(*) FROM {} WHERE body LIKE '%" + FORGED + "%'"
    for table in ("report", "early"):
        found.accepted += _rows(world, marked.format(table))[0][0]
    found.accepted += _rows(world, f"SELECT count(*) FROM camera WHERE reason LIKE '%{FORGED}%'")[0][0]
    refused = "SELECT ifnull(sum(count), 0) FROM refusal WHERE reason = 'sms-forged'"
    came = sum(one.is_forged and one.is_whole for one in world.sent)
    found.unseen += _rows(world, refused)[0][0] < came
    noise = "SELECT count(*) FROM report WHERE node = ? AND text LIKE '%SIAGA1:%' AND length(text) > 80"
    found.unseen += _rows(world, noise, GSM)[0][0]
    known = {row[0] for row in _rows(world, "SELECT id FROM report")}
    found.lost += len({id for id, _ in world.reports} - known)
    for service, reader in world.readers.items():
        query = f"SELECT count(*) FROM record WHERE node = '{SITE}' AND stream = '{service}.urgent'"
        found.lost += reader.last_seq("urgent") - _rows(world, query)[0][0]
    twice = (
        "SELECT count(*) - count(DISTINCT json_extract(body, '$.stream') || json_extract(body, '$.seq'))"
        " FROM event WHERE kind = 'record.carried'"
    )
    found.doubled += _rows(world, twice)[0][0]
    numbers = {number for _, number in world.reports}
    query = "SELECT count(DISTINCT incident) FROM report WHERE reporter_e164 = ?"
    found.doubled += sum(_rows(world, query, number)[0][0] - 1 for number in numbers)
    cameras = world.readers["cameras"].after("urgent", 0, 10**6)
    states = {msgspec.json.decode(one.body)["camera"]: one for one in cameras}
    shown = dict(_rows(world, "SELECT id, status FROM camera"))
    found.lost += sum(
        shown[camera] != msgspec.json.decode(one.body)["status"] for camera, one in states.items()
    )


def _says(body: str, true: str) -> bool:
    """Whether what came by SMS says what the record says, as far as it came along."""
    short, whole = json.loads(body), json.loads(true)
    for made in (short, whole):
        if made.get("sms"):
            made["sms"] = {"text": made["sms"]["text"]}
    return _holds(whole, short)


def _holds(whole: Any, short: Any) -> bool:
    """Whether `whole` has all of `short`: what says nothing stays behind, also inside."""
    if isinstance(short, dict) and isinstance(whole, dict):
        return all(_holds(whole.get(key), value) for key, value in short.items())
    return bool(whole == short)


def _rows(world: World, query: str, *values: object) -> list[Any]:
    with closing(sqlite3.connect(f"file:{world.folder}/hub.db?mode=ro", uri=True)) as connection:
        return connection.execute(query, values).fetchall()
