"""The same stores, each broken in one way that people do break them; the power cuts must find every one."""

import os
import sqlite3
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import ClassVar

from powercut.campaign import Say, Workload
from powercut.footage_work import Recording
from powercut.hub_work import Delivering, Storing
from powercut.node_work import STATE, Journaling, Marking, Publishing, Receiving, SendingOut, TakingIn
from powercut.relay_work import RelayLetsGoFirst
from siaga_central.store.writer import Store
from siaga_core.service.clock import Boot
from siaga_core.service.files import write_all
from siaga_core.wire.command import Command
from siaga_core.wire.envelope import Lane
from siaga_edge.inbox import Inbox, InboxWriter
from siaga_edge.journal import Journal
from siaga_edge.modem import at, pdu
from siaga_edge.modem.intake import PLAIN, Intake
from siaga_edge.modem.ledger import Outgoing, SentPart
from siaga_edge.modem.outbound import Outbound
from siaga_edge.modem.port import Port
from siaga_edge.modem.profile import Limits, Profile
from siaga_edge.recorder.chain import LINK_BYTES, Link
from siaga_edge.recorder.flushing import Closing, Flusher, Tail
from siaga_edge.recorder.holds import Hold
from siaga_edge.recorder.index import Index
from siaga_edge.recorder.salvage import Closed, discard
from siaga_edge.recorder.writing import segment_path
from siaga_edge.uplink.ledger import Ledger
from support.clock import FakeClock


def _weaken(connection: sqlite3.Connection, *pragmas: str) -> None:
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")


class JournalNormal(Journaling):
    """synchronous=NORMAL: the WAL is not flushed at a commit."""

    name = "journal, synchronous=NORMAL"

    def open(self, folder: Path, clock: FakeClock) -> Journal:
        journal = super().open(folder, clock)
        _weaken(journal.connection, "synchronous=NORMAL")
        return journal


class JournalOff(Journaling):
    """synchronous=OFF: nothing is flushed, ever."""

    name = "journal, synchronous=OFF"

    def open(self, folder: Path, clock: FakeClock) -> Journal:
        journal = super().open(folder, clock)
        _weaken(journal.connection, "synchronous=OFF")
        return journal


class JournalRollback(Journaling):
    """journal_mode=DELETE with FULL: the directory is not flushed after the rollback journal is removed."""

    name = "journal, journal_mode=DELETE"
    rounds = 60

    def open(self, folder: Path, clock: FakeClock) -> Journal:
        journal = super().open(folder, clock)
        _weaken(journal.connection, "journal_mode=DELETE", "synchronous=FULL")
        return journal


class JournalEarly(Journaling):
    """A record is called accepted before its commit."""

    name = "journal, accepted before the commit"

    def append(self, journal: Journal, lane: Lane, how_many: int, say: Say) -> None:
        last = journal.connection.execute("SELECT ifnull(max(seq), 0) FROM record WHERE lane = ?", (lane,))
        say(f"has {lane} {int(last.fetchone()[0]) + how_many}")
        journal.append_all([("service", STATE, lane)] * how_many)


class Forgetful(Journal):
    """Does not keep the newest number when records are dropped."""

    def _keep_count(self, lane: str) -> None:
        """Keep nothing."""


class JournalForgetsCount(Journaling):
    """A number is given again after its record was pruned."""

    name = "journal, numbers given again"

    def open(self, folder: Path, clock: FakeClock) -> Journal:
        return Forgetful(folder / "journal.db", clock, Boot(1, "b"))


class InboxNormal(Receiving):
    """A command is called received before it is durable."""

    name = "inbox, synchronous=NORMAL"

    def open_writer(self, folder: Path) -> InboxWriter:
        writer = super().open_writer(folder)
        _weaken(writer._connection, "synchronous=NORMAL")
        return writer


class InboxEarly(Receiving):
    """A command is called received before its commit."""

    name = "inbox, received before the commit"

    def receive(self, writer: InboxWriter, order: Command, say: Say) -> None:
        say(f"received {order.id}")
        writer.put(order)


class InboxTwoCommits(Receiving):
    """That a command was taken and the record that tells it are two commits."""

    name = "inbox, taken and told apart"

    def begin(self, inbox: Inbox, journal: Journal, order: Command) -> None:
        journal.connection.execute("INSERT INTO taken_command VALUES (?, 'started')", (order.id,))
        inbox.begin(order)


