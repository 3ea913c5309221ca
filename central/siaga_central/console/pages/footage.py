"""Clips and last pictures: shown here and nowhere else, and every look is on record."""

import re
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import FileResponse, Response, StreamingResponse

from siaga_central.console.access import Needs, Visitor
from siaga_central.console.context import Console
from siaga_central.console.page import At, see_other
from siaga_central.console.pages.incident import find
from siaga_central.console.partial import Film, NothingYet, read_partial
from siaga_central.console.span import Span, Tight
from siaga_central.domain.role import Permission
from siaga_central.store import clips, events, views
from siaga_core.service.clock import new_id

router = APIRouter()
Ask = Annotated[Visitor, Depends(Needs(Permission.ASK_CLIPS))]
Watch = Annotated[Visitor, Depends(Needs(Permission.WATCH_CLIPS))]
Look = Annotated[Visitor, Depends(Needs(Permission.SEE_PICTURES))]
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_RANGE = re.compile(r"bytes=(\d{1,12})-(\d{0,12})")
_DEEDS: dict[str, clips.Wish] = {"henti": "stop", "lanjut": "go", "batal": "drop"}
_HEADERS = {"Cache-Control": "no-store", "Content-Disposition": "inline"}


@router.post("/kejadian/{number}/klip")
def ask(
    console: At,
    visitor: Ask,
    number: str,
    camera: Annotated[str, Form()],
    span: Span,
    reason: Annotated[str, Form(max_length=500)],
    tight: Tight = False,
) -> Response:
    """Ask a camera's node for what it recorded between two moments, both WIB."""
    row = find(console, number)
    id, now_us = new_id(console.clock), console.now_us()
    console.store.write(
        lambda c: clips.ask(c, id, camera, *span, row.id, reason.strip(), visitor.name, now_us, tight=tight)
    )
    return see_other(f"/kejadian/{number}#klip")


@router.post("/kejadian/{number}/klip/{id}/{deed}")
def steer(console: At, visitor: Ask, number: str, id: str, deed: str) -> Response:
    """Stop a clip on its way, let it go on, or give it up."""
    row = find(console, number)
    with console.store.read() as connection:
        clip = clips.find(connection, id)
    if deed not in _DEEDS or clip is None or clip.incident != row.id:
        raise HTTPException(404, "this clip is not here")
    now_us = console.now_us()
    console.store.write(lambda c: clips.wish(c, id, _DEEDS[deed], visitor.name, now_us))
    if deed == "batal":
        _part(console, id).unlink(missing_ok=True)
    return see_other(f"/kejadian/{number}#klip")


@router.get("/klip/{id}/sebagian")
def preview(request: Request, console: At, visitor: Watch, id: str, upto: int) -> Response:
    """The first `upto` octets of a clip as a film of its own; the look is on record before a byte leaves."""
    with console.store.read() as connection:
        row = views.clip(connection, id) if _ID.fullmatch(id) else None
    part = _part(console, id)
    if row is None or row.state != "coming" or not part.is_file():
        raise HTTPException(404, "this clip is not here")
    if _is_navigation(request):
        raise HTTPException(403, "clips are watched on the page of their incident")
    try:
        film = read_partial(part, upto)
    except NothingYet as error:
        raise HTTPException(404, "nothing of this clip can be watched yet; try again in a minute") from error
    look = (visitor.token_sha256, f"{id}/{upto}")
    if _is_beginning(request) or look not in request.app.state.watched:
        subject, now_us = row.incident or row.id, console.now_us()
        body = {"clip": id, "camera": row.camera, "bytes": film.data_bytes}
        console.store.write(
            lambda c: (
                events.append(c, now_us, "clip.previewed", subject, visitor.name, body),
                events.append(c, now_us, "camera.clip_previewed", row.camera, visitor.name, body),
            )
        )
        request.app.state.watched.add(look)
    return _streamed(request, film)


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


def _streamed(request: Request, film: Film) -> Response:
    """The film, or the one range of it that a player asks for (RFC 9110 §14.2)."""
    asked = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    first = int(asked[1]) if asked else 0
    after = min(int(asked[2]) + 1, film.size_bytes) if asked and asked[2] else film.size_bytes
    if first >= after:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{film.size_bytes}"})
    headers = {**_HEADERS, "Accept-Ranges": "bytes", "Content-Length": str(after - first)}
    if asked:
        headers["Content-Range"] = f"bytes {first}-{after - 1}/{film.size_bytes}"
    status = 206 if asked else 200
    return StreamingResponse(film.octets(first, after), status, headers=headers, media_type="video/mp4")


def _part(console: Console, id: str) -> Path:
    return console.settings.media_dir / "clips" / f"{id}.part"


def _is_beginning(request: Request) -> bool:
    """Whether a player begins anew; the later ranges of one look are the same look."""
    return request.headers.get("range", "bytes=0-").replace(" ", "").startswith("bytes=0-")


def _is_navigation(request: Request) -> bool:
    return request.headers.get("sec-fetch-dest") in ("document", "iframe", "embed", "object")
