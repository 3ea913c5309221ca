"""`siaga-node journal`: what is queued for the hub, per stream."""

from dataclasses import asdict, dataclass

from siaga_core.service.database import StoreMissing
from siaga_edge.journal import JournalReader
from siaga_edge.journal.marks import read_marks
from siaga_edge.node import NodeConfig


@dataclass(frozen=True, slots=True)
class Queued:
    """One stream: how many records the hub has not acknowledged, and since when."""

    stream: str
    written: int
    acknowledged: int
    waiting: int
    oldest_wall_ns: int | None


def queued(config: NodeConfig) -> list[Queued]:
    """Every stream of this node that has a journal."""
    marks = {(stream, epoch): upto for stream, epoch, upto in read_marks(config.delivery_file)}
    found: list[Queued] = []
    for service in config.services:
        try:
            reader = JournalReader(config.journal_file(service), service)
        except StoreMissing:
            continue
        for lane in ("urgent", "bulk"):
            written = reader.last_seq(lane)
            done = marks.get((f"{service}.{lane}", reader.epoch), 0)
            oldest = reader.after(lane, done, 1)
            at = oldest[0].as_wire(config.id).at.wall_ns if oldest else None
            if written:
                found.append(Queued(f"{service}.{lane}", written, done, written - done, at))
        reader.close()
    return found


def as_rows(found: list[Queued]) -> list[dict[str, object]]:
    """For JSON."""
    return [asdict(one) for one in found]
