"""Which footage each camera has on its node, as the node told it once a minute; known with the node away."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from siaga_central.domain import heads as heads_life
from siaga_central.domain.existence import Recorded, Told
from siaga_central.domain.timeline import Interval, Timeline
from siaga_central.store import nodes, timings
from siaga_central.store.schema import camera, chain_head, footage, head_told, kept, node, record, stretch
from siaga_core.wire.envelope import Record
from siaga_core.wire.recording import CameraCoverage, Coverage, HeadsTold, HeadTold

# Nearer than this one stretch goes on in the next: neighbours overlap or touch within their clocks' errors.
_TOUCH_NS = 1_000_000_000
# Footage that was there and is beyond retention by so much was overwritten: the ring has come round.
_ROLLING_NS = 600 * 10**9
# Coverage comes once a minute; what is older than this says nothing of now.
_FRESH_NS = 180 * 10**9
# Far before anything that a hold may be about: retention has not begun.
_UNTOUCHED_NS = 365 * 86_400 * 10**9
# One a minute for 17 days; 3 MB as JSON.
_TOLD_MOST = 25_000
HEADS_CODE = "footage-heads"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Unbroken footage, UTC nanoseconds; `error_ns` bounds how wrong both ends are, None: nothing does."""

    start_ns: int
    end_ns: int
    error_ns: int
    begins: bool = False  # the node said that nothing was recorded right before


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a camera's footage now."""

    told: Told
    told_us: int | None  # when the node last spoke of it
    ring_ns: int | None  # how long footage stays that nobody holds; None: nothing was overwritten yet


def take(connection: Connection, said: Record, body: Coverage, now_us: int) -> str | None:
    """Keep what a node said of its footage; the name of a camera in it that is not the node's, or None.

    A chain that went back, or has another head for the same number, alarms: somebody changed the footage.
    So do minutes without a head between two of one boot, whenever they arrive.
    """
    owned = set(connection.execute(select(camera.c.id).where(camera.c.node == said.node)).scalars())
    foreign = next((one.camera for one in body.cameras if one.camera not in owned), None)
    if foreign is not None:
        return foreign
    for one in body.cameras:
        _extend(connection, said, one)
        _note_kept(connection, said, one, now_us)
    _note_head(connection, said, body, now_us)
    return None


def of_camera(connection: Connection, name: str, start_ns: int, end_ns: int) -> list[Stretch]:
    """What there was of a camera between two UTC instants, in order, neighbours joined."""
    rows = connection.execute(select(stretch).where(stretch.c.camera == name).order_by(stretch.c.number))
    dating = _Dating(connection)
    found = [dating.dated(row) for row in rows]
    touching = sorted(
        (one for one in found if one.end_ns > start_ns and one.start_ns < end_ns),
        key=lambda one: one.start_ns,
    )
    return joined(touching)


def kept_since_ns(connection: Connection, name: str) -> int | None:
    """Retention has left footage from here on, UTC nanoseconds; None: the node has not said."""
    row = connection.execute(
        select(kept, camera.c.node).join(camera, camera.c.id == kept.c.camera).where(kept.c.camera == name)
    ).one_or_none()
    if row is None:
        return None
    found = _Dating(connection).at(row.node, row.boot_id, row.boot_seq, row.since_ns)
    return (found.low_ns + found.high_ns) // 2


def known(connection: Connection, name: str, held: Sequence[tuple[int, int]] = ()) -> Known:
    """Everything the hub was told of a camera's footage; `held` are spans that the node has confirmed."""
    recorded = of_camera(connection, name, 0, 1 << 62)
    since_ns = kept_since_ns(connection, name)
    gaps = connection.execute(
        select(footage.c.start_us, footage.c.duration_ms, footage.c.reason)
        .where(footage.c.camera == name, footage.c.state == "gap")
        .order_by(footage.c.start_us)
    ).all()
    told = Told(
        tuple(Recorded(one.start_ns, one.end_ns, one.begins, one.error_ns) for one in recorded),
        tuple(
            (one.start_us * 1000, (one.start_us + one.duration_ms * 1000) * 1000, one.reason) for one in gaps
        ),
        tuple(held),
        since_ns,
    )
    told_us = connection.execute(select(kept.c.told_us).where(kept.c.camera == name)).scalar_one_or_none()
    ring_ns = None
    if recorded and since_ns is not None and since_ns - recorded[0].start_ns > _ROLLING_NS:
        ring_ns = max(0, recorded[-1].end_ns - since_ns)
    return Known(told, told_us, ring_ns)


