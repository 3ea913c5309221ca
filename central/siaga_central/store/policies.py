"""What the city has decided: versions that are only added, each with the moment from which it is in force."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, insert, select

from siaga_central.domain import hold
from siaga_central.store import events
from siaga_central.store.schema import policy
from siaga_core.errors import SiagaError
from siaga_core.wire.roster import SHIPPED, NodePolicy

HOLDS, NODES = "holds", "nodes"
_SUBJECTS = {HOLDS: "holds", NODES: "roster"}  # whose history a decision belongs to


class BadPolicy(SiagaError):
    """What was asked is no policy."""


def holds(connection: Connection, now_us: int) -> tuple[int, hold.Policy]:
    """(version, policy) of holds in force at `now_us`; version 0 is what ships."""
    row = _in_force(connection, HOLDS, now_us)
    if row is None:
        return 0, hold.POLICY
    return int(row.number), msgspec.json.decode(row.body, type=hold.Policy)


def set_holds(
    connection: Connection, values: dict[str, Any], valid_from_us: int, actor: str, now_us: int
) -> int:
    """Add a version: the one in force then, with `values` replaced; its number. Raises IllegalHold."""
    known = hold.Policy.__dataclass_fields__
    if unknown := sorted(set(values) - set(known)):
        raise hold.IllegalHold(f"no policy value: {', '.join(unknown)}; there are {', '.join(known)}")
    before = holds(connection, valid_from_us)[1]
    try:
        made = msgspec.convert(msgspec.to_builtins(before) | values, hold.Policy)
    except msgspec.ValidationError as error:
        raise hold.IllegalHold(str(error)) from error
    return _add(connection, HOLDS, hold.checked(made), values, valid_from_us, actor, now_us)


def nodes(connection: Connection, now_us: int) -> tuple[int, NodePolicy]:
    """(version, policy) of nodes that act by themselves; version 0 is what ships."""
    row = _in_force(connection, NODES, now_us)
    if row is None:
        return 0, SHIPPED
    return int(row.number), msgspec.json.decode(row.body, type=NodePolicy)


def set_nodes(connection: Connection, values: dict[str, Any], actor: str, now_us: int) -> int:
    """Add a version, in force at once: the present one with `values` replaced; its number.

    Raises BadPolicy.
    """
    known = NodePolicy.__struct_fields__
    if unknown := sorted(set(values) - set(known)):
        raise BadPolicy(f"no policy value: {', '.join(unknown)}; there are {', '.join(known)}")
    before = nodes(connection, now_us)[1]
    try:
        made = msgspec.convert(msgspec.to_builtins(before) | values, NodePolicy)
    except msgspec.ValidationError as error:
        raise BadPolicy(_why(error)) from error
    return _add(connection, NODES, made, values, now_us, actor, now_us)


def node_bounds() -> dict[str, tuple[int, int]]:
    """Least and most of each value of the nodes' policy."""
    found = msgspec.json.schema(NodePolicy)["$defs"]["NodePolicy"]["properties"]
    return {name: (int(one["minimum"]), int(one["maximum"])) for name, one in found.items()}


def versions(connection: Connection, name: str) -> Sequence[Row[Any]]:
    """Every version of a policy, newest first."""
    return connection.execute(
        select(policy).where(policy.c.name == name).order_by(policy.c.number.desc())
    ).all()


def _in_force(connection: Connection, name: str, at_us: int) -> Row[Any] | None:
    found = select(policy).where(policy.c.name == name, policy.c.valid_from_us <= at_us)
    newest = found.order_by(policy.c.valid_from_us.desc(), policy.c.number.desc()).limit(1)
    return connection.execute(newest).one_or_none()


def _add(
    connection: Connection,
    name: str,
    made: Any,
    values: dict[str, Any],
    valid_from_us: int,
    actor: str,
    now_us: int,
) -> int:
    row = {"name": name, "valid_from_us": valid_from_us, "body": msgspec.json.encode(made).decode()}
    result = connection.execute(insert(policy).values(**row, set_by=actor, set_us=now_us))
    number = int(result.inserted_primary_key[0])  # type: ignore[index]
    body = {"version": number, "valid_from_us": valid_from_us, "values": values}
    events.append(connection, now_us, "policy.set", _SUBJECTS[name], actor, body)
    return number


def _why(error: msgspec.ValidationError) -> str:
    """`away_after_s must be from 15 to 300` of a value out of bounds; else what msgspec says."""
    name = str(error).rpartition("$.")[2].strip("`")
    if name not in node_bounds():
        return str(error)
    least, most = node_bounds()[name]
    return f"{name} must be a whole number from {least} to {most}"
