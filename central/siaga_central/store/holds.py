"""Footage that nodes are to keep, until somebody lets it go with a reason."""

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, insert, select, update

from siaga_central.domain import hold as life
from siaga_central.domain.hold import IllegalHold, Policy
from siaga_central.domain.nearest import Located, nearest
from siaga_central.store import coverage, events, nodes, policies, timings, wants
from siaga_central.store.schema import camera, event, hold, incident, report, service_state, site
from siaga_central.store.schema import node as node_table
from siaga_core.wire.recording import HOLDS_MOST, Hold, HoldState

HUB = "hub"
NOT_PLACED = "hold.not_placed"
# Of an incident younger than this the times of reports and the places of cameras may still become known.
# A hold that has to grow grows by this much more, so that not every report of a crowd makes it anew.
_SPARE_US = 120 * 1_000_000
_CONVERGE_US = 86_400 * 1_000_000
# Above this somebody should let go of what nobody needs, before nothing more can be held.
MANY = HOLDS_MOST * 8 // 10


def place(
    connection: Connection,
    id: str,
    camera_id: str,
    start_us: int,
    end_us: int,
    reason: str,
    actor: str,
    now_us: int,
    incident_id: str | None = None,
    cause: str = "hand",
) -> None:
    """Ask the camera's node to keep a span until it is released. Raises IllegalHold."""
    version, policy = policies.holds(connection, now_us)
    life.check_span(start_us, end_us, policy)
    life.check_reason(reason)
    node = _node_of(connection, camera_id)
    if node is None:
        raise IllegalHold(f"there is no camera {camera_id}")
    values = {"id": id, "camera": camera_id, "node": node, "incident": incident_id, "cause": cause}
    span = {"start_us": start_us, "end_us": end_us, "reason": reason}
    asked = {"asked_by": actor, "asked_us": now_us, "state": "asked", "policy_version": version}
    connection.execute(insert(hold).values(**values, **span, **asked))
    _wish(connection, node, actor, now_us)
    _tell(connection, id, "asked", actor, now_us, {**span, "cause": cause})


def for_incident(connection: Connection, incident_id: str, actor: str, now_us: int) -> list[str]:
    """Hold what the nearest cameras saw of an open incident; the cameras. Said again it changes nothing.

    One hold for each camera, which grows when reports move the span; what a person has let go of stays so.
    """
    row = connection.execute(select(incident).where(incident.c.id == incident_id)).one()
    _, policy = policies.holds(connection, now_us)
    radius_m = row.place_radius_m if row.latitude is not None and row.place_source else None
    if row.closed_us is not None or not life.wants(row.priority, radius_m, policy):
        return []
    chosen = _near(connection, row, policy)
    span = life.span(_moments(connection, row, policy), policy)
    mine = [one for one in of_incident(connection, incident_id) if one.cause == "incident"]
    for name in dict.fromkeys([*chosen, *(one.camera for one in mine)]):
        here = [one for one in mine if one.camera == name]
        if here and (here[-1].state != "released" or here[-1].released_by != HUB):
            _extend(connection, here[-1], span, actor, now_us, policy)
        elif name in chosen:
            made = _own_id(incident_id, name, len(here))
            _by_itself(connection, made, name, span, "nearest to the incident", actor, now_us, row.id)
    return chosen


def for_clip(
    connection: Connection,
    id: str,
    camera_id: str,
    span: tuple[int, int],
    reason: str,
    actor: str,
    now_us: int,
    incident_id: str | None,
) -> None:
    """Hold the span of a clip that is asked for, under the clip's own id, until `clip_settled` and policy."""
    _by_itself(connection, id, camera_id, span, reason, actor, now_us, incident_id, "clip")


def clip_settled(connection: Connection, id: str, now_us: int) -> None:
    """The clip is here, or will not come: its span may go after the policy's time."""
    _, policy = policies.holds(connection, now_us)
    mine = (hold.c.id == id) & (hold.c.cause == "clip") & (hold.c.state != "released")
    connection.execute(update(hold).where(mine).values(until_us=now_us + policy.kept_after_clip_us))


