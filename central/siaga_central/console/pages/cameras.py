"""What footage there is of a camera, as its node told it: known and searched with the node away."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, HTTPException
from fastapi.responses import Response
from sqlalchemy import Connection

from siaga_central.console import thread
from siaga_central.console.access import Needs, Visitor
from siaga_central.console.held import shown
from siaga_central.console.page import At, page, see_other
from siaga_central.console.pages.incident import find
from siaga_central.console.span import Span, Tight
from siaga_central.domain.role import Permission
from siaga_central.store import clips, coverage, holds, searches, views
from siaga_core.service.clock import new_id

router = APIRouter(prefix="/kamera")
See = Annotated[Visitor, Depends(Needs(Permission.SEE_DEVICES))]
Search = Annotated[Visitor, Depends(Needs(Permission.SEARCH_FOOTAGE))]
Hold = Annotated[Visitor, Depends(Needs(Permission.HOLD_FOOTAGE))]
Ask = Annotated[Visitor, Depends(Needs(Permission.ASK_CLIPS))]
Number = Annotated[str, Form(max_length=20)]
Reason = Annotated[str, Form(max_length=500)]
# How far back the page shows at once.
DAYS = (1, 3, 7, 14)
_DAY_US = 86_400 * 1_000_000


@router.get("/{camera}")
def show(console: At, visitor: See, camera: str, hari: int = 1, kejadian: str = "") -> Response:
    """What there is, what is missing and why, what is held and for whom, what goes when."""
    days = hari if hari in DAYS else DAYS[0]
    now_us = console.now_us()
    with console.store.read() as connection:
        row = _camera(connection, camera)
        found = searches.find(connection, camera, now_us - days * _DAY_US, now_us)
        known = coverage.known(connection, camera)
        values = {
            "holds": shown(connection, holds.of_camera(connection, camera)),
            "about": _incident(connection, kejadian),
            "searches": searches.last(connection, camera),
            "log": [thread.moment(event) for event in views.events_of(connection, camera, limit=50)],
            "seq": views.last_seq(connection),
        }
    since_ns = known.told.kept_since_ns
    values |= {
        "days": days,
        "choices": DAYS,
        "pieces": list(reversed(found.pieces)),
        "upto_ns": known.told.upto_ns,
    }
    values |= {"since_ns": since_ns, "ring_ns": known.ring_ns, "can": _can(visitor)}
    return page(console, "camera.html", visitor, camera=row, found=found, **values)


@router.post("/{camera}/cari")
def search(
    console: At, visitor: Search, camera: str, span: Span, kejadian: Annotated[str, Form(max_length=20)] = ""
) -> Response:
    """Is there footage from then to then? The question and its answer go into the camera's log."""
    now_us = console.now_us()
    number = find(console, kejadian).number if kejadian else ""
    seq = console.store.write(lambda c: searches.search(c, camera, *span, visitor.name, now_us, number))
    return see_other(f"/kamera/{camera}/pencarian/{seq}")


@router.get("/{camera}/pencarian/{seq}")
def result(console: At, visitor: See, camera: str, seq: int) -> Response:
    """The answer as it was written down; facts alone, which an applicant may be told (SOP R38)."""
    with console.store.read() as connection:
        row = _camera(connection, camera)
        recorded = searches.recorded(connection, camera, seq)
        if recorded is None:
            raise HTTPException(404, "there is no such search")
        asked, found = recorded
        about = _incident(connection, found.incident)
        here = [
            one
            for one in holds.of_camera(connection, camera)
            if one.start_us < found.end_us and one.end_us > found.start_us
        ]
        held = shown(connection, here)
        seq_now = views.last_seq(connection)
    values = {"camera": row, "asked": asked, "found": found, "about": about, "holds": held, "seq": seq_now}
    return page(console, "search.html", visitor, can=_can(visitor), **values)


@router.post("/{camera}/tahan")
def hold(
    console: At, visitor: Hold, camera: str, span: Span, reason: Reason, kejadian: Number = ""
) -> Response:
    """Have the camera's node keep a span, for an incident or for somebody who has asked."""
    incident_id = find(console, kejadian).id if kejadian else None
    id, now_us = new_id(console.clock), console.now_us()
    console.store.write(
        lambda c: holds.place(c, id, camera, *span, reason.strip(), visitor.name, now_us, incident_id)
    )
    return see_other(f"/kamera/{camera}#tahan")


@router.post("/{camera}/klip")
def ask(
    console: At, visitor: Ask, camera: str, span: Span, reason: Reason, kejadian: Number, tight: Tight = False
) -> Response:
    """Ask for a clip for an incident, on whose sheet it is watched."""
    row = find(console, kejadian)
    id, now_us = new_id(console.clock), console.now_us()
    console.store.write(
        lambda c: clips.ask(c, id, camera, *span, row.id, reason.strip(), visitor.name, now_us, tight=tight)
    )
    return see_other(f"/kejadian/{row.number}#klip")


def _camera(connection: Connection, camera: str) -> Any:
    row = views.camera(connection, camera)
    if row is None:
        raise HTTPException(404, f"there is no camera {camera}")
    return row


def _incident(connection: Connection, number: str) -> Any:
    return views.incident_by_number(connection, number) if number else None


def _can(visitor: Visitor) -> dict[str, bool]:
    return {permission.name: visitor.may(permission) for permission in Permission}
