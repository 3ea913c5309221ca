"""Callers who have to be rung back."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response

from siaga_central.console.access import Needs, Visitor
from siaga_central.console.page import At, page, see_other
from siaga_central.domain.role import Permission
from siaga_central.store import callbacks, views

router = APIRouter(prefix="/panggilan-balik")
Settle = Annotated[Visitor, Depends(Needs(Permission.SETTLE_CALLBACKS))]


@router.get("")
def show(console: At, visitor: Settle) -> Response:
    """Who waits, most urgent first, and who was settled last."""
    with console.store.read() as connection:
        waiting, settled = views.callbacks(connection), views.settled_callbacks(connection)
        seq = views.last_seq(connection)
    return page(console, "callbacks.html", visitor, waiting=waiting, settled=settled, seq=seq)


@router.post("/{id}")
def settle(
    console: At,
    visitor: Settle,
    id: str,
    state: Annotated[str, Form()],
    reason: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Write down how ringing back went."""
    now_us = console.now_us()
    console.store.write(lambda c: callbacks.settle(c, id, state, visitor.name, now_us, reason))
    return see_other("/panggilan-balik")