def release(connection: Connection, id: str, reason: str, actor: str, now_us: int) -> None:
    """Let go of footage; nobody does that silently. Raises IllegalHold."""
    life.check_reason(reason)
    row = find(connection, id)
    if row is None:
        raise IllegalHold(f"there is no hold {id}")
    if row.state == "released":
        return
    values = {"state": life.after(row.state, "release"), "released_by": actor, "released_us": now_us}
    connection.execute(update(hold).where(hold.c.id == id).values(**values, danger=""))
    _wish(connection, row.node, actor, now_us)
    _tell(connection, id, "released", actor, now_us, {"reason": reason})


def settle(connection: Connection, node: str, said: HoldState, now_us: int) -> bool:
    """What a node says became of a hold; False when the hold is not one of its own. A loss alarms."""
    row = find(connection, said.id)
    if row is None or row.node != node:
        return False
    word = said.state
    if word == "held" and not _accounts_for(said, row):
        return True  # of before the span grew, or of another: the confirmation is still to come
    state = life.after(row.state, word)
    text = msgspec.json.encode(said).decode()
    if (state, text) == (row.state, row.told) or row.state == "released":
        return True
    values = {"state": state, "told": text, "told_us": now_us}
    connection.execute(update(hold).where(hold.c.id == row.id).values(**values))
    if state != row.state:
        _tell(connection, row.id, state, f"node:{node}", now_us, msgspec.to_builtins(said))
    if state == "lost":
        nodes.alarm(
            connection, node, f"hold-{row.camera}"[:40], f"held footage of {row.camera} is lost", now_us
        )
    return True


def find(connection: Connection, id: str) -> Row[Any] | None:
    """One hold, or None."""
    return connection.execute(select(hold).where(hold.c.id == id)).one_or_none()


def of_incident(connection: Connection, incident_id: str) -> Sequence[Row[Any]]:
    """Holds of an incident, oldest first; released ones too."""
    found = select(hold).where(hold.c.incident == incident_id).order_by(hold.c.asked_us, hold.c.id)
    return connection.execute(found).all()


def of_camera(connection: Connection, camera_id: str) -> Sequence[Row[Any]]:
    """Holds of a camera that are not released, by the time of what they hold."""
    found = select(hold).where(hold.c.camera == camera_id, hold.c.state != "released")
    return connection.execute(found.order_by(hold.c.start_us, hold.c.id)).all()


def kept_of(connection: Connection, camera_id: str) -> list[tuple[int, int]]:
    """Spans of a camera that its node says it has and keeps, UTC nanoseconds; what is missing is left out."""
    found: list[tuple[int, int]] = []
    for row in of_camera(connection, camera_id):
        said = reported(row)
        if row.state == "held" and said is not None:
            reached_ns = said.start_wall_ns
            for begin_ns, end_ns in sorted(said.missing):
                if begin_ns > reached_ns:
                    found.append((reached_ns, min(begin_ns, said.end_wall_ns)))
                reached_ns = max(reached_ns, end_ns)
            if reached_ns < said.end_wall_ns:
                found.append((reached_ns, said.end_wall_ns))
    return found


def wanted(connection: Connection, node: str | None = None) -> Sequence[Row[Any]]:
    """Holds that are not released, of one node or of all, the most endangered first."""
    found = select(hold).where(hold.c.state.in_(life.WANTED)).order_by(hold.c.danger == "", hold.c.start_us)
    return connection.execute(found if node is None else found.where(hold.c.node == node)).all()


def reported(row: Row[Any]) -> HoldState | None:
    """What the node said last of a hold."""
    return msgspec.json.decode(row.told, type=HoldState) if row.told else None


def sweep(connection: Connection, now_us: int) -> int:
    """Say which unconfirmed holds retention comes near to, let go of what is over, hold what became known.

    Returns how many were changed.
    """
    changed = 0
    _, policy = policies.holds(connection, now_us)
    for row in wanted(connection):
        if (why := _is_over(connection, row, now_us, policy)) is not None:
            release(connection, row.id, why, HUB, now_us)
            changed += 1
            continue
        changed += _endanger(connection, row, now_us, policy)
    young = incident.c.opened_us > now_us - _CONVERGE_US
    still_open = select(incident.c.id).where(incident.c.closed_us.is_(None), young)
    for id in connection.execute(still_open.order_by(incident.c.opened_us)).scalars().all():
        for_incident(connection, str(id), HUB, now_us)
    return changed


