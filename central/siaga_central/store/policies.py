"""What the city has decided: versions that are only added, each with the moment from which it is in force."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, insert, select

from siaga_central.domain import hold
from siaga_central.store import events
from siaga_central.store.schema import policy

HOLDS = "holds"


def holds(connection: Connection, now_us: int) -> tuple[int, hold.Policy]:
    """(version, policy) of holds in force at `now_us`; version 0 is what ships."""
    row = connection.execute(
        select(policy)
        .where(policy.c.name == HOLDS, policy.c.valid_from_us <= now_us)
        .order_by(policy.c.valid_from_us.desc(), policy.c.number.desc())
        .limit(1)
    ).one_or_none()
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
    made = hold.checked(made)
    row = {"name": HOLDS, "valid_from_us": valid_from_us, "body": msgspec.json.encode(made).decode()}
    result = connection.execute(insert(policy).values(**row, set_by=actor, set_us=now_us))
    number = int(result.inserted_primary_key[0])  # type: ignore[index]
    body = {"version": number, "valid_from_us": valid_from_us, "values": values}
    events.append(connection, now_us, "policy.set", HOLDS, actor, body)
    return number


def versions(connection: Connection, name: str) -> Sequence[Row[Any]]:
    """Every version of a policy, newest first."""
    return connection.execute(
        select(policy).where(policy.c.name == name).order_by(policy.c.number.desc())
    ).all()