class LedgerNormal(Marking):
    """An acknowledgement is called kept before it is durable."""

    name = "ledger, synchronous=NORMAL"

    def open(self, folder: Path) -> Ledger:
        ledger = super().open(folder)
        _weaken(ledger._connection, "synchronous=NORMAL")
        return ledger


class FilesUnsynced(Publishing):
    """Write and rename, no flush of the file."""

    name = "files, no fsync"

    def publish(self, path: Path, content: bytes) -> None:
        part = path.with_suffix(".part")
        part.write_bytes(content)
        part.replace(path)


class FilesNoDirectory(Publishing):
    """Write, fsync, rename, but no flush of the directory."""

    name = "files, directory not synced"

    def publish(self, path: Path, content: bytes) -> None:
        part = path.with_suffix(".part")
        _write_synced(part, content)
        part.replace(path)


class FilesInPlace(Publishing):
    """The old file is overwritten where it lies."""

    name = "files, overwritten in place"

    def publish(self, path: Path, content: bytes) -> None:
        # ext4 commits a truncation with the octets after it; without one the old sectors are written over.
        _write_synced(path, content, 0)


class DeletesFirst(Intake):
    """Lets the modem forget before the commit."""

    def _sweep_store(self, port: Port, memory: str, profile: Profile = PLAIN) -> int:
        found = at.stored(port.command("AT+CMGL=4"))
        for one in found:
            self._delete(port, one)
        self.commit(memory, found)
        return len(found)


class IntakeDeletesFirst(TakingIn):
    """AT+CMGD before the commit."""

    name = "modem, deleted before the commit"
    intake = DeletesFirst


class SendsUnnoted(Outbound):
    """Hands a part over before it has committed that it does."""

    def _hand_over(
        self, port: Port, text: Outgoing, part: SentPart, octets: pdu.Submit, limits: Limits
    ) -> None:
        reference = port.send(octets.length, octets.pdu, limits.send_s)
        self._note(text, "sending", part, "sending")
        self._accepted(text, part, reference)


class OutboundUnnoted(SendingOut):
    """A courtesy leaves before the journal knows."""

    name = "modem outbound, sent before the commit"
    outbound = SendsUnnoted


class IntakeNormal(TakingIn):
    """The commit before AT+CMGD is not flushed."""

    name = "modem, synchronous=NORMAL"

    def open(self, folder: Path, clock: FakeClock) -> Journal:
        journal = super().open(folder, clock)
        _weaken(journal.connection, "synchronous=NORMAL")
        return journal


class HubNormal(Storing):
    """The hub's commits are not flushed."""

    name = "hub, synchronous=NORMAL"

    def open(self, folder: Path) -> Store:
        store = super().open(folder)
        driver = store._engine.raw_connection().driver_connection
        assert isinstance(driver, sqlite3.Connection)
        _weaken(driver, "synchronous=NORMAL")
        return store


class HubEarly(Storing):
    """A work is answered before its group is committed."""

    name = "hub, answered before the commit"

    def acknowledge(self, group: Sequence[Future[int]], say: Say) -> None:
        self.said = getattr(self, "said", 0)
        for _ in group:
            self.said += 1
            say(f"event {self.said}")
        super().acknowledge(group, lambda _mark: None)


class PubackDelivers(Delivering):
    """A record counts as delivered when the broker has it."""

    name = "delivery, PUBACK deletes"

    def on_puback(self, journal: Journal, ledger: Ledger, upto: int) -> None:
        self.forget(journal, ledger, upto)

    def on_batch(
        self, folder: Path, store: Store, journal: Journal, ledger: Ledger, first: int, last: int
    ) -> None:
        """What the broker still holds is gone from the node already."""


class AcknowledgesFirst(Delivering):
    """The hub acknowledges a batch before it has committed it."""

    name = "delivery, acknowledged before the commit"

    def on_batch(
        self, folder: Path, store: Store, journal: Journal, ledger: Ledger, first: int, last: int
    ) -> None:
        given = self.read(folder, first, last)
        self.forget(journal, ledger, last)
        self.commit(store, given)


class Unsynced(Flusher):
    """Never flushes a file that grows."""

    def _sync(self, tail: Tail) -> bool:
        return bool(self._closing) and super()._sync(tail)

    def _link(self, closing: Closing) -> None:
        self._closing = True
        super()._link(closing)
        self._closing = False

    _closing = False


