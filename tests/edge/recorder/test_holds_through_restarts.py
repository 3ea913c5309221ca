"""Wishes old and new, restarts, lost memories: what the hub wished last is held, never less."""

import contextlib
import json
import random
import shutil
from pathlib import Path

import msgspec
import pytest

from siaga_core.service.clock import read_boot
from siaga_core.wire.want import Want
from siaga_edge.inbox import Inbox, InboxWriter
from siaga_edge.inbox.reader import EXTRA_SCHEMA
from siaga_edge.journal import Journal
from siaga_edge.recorder.holding import WISH, Holding
from siaga_edge.recorder.index import Index
from support.clock import FakeClock

SEQUENCES = 10


class Node:
    """A holding over real files, without a camera; `newest`: what the hub wished last of what came."""

    def __init__(self, folder: Path, kind: type[Holding], rng: random.Random) -> None:
        self.folder, self.kind, self.rng, self.clock = folder, kind, rng, FakeClock()
        self.newest: tuple[int, frozenset[str]] = (0, frozenset())
        self.said: list[tuple[int, frozenset[str]]] = []
        folder.mkdir(parents=True)
        self._open()

    def _open(self) -> None:
        boot = read_boot(self.folder)
        self._journal = Journal(self.folder / "journal.db", self.clock, boot, extra_schema=EXTRA_SCHEMA)
        self._inbox = Inbox(self.folder / "inbox.db", "recorder", self._journal)
        self._index = Index(self.folder / "footage.db", self.folder / "footage")
        self.holding = self.kind(self._index, self._inbox, self._journal, self.folder, 2.0)

    def close(self) -> None:
        self._index.close()
        self._inbox.close()
        self._journal.close()

    def restart(self) -> None:
        """The process ends at any moment and comes back."""
        self.close()
        self._open()

    def forget_inbox(self) -> None:
        """The inbox is lost; the broker says the retained wish again, or an old one."""
        self.close()
        for path in self.folder.glob("inbox.db*"):
            path.unlink()
        self._open()

    def wish(self) -> None:
        """The hub wishes something new."""
        held = frozenset(f"h{number}" for number in range(6) if self.rng.random() < 0.5)
        version = (self.said[-1][0] if self.said else 0) + 1
        self.said.append((version, held))
        self._put(version, held)

    def again(self) -> None:
        """A wish of before comes once more, late."""
        if self.said:
            self._put(*self.rng.choice(self.said))

    def take(self) -> str:
        """The recorder looks; what is wrong then."""
        self.holding.take()
        held = frozenset(hold.id for hold in self.holding.holds if hold.origin == "hub")
        version, wanted = self.newest
        if held != wanted:
            return f"version {version} wants {sorted(wanted)}, held are {sorted(held)}"
        return ""

    def _put(self, version: int, held: frozenset[str]) -> None:
        holds = [{"id": id, "camera": "gate", "start_wall_ns": 1, "end_wall_ns": 2} for id in sorted(held)]
        raw = msgspec.Raw(json.dumps({"holds": holds}).encode())
        with contextlib.closing(InboxWriter(self.folder / "inbox.db")) as writer:
            writer.put_want(Want(node="btm-017", service="recorder", name=WISH, version=version, body=raw))
        self.newest = max(self.newest, (version, held), key=lambda one: one[0])


def first_complaint(folder: Path, kind: type[Holding]) -> str:
    """What went wrong first in many random lives."""
    for seed in range(SEQUENCES):
        rng = random.Random(seed)
        node = Node(folder / str(seed), kind, rng)
        try:
            for _ in range(12):
                rng.choice((node.wish, node.again, node.restart, node.forget_inbox))()
                if complaint := node.take():
                    return f"seed {seed}: {complaint}"
        finally:
            node.close()
            shutil.rmtree(node.folder)
    return ""


def test_what_the_hub_wished_last_is_held_through_restarts_and_lost_inboxes(tmp_path: Path) -> None:
    assert first_complaint(tmp_path, Holding) == ""


class OlderWishWins(Holding):
    """Takes whatever stands in the inbox, also what is older than what it knows."""

    def take(self) -> None:
        wish = self._inbox.wants().get(WISH)
        if wish is not None and wish.version != self._index.wish(WISH)[0]:
            self._apply(wish)


class ReleasedByRestart(Holding):
    """Begins anew with nothing, and waits for the next version."""

    def __init__(self, *parts: object) -> None:
        super().__init__(*parts)  # type: ignore[arg-type]
        self._index.keep_holds("hub", [])
        self.holds = ()


class ForgetsWithTheInbox(Holding):
    """Holds what the inbox says, and nothing when it says nothing."""

    def take(self) -> None:
        if WISH not in self._inbox.wants():
            self._index.keep_holds("hub", [])
            self.holds = self._index.holds()
        super().take()


class IgnoresWishes(Holding):
    """Never holds anything."""

    def take(self) -> None:
        pass


@pytest.mark.parametrize("mutant", [OlderWishWins, ReleasedByRestart, ForgetsWithTheInbox, IgnoresWishes])
def test_each_way_to_lose_a_hold_is_found_out(tmp_path: Path, mutant: type[Holding]) -> None:
    assert first_complaint(tmp_path, mutant)
