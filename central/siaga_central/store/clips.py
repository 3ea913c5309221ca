"""Clips asked of nodes: asked, coming, ready or failed."""

from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from siaga_central.store import commands, events, holds
from siaga_central.store.schema import camera, clip
from siaga_core.errors import SiagaError
from siaga_core.wire.command import FetchClip

# A node that was away for a day may still have the footage (policy value).
TTL_S = 24 * 3600.0
LONGEST_US = 30 * 60 * 1_000_000


class BadSpan(SiagaError):
    """A clip that nobody can cut."""


def ask(
    connection: Connection,
    id: str,
    camera_id: str,
    start_us: int,
    end_us: int,
    incident: str | None,
    reason: str,
    actor: str,
    now_us: int,
) -> None:
    """Ask the camera's node for a clip; the command has the id `id`. Raises BadSpan.

    Its span is held from now until some time after the clip is here, so that retention cannot come between.
    """
    if not start_us < end_us <= start_us + LONGEST_US:
        raise BadSpan("a clip ends after it begins and is at most 30 minutes long")
    if start_us > now_us:
        raise BadSpan("a clip cannot begin in the future")
    if not reason.strip():
        raise BadSpan("say why the clip is needed")
    node = connection.execute(select(camera.c.node).where(camera.c.id == camera_id)).scalar_one_or_none()
    if node is None:
        raise BadSpan(f"there is no camera {camera_id}")
    connection.execute(
        insert(clip).values(
            id=id,
            camera=camera_id,
            incident=incident,
            start_us=start_us,
            end_us=end_us,
            asked_by=actor,
            asked_us=now_us,
            reason=reason,
        )
    )
    body = {"clip": id, "camera": camera_id, "start_us": start_us, "end_us": end_us, "reason": reason}
    events.append(connection, now_us, "clip.asked", incident or id, actor, body)
    events.append(connection, now_us, "camera.clip_asked", camera_id, actor, body)
    order = FetchClip(camera=camera_id, start_wall_ns=start_us * 1000, end_wall_ns=end_us * 1000)
    commands.queue(connection, id, node, "recorder", order, actor, now_us, TTL_S)
    holds.for_clip(connection, id, camera_id, (start_us, end_us), reason, actor, now_us, incident)


def find(connection: Connection, id: str) -> Row[Any] | None:
    """One clip, or None."""
    return connection.execute(select(clip).where(clip.c.id == id)).one_or_none()


def progress(connection: Connection, id: str, got_bytes: int, size_bytes: int) -> None:
    """Note how much has come."""
    connection.execute(
        update(clip)
        .where(clip.c.id == id, clip.c.state.in_(("asked", "coming")))
        .values(state="coming", got_bytes=got_bytes, size_bytes=size_bytes)
    )


def ready(connection: Connection, id: str, sha256: str, size_bytes: int, now_us: int) -> None:
    """The whole clip is here and its hash is what the node stated."""
    values = {"state": "ready", "sha256": sha256, "size_bytes": size_bytes, "got_bytes": size_bytes}
    connection.execute(update(clip).where(clip.c.id == id).values(**values))
    holds.clip_settled(connection, id, now_us)
    _tell(connection, id, "clip.ready", now_us, {"sha256": sha256, "size_bytes": size_bytes})


def fail(connection: Connection, id: str, detail: str, now_us: int) -> None:
    """The clip will not come; `detail` says why. A clip that is here stays."""
    changed = connection.execute(
        update(clip).where(clip.c.id == id, clip.c.state != "ready").values(state="failed", detail=detail)
    )
    if changed.rowcount:
        holds.clip_settled(connection, id, now_us)
        _tell(connection, id, "clip.failed", now_us, {"detail": detail})


def _tell(connection: Connection, id: str, kind: str, now_us: int, body: dict[str, Any]) -> None:
    row = find(connection, id)
    if row is not None:
        events.append(connection, now_us, kind, row.incident or id, "hub", {"clip": id, **body})
