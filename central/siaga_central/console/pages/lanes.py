"""The four lanes an operator watches, and the stream that keeps every open page up to date."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from siaga_central.console import rows
from siaga_central.console.access import COOKIE, Needs, Visitor, find_visitor
from siaga_central.console.context import Console
from siaga_central.console.page import At, page
from siaga_central.console.stream import Stream
from siaga_central.domain.role import Permission
from siaga_central.store import views

router = APIRouter()
Anybody = Annotated[Visitor, Depends(Needs(None))]
# A session that has ended stops its streams within this many messages; a beat comes every 3 s.
_CHECK_EVERY = 5


@router.get("/")
def show(console: At, visitor: Anybody) -> Response:
    """The lanes the visitor may see, as of one moment; the stream goes on from there."""
    seen = lanes_of(visitor)
    with console.store.read() as connection:
        found = {
            "act": views.needs_action(connection),
            "run": views.running(connection),
            "callback": views.callbacks(connection),
            "signal": views.signals(connection),
        }
        seq = views.last_seq(connection)
    shown = {lane: part for lane, part in found.items() if lane in seen}
    return page(console, "lanes.html", visitor, lanes=shown, seq=seq)


@router.get("/live")
async def live(request: Request, console: At, visitor: Anybody, after: int = 0) -> Response:
    """Server-sent events after number `after` (or the browser's own Last-Event-ID)."""
    resumed = request.headers.get("last-event-id", "")
    after = int(resumed) if resumed.isascii() and resumed.isdigit() else after
    stream: Stream = request.app.state.stream
    messages = stream.listen(visitor.language, lanes_of(visitor), after)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    token = request.cookies.get(COOKIE, "")
    return StreamingResponse(
        _while_logged_in(console, token, messages), headers=headers, media_type="text/event-stream"
    )


def lanes_of(visitor: Visitor) -> frozenset[str]:
    """The lanes the visitor may see."""
    seen: frozenset[str] = frozenset()
    if visitor.may(Permission.SEE_INCIDENTS):
        seen |= rows.INCIDENT_LANES
    if visitor.may(Permission.SETTLE_CALLBACKS):
        seen |= {"callback"}
    if visitor.may(Permission.SEE_DEVICES):
        seen |= rows.SIGNAL_LANES
    return seen


async def _while_logged_in(console: Console, token: str, messages: AsyncIterator[str]) -> AsyncIterator[str]:
    sent = 0
    async with aclosing(messages) as open_messages:  # type: ignore[type-var]
        async for message in open_messages:
            yield message
            sent += 1
            if sent % _CHECK_EVERY == 0 and await run_in_threadpool(find_visitor, console, token) is None:
                return