def reached_ns(connection: Connection, name: str, now_us: int) -> int | None:
    """How far retention may have come by now, UTC nanoseconds, at the worst; None: nothing was told.

    A node that is away goes on recording: since its last word it may have overwritten as much as has passed.
    One that still has its first footage, and said so lately, has overwritten nothing yet.
    """
    now = known(connection, name)
    since_ns = now.told.kept_since_ns
    if since_ns is None or now.told_us is None:
        return None
    silent_ns = max(0, now_us - now.told_us) * 1000
    first_ns = now.told.recorded[0].start_ns if now.told.recorded else None
    has_all = first_ns is not None and since_ns - first_ns <= _ROLLING_NS
    if has_all and silent_ns <= _FRESH_NS:
        return since_ns - _UNTOUCHED_NS
    return since_ns + silent_ns


def heads(connection: Connection, node: str, limit: int = 100) -> Sequence[Row[Any]]:
    """The newest heads a node has told, newest first."""
    found = select(chain_head).where(chain_head.c.node == node).order_by(chain_head.c.received_us.desc())
    return connection.execute(found.limit(limit)).all()


def told(connection: Connection, node: str) -> HeadsTold:
    """What a node has told of its chains, oldest first: the newest fortnight and more of it."""
    rows = heads(connection, node, _TOLD_MOST)
    found = [
        HeadTold(
            chain=row.chain,
            links=row.links,
            head=bytes.fromhex(row.head),
            received_ms=row.received_us // 1000,
        )
        for row in reversed(rows)
    ]
    return HeadsTold(node=node, heads=tuple(found))


def _extend(connection: Connection, said: Record, one: CameraCoverage) -> None:
    upto_ns = said.at.boot_ns - one.upto_ago_ms * 1_000_000
    newest = connection.execute(
        select(stretch).where(stretch.c.camera == one.camera).order_by(stretch.c.number.desc()).limit(1)
    ).one_or_none()
    if one.since_ago_ms is None and newest is not None and _goes_on(connection, said, newest):
        if upto_ns > newest.end_ns:
            values = {"end_ns": upto_ns, "told_seq": said.seq}
            connection.execute(update(stretch).where(stretch.c.number == newest.number).values(**values))
        return
    # What it goes on from is not known here: nothing before this minute is claimed.
    since_ns = upto_ns if one.since_ago_ms is None else said.at.boot_ns - one.since_ago_ms * 1_000_000
    connection.execute(
        insert(stretch).values(
            camera=one.camera,
            node=said.node,
            epoch=said.epoch,
            boot_id=said.at.boot_id,
            boot_seq=said.at.boot_seq,
            start_ns=min(since_ns, upto_ns),
            end_ns=upto_ns,
            told_seq=said.seq,
            begins=one.since_ago_ms is not None,
        )
    )


def _goes_on(connection: Connection, said: Record, newest: Row[Any]) -> bool:
    """Whether nothing that could have told of a break is missing between two records of one boot."""
    same = (said.node, said.epoch, said.at.boot_id) == (newest.node, newest.epoch, newest.boot_id)
    if not same:
        return False
    of_stream = (
        (record.c.node == said.node) & (record.c.stream == said.stream) & (record.c.epoch == said.epoch)
    )
    between = record.c.seq.between(newest.told_seq + 1, said.seq - 1)
    here = connection.execute(select(func.count()).select_from(record).where(of_stream, between)).scalar_one()
    return bool(here == max(0, said.seq - newest.told_seq - 1))


def _note_kept(connection: Connection, said: Record, one: CameraCoverage, now_us: int) -> None:
    connection.execute(delete(kept).where(kept.c.camera == one.camera))
    since_ns = said.at.boot_ns - one.kept_ago_s * 1_000_000_000
    place = {"boot_id": said.at.boot_id, "boot_seq": said.at.boot_seq, "since_ns": since_ns}
    connection.execute(insert(kept).values(camera=one.camera, told_us=now_us, **place))


