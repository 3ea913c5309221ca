"""Searches for footage: asked and answered from what the hub knows, in the camera's log (SOP R03, R37)."""

from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from siaga_central.domain.existence import Answer, Piece, Recorded, answer, look
from siaga_central.store import coverage, events, holds
from siaga_central.store.schema import camera, event, node
from siaga_core.errors import SiagaError

KIND = "camera.searched"
LONGEST_US = 24 * 3600 * 1_000_000


class BadSearch(SiagaError):
    """A search that nobody can answer."""


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to a search; `overwritten_us`: when retention reaches what nobody holds, if known."""

    camera: str
    start_us: int
    end_us: int
    answer: Answer
    pieces: tuple[Piece, ...]
    error_ns: int
    told_us: int | None  # when the node last spoke of the camera's footage
    away_since_us: int | None  # the node is not heard; None: it is
    overwritten_us: int | None
    incident: str = ""


def search(
    connection: Connection,
    camera_id: str,
    start_us: int,
    end_us: int,
    actor: str,
    now_us: int,
    incident: str = "",
) -> int:
    """Answer from what the hub knows, and write it down; the event's number. Raises BadSearch."""
    if not start_us < end_us <= start_us + LONGEST_US:
        raise BadSearch("a search ends after it begins and spans at most 24 hours")
    if start_us > now_us:
        raise BadSearch("a search cannot begin in the future")
    found = find(connection, camera_id, start_us, end_us, incident)
    body = {"from_us": start_us, "to_us": end_us, "answer": found.answer, "found": msgspec.to_builtins(found)}
    return events.append(connection, now_us, KIND, camera_id, actor, body)


def find(connection: Connection, camera_id: str, start_us: int, end_us: int, incident: str = "") -> Found:
    """What is known of a span now. Raises BadSearch for an unknown camera."""
    owner = connection.execute(
        select(node.c.online, node.c.heard_us)
        .join(camera, camera.c.node == node.c.id)
        .where(camera.c.id == camera_id)
    ).one_or_none()
    if owner is None:
        raise BadSearch(f"there is no camera {camera_id}")
    known = coverage.known(connection, camera_id, holds.kept_of(connection, camera_id))
    pieces = look(start_us * 1000, end_us * 1000, known.told)
    first_ns = next((piece.start_ns for piece in pieces if piece.word == "there"), None)
    overwritten_us = None if first_ns is None or known.ring_ns is None else (first_ns + known.ring_ns) // 1000
    away_us = None if owner.online else owner.heard_us or 0
    return Found(
        camera_id,
        start_us,
        end_us,
        answer(pieces),
        pieces,
        _error_ns(known.told.recorded, start_us * 1000, end_us * 1000),
        known.told_us,
        away_us,
        overwritten_us,
        incident,
    )


def _error_ns(stretches: tuple[Recorded, ...], start_ns: int, end_ns: int) -> int:
    """How wrong the times of an answer may be; without footage in it, those of the newest."""
    here = [one.error_ns for one in stretches if one.end_ns > start_ns and one.start_ns < end_ns]
    return max(here or [one.error_ns for one in stretches[-1:]], default=0)


def last(connection: Connection, camera_id: str, limit: int = 10) -> list[tuple[Row[Any], Found]]:
    """The newest searches of a camera, newest first."""
    mine = (event.c.subject == camera_id) & (event.c.kind == KIND)
    rows = connection.execute(select(event).where(mine).order_by(event.c.seq.desc()).limit(limit)).all()
    return [(row, _answer_of(row)) for row in rows]


def recorded(connection: Connection, camera_id: str, seq: int) -> tuple[Row[Any], Found] | None:
    """A search of a camera as it was written down: the event and its answer."""
    mine = (event.c.seq == seq) & (event.c.subject == camera_id) & (event.c.kind == KIND)
    row = connection.execute(select(event).where(mine)).one_or_none()
    if row is None:
        return None
    return row, _answer_of(row)


def _answer_of(row: Row[Any]) -> Found:
    return msgspec.convert(msgspec.json.decode(row.body)["found"], Found)
