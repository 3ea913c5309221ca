"""What the city has decided: versions that are only added, each with the moment from which it is in force."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, insert, select

from siaga_central.domain import hold
from siaga_central.domain import retention as kept
from siaga_central.store import events
from siaga_central.store.schema import policy

HOLDS, RETENTION = "holds", "retention"
# What ships, and who says what nobody can mean.
_SUBJECTS: dict[str, tuple[Any, Callable[[Any], Any], type[ValueError]]] = {
    HOLDS: (hold.POLICY, hold.checked, hold.IllegalHold),
    RETENTION: (kept.POLICY, kept.checked, kept.IllegalRetention),
}


def holds(connection: Connection, now_us: int) -> tuple[int, hold.Policy]:
    """(version, policy) of holds in force at `now_us`; version 0 is what ships."""
    return in_force(connection, HOLDS, now_us)


def retention(connection: Connection, now_us: int) -> tuple[int, kept.Policy]:
    """(version, policy) of what is erased when; version 0 is what ships."""
    return in_force(connection, RETENTION, now_us)


def in_force(connection: Connection, name: str, now_us: int) -> tuple[int, Any]:
    """(version, policy) of a subject in force at `now_us`; version 0 is what ships."""
    ships = _SUBJECTS[name][0]
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


def set_values(
    connection: Connection, name: str, values: dict[str, Any], valid_from_us: int, actor: str, now_us: int
) -> int:
    """Add a version: the one in force then, with `values` replaced; its number.

    Raises the subject's error (a ValueError) for values that nobody can mean.
    """
    ships, checked, illegal = _SUBJECTS[name]
    known = type(ships).__dataclass_fields__
    if unknown := sorted(set(values) - set(known)):
        raise illegal(f"no policy value: {', '.join(unknown)}; there are {', '.join(known)}")
    before = in_force(connection, name, valid_from_us)[1]
    try:
        made = msgspec.convert(msgspec.to_builtins(before) | values, type(ships))
    except msgspec.ValidationError as error:
        raise illegal(str(error)) from error
    made = checked(made)
    row = {"name": name, "valid_from_us": valid_from_us, "body": msgspec.json.encode(made).decode()}
    result = connection.execute(insert(policy).values(**row, set_by=actor, set_us=now_us))
    number = int(result.inserted_primary_key[0])  # type: ignore[index]
    body = {"version": number, "valid_from_us": valid_from_us, "values": values}
    events.append(connection, now_us, "policy.set", name, actor, body)
    return number


def versions(connection: Connection, name: str) -> Sequence[Row[Any]]:
    """Every version of a policy, newest first."""
    return connection.execute(
        select(policy).where(policy.c.name == name).order_by(policy.c.number.desc())
    ).all()