class FootageUnsynced(Recording):
    """The open segment is flushed only when it is closed."""

    name = "footage, synced at the end alone"
    flusher = Unsynced


class Hasty(Flusher):
    """Calls a segment closed without a flush."""

    def _link(self, closing: Closing) -> None:
        self.fdatasync = lambda _descriptor: None
        super()._link(closing)
        self.fdatasync = os.fdatasync


class FootageClosedUnsynced(Recording):
    """The index names a segment whose octets are not durable."""

    name = "footage, indexed before it is durable"
    flusher = Hasty


# A directory that is not synced cannot be seen here: ext4 commits a new file's name with the file's own
# flush. tests/edge/recorder/test_footage_kept.py looks at the call instead.
class FootageRowFirst(Recording):
    """A segment's row goes before its file: the file is there again, and takes space nobody counts."""

    name = "footage, row deleted before the file"

    def give_up(self, index: Index, footage: Path, name: str) -> None:
        index.remove([name])
        discard(segment_path(footage, name))


class NoFolder(Flusher):
    """Flushes a file and not the folder in which its name is new; ext4 does that with a new file's fsync."""

    def _sync(self, tail: Tail) -> bool:
        tail.folders = ()
        return super()._sync(tail)


class FootageNoDirectory(Recording):
    """No folder is flushed: a segment that was given up is there again, and its row is gone."""

    name = "footage, directory not synced"
    flusher = NoFolder

    def give_up(self, index: Index, footage: Path, name: str) -> None:
        segment_path(footage, name).unlink()
        index.remove([name])


class LinksFirst(Flusher):
    """Writes the link where the segment will end and flushes it before what it stands for."""

    def _link(self, closing: Closing) -> None:
        tail, before = closing.tail, self.head
        octets = tail.path.read_bytes()
        link = Link(
            before.chain,
            before.links + 1,
            before.head,
            closing.sha256,
            closing.span,
            self.observation(),
        )
        # What came since the last flush is not there yet, though the link says that it is.
        os.truncate(tail.path, self._flushed.get(tail.name, 0))
        os.pwrite(tail.descriptor, link.box(), len(octets))
        os.fsync(tail.descriptor)
        self.head = link.head(tail.name)
        self.tell(Closed(tail.name, tail.camera, len(octets) + LINK_BYTES, link))
        os.pwrite(tail.descriptor, octets, 0)
        os.close(tail.descriptor)

    _flushed: ClassVar[dict[str, int]] = {}


class FootageLinkFirst(Recording):
    """A link is durable, and told, before the data that it is about."""

    name = "footage, link before data"
    flusher = LinksFirst


class FootageHoldForgotten(Recording):
    """A hold is kept in memory alone."""

    name = "footage, hold forgotten"

    def hold(self, index: Index, hold: Hold) -> None:
        _weaken(index._connection, "synchronous=OFF")
        super().hold(index, hold)
        _weaken(index._connection, "synchronous=FULL")


class FootageHoldIgnored(Recording):
    """Retention does not ask whether a segment is held."""

    name = "footage, hold ignored"

    def hold(self, index: Index, hold: Hold) -> None:
        super().hold(index, hold)
        one = index.between(hold.camera, hold.start_wall_ns, hold.end_wall_ns)[-1]
        self.give_up(index, index._folder, one.name)


def _write_synced(path: Path, content: bytes, how: int = os.O_TRUNC) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o644)
    try:
        write_all(descriptor, content)
        os.ftruncate(descriptor, len(content))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


FOOTAGE_MUTANTS: tuple[type[Workload], ...] = (
    FootageUnsynced,
    FootageClosedUnsynced,
    FootageRowFirst,
    FootageNoDirectory,
    FootageLinkFirst,
    FootageHoldForgotten,
    FootageHoldIgnored,
)
MUTANTS: tuple[type[Workload], ...] = (
    JournalNormal,
    JournalOff,
    JournalRollback,
    JournalEarly,
    JournalForgetsCount,
    InboxNormal,
    InboxEarly,
    InboxTwoCommits,
    LedgerNormal,
    FilesUnsynced,
    FilesNoDirectory,
    FilesInPlace,
    IntakeDeletesFirst,
    IntakeNormal,
    OutboundUnnoted,
    RelayLetsGoFirst,
    HubNormal,
    HubEarly,
    PubackDelivers,
    AcknowledgesFirst,
    *FOOTAGE_MUTANTS,
)
