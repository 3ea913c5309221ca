"""What everybody who works at the hub must know of the hub itself; stands above every page."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, desc, select

from siaga_central.store import schema as t

# A restored hub says so on every page for this long.
_RESTORED_SHOWN_US = 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class HubNotices:
    """What everybody who works at the hub must know of the hub itself."""

    restored_until_us: int | None = None  # what was entered after this is lost
    backup_late_since_us: int | None = None
    bus_down_since_us: int | None = None  # nothing comes in from nodes


def hub_notices(connection: Connection, now_us: int) -> HubNotices:
    """Whether this database was restored lately, its backup is late, or the broker is away now."""
    name = select(t.generation.c.name).order_by(desc(t.generation.c.number)).limit(1).scalar_subquery()
    life = _newest(connection, name, "hub.generation")
    body = json.loads(life.body) if life is not None and now_us - life.at_us < _RESTORED_SHOWN_US else {}
    backup = _newest(connection, "hub", "backup.late", "backup.well")
    late = backup is not None and backup.kind == "backup.late"
    bus = _newest(connection, "hub", "bus.down", "bus.up")
    down = bus is not None and bus.kind == "bus.down"
    restored = body.get("why") == "restored"
    return HubNotices(
        body["until_us"] if restored else None, backup.at_us if late else None, bus.at_us if down else None
    )


def _newest(connection: Connection, subject: Any, *kinds: str) -> Any:
    found = select(t.event).where(t.event.c.subject == subject, t.event.c.kind.in_(kinds))
    return connection.execute(found.order_by(desc(t.event.c.seq)).limit(1)).one_or_none()
