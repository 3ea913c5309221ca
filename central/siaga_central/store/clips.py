"""Clips asked of nodes: asked, coming, ready or failed."""

from typing import Any, Literal

from sqlalchemy import Connection, Row, insert, select, update

from siaga_central.domain.fetching import speed
from siaga_central.store import commands, events, holds
from siaga_central.store.schema import camera, clip
from siaga_core.errors import SiagaError
from siaga_core.wire.command import FetchClip

# A node that was away for a day may still have the footage (policy value).
TTL_S = 24 * 3600.0
LONGEST_US = 30 * 60 * 1_000_000


Wish = Literal["go", "stop", "drop"]


class BadSpan(SiagaError):
    """A clip that nobody can cut."""


class WrongWish(SiagaError):
    """A clip that cannot be stopped or continued any more."""


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
    *,
    tight: bool = False,
) -> None:
    """Ask the camera's node for a clip; the command has the id `id`. Raises BadSpan.

    `tight`: its file holds no picture from outside the span (SOP XIII.2), which takes the node longer.
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
    body |= {"tight": True} if tight else {}
    events.append(connection, now_us, "clip.asked", incident or id, actor, body)
    events.append(connection, now_us, "camera.clip_asked", camera_id, actor, body)
    order = FetchClip(camera=camera_id, start_wall_ns=start_us * 1000, end_wall_ns=end_us * 1000, tight=tight)
    commands.queue(connection, id, node, "recorder", order, actor, now_us, TTL_S)
    holds.for_clip(connection, id, camera_id, (start_us, end_us), reason, actor, now_us, incident)


def find(connection: Connection, id: str) -> Row[Any] | None:
    """One clip, or None."""
    return connection.execute(select(clip).where(clip.c.id == id)).one_or_none()


def wish(connection: Connection, id: str, wanted: Wish, actor: str, now_us: int) -> None:
    """Stop a clip on its way, let it go on, or give it up for good. Raises WrongWish.

    It is the hub that remembers: a node asks before it sends, so this holds whatever happens to the node.
    """
    row = find(connection, id)
    if row is None or row.state not in ("asked", "coming"):
        raise WrongWish("this clip is not on its way any more")
    if row.wish == wanted:
        return
    values: dict[str, Any] = {"wish": wanted, "wished_by": actor, "wished_us": now_us, "rate_bytes_s": None}
    if wanted == "drop":
        values["state"] = "dropped"
        holds.clip_settled(connection, id, now_us)
        order = commands.find(connection, id)
        if order is not None and order.state == "queued":
            commands.settle(connection, id, "failed", "given up before it was sent", {}, actor, now_us)
    connection.execute(update(clip).where(clip.c.id == id).values(**values))
    kind = {"go": "clip.resumed", "stop": "clip.stopped", "drop": "clip.dropped"}[wanted]
    events.append(connection, now_us, kind, row.incident or id, actor, {"clip": id, "camera": row.camera})
    events.append(connection, now_us, f"camera.{kind.replace('.', '_')}", row.camera, actor, {"clip": id})


def progress(connection: Connection, id: str, got_bytes: int, size_bytes: int, now_us: int = 0) -> None:
    """Note how much has come, and how fast."""
    row = find(connection, id)
    if row is None or row.state not in ("asked", "coming"):
        return
    rate = speed(row.rate_bytes_s, got_bytes - row.got_bytes, now_us - (row.got_us or 0))
    values = {"state": "coming", "got_bytes": got_bytes, "size_bytes": size_bytes}
    connection.execute(update(clip).where(clip.c.id == id).values(**values, got_us=now_us, rate_bytes_s=rate))


def ready(connection: Connection, id: str, sha256: str, size_bytes: int, now_us: int) -> None:
    """The whole clip is here and its hash is what the node stated."""
    values = {"state": "ready", "sha256": sha256, "size_bytes": size_bytes, "got_bytes": size_bytes}
    connection.execute(update(clip).where(clip.c.id == id).values(**values))
    holds.clip_settled(connection, id, now_us)
    _tell(connection, id, "clip.ready", now_us, {"sha256": sha256, "size_bytes": size_bytes})


def fail(connection: Connection, id: str, detail: str, now_us: int) -> None:
    """The clip will not come; `detail` says why. A clip that is here, or that was given up, stays so."""
    changed = connection.execute(
        update(clip)
        .where(clip.c.id == id, clip.c.state.not_in(("ready", "dropped")))
        .values(state="failed", detail=detail)
    )
    if changed.rowcount:
        holds.clip_settled(connection, id, now_us)
        _tell(connection, id, "clip.failed", now_us, {"detail": detail})


def _tell(connection: Connection, id: str, kind: str, now_us: int, body: dict[str, Any]) -> None:
    row = find(connection, id)
    if row is not None:
        events.append(connection, now_us, kind, row.incident or id, "hub", {"clip": id, **body})
