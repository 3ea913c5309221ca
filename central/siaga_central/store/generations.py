"""Lives of this database. A restored one begins a new life, so that nodes hear that it has less."""

from sqlalchemy import Connection, func, insert, select

from siaga_central.store import events
from siaga_central.store.schema import event, generation


def present(connection: Connection) -> tuple[str, int] | None:
    """(name, since_us) of the present life, None before the first."""
    row = connection.execute(select(generation).order_by(generation.c.number.desc()).limit(1)).one_or_none()
    return None if row is None else (row.name, row.since_us)


def begin(connection: Connection, name: str, now_us: int, why: str, until_us: int = 0) -> tuple[str, int]:
    """Begin a new life; (name, since_us), after everything that is known here, whatever the clock.

    `until_us`: how far a restored database reaches.
    """
    newest = int(connection.execute(select(func.max(event.c.at_us))).scalar() or 0)
    last = present(connection)
    since_us = max(now_us, newest + 1, (last[1] if last else 0) + 1)
    connection.execute(insert(generation).values(name=name, since_us=since_us))
    events.append(
        connection,
        now_us,
        "hub.generation",
        name,
        "hub",
        {"why": why, "since_us": since_us, "until_us": until_us},
    )
    return name, since_us