def _note_head(connection: Connection, said: Record, body: Coverage, now_us: int) -> None:
    node, head = said.node, body.head.hex()
    newest = connection.execute(select(head_told).where(head_told.c.node == node)).one_or_none()
    _note_newest(connection, said, body, now_us)
    if newest is not None:
        _note_minutes(connection, said, newest, now_us)
        if (newest.chain, newest.links, newest.head) == (body.chain, body.links, head):
            return
        if newest.chain != body.chain:
            nodes.alarm(connection, node, "footage-disk", "another footage disk is in use", now_us)
    same = (chain_head.c.node == node) & (chain_head.c.chain == body.chain)
    known = connection.execute(
        select(chain_head.c.head).where(same, chain_head.c.links == body.links)
    ).scalar()
    furthest = connection.execute(select(func.max(chain_head.c.links)).where(same)).scalar() or 0
    if (known is not None and known != head) or (known is None and body.links < furthest):
        detail = f"the chain of segments says {head[:16]} for segment {body.links}; it was another one before"
        nodes.alarm(connection, node, "footage-chain", detail, now_us)
    if known is None:
        row = {"node": node, "chain": body.chain, "links": body.links, "head": head}
        connection.execute(insert(chain_head).values(**row, received_us=now_us))


def _note_newest(connection: Connection, said: Record, body: Coverage, now_us: int) -> None:
    connection.execute(delete(head_told).where(head_told.c.node == said.node))
    place = {"epoch": said.epoch, "boot_id": said.at.boot_id, "boot_ns": said.at.boot_ns}
    row = {"node": said.node, "chain": body.chain, "links": body.links, "head": body.head.hex(), **place}
    connection.execute(insert(head_told).values(**row, received_us=now_us))


def silent(connection: Connection, now_us: int) -> int:
    """Alarm of nodes that are heard and have said no head for minutes; of how many."""
    since_us = now_us - heads_life.SILENT_AFTER_S * 1_000_000
    found = select(node.c.id, head_told.c.received_us).join(head_told, head_told.c.node == node.c.id)
    rows = connection.execute(found.where(node.c.online, head_told.c.received_us < since_us)).all()
    for row in rows:
        minutes = (now_us - int(row.received_us)) // 60_000_000
        if not nodes.is_alarmed(connection, row.id, HEADS_CODE):
            detail = f"no head of the chain of segments for {minutes} minutes, though the node is heard"
            nodes.alarm(connection, row.id, HEADS_CODE, detail, now_us)
    return len(rows)


def _note_minutes(connection: Connection, said: Record, before: Row[Any], now_us: int) -> None:
    """Alarm when minutes are missing between this head and the one before it, in one boot and epoch."""
    if (before.epoch, before.boot_id) != (said.epoch, said.at.boot_id):
        return
    if missed := heads_life.missed(before.boot_ns, said.at.boot_ns):
        detail = f"{missed} minutes without a head of the chain of segments before record {said.seq}"
        nodes.alarm(connection, said.node, HEADS_CODE, detail, now_us)


class _Dating:
    """Wall time of moments in boots, by everything that is known now."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._timelines: dict[tuple[str, str], Timeline] = {}

    def dated(self, row: Row[Any]) -> Stretch:
        """A row's span."""
        start = self.at(row.node, row.boot_id, row.boot_seq, row.start_ns)
        end = self.at(row.node, row.boot_id, row.boot_seq, row.end_ns)
        error_ns = max(start.width_ns, end.width_ns) // 2
        middle_ns = (start.low_ns + start.high_ns) // 2
        return Stretch(middle_ns, (end.low_ns + end.high_ns) // 2, error_ns, bool(row.begins))

    def at(self, node: str, boot_id: str, boot_seq: int, boot_ns: int) -> Interval:
        """When a moment was; one before the boot is counted back from its beginning."""
        key = (node, boot_id)
        if key not in self._timelines:
            own = timings.anchors_around(self._connection, node, boot_id, 0, 1 << 56)
            others = timings.anchors_of_neighbours(self._connection, node, boot_id, boot_seq)
            self._timelines[key] = Timeline([*own, *others])
        found = self._timelines[key].at(boot_seq, max(0, boot_ns))
        before_ns = min(0, boot_ns)
        return Interval(found.low_ns + before_ns, found.high_ns + before_ns, found.source)


def joined(ordered: Sequence[Stretch]) -> list[Stretch]:
    """Stretches in order of their start, with those that touch made one."""
    joined: list[Stretch] = []
    for one in ordered:
        if joined and one.start_ns - joined[-1].end_ns <= _TOUCH_NS:
            last = joined.pop()
            error_ns = max(last.error_ns, one.error_ns)
            one = Stretch(last.start_ns, max(last.end_ns, one.end_ns), error_ns, last.begins)
        joined.append(one)
    return joined
