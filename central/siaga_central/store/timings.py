"""Boots, their anchors, and the corrected times of records. Anchors and corrections are only ever added."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, func, insert, or_, select

from siaga_central.domain.timeline import Anchor
from siaga_central.store.records import Key
from siaga_central.store.schema import anchor, boot, correction, record

_NEAREST = 8  # anchors on either side of a moment; those further away narrow nothing down
_BETWEEN_MOST = 2000
_TRUSTED = ("hub", "ntp")


def note_boots(connection: Connection, key: Key, boots: dict[str, int]) -> None:
    """Remember that a journal has seen these boots (boot id -> number)."""
    node, stream, epoch = key
    mine = (boot.c.node == node) & (boot.c.stream == stream) & (boot.c.epoch == epoch)
    here = select(boot.c.boot_id).where(mine, boot.c.boot_id.in_(list(boots)))
    known = {row.boot_id for row in connection.execute(here)}
    for boot_id, boot_seq in boots.items():
        if boot_id not in known:
            values = {"node": node, "stream": stream, "epoch": epoch}
            connection.execute(insert(boot).values(**values, boot_id=boot_id, boot_seq=boot_seq))


def add_anchor(connection: Connection, node: str, boot_id: str, given: Anchor, now_us: int) -> None:
    """Keep an anchor."""
    connection.execute(
        insert(anchor).values(
            node=node,
            boot_id=boot_id,
            boot_seq=given.boot_seq,
            boot_ns=given.boot_ns,
            utc_ns=given.utc_ns,
            source=given.source,
            error_ns=given.error_ns,
            received_us=now_us,
        )
    )


def has_anchor_near(
    connection: Connection, node: str, boot_id: str, given: Anchor, within_ns: int, error_most_ns: int
) -> bool:
    """Whether a trusted anchor as good as `error_most_ns` is known within a distance of this one."""
    near = anchor.c.boot_ns.between(given.boot_ns - within_ns, given.boot_ns + within_ns)
    good = anchor.c.source.in_(_TRUSTED) & (anchor.c.error_ns <= error_most_ns)
    found = select(anchor.c.number).where(_of(node, boot_id), near, good).limit(1)
    return connection.execute(found).one_or_none() is not None


def anchors_around(
    connection: Connection, node: str, boot_id: str, first_ns: int, last_ns: int
) -> list[Anchor]:
    """Anchors of a boot from `first_ns` to `last_ns` and the nearest on either side, in order; bounded."""
    mine, at = _of(node, boot_id), anchor.c.boot_ns
    before = select(anchor).where(mine, at < first_ns).order_by(at.desc()).limit(_NEAREST)
    between = select(anchor).where(mine, at.between(first_ns, last_ns)).order_by(at).limit(_BETWEEN_MOST)
    after = select(anchor).where(mine, at > last_ns).order_by(at).limit(_NEAREST)
    rows = [row for wanted in (before, between, after) for row in connection.execute(wanted)]
    return sorted(map(_anchor, rows), key=lambda one: one.boot_ns)


def anchors_of_neighbours(connection: Connection, node: str, boot_id: str, boot_seq: int) -> list[Anchor]:
    """The last trusted anchors of the nearest earlier boot with any, the first of the next later one.

    Nothing where one number stands for two boots: an old image was put back and counted on.
    """
    if _has_counted_twice(connection, node, boot_id):
        return []
    kin = _of_kin(node, boot_id)
    trusted = anchor.c.source.in_(_TRUSTED)
    found: list[Anchor] = []
    seqs = anchor.c.boot_seq
    sides: list[tuple[Any, Any, Any]] = [(func.max(seqs), seqs < boot_seq, anchor.c.boot_ns.desc())]
    sides.append((func.min(seqs), seqs > boot_seq, anchor.c.boot_ns.asc()))
    for nearest, side, order in sides:
        seq = connection.execute(select(nearest).where(kin, trusted, side)).scalar()
        if seq is not None:
            wanted = select(anchor).where(kin, trusted, anchor.c.boot_seq == seq)
            found += map(_anchor, connection.execute(wanted.order_by(order).limit(_NEAREST)))
    return found


def _has_counted_twice(connection: Connection, node: str, boot_id: str) -> bool:
    boots, numbers = func.count(boot.c.boot_id.distinct()), func.count(boot.c.boot_seq.distinct())
    kin = and_(boot.c.node == node, boot.c.boot_id.in_(_kin(node, boot_id)))
    ids, seqs = connection.execute(select(boots, numbers).where(kin)).one()
    return bool(ids != seqs)


def correct(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Add corrections; a row has the columns of the table."""
    if rows:
        connection.execute(insert(correction), list(rows))