def _endanger(connection: Connection, row: Row[Any], now_us: int, policy: Policy) -> int:
    confirmed = row.state in ("held", "lost") or (row.state == "waiting" and row.end_us > now_us)
    since_ns = None if confirmed else coverage.reached_ns(connection, row.camera, now_us)
    danger = life.danger(row.start_us, None if since_ns is None else since_ns // 1000, policy)
    if danger == row.danger:
        return 0
    connection.execute(update(hold).where(hold.c.id == row.id).values(danger=danger))
    if danger:
        _tell(connection, row.id, "endangered", HUB, now_us, {"level": danger})
        detail = f"{row.camera}: footage that is to be held is not confirmed and will soon be overwritten"
        nodes.alarm(connection, row.node, f"hold-{row.camera}"[:40], detail, now_us)
    return 1


def _is_over(connection: Connection, row: Row[Any], now_us: int, policy: Policy) -> str | None:
    """Why a hold ends by itself now; None: it does not."""
    if row.until_us is not None and now_us >= row.until_us:
        return "the clip is settled"
    if row.incident is None or row.cause == "clip":
        return None
    found = select(incident.c.state, incident.c.closed_us).where(incident.c.id == row.incident)
    its = connection.execute(found).one_or_none()
    if its is None:
        return None
    over_us = life.lets_go_us(row.cause, its.state, its.closed_us, policy)
    if over_us is None or now_us <= over_us:
        return None
    return f"its incident was {'closed long ago' if its.state == 'closed' else its.state}"


def _node_of(connection: Connection, camera_id: str) -> str | None:
    return connection.execute(select(camera.c.node).where(camera.c.id == camera_id)).scalar_one_or_none()


def _near(connection: Connection, row: Row[Any], policy: Policy) -> list[str]:
    """Cameras within the policy's reach and the place's own uncertainty, nearest first."""
    place_latitude = func.coalesce(camera.c.latitude, site.c.latitude)
    place_longitude = func.coalesce(camera.c.longitude, site.c.longitude)
    found = connection.execute(
        select(camera.c.id, place_latitude.label("latitude"), place_longitude.label("longitude"))
        .join(node_table, node_table.c.id == camera.c.node)
        .join(site, site.c.id == node_table.c.site)
        .where(node_table.c.state != "revoked")
    )
    located = [Located(one.id, one.latitude, one.longitude) for one in found]
    near = nearest(row.latitude, row.longitude, located, policy.cameras)
    reach_m = policy.within_m + (row.place_radius_m or 0.0)
    return [name for name, metres in near if metres is not None and metres <= reach_m]


def _moments(connection: Connection, row: Row[Any], policy: Policy) -> list[tuple[int, int]]:
    """When its reports were really made, as far as that is known; by hand and without: when it was opened."""
    found = select(report.c.id, report.c.received_us).where(report.c.incident == row.id)
    reports = connection.execute(found).all()
    made = timings.of_report(connection, [one.id for one in reports])
    moments = []
    for one in reports:
        at = made.get(one.id)
        certain = at is not None and (at.high_ns - at.low_ns) // 1000 <= policy.longest_us // 4
        moments.append((at.low_ns // 1000, at.high_ns // 1000) if at and certain else (one.received_us,) * 2)
    return moments or [(row.opened_us, row.opened_us)]


def _own_id(incident_id: str, camera_id: str, number: int) -> str:
    """A hold's id that follows from what it is for: placed twice it is still one."""
    told = hashlib.sha256(f"{incident_id}\0{camera_id}\0{number}".encode())
    return f"i{told.hexdigest()[:25]}"


def _by_itself(
    connection: Connection,
    id: str,
    camera_id: str,
    span: tuple[int, int],
    reason: str,
    actor: str,
    now_us: int,
    incident_id: str | None,
    cause: str = "incident",
) -> None:
    """Place a hold that nobody asked for as such; without room it is not placed, and that is said."""
    node = _node_of(connection, camera_id)
    if node is not None and _has_room(connection, node, now_us):
        place(connection, id, camera_id, *span, reason, actor, now_us, incident_id, cause)
        return
    subject, body = incident_id or id, {"camera": camera_id, "cause": cause}
    said = select(func.count()).select_from(event)
    same = (event.c.subject == subject) & (event.c.kind == NOT_PLACED)
    if not connection.execute(said.where(same, event.c.body.contains(f'"{camera_id}"'))).scalar_one():
        events.append(connection, now_us, NOT_PLACED, subject, HUB, body)
        events.append(connection, now_us, "camera.hold_not_placed", camera_id, HUB, {"incident": incident_id})
        if node is not None:
            detail = f"{camera_id}: not held by itself, the budget of held footage is used up"
            nodes.alarm(connection, node, "holds", detail, now_us)


def _has_room(connection: Connection, node: str, now_us: int) -> bool:
    """Whether the node may be asked for more without a person: by number, and by what it says of its disk."""
    _, policy = policies.holds(connection, now_us)
    if len(wanted(connection, node)) >= HOLDS_MOST * policy.by_itself_percent // 100:
        return False
    mine = (service_state.c.node == node) & (service_state.c.code == "footage.held")
    level = connection.execute(select(service_state.c.level).where(mine)).scalar_one_or_none()
    return level != "crit"


def _extend(
    connection: Connection, row: Row[Any], span: tuple[int, int], actor: str, now_us: int, policy: Policy
) -> None:
    old = (row.start_us, row.end_us)
    early_us = span[0] - _SPARE_US if span[0] < row.start_us else span[0]
    late_us = span[1] + _SPARE_US if span[1] > row.end_us else span[1]
    start_us, end_us = life.widened(old, (early_us, late_us), policy)
    if row.state == "released" or (start_us, end_us) == old:
        return
    values = {"start_us": start_us, "end_us": end_us, "state": life.after(row.state, "extend")}
    connection.execute(update(hold).where(hold.c.id == row.id).values(**values))
    _wish(connection, row.node, actor, now_us)
    _tell(connection, row.id, "extended", actor, now_us, {"start_us": start_us, "end_us": end_us})


def _accounts_for(said: HoldState, row: Row[Any]) -> bool:
    kept = (said.start_wall_ns // 1000, said.end_wall_ns // 1000)
    missing = [(begin // 1000, end // 1000) for begin, end in said.missing]
    return life.accounts_for(row.start_us, row.end_us, kept, missing)


def _wish(connection: Connection, node: str, actor: str, now_us: int) -> None:
    """Make the node's desired state what is held now. Raises IllegalHold when it would be too much."""
    rows = sorted(wanted(connection, node), key=lambda row: str(row.id))
    if len(rows) > HOLDS_MOST:
        raise IllegalHold(f"{node} has {HOLDS_MOST} holds; release some that nobody needs any more")
    if len(rows) == MANY:
        nodes.alarm(connection, node, "holds", f"{MANY} of at most {HOLDS_MOST} holds are in use", now_us)
    holds = [
        Hold(id=row.id, camera=row.camera, start_wall_ns=row.start_us * 1000, end_wall_ns=row.end_us * 1000)
        for row in rows
    ]
    body = {"holds": [msgspec.to_builtins(one) for one in holds]}
    wants.wish(connection, node, "recorder", "holds", body, actor, now_us)


def _tell(
    connection: Connection, id: str, what: str, actor: str, now_us: int, details: dict[str, Any]
) -> None:
    """Write it into the incident's log, or the hold's own, and into the camera's (SOP R03)."""
    row = find(connection, id)
    assert row is not None
    body = {"hold": id, "camera": row.camera, **details}
    events.append(connection, now_us, f"hold.{what}", row.incident or id, actor, body)
    events.append(connection, now_us, f"camera.hold_{what}", row.camera, actor, body)
