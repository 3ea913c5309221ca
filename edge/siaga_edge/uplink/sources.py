"""The journals of this node's services, as the uplink reads them: absent, replaced and growing."""

import logging
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from siaga_core.service.database import StoreMissing
from siaga_core.wire.envelope import RECORD_MAX_BYTES, Batch, Record, batch_of, encode, one_batch
from siaga_core.wire.ids import NodeId
from siaga_edge.journal import JournalReader, StoredRecord
from siaga_edge.uplink.delivery import Delivery, Fetch, Mark

log = logging.getLogger(__name__)

LANES = ("urgent", "bulk")
# Read at once for one batch; shorter than the wire's own bound of records.
READ_MOST = 400
# What an entry weighs beside its body: its kind and its steps.
_ENTRY_BYTES = 80


@dataclass(slots=True)
class _Source:
    reader: JournalReader
    inode: int


class Sources:
    """Read-only sight of every journal; one that is not there yet, or is a new file, is found by `look`."""

    def __init__(self, files: dict[str, Path]) -> None:
        """`files` names each service's journal."""
        self._files = files
        self._open: dict[str, _Source] = {}

    def look(self, delivery: Delivery) -> None:
        """Tell `delivery` what every journal holds now."""
        for service, path in self._files.items():
            try:
                source = self._current(service, path)
                for lane in LANES:
                    if last := source.reader.last_seq(lane):
                        delivery.seen(f"{service}.{lane}", source.reader.epoch, last)
            except (StoreMissing, FileNotFoundError):
                continue
            except sqlite3.Error as error:
                self._drop(service)
                log.warning("journal not readable now service=%s cause=%s", service, error)

    def read(self, fetch: Fetch) -> list[StoredRecord] | None:
        """The records to send; None if the journal has gone, is another one now or cannot be read."""
        service, _, lane = fetch.stream.partition(".")
        source = self._open.get(service)
        if source is None or source.reader.epoch != fetch.epoch:
            return None
        try:
            return source.reader.after(lane, fetch.after, READ_MOST)
        except sqlite3.Error as error:
            self._drop(service)
            log.warning("journal not readable now service=%s cause=%s", service, error)
            return None

    def urgent_after(self, marks: Iterable[Mark]) -> Iterator[tuple[str, StoredRecord]]:
        """(service, record) of the urgent records above the marks, the first of each journal."""
        upto = {(mark.stream, mark.epoch): mark.upto for mark in marks}
        for service, source in list(self._open.items()):
            after = upto.get((f"{service}.urgent", source.reader.epoch), 0)
            fetch = Fetch(f"{service}.urgent", source.reader.epoch, after, after)
            yield from ((service, record) for record in self.read(fetch) or [])

    def close(self) -> None:
        """Close all files."""
        for service in list(self._open):
            self._drop(service)

    def _current(self, service: str, path: Path) -> _Source:
        inode = path.stat().st_ino
        source = self._open.get(service)
        if source is not None and source.inode != inode:
            self._drop(service)
            source = None
        if source is None:
            source = self._open[service] = _Source(JournalReader(path, service), inode)
        return source

    def _drop(self, service: str) -> None:
        if (source := self._open.pop(service, None)) is not None:
            source.reader.close()


@dataclass(frozen=True, slots=True)
class Packed:
    """A batch ready to be sealed: everything up to `last` is in `message` or known to be gone."""

    message: bytes
    last: int
    records: int


def pack(node: NodeId, fetch: Fetch, records: list[StoredRecord], target_bytes: int) -> Packed:
    """Put records into a batch until it is `target_bytes` long; at least one goes in, however long.

    With no record left to add, the batch speaks for everything up to `fetch.last`: numbers in between that
    the journal no longer holds are declared gone by their absence.
    """
    wires: list[Record] = []
    size_bytes, last = 0, fetch.after
    for record in records:
        wire = _carried(record.as_wire(node))
        length = len(bytes(wire.body)) + _ENTRY_BYTES
        if wires and (size_bytes + length > target_bytes or not one_batch(wires[0].at, wire.at)):
            return _packed(node, fetch, wires, last)
        wires.append(wire)
        size_bytes += length
        last = record.seq
    if len(records) < READ_MOST:
        last = max(last, fetch.last)
    return _packed(node, fetch, wires, last)


def _packed(node: NodeId, fetch: Fetch, wires: list[Record], last: int) -> Packed:
    first = fetch.after + 1
    if wires:
        return Packed(encode(batch_of(wires, first, last)), last, len(wires))
    gone = Batch(node=node, stream=fetch.stream, epoch=fetch.epoch, first=first, last=last)
    return Packed(encode(gone), last, 0)


def _carried(wire: Record) -> Record:
    """The record as it travels. One that the wire cannot carry goes as kind `oversized` under its own key."""
    size_bytes = len(bytes(wire.body))
    if size_bytes <= RECORD_MAX_BYTES:
        return wire
    log.error("record too large for the wire stream=%s seq=%d", wire.stream, wire.seq)
    body = msgspec.json.encode({"kind": wire.kind, "size_bytes": size_bytes})
    return msgspec.structs.replace(wire, kind="oversized", body=msgspec.Raw(body))