def of_report(connection: Connection, report_ids: Sequence[str]) -> dict[str, Row[Any]]:
    """Report id -> the newest correction of its first record."""
    mine = correction.c.subject.in_(report_ids)
    newest = select(func.max(correction.c.number)).where(mine).group_by(correction.c.subject)
    found = select(correction).where(correction.c.number.in_(newest))
    return {row.subject: row for row in connection.execute(found)}


def to_improve(
    connection: Connection, node: str, boot_id: str, given: Anchor, drift_ppm: int, most: int
) -> list[Row[Any]]:
    """Newest corrections of a boot that an anchor of it halves or contradicts, the widest first."""
    width, middle = correction.c.high_ns - correction.c.low_ns, correction.c.low_ns
    apart = func.abs(correction.c.boot_ns - given.boot_ns)
    reach = given.error_ns + apart * drift_ppm / 1_000_000
    off = func.abs(middle + width / 2 + given.boot_ns - correction.c.boot_ns - given.utc_ns)
    helped = or_(width > 4 * reach, off > reach + width / 2)
    mine = and_(correction.c.node == node, correction.c.boot_id == boot_id)
    return _newest(connection, and_(mine, helped), most)


def neighbours_to_improve(
    connection: Connection, node: str, boot_id: str, given: Anchor, most: int
) -> list[Row[Any]]:
    """Newest corrections of other boots, without anchors of their own, that an anchor of this one halves."""
    low, high = correction.c.low_ns, correction.c.high_ns
    began_ns = given.utc_ns + given.error_ns - given.boot_ns
    was_ns = given.utc_ns - given.error_ns
    earlier = and_(correction.c.boot_seq < given.boot_seq, 2 * (began_ns - low) < high - low, high > began_ns)
    later = and_(correction.c.boot_seq > given.boot_seq, 2 * (high - was_ns) < high - low, low < was_ns)
    kin = and_(correction.c.node == node, correction.c.boot_id.in_(_kin(node, boot_id)))
    loose = correction.c.source.in_(("boots", "modem"))
    return _newest(connection, and_(kin, loose, or_(earlier, later)), most)


def _newest(connection: Connection, condition: ColumnElement[bool], most: int) -> list[Row[Any]]:
    """Corrections that still hold, with `at` and `received_us` of their records, the widest first."""
    newer, key = correction.alias(), ("node", "stream", "epoch", "seq")
    same = and_(*(newer.c[name] == correction.c[name] for name in key))
    holds = ~exists().where(same, newer.c.number > correction.c.number)
    its_record = and_(*(record.c[name] == correction.c[name] for name in key))
    found = select(correction, record.c.at, record.c.received_us).join(record, its_record)
    width = correction.c.high_ns - correction.c.low_ns
    return list(connection.execute(found.where(condition, holds).order_by(width.desc()).limit(most)))


def _kin(node: str, boot_id: str) -> Any:
    """Ids of boots that one counter has numbered together with this one."""
    one, other = boot.alias(), boot.alias()
    same = and_(*(other.c[name] == one.c[name] for name in ("node", "stream", "epoch")))
    return select(one.c.boot_id).join(other, same).where(other.c.node == node, other.c.boot_id == boot_id)


def _of_kin(node: str, boot_id: str) -> ColumnElement[bool]:
    return and_(anchor.c.node == node, anchor.c.boot_id.in_(_kin(node, boot_id)))


def _of(node: str, boot_id: str) -> ColumnElement[bool]:
    return and_(anchor.c.node == node, anchor.c.boot_id == boot_id)


def _anchor(row: Row[Any]) -> Anchor:
    return Anchor(row.boot_seq, row.boot_ns, row.utc_ns, row.source, row.error_ns)
