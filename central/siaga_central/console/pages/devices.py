"""Nodes and cameras as they are now, and messages that were refused."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from siaga_central.console.access import Needs, Visitor
from siaga_central.console.page import At, page
from siaga_central.console.refusal import refusal
from siaga_central.domain.role import Permission
from siaga_central.store import modems, roster, views

router = APIRouter()


@router.get("/perangkat")
def show(console: At, visitor: Annotated[Visitor, Depends(Needs(Permission.SEE_DEVICES))]) -> Response:
    """Every node with its cameras, health and the states of its services."""
    with console.store.read() as connection:
        nodes, cameras = views.nodes(connection), views.cameras(connection)
        states = {node.id: views.service_states(connection, node.id) for node in nodes}
        listed, with_modem = {row.node for row in roster.modems(connection)}, modems.by_node(connection)
        seq = views.last_seq(connection)
    found = [
        {
            "row": node,
            "readings": _readings(node.health),
            "states": states[node.id],
            "unlisted": node.id in with_modem and node.id not in listed,
            "cameras": [camera for camera in cameras if camera.node == node.id],
        }
        for node in nodes
    ]
    return page(console, "devices.html", visitor, nodes=found, seq=seq)


@router.get("/karantina")
def quarantine(
    console: At,
    visitor: Annotated[Visitor, Depends(Needs(Permission.SEE_QUARANTINE))],
    reason: str | None = None,
) -> Response:
    """What was refused: how often for which reason, and the last ones with their first bytes."""
    with console.store.read() as connection:
        counts, last = views.quarantine_counts(connection), views.quarantined(connection, reason)
        seq = views.last_seq(connection)
    shown = [refusal(row) for row in last]
    total = sum(row.how_many for row in counts if reason in (None, "", row.reason))
    values = {"counts": counts, "last": shown, "total": total, "reason": reason, "seq": seq}
    return page(console, "quarantine.html", visitor, **values)


def _readings(text: str) -> list[dict[str, Any]]:
    found = json.loads(text or "{}").get("readings", [])
    return [{"detail": "", "level": "ok", "value": None} | reading for reading in found]
