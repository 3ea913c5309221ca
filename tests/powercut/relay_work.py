"""What two modems of a node promise each other: an alert that one leaves to the other leaves the node."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import cast

from powercut.campaign import Complaint, Say, lost
from powercut.node_work import Network, queue_text, recipient
from siaga_core.service.clock import Boot
from siaga_edge.inbox import Inbox
from siaga_edge.inbox.reader import EXTRA_SCHEMA
from siaga_edge.journal import Journal
from siaga_edge.modem.ledger import SCHEMA, Outgoing, SentPart
from siaga_edge.modem.outbound import TRIES_MOST, Last, Other, Outbound
from siaga_edge.modem.port import Port, Refused
from support.clock import FakeClock


class Closed(Network):
    """A modem whose network takes nothing."""

    def send(self, length: int, pdu: str, limit_s: float) -> int:
        raise Refused("AT+CMGS", "38")


class PassingOn:
    """An alert that the first modem is refused is sent by the second or said to have failed."""

    name = "modem relay"
    rounds = 12
    outbound: type[Outbound] = Outbound

    def run(self, folder: Path, say: Say, rng: random.Random) -> None:
        clock = FakeClock()
        closed, network = cast(Port, Closed(say)), cast(Port, Network(say))
        with self._pair(folder, clock) as (journal, first, second):
            for number in range(self.rounds):
                text = Outgoing(f"{number:026d}", f"+62811{number:06d}", f"alert {number}", True, 0)
                journal.append_all([], partial(queue_text, text, clock.wall_ns()))
                say(f"queued {number}")
                for _ in range(TRIES_MOST):
                    while first.send_next(closed):
                        continue
                    clock.advance(31)
                first.take_back()
                if rng.random() < 0.7:
                    self._serve(folder, second, network)

    def check(self, folder: Path, said: Sequence[str]) -> list[Complaint]:
        left = [mark.removeprefix("left ") for mark in said if mark.startswith("left ")]
        clock = FakeClock()
        clock.advance(10_000)
        network = cast(Port, Network(lambda mark: left.append(mark.removeprefix("left "))))
        with self._pair(folder, clock) as (journal, first, second):
            for one in (first, second):
                one.recover()
            for _ in range(TRIES_MOST + 1):
                while first.send_next(network):
                    continue
                self._serve(folder, second, network)
                clock.advance(31)
            ended = journal.connection.execute("SELECT id FROM outgoing WHERE state IN ('failed', 'unknown')")
            told = {str(int(row["id"])) for row in ended}
        times = Counter(recipient(octets) for octets in left)
        queued = [mark.removeprefix("queued ") for mark in said if mark.startswith("queued ")]
        return [lost(f"alert {number}") for number in queued if not times[number] and number not in told]

    @staticmethod
    def _serve(folder: Path, second: Outbound, network: Port) -> None:
        second.take_over(folder / "relay-modemb")
        while second.send_next(network):
            continue

    @contextmanager
    def _pair(self, folder: Path, clock: FakeClock) -> Iterator[tuple[Journal, Outbound, Outbound]]:
        with (
            self._side(folder, clock, "modem") as (journal, first),
            self._side(folder, clock, "modemb") as (_, second),
        ):
            yield journal, first, second

    @contextmanager
    def _side(self, folder: Path, clock: FakeClock, name: str) -> Iterator[tuple[Journal, Outbound]]:
        schema = f"{EXTRA_SCHEMA};{SCHEMA}"
        other = Other(folder / ("relay-modemb" if name == "modem" else "relay-modem"), lambda: None)
        file = folder / f"journal-{name}.db"
        with (
            closing(Journal(file, clock, Boot(1, "b"), extra_schema=schema)) as journal,
            closing(Inbox(folder / "inbox.db", name, journal)) as inbox,
        ):
            yield journal, self.outbound(journal, inbox, clock, other=other)


class LetsGoFirst(Outbound):
    """Lets go of an alert before it lies there for the other modem."""

    def _leave(self, text: Outgoing, why: str, part: SentPart | None = None, state: Last = "UNKNOWN") -> None:
        self._journal.append_all([], partial(self._let_go, text.id))
        super()._leave(text, why, part, state)


class RelayLetsGoFirst(PassingOn):
    """An alert is nowhere for a moment."""

    name = "modem relay, let go before it is left"
    outbound = LetsGoFirst
