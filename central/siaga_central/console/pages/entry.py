"""Calls that an operator took on the NTPD 112 equipment, entered by hand; and the help page."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, HTTPException
from fastapi.responses import Response
from sqlalchemy import Connection

from siaga_central.console.access import Needs, Visitor
from siaga_central.console.page import At, page, see_other
from siaga_central.console.terms import CATEGORIES, PRIORITIES
from siaga_central.console.whereabouts import by_name, said
from siaga_central.console.wording import N_
from siaga_central.domain.role import Permission
from siaga_central.store import holds, incidents, views
from siaga_core.reading.spots import every
from siaga_core.service.clock import new_id

router = APIRouter()
Enter = Annotated[Visitor, Depends(Needs(Permission.ENTER_CALLS))]
Line = Annotated[str, Form(max_length=200)]


@router.get("/panggilan/baru")
def form(console: At, visitor: Enter, camera: str = "") -> Response:
    """The empty form; `camera` is chosen already when it is about what that camera saw."""
    with console.store.read() as connection:
        cameras = sorted(views.cameras(connection), key=lambda one: str(one.name))
    values: dict[str, Any] = {"all_cameras": cameras, "listed_places": every(), "camera": camera}
    return page(console, "entry.html", visitor, **values)


@router.post("/panggilan/baru")
def enter(
    console: At,
    visitor: Enter,
    place: Line,
    summary: Annotated[str, Form(max_length=2000)],
    category: Line,
    priority: Line,
    reporter_name: Line = "",
    number: Annotated[str, Form(max_length=20)] = "",
    ntpd_ticket: Annotated[str, Form(max_length=40)] = "",
    where: Annotated[str, Form(max_length=400)] = "",
    camera: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Open an incident for the call; a name that was not given is written down as not given.

    Where it is comes from what was typed or chosen, or from a listed name in the place.
    """
    if category not in CATEGORIES or priority not in PRIORITIES or not summary.strip():
        raise HTTPException(422, "say what happened, its category and its priority")
    id, now_us = new_id(console.clock), console.now_us()
    name = reporter_name.strip() or console.translate(N_("name not given"), "id")

    def open_it(connection: Connection) -> str:
        made = incidents.open_manual(
            connection,
            id,
            reporter_name=name,
            place=place.strip(),
            summary=summary.strip(),
            category=category,
            priority=priority,
            ntpd_ticket=ntpd_ticket.strip(),
            number=number.strip(),
            actor=visitor.name,
            now_us=now_us,
        )
        incidents.take(connection, id, visitor.name, now_us)
        spot = said(connection, where, camera) or by_name(place.strip())
        if spot is not None:
            incidents.locate(connection, id, spot, visitor.name, now_us)
        holds.for_incident(connection, id, visitor.name, now_us)
        return made

    return see_other(f"/kejadian/{console.store.write(open_it)}")


@router.get("/bantuan")
def explain(console: At, visitor: Annotated[Visitor, Depends(Needs(None))]) -> Response:
    """Keys and words."""
    return page(console, "help.html", visitor)
