"""`siaga-node link status`: how the way to the hub is, and what waits for it, per stream."""

from dataclasses import asdict, dataclass

from siaga_core.service.database import StoreMissing
from siaga_edge.journal import JournalReader
from siaga_edge.journal.marks import read_marks
from siaga_edge.node import NodeConfig
from siaga_edge.uplink.status import LinkStatus


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


def page(found: list[Queued], link: LinkStatus | None, now_wall_ns: int) -> str:
    """What a technician reads, Indonesian first."""
    if link is None:
        head = "uplink belum berjalan sejak mesin menyala / the uplink has not run since the machine started"
    elif link.up:
        head = f"tersambung / connected {ago(now_wall_ns - link.since_wall_ns)}"
    else:
        head = f"terputus / not connected {ago(now_wall_ns - link.since_wall_ns)}: {link.reason or '-'}"
    lines = [head, f"{'aliran/stream':22s} {'ditulis/written':>16s} {'menunggu/waiting':>17s}  sejak/since"]
    for one in found:
        since = "" if one.oldest_wall_ns is None else ago(now_wall_ns - one.oldest_wall_ns)
        lines.append(f"{one.stream:22s} {one.written:16d} {one.waiting:17d}  {since}")
    return "\n".join(lines)


def ago(duration_ns: int) -> str:
    """A duration as a person says it, in both languages."""
    seconds = max(0, duration_ns // 1_000_000_000)
    for unit, size in (("hari/d", 86_400), ("jam/h", 3600), ("menit/min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} dtk/s"


def as_rows(found: list[Queued]) -> list[dict[str, object]]:
    """For JSON."""
    return [asdict(one) for one in found]
