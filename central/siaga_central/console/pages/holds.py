"""Footage that nodes keep until somebody lets it go: placed on the sheet of an incident, all on one page."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response

from siaga_central.console.access import Needs, Visitor
from siaga_central.console.held import shown
from siaga_central.console.page import At, page, see_other
from siaga_central.console.pages.incident import find
from siaga_central.console.span import Span
from siaga_central.domain.role import Permission
from siaga_central.store import holds, views
from siaga_core.service.clock import new_id

router = APIRouter()
Place = Annotated[Visitor, Depends(Needs(Permission.HOLD_FOOTAGE))]
Release = Annotated[Visitor, Depends(Needs(Permission.RELEASE_FOOTAGE))]
See = Annotated[Visitor, Depends(Needs(Permission.SEE_DEVICES))]
Reason = Annotated[str, Form(max_length=500)]


@router.get("/rekaman-ditahan")
def show(console: At, visitor: See) -> Response:
    """Every hold there is, the most endangered first."""
    with console.store.read() as connection:
        values: dict[str, Any] = {
            "holds": shown(connection, holds.wanted(connection)),
            "can": {permission.name: visitor.may(permission) for permission in Permission},
            "seq": views.last_seq(connection),
        }
    return page(console, "holds.html", visitor, **values)


@router.post("/kejadian/{number}/tahan")
def place(
    console: At,
    visitor: Place,
    number: str,
    camera: Annotated[str, Form()],
    span: Span,
    reason: Reason,
) -> Response:
    """Have a camera's node keep what it recorded between two moments, both WIB."""
    row = find(console, number)
    id, now_us = new_id(console.clock), console.now_us()
    console.store.write(
        lambda c: holds.place(c, id, camera, *span, reason.strip(), visitor.name, now_us, row.id)
    )
    return see_other(f"/kejadian/{number}#tahan")


@router.post("/rekaman-ditahan/{id}/lepas")
def release(console: At, visitor: Release, id: str, reason: Reason) -> Response:
    """Let retention have it again."""
    now_us = console.now_us()
    console.store.write(lambda c: holds.release(c, id, reason, visitor.name, now_us))
    return see_other("/rekaman-ditahan")
