"""Calls that an operator took on the NTPD 112 equipment, entered by hand; and the help page."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException
from fastapi.responses import Response
from sqlalchemy import Connection

from siaga_central.console.access import Needs, Visitor
from siaga_central.console.page import At, page, see_other
from siaga_central.console.terms import CATEGORIES, PRIORITIES
from siaga_central.console.wording import N_
from siaga_central.domain.role import Permission
from siaga_central.store import incidents
from siaga_core.service.clock import new_id

router = APIRouter()
Enter = Annotated[Visitor, Depends(Needs(Permission.ENTER_CALLS))]
Line = Annotated[str, Form(max_length=200)]


@router.get("/panggilan/baru")
def form(console: At, visitor: Enter) -> Response:
    """The empty form."""
    return page(console, "entry.html", visitor)


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
) -> Response:
    """Open an incident for the call; a name that was not given is written down as not given."""
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
        return made

    return see_other(f"/kejadian/{console.store.write(open_it)}")


@router.get("/bantuan")
def explain(console: At, visitor: Annotated[Visitor, Depends(Needs(None))]) -> Response:
    """Keys and words."""
    return page(console, "help.html", visitor)
