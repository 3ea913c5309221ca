"""What the city has decided: versions that are only added, each with the moment from which it is in force."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, insert, select

from siaga_central.domain import hold
from siaga_central.domain import retention as kept
from siaga_central.store import events
from siaga_central.store.schema import policy
from siaga_core.errors import SiagaError
from siaga_core.wire.roster import SHIPPED, NodePolicy


class BadPolicy(SiagaError):
    """What was asked is no policy."""


@dataclass(frozen=True, slots=True)
class _Subject:
    """What ships, who says what nobody can mean, and whose history a decision belongs to."""

    ships: Any
    checked: Callable[[Any], Any]
    illegal: type[Exception]
    history: str


HOLDS, RETENTION, NODES = "holds", "retention", "nodes"
_SUBJECTS = {
    HOLDS: _Subject(hold.POLICY, hold.checked, hold.IllegalHold, "holds"),
    RETENTION: _Subject(kept.POLICY, kept.checked, kept.IllegalRetention, "retention"),
    NODES: _Subject(SHIPPED, lambda made: made, BadPolicy, "roster"),
}


def holds(connection: Connection, now_us: int) -> tuple[int, hold.Policy]:
    """(version, policy) of holds in force at `now_us`; version 0 is what ships."""
    return in_force(connection, HOLDS, now_us)


def retention(connection: Connection, now_us: int) -> tuple[int, kept.Policy]:
    """(version, policy) of what is erased when; version 0 is what ships."""
    return in_force(connection, RETENTION, now_us)


def nodes(connection: Connection, now_us: int) -> tuple[int, NodePolicy]:
    """(version, policy) of nodes that act by themselves; version 0 is what ships."""
    return in_force(connection, NODES, now_us)


def in_force(connection: Connection, name: str, now_us: int) -> tuple[int, Any]:
    """(version, policy) of a subject in force at `now_us`; version 0 is what ships."""
    ships = _SUBJECTS[name].ships
    row = connection.execute(
        select(policy)
        .where(policy.c.name == name, policy.c.valid_from_us <= now_us)
        .order_by(policy.c.valid_from_us.desc(), policy.c.number.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return 0, ships
    return int(row.number), msgspec.json.decode(row.body, type=type(ships))


def set_holds(
    connection: Connection, values: dict[str, Any], valid_from_us: int, actor: str, now_us: int
) -> int:
    """Add a version of what is decided about holds; its number. Raises IllegalHold."""
    return set_values(connection, HOLDS, values, valid_from_us, actor, now_us)


def set_nodes(connection: Connection, values: dict[str, Any], actor: str, now_us: int) -> int:
    """Add a version of what nodes do by themselves, in force at once; its number. Raises BadPolicy."""
    return set_values(connection, NODES, values, now_us, actor, now_us)


def set_values(
    connection: Connection, name: str, values: dict[str, Any], valid_from_us: int, actor: str, now_us: int
) -> int:
    """Add a version: the one in force then, with `values` replaced; its number.

    Raises the subject's error for values that nobody can mean.
    """
    subject = _SUBJECTS[name]
    before = msgspec.to_builtins(in_force(connection, name, valid_from_us)[1])
    if unknown := sorted(set(values) - set(before)):
        raise subject.illegal(f"no policy value: {', '.join(unknown)}; there are {', '.join(before)}")
    try:
        made = msgspec.convert(before | values, type(subject.ships))
    except msgspec.ValidationError as error:
        raise subject.illegal(_why(error)) from error
    made = subject.checked(made)
    row = {"name": name, "valid_from_us": valid_from_us, "body": msgspec.json.encode(made).decode()}
    result = connection.execute(insert(policy).values(**row, set_by=actor, set_us=now_us))
    number = int(result.inserted_primary_key[0])  # type: ignore[index]
    body = {"version": number, "valid_from_us": valid_from_us, "values": values}
    events.append(connection, now_us, "policy.set", subject.history, actor, body)
    return number


def node_bounds() -> dict[str, tuple[int, int]]:
    """Least and most of each value of the nodes' policy."""
    found = msgspec.json.schema(NodePolicy)["$defs"]["NodePolicy"]["properties"]
    return {name: (int(one["minimum"]), int(one["maximum"])) for name, one in found.items()}


def versions(connection: Connection, name: str) -> Sequence[Row[Any]]:
    """Every version of a policy, newest first."""
    return connection.execute(
        select(policy).where(policy.c.name == name).order_by(policy.c.number.desc())
    ).all()


def _why(error: msgspec.ValidationError) -> str:
    """`away_after_s must be from 15 to 300` of a value out of bounds; else what msgspec says."""
    name = str(error).rpartition("$.")[2].strip("`")
    if name not in node_bounds():
        return str(error)
    least, most = node_bounds()[name]
    return f"{name} must be a whole number from {least} to {most}"
