"""The journals of this node's services, as the uplink reads them: absent, replaced and growing."""

import logging
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import msgspec

from siaga_core.service.database import StoreMissing
from siaga_core.wire.envelope import RECORD_MAX_BYTES, encode
from siaga_core.wire.ids import NodeId
from siaga_edge.journal import JournalReader, StoredRecord
from siaga_edge.uplink.delivery import Delivery, Fetch

log = logging.getLogger(__name__)

LANES = ("urgent", "bulk")


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

    def read(self, fetch: Fetch) -> list[StoredRecord]:
        """The records to send; empty if the journal has gone or is another one now."""
        service, _, lane = fetch.stream.partition(".")
        source = self._open.get(service)
        if source is None or source.reader.epoch != fetch.epoch:
            return []
        try:
            return source.reader.after(lane, fetch.after, fetch.limit)
        except sqlite3.Error as error:
            self._drop(service)
            log.warning("journal not readable now service=%s cause=%s", service, error)
            return []

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


def payload(record: StoredRecord, node: NodeId) -> bytes:
    """The record as it travels. One that the wire cannot carry goes as kind `oversized` under its own key.

    Without a record under that key the hub's count, and everything behind it, would stand still.
    """
    wire = record.as_wire(node)
    encoded = encode(wire)
    if len(encoded) <= RECORD_MAX_BYTES:
        return encoded
    log.error("record too large for the wire stream=%s seq=%d bytes=%d", wire.stream, wire.seq, len(encoded))
    body = msgspec.json.encode({"kind": wire.kind, "size_bytes": len(encoded)})
    return encode(msgspec.structs.replace(wire, kind="oversized", body=msgspec.Raw(body)))
