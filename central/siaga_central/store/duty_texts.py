"""Texts to phones on duty that are no alerts: a trial asked for on the console, what a node says or asks."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from siaga_central.domain import texts
from siaga_central.domain.delivery import NOT_CONFIRMED, replaces
from siaga_central.domain.mask import masked
from siaga_central.store import commands, events, modems
from siaga_central.store.roster import SUBJECT, BadRoster
from siaga_central.store.schema import duty_text
from siaga_core.wire.command import SendSms
from siaga_core.wire.duty import DutyState

# A trial that has not left for ten minutes proves nothing any more.
TTL_S = 600.0
# Who presses twice means one; and each is money.
AGAIN_US = 60_000_000
# A phone whose answers do not say which alert they mean is asked once in this time, as a node does.
WHICH_AGAIN_US = 300_000_000


def order_trial(
    connection: Connection, id: str, phone: tuple[str, str], node: str, actor: str, now_us: int
) -> None:
    """Send (name, number) a trial text through a node; its command has the id `id` too. Raises BadRoster."""
    name, number = phone
    last = newest(connection, "trial").get(number)
    if last is not None and now_us - last.asked_us < AGAIN_US:
        raise BadRoster("a trial text to this phone was sent less than a minute ago; wait for its outcome")
    _add(connection, id, "trial", number, node, actor, now_us, now_us)
    service = modems.sender(connection, node, number)
    commands.queue(
        connection, id, node, service, SendSms(to=number, text=texts.trial(name)), actor, now_us, TTL_S
    )
    body = {"name": name, "number": masked(number), "node": node}
    events.append(connection, now_us, "roster.trial", SUBJECT, actor, body)


def ask_which(
    connection: Connection, id: str, number: str, codes: Sequence[str], node: str, now_us: int
) -> bool:
    """Ask a phone through a node which of `codes` its answer means; False if it has just been asked."""
    last = newest(connection, "asked").get(number)
    if last is not None and now_us - last.asked_us < WHICH_AGAIN_US:
        return False
    _add(connection, id, "asked", number, node, "hub", now_us, now_us)
    order = SendSms(to=number, text=texts.which(codes))
    commands.queue(connection, id, node, modems.sender(connection, node, number), order, "hub", now_us, TTL_S)
    return True


def by_node(connection: Connection, node: str, step: DutyState, at_us: int, now_us: int) -> None:
    """A node has told a phone that the hub is back, or asked it for a code; one text may speak of several."""
    if find(connection, step.id) is None:
        _add(connection, step.id, step.deed, step.number, node, f"node:{node}", at_us, now_us)


def delivered(connection: Connection, id: str, state: str, detail: str, actor: str, now_us: int) -> bool:
    """Note how far a text has come; False when it is none of these, or no news."""
    row = find(connection, id)
    guessed = row is not None and row.state == "UNKNOWN" and row.detail == NOT_CONFIRMED
    if row is None or not replaces(row.state, state, guessed=guessed):
        return False
    values = {"state": state, "detail": detail, "changed_us": now_us}
    connection.execute(update(duty_text).where(duty_text.c.id == id).values(**values))
    if row.kind == "trial":
        body = {"number": masked(row.number), "state": state, "detail": detail}
        events.append(connection, now_us, "roster.trial_state", SUBJECT, actor, body)
    return True


def find(connection: Connection, id: str) -> Row[Any] | None:
    """One text, or None."""
    return connection.execute(select(duty_text).where(duty_text.c.id == id)).one_or_none()


def newest(connection: Connection, kind: str) -> dict[str, Row[Any]]:
    """The last text of a kind to each number."""
    found = select(duty_text).where(duty_text.c.kind == kind).order_by(duty_text.c.asked_us)
    return {row.number: row for row in connection.execute(found)}


def _add(
    connection: Connection, id: str, kind: str, number: str, node: str, actor: str, at_us: int, now_us: int
) -> None:
    row = {"id": id, "kind": kind, "number": number, "node": node, "asked_by": actor}
    connection.execute(insert(duty_text).values(**row, asked_us=at_us, changed_us=now_us))
