"""How each node's way to the hub is, for `siaga-central link status`."""

from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Row, func, select

from siaga_central.store.schema import command, gap, mark, record, service_state, unapplied


class Stream(Struct, frozen=True, kw_only=True):
    """One stream in its newest epoch: what is committed here, when the last of it came, what is gone."""

    stream: str
    epoch: str
    upto: int
    last_received_us: int
    missing: int


class Link(Struct, frozen=True, kw_only=True):
    """One node. `heard_s` is the age of its last word, None if there was none."""

    node: str
    state: str
    online: bool
    heard_s: float | None
    streams: list[Stream]
    alarms: list[str]
    unapplied: int  # records kept raw; `siaga-central link replay` tries them again
    commands_waiting: int


def of(connection: Connection, node: Row[Any], now_us: int) -> Link:
    """The link of one node of the registry."""
    waiting = select(func.count()).where(
        command.c.node == node.id, command.c.state.in_(("queued", "sent", "received", "started"))
    )
    raw = select(func.count()).where(unapplied.c.node == node.id)
    alarms = connection.execute(
        select(service_state.c.code, service_state.c.detail).where(
            service_state.c.node == node.id, service_state.c.level == "crit"
        )
    )
    return Link(
        node=node.id,
        state=node.state,
        online=node.online,
        heard_s=None if node.heard_us is None else round((now_us - node.heard_us) / 1e6, 1),
        streams=_streams(connection, node.id),
        alarms=[f"{row.code}: {row.detail}" for row in alarms],
        unapplied=int(connection.execute(raw).scalar_one()),
        commands_waiting=int(connection.execute(waiting).scalar_one()),
    )


def _streams(connection: Connection, node: str) -> list[Stream]:
    newest: dict[str, Stream] = {}
    for row in connection.execute(select(mark).where(mark.c.node == node)):
        mine = (record.c.node == node) & (record.c.stream == row.stream) & (record.c.epoch == row.epoch)
        last = connection.execute(
            select(record.c.received_us).where(mine).order_by(record.c.seq.desc()).limit(1)
        ).scalar()
        lost = select(func.sum(gap.c.last - gap.c.first + 1)).where(
            gap.c.node == node, gap.c.stream == row.stream, gap.c.epoch == row.epoch
        )
        found = Stream(
            stream=row.stream,
            epoch=row.epoch,
            upto=row.upto,
            last_received_us=int(last or 0),
            missing=int(connection.execute(lost).scalar() or 0),
        )
        if row.stream not in newest or newest[row.stream].last_received_us < found.last_received_us:
            newest[row.stream] = found
    return [newest[name] for name in sorted(newest)]
