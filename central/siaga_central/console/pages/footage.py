"""Clips and last pictures: shown here and nowhere else, and every look is on record."""

import re
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import FileResponse, Response

from siaga_central.console.access import Needs, Visitor
from siaga_central.console.page import At, see_other
from siaga_central.console.pages.incident import find
from siaga_central.console.span import Span
from siaga_central.domain.role import Permission
from siaga_central.store import clips, events, views
from siaga_core.service.clock import new_id

router = APIRouter()
Ask = Annotated[Visitor, Depends(Needs(Permission.ASK_CLIPS))]
Watch = Annotated[Visitor, Depends(Needs(Permission.WATCH_CLIPS))]
Look = Annotated[Visitor, Depends(Needs(Permission.SEE_PICTURES))]
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HEADERS = {"Cache-Control": "no-store", "Content-Disposition": "inline"}


@router.post("/kejadian/{number}/klip")
def ask(
    console: At,
    visitor: Ask,
    number: str,
    camera: Annotated[str, Form()],
    span: Span,
    reason: Annotated[str, Form(max_length=500)],
) -> Response:
    """Ask a camera's node for what it recorded between two moments, both WIB."""
    row = find(console, number)
    id, now_us = new_id(console.clock), console.now_us()
    console.store.write(
        lambda c: clips.ask(c, id, camera, *span, row.id, reason.strip(), visitor.name, now_us)
    )
    return see_other(f"/kejadian/{number}#klip")


@router.get("/klip/{id}")
def watch(request: Request, console: At, visitor: Watch, id: str) -> Response:
    """The clip, for a player on our own page only; the look is on record before a byte leaves."""
    with console.store.read() as connection:
        row = views.clip(connection, id) if _ID.fullmatch(id) else None
    path = console.settings.media_dir / "clips" / f"{id}.mp4"
    if row is None or row.state != "ready" or not path.is_file():
        raise HTTPException(404, "this clip is not here")
    if _is_navigation(request):
        raise HTTPException(403, "clips are watched on the page of their incident")
    look = (visitor.token_sha256, id)
    if _is_beginning(request) or look not in request.app.state.watched:
        subject, now_us = row.incident or row.id, console.now_us()
        body = {"clip": id, "camera": row.camera}
        console.store.write(
            lambda c: (
                events.append(c, now_us, "clip.viewed", subject, visitor.name, body),
                events.append(c, now_us, "camera.clip_viewed", row.camera, visitor.name, body),
            )
        )
        request.app.state.watched.add(look)
    return FileResponse(path, media_type="video/mp4", headers=_HEADERS)


@router.get("/gambar/{camera}")
def look(console: At, visitor: Look, camera: str) -> Response:
    """The camera's last picture. The record of the look is committed before a byte leaves."""
    with console.store.read() as connection:
        row = views.camera(connection, camera) if _ID.fullmatch(camera) else None
    path: Path = console.settings.media_dir / "pictures" / f"{camera}.jpg"
    if row is None or row.picture_us is None or not path.is_file():
        raise HTTPException(404, "there is no picture of this camera")
    now_us, body = console.now_us(), {"taken_us": row.picture_us}
    console.store.write(
        lambda c: events.append(c, now_us, "camera.picture_viewed", camera, visitor.name, body)
    )
    return FileResponse(path, media_type="image/jpeg", headers=_HEADERS)


def _is_beginning(request: Request) -> bool:
    """Whether a player begins anew; the later ranges of one look are the same look."""
    return request.headers.get("range", "bytes=0-").replace(" ", "").startswith("bytes=0-")


def _is_navigation(request: Request) -> bool:
    return request.headers.get("sec-fetch-dest") in ("document", "iframe", "embed", "object")
