"""Orders about footage on nodes: a grant to copy a span by hand, and the heads to verify footage by."""

import base64
from datetime import UTC, datetime

import msgspec

from siaga_central.authority.voice import Voice
from siaga_central.cli.ledger import ADMIN, Answer, Office, Refused
from siaga_central.domain.role import Permission, allows
from siaga_central.store import camera_log, coverage, generations, nodes, users
from siaga_core.service.clock import new_id
from siaga_core.wib import instant_ns, shown, span_ns
from siaga_core.wire import topics
from siaga_core.wire.envelope import encode
from siaga_core.wire.grant import LASTS_MOST_S, USES_MOST, Grant, GrantFile
from siaga_core.wire.ids import NodeId

HOURS = 24.0


def grant(
    office: Office,
    camera: str,
    start: str,
    end: str,
    by: str,
    reason: str,
    uses: int = 1,
    hours: float = HOURS,
) -> Answer:
    """Let a span of a camera be copied at its node; `file` is what the technician carries there."""
    _check_grantor(office, by)
    if not reason.strip():
        raise Refused("say why: --reason; it is on record here and at the node")
    if not 1 <= uses <= USES_MOST or not 0 < hours * 3600 <= LASTS_MOST_S:
        raise Refused(f"at most {USES_MOST} uses and {LASTS_MOST_S // 86_400} days")
    now_ns = office.clock.wall_ns()
    span = span_ns(start, end, now_ns)
    with office.store.read() as connection:
        node = camera_log.node_of(connection, camera)
    if node is None:
        raise Refused(f"there is no camera {camera}; see the console's page Perangkat")
    now_ms = now_ns // 1_000_000
    made = Grant(
        id=new_id(office.clock),
        node=node,
        camera=camera,
        start_wall_ns=span[0],
        end_wall_ns=span[1],
        issued_ms=now_ms,
        expires_ms=now_ms + int(hours * 3_600_000),
        by=by,
        reason=reason.strip(),
        uses=uses,
    )
    voice = _voice(office)
    sealed = voice.seal(topics.grant(NodeId(made.node)), encode(made))
    file = GrantFile(announcement=voice.announcement(), grant=sealed)
    office.store.write(lambda c: camera_log.granted(c, made, ADMIN, office.now_us()))
    return {
        "grant": made.id,
        "node": made.node,
        "camera": camera,
        "from": shown(span[0]),
        "to": shown(span[1]),
        "expires": shown(made.expires_ms * 1_000_000),
        "uses": uses,
        "file": msgspec.json.encode(file).decode(),
    }


def heads(office: Office, node: str, at: str = "", limit: int = 0) -> Answer:
    """What a node has told of its chains, newest first; `sealed` is what `footage verify --heads` takes."""
    with office.store.read() as connection:
        if nodes.find(connection, node) is None:
            raise Refused(f"there is no node {node}")
        told = coverage.told(connection, node)
    sealed = _voice(office).seal(topics.heads(NodeId(node)), encode(told))
    newest = list(reversed(told.heads))
    if at:
        until_ms = instant_ns(at, office.clock.wall_ns()) // 1_000_000
        newest = [one for one in newest if one.received_ms <= until_ms]
    return {
        "node": node,
        "heads": [
            {
                "links": one.links,
                "head": one.head.hex(),
                "disk": one.chain,
                "received": shown(one.received_ms * 1_000_000),
            }
            for one in newest[: limit or None]
        ],
        "sealed": base64.b64encode(sealed).decode(),
    }


def _voice(office: Office) -> Voice:
    with office.store.read() as connection:
        present = generations.present(connection)
    if present is None:
        raise Refused("this hub has never run, so no node can know its seal; start it once")
    return Voice(office.authority, *present, datetime.fromtimestamp(office.now_us() / 1e6, UTC))


def _check_grantor(office: Office, name: str) -> None:
    with office.store.read() as connection:
        row = users.find(connection, name)
    if row is None or row.disabled:
        raise Refused(f"there is no account {name} that could answer for this")
    if not allows(row.role, Permission.GRANT_COPIES):
        raise Refused(f"{name} is {row.role}; a supervisor or deputy answers for footage that is copied")
