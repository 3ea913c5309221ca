"""One incident: what was reported, what was done, and what can be done next."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, HTTPException
from fastapi.responses import Response
from sqlalchemy import Connection, Row

from siaga_central.console import clipped, thread
from siaga_central.console.access import Needs, Visitor
from siaga_central.console.context import Console
from siaga_central.console.held import shown
from siaga_central.console.page import At, page, see_other
from siaga_central.console.terms import CATEGORIES, PRIORITIES
from siaga_central.console.whereabouts import NO_PLACE, by_name, said
from siaga_central.console.whereabouts import shown as shown_place
from siaga_central.domain import incident as life
from siaga_central.domain.nearest import Located, nearest
from siaga_central.domain.role import Permission
from siaga_central.store import assignments, holds, incidents, replies, roster, timings, views
from siaga_core.reading.spots import every
from siaga_core.service.clock import new_id
from siaga_core.wire import gsm7

router = APIRouter(prefix="/kejadian")
See = Annotated[Visitor, Depends(Needs(Permission.SEE_INCIDENTS))]
Handle = Annotated[Visitor, Depends(Needs(Permission.HANDLE_INCIDENTS))]
Answer = Annotated[Visitor, Depends(Needs(Permission.ANSWER_REPORTERS))]
Words = Annotated[str, Form(max_length=2000)]
# One SMS in the network's own alphabet (3GPP TS 23.038); longer answers are often read too late.
ANSWER_MOST = 160


@router.get("/{number}")
def show(console: At, visitor: See, number: str) -> Response:
    """The whole sheet."""
    return page(console, "incident.html", visitor, **_values(console, visitor, number))


@router.get("/{number}/isi")
def contents(console: At, visitor: See, number: str) -> Response:
    """The parts of the sheet that change by themselves, for an open page."""
    return page(console, "incident_live.html", visitor, **_values(console, visitor, number))


@router.post("/{number}/ambil")
def take(console: At, visitor: Handle, number: str) -> Response:
    """Make the visitor the one who answers for it."""
    row = find(console, number)
    console.store.write(lambda c: incidents.take(c, row.id, visitor.name, console.now_us()))
    return _back(number)


@router.post("/{number}/golongan")
def classify(
    console: At,
    visitor: Handle,
    number: str,
    category: Annotated[str, Form()],
    priority: Annotated[str, Form()],
    place: Annotated[str, Form(max_length=200)] = "",
    reason: Words = "",
) -> Response:
    """Set category, priority and place."""
    if category not in CATEGORIES or priority not in PRIORITIES:
        raise HTTPException(422, "there is no such category or priority")
    row, now_us = find(console, number), console.now_us()

    def judge(connection: Connection) -> None:
        incidents.classify(
            connection, row.id, category, priority, place.strip(), visitor.name, now_us, reason
        )
        named = by_name(place.strip()) if place.strip() != row.place else None
        if named is not None:
            incidents.locate(connection, row.id, named, visitor.name, now_us)
        holds.for_incident(connection, row.id, visitor.name, now_us)

    console.store.write(judge)
    return _back(number)


@router.post("/{number}/tempat")
def locate(
    console: At,
    visitor: Handle,
    number: str,
    where: Annotated[str, Form(max_length=400)] = "",
    camera: Annotated[str, Form(max_length=40)] = "",
    reason: Words = "",
) -> Response:
    """Say where it is: typed, or near a camera; what the cameras there saw is held."""
    row, now_us = find(console, number), console.now_us()

    def work(connection: Connection) -> None:
        spot = said(connection, where, camera)
        if spot is None:
            raise HTTPException(422, NO_PLACE)
        incidents.locate(connection, row.id, spot, visitor.name, now_us, reason.strip())
        holds.for_incident(connection, row.id, visitor.name, now_us)

    console.store.write(work)
    return _back(number)


@router.post("/{number}/langkah")
def move(
    console: At, visitor: Handle, number: str, command: Annotated[str, Form()], reason: Words = ""
) -> Response:
    """Move it to its next state."""
    row, now_us = find(console, number), console.now_us()

    def work(c: Connection) -> None:
        incidents.move(c, row.id, command, visitor.name, now_us, reason)
        holds.for_incident(c, row.id, visitor.name, now_us)
        if command == "handle":
            replies.tell_handled(c, row.id, visitor.name, now_us, lambda: new_id(console.clock))

    console.store.write(work)
    return _back(number)


@router.post("/{number}/petugas")
def tell_duty(console: At, visitor: Handle, number: str, to: Annotated[str, Form()]) -> Response:
    """Text a phone on duty; its answer comes back by the code."""
    row, now_us = find(console, number), console.now_us()
    with console.store.read() as connection:
        phones = {phone.number: phone.name for phone in roster.phones(connection)}
        node = _sender(connection, row.id)
    if to not in phones:
        raise HTTPException(422, "that number is not on duty")
    if node is None:
        raise HTTPException(409, "no GSM node has been heard yet; nothing was sent")
    id, phone = new_id(console.clock), (phones[to], to)
    console.store.write(lambda c: assignments.tell(c, id, row.id, phone, node, visitor.name, now_us))
    return _back(number)


@router.post("/{number}/catatan")
def note(console: At, visitor: Handle, number: str, text: Words) -> Response:
    """Add to the log."""
    if not text.strip():
        raise HTTPException(422, "an empty note was not added")
    row, now_us = find(console, number), console.now_us()
    console.store.write(lambda c: incidents.note(c, row.id, text.strip(), visitor.name, now_us))
    return _back(number)


@router.post("/{number}/jawab")
def answer(
    console: At, visitor: Answer, number: str, to: Annotated[str, Form()], text: Annotated[str, Form()]
) -> Response:
    """Answer one of its reporters by SMS, through the node that heard him."""
    text = " ".join(text.split())
    if not 0 < len(text) <= ANSWER_MOST:
        raise HTTPException(422, f"an answer has 1 to {ANSWER_MOST} characters")
    row = find(console, number)
    with console.store.read() as connection:
        known = {report.reporter_e164 for report in views.reports_of(connection, row.id)} - {None}
        node = views.gsm_node(connection, row.id) or views.any_gsm_node(connection)
    if to not in known:
        raise HTTPException(422, "that number did not report this incident")
    if node is None:
        raise HTTPException(409, "no GSM node has been heard yet; nothing was sent")
    id, now_us = new_id(console.clock), console.now_us()
    console.store.write(lambda c: replies.write(c, id, row.id, to, text, visitor.name, now_us, node))
    return _back(number)


def find(console: Console, number: str) -> Row[Any]:
    """The incident people call `number`."""
    with console.store.read() as connection:
        row = views.incident_by_number(connection, number)
    if row is None:
        raise HTTPException(404, f"there is no incident {number}")
    return row


def _values(console: Console, visitor: Visitor, number: str) -> dict[str, Any]:
    with console.store.read() as connection:
        row = views.incident_by_number(connection, number)
        if row is None:
            raise HTTPException(404, f"there is no incident {number}")
        reports = views.reports_of(connection, row.id)
        made = timings.of_report(connection, [report.id for report in reports])
        rung = [one.id for one in views.callbacks_of(connection, row.id)]
        values = {
            "incident": row,
            "line": views.incident_line(connection, row.id),
            "contacts": [thread.contact(report, made.get(report.id)) for report in reports],
            "replies": views.replies_of(connection, row.id),
            "holds": shown(connection, holds.of_incident(connection, row.id)),
            "assignments": assignments.of_incident(connection, row.id),
            "phones": roster.phones(connection),
            "clips": clipped.shown(connection, views.clips_of(connection, row.id), console.now_us()),
            "timeline": [thread.moment(event) for event in views.events_of(connection, row.id, *rung)],
            "cameras": _nearest(console, connection, row),
            "where": shown_place(connection, row),
            "all_cameras": sorted(views.cameras(connection), key=lambda one: str(one.name)),
            "listed_places": every(),
            "seq": views.last_seq(connection),
        }
    numbers = list(dict.fromkeys(report.reporter_e164 for report in reports if report.reporter_e164))
    return values | {
        "numbers": numbers,
        "moves": life.moves(row.state),
        "need_reason": life.NEED_REASON,
        "answer_most": ANSWER_MOST,
        "septets": gsm7.costs(),
        "sees_numbers": visitor.may(Permission.SEE_NUMBERS) and row.closed_us is None,
        "can": {permission.name: visitor.may(permission) for permission in Permission},
    }


def _sender(connection: Connection, incident_id: str) -> str | None:
    """The node that can text: where the reporter was heard, else a modem of ours, else any."""
    own = [row.node for row in roster.modems(connection)]
    return views.gsm_node(connection, incident_id) or next(iter(own), views.any_gsm_node(connection))


def _nearest(console: Console, connection: Connection, row: Row[Any]) -> list[tuple[Any, float | None]]:
    cameras = {camera.id: camera for camera in views.cameras(connection)}
    latitude, longitude = row.latitude, row.longitude
    if latitude is None or longitude is None:
        latitude, longitude = console.settings.city_latitude, console.settings.city_longitude
    located = [
        Located(
            camera.id,
            camera.site_latitude if camera.latitude is None else camera.latitude,
            camera.site_longitude if camera.longitude is None else camera.longitude,
        )
        for camera in cameras.values()
    ]
    return [(cameras[id], metres) for id, metres in nearest(latitude, longitude, located)]


def _back(number: str) -> Response:
    return see_other(f"/kejadian/{number}")
