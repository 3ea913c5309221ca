"""Who is on duty, which modems are ours, and how far each node is with it."""

import re
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import Response
from sqlalchemy import Connection, Row

from siaga_central.console import thread
from siaga_central.console.access import Needs, Visitor
from siaga_central.console.context import Console
from siaga_central.console.page import At, page, see_other
from siaga_central.console.terms import NODE_POLICY
from siaga_central.domain.modem import Modem
from siaga_central.domain.role import Permission
from siaga_central.store import duty_texts, modems, policies, roster, views
from siaga_core.service.clock import new_id

router = APIRouter(prefix="/daftar-jaga")
See = Annotated[Visitor, Depends(Needs(Permission.SEE_DEVICES))]
Change = Annotated[Visitor, Depends(Needs(Permission.CHANGE_ROSTER))]
Number = Annotated[str, Form(max_length=40)]
HISTORY = 20


@router.get("")
def show(console: At, visitor: See) -> Response:
    """Phones in the order in which they are texted, nodes with modems, times in force, what was changed."""
    now_us = console.now_us()
    with console.store.read() as connection:
        values: dict[str, Any] = {
            "phones": roster.phones(connection),
            "trials": duty_texts.newest(connection, "trial"),
            "nodes": _nodes(connection),
            "policy": msgspec.to_builtins(policies.nodes(connection, now_us)[1]),
            "history": _history(connection),
            "seq": views.last_seq(connection),
        }
    values |= {
        "unlisted_first": sorted(
            values["nodes"], key=lambda node: bool(node["entries"]) and not node["unlisted"]
        ),
        "policy_words": NODE_POLICY,
        "bounds": policies.node_bounds(),
        "may_change": visitor.may(Permission.CHANGE_ROSTER),
        "sees_numbers": visitor.may(Permission.SEE_NUMBERS),
    }
    return page(console, "roster.html", visitor, **values)


@router.post("/hp")
def add(console: At, visitor: Change, number: Number, name: Annotated[str, Form(max_length=60)]) -> Response:
    """Put a phone last on the list, or give one that is on it another name."""
    written, now_us = _international(number), console.now_us()
    _change(
        console, visitor, lambda c: roster.add_phone(c, written, " ".join(name.split()), visitor.name, now_us)
    )
    return _back(written)


@router.post("/geser")
def move(console: At, visitor: Change, number: Number, to: Annotated[str, Form()]) -> Response:
    """Have a phone texted earlier or later."""
    if to not in ("earlier", "later"):
        raise HTTPException(422, "a phone is moved earlier or later")
    now_us = console.now_us()
    _change(console, visitor, lambda c: roster.move_phone(c, number, to == "earlier", visitor.name, now_us))
    return _back(number)


@router.post("/hapus")
def remove(
    console: At, visitor: Change, number: Number, reason: Annotated[str, Form(max_length=500)]
) -> Response:
    """Take a phone off the list; why is on record."""
    if not reason.strip():
        raise HTTPException(422, "say why the phone is taken off the list")
    now_us = console.now_us()
    _change(console, visitor, lambda c: roster.remove_phone(c, number, visitor.name, now_us, reason.strip()))
    return _back()


@router.post("/uji")
def trial(console: At, visitor: Change, number: Number, node: Annotated[str, Form()] = "") -> Response:
    """Send a trial text to a phone on duty, through a node's modem."""
    with console.store.read() as connection:
        phone = roster.phone(connection, number)
        through = _through(connection, node)
    if through is None:
        raise HTTPException(409, "no GSM node has been heard yet; nothing was sent")
    id, now_us = new_id(console.clock), console.now_us()
    to = (str(phone.name), number)
    console.store.write(lambda c: duty_texts.order_trial(c, id, to, through, visitor.name, now_us))
    return _back(number)


@router.post("/modem")
def modem(
    console: At,
    visitor: Change,
    node: Annotated[str, Form()],
    number: Number,
    service: Annotated[Modem, Form()] = "modem",
    takes_urgent: Annotated[str, Form()] = "",
) -> Response:
    """Say which number a node's modem has; the node then gets the roster."""
    written, takes, now_us = _international(number), bool(takes_urgent), console.now_us()
    _change(
        console, visitor, lambda c: roster.set_modem(c, node, written, takes, visitor.name, now_us, service)
    )
    return see_other(f"/daftar-jaga#{node}")


@router.post("/aturan")
async def decide(console: At, visitor: Change, request: Request) -> Response:
    """Decide other times and limits for nodes that act by themselves."""
    given = await request.form()
    values = {name: _whole(str(given[name])) for name in NODE_POLICY if name in given}
    now_us = console.now_us()
    with console.store.read() as connection:
        before = msgspec.to_builtins(policies.nodes(connection, now_us)[1])
    changed = {name: value for name, value in values.items() if before[name] != value}
    if changed:
        _change(console, visitor, lambda c: policies.set_nodes(c, changed, visitor.name, now_us))
    return see_other("/daftar-jaga#aturan")


def _change(console: Console, visitor: Visitor, change: Any) -> None:
    """Change it and leave every node with the new roster, both or neither."""
    now_us, instead = console.now_us(), console.settings.instead

    def work(connection: Connection) -> None:
        change(connection)
        roster.publish(connection, instead, visitor.name, now_us)

    console.store.write(work)


def _history(connection: Connection) -> list[thread.Moment]:
    """What was changed last; what became of trial texts stands beside their phones."""
    found = views.events_of(connection, roster.SUBJECT)
    return [thread.moment(one) for one in found if one.kind != "roster.trial_state"][:HISTORY]


def _nodes(connection: Connection) -> list[dict[str, Any]]:
    """Every node that has a modem or is in the roster."""
    services, entries = modems.by_node(connection), dict[str, list[Row[Any]]]()
    for entry in roster.modems(connection):
        entries.setdefault(entry.node, []).append(entry)
    wants = {row.node: row for row in roster.convergence(connection)}
    return [
        {
            "row": row,
            "services": services.get(row.id, []),
            "entries": entries.get(row.id, []),
            "unlisted": set(services.get(row.id, [])) - {one.service for one in entries.get(row.id, [])},
            "want": wants.get(row.id),
            "states": [
                state
                for state in views.service_states(connection, row.id)
                if state.service in modems.MODEMS and (state.level != "ok" or state.code == "modem.loop")
            ],
        }
        for row in views.nodes(connection)
        if row.id in services or row.id in entries
    ]


def _through(connection: Connection, node: str) -> str | None:
    """The node that sends a trial: the one chosen, else a modem of ours, else any."""
    known = [*(row.node for row in roster.modems(connection)), *modems.by_node(connection)]
    if node:
        return node if node in known else None
    return known[0] if known else views.any_gsm_node(connection)


def _international(text: str) -> str:
    """`0811-1111 111` as people write it is +628111111111; what is no number stays and is refused."""
    bare = re.sub(r"[\s().-]", "", text)
    return f"+62{bare[1:]}" if bare.startswith("0") else bare


def _whole(text: str) -> Any:
    return int(text) if text.strip().isdecimal() else text


def _back(number: str = "") -> Response:
    return see_other(f"/daftar-jaga#hp{number.removeprefix('+')}" if number else "/daftar-jaga")
