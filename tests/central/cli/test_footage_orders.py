"""Grants and heads: who may grant, what is on record, and that a seal opens with the hub's root alone."""

import base64
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from siaga_central.authority.authority import Authority
from siaga_central.cli.ledger import Answer, Office, Refused
from siaga_central.cli.orders import carry_out
from siaga_central.hub import Base, HubConfig
from siaga_central.ingest import projection
from siaga_central.ingest.policy import Policy
from siaga_central.ingest.projection import Moment
from siaga_central.store import events, generations, nodes, users
from siaga_central.store.schema import chain_head, service_state
from siaga_central.store.writer import Store
from siaga_core.service.signing import opened, public_key, signing_certificate
from siaga_core.wib import BadTime
from siaga_core.wire import topics
from siaga_core.wire.announcement import decode_announcement
from siaga_core.wire.envelope import BadRecord, Record
from siaga_core.wire.grant import USE_KIND, Grant, GrantUse, decode_file, decode_grant
from siaga_core.wire.ids import NodeId
from siaga_core.wire.recording import HOLD_KIND, HeadsTold, HoldState
from support.clock import FakeClock
from support.sealing import NodeVoice

NODE = NodeId("btm-017")
VOICE = NodeVoice("btm-017")
S = 10**9


class Desk:
    """An office with a node, a camera, a supervisor and an operator."""

    def __init__(self, folder: Path, store: Store, clock: FakeClock, authority: Authority) -> None:
        config = HubConfig(hub=Base(data_dir=folder / "data"))
        self.store, self.clock, self.authority = store, clock, authority
        self._office = Office(config, store, authority, clock, lambda: None)

        def furnish(c: Any) -> None:
            generations.begin(c, "life-one", 1, "made")
            nodes.add_camera(c, "gate", NODE, "Gerbang", None, None, "admin", 1)
            users.add(c, "sari", "Sari", "supervisor", "-", "admin", 1)
            users.add(c, "rina", "Rina", "operator", "-", "admin", 1)

        store.write(furnish)

    def order(self, order: str, **keys: object) -> Answer:
        return carry_out(self._office, order, keys)

    def grant(self, **more: object) -> Answer:
        start = datetime.fromtimestamp(self.clock.wall_ns() / 1e9 - 3600, UTC).isoformat()
        end = datetime.fromtimestamp(self.clock.wall_ns() / 1e9 - 3000, UTC).isoformat()
        keys = {"camera": "gate", "start": start, "end": end, "by": "sari", "reason": "surat 12"} | more
        return self.order("footage grant", **keys)

    def say(self, kind: str, body: msgspec.Struct, seq: int = 1) -> projection.Misfit | None:
        record: Record = VOICE.record("recorder.urgent", seq, body, kind)
        moment = Moment(self._office.now_us(), lambda: "x", Policy())
        return self.store.write(lambda c: projection.attempt(c, record, moment))

    def log(self, subject: str = "gate") -> list[tuple[str, str]]:
        with self.store.read() as connection:
            found = [(row.kind, row.actor) for row in events.of(connection, subject)]
        return [one for one in found if one[0] != "camera.added"]

    def alarms(self) -> list[str]:
        with self.store.read() as connection:
            return [row.code for row in connection.execute(service_state.select()) if row.level == "crit"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("authority"), "Uji", datetime.now(UTC))


@pytest.fixture
def desk(tmp_path: Path, store: Store, clock: FakeClock, authority: Authority) -> Desk:
    return Desk(tmp_path, store, clock, authority)


def _opened(desk: Desk, file: str, topic: str = topics.grant(NODE)) -> Grant:
    carried = decode_file(file.encode())
    return decode_grant(_message(desk, carried.announcement, carried.grant, topic))


def _message(desk: Desk, announcement: bytes, sealed: bytes, topic: str) -> bytes:
    """What stands in a seal, checked as a node does: from the root alone."""
    most = 1 << 20
    from siaga_core.wire import seal

    said = decode_announcement(seal.expand(seal.unpack(announcement, most), most))
    root_pem = desk.authority.ca_file.read_bytes()
    key = public_key(signing_certificate(said.chain_pem.encode(), root_pem))
    return opened(topic, sealed, lambda _id: key, most_bytes=most, inflated_most_bytes=most)


@pytest.mark.sop("R03", "R26", "R28")
def test_a_grant_names_node_camera_span_reason_expiry_and_who_and_is_on_record(desk: Desk) -> None:
    made = desk.grant()
    grant = _opened(desk, made["file"])
    now_ms = desk.clock.wall_ns() // 1_000_000
    assert (grant.node, grant.camera, grant.uses) == (NODE, "gate", 1)
    assert (grant.by, grant.reason) == ("sari", "surat 12")
    assert grant.end_wall_ns - grant.start_wall_ns == 600 * S
    assert grant.expires_ms - now_ms == 24 * 3_600_000
    assert desk.log() == [("camera.footage_granted", "admin")]
    assert desk.log(made["grant"]) == [("footage.granted", "admin")]
    with pytest.raises(BadRecord, match="signature"):
        _opened(desk, made["file"], topics.grant(NodeId("btm-018")))


@pytest.mark.sop("R16", "R26")
@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"by": "rina"}, "supervisor or deputy"),
        ({"by": "nobody"}, "no account"),
        ({"reason": "  "}, "say why"),
        ({"camera": "gaet"}, "no camera"),
        ({"uses": 0}, "uses"),
        ({"uses": 11}, "uses"),
        ({"hours": 24 * 15.0}, "days"),
        ({"hours": 0.0}, "days"),
    ],
)
def test_what_may_not_be_granted_is_refused_and_leaves_nothing(
    desk: Desk, keys: dict[str, object], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        desk.grant(**keys)
    with pytest.raises(BadTime):
        desk.grant(end="tomorrow")
    assert desk.log() == []


def _use(grant: str, state: str, **more: Any) -> GrantUse:
    start = more.pop("start_wall_ns", 1_795_000_000 * S - 3600 * S)
    keys = {"camera": "gate", "use": "u1", "who": "teknisi", "by": "sari"} | more
    return GrantUse(grant=grant, state=state, start_wall_ns=start, end_wall_ns=start + 60 * S, **keys)  # type: ignore[arg-type]


@pytest.mark.sop("R03")
def test_each_use_at_the_node_is_in_the_cameras_log(desk: Desk) -> None:
    grant = desk.grant()["grant"]
    assert desk.say(USE_KIND, _use(grant, "begun")) is None
    assert desk.say(USE_KIND, _use(grant, "done", sha256="ab", size_bytes=7)) is None
    assert desk.say(USE_KIND, _use("", "refused", detail="expired")) is None
    kinds = [kind for kind, actor in desk.log() if actor == "node:btm-017"]
    assert kinds == ["camera.footage_begun", "camera.footage_done", "camera.footage_refused"]
    assert desk.alarms() == []
    assert desk.say(USE_KIND, _use(grant, "begun", camera="yard")) is not None


@pytest.mark.parametrize(
    ("uses", "change"),
    [
        (2, {}),
        (1, {"grant": "01M85AB0C1D2E3F4G5H6J7K8ZZ"}),
        (1, {"start_wall_ns": 1_795_000_000 * S - 9000 * S}),
    ],
)
def test_a_use_that_no_grant_allows_alarms(desk: Desk, uses: int, change: dict[str, Any]) -> None:
    grant = desk.grant()["grant"]
    for _ in range(uses):
        assert desk.alarms() == []
        desk.say(USE_KIND, _use(**({"grant": grant, "state": "begun"} | change)))
    assert desk.alarms() == ["footage-grant"]


@pytest.mark.sop("R03")
def test_a_hold_made_at_the_node_is_in_the_cameras_log_with_who_and_why(desk: Desk) -> None:
    held = HoldState(id="local-1a2b", state="held", camera="gate", note="teknisi: banjir", size_bytes=9)
    assert desk.say(HOLD_KIND, held) is None
    assert desk.log() == [("camera.hold_at_node_held", "node:btm-017")]
    assert desk.say(HOLD_KIND, HoldState(id="local-1a2b", state="held", camera="yard")) is not None


def test_heads_are_told_for_paper_and_sealed_for_a_node(desk: Desk) -> None:
    rows = [
        {"node": NODE, "chain": "ab" * 8, "links": n, "head": f"{n:02x}" * 32, "received_us": n * 60_000_000}
        for n in range(1, 6)
    ]
    desk.store.write(lambda c: c.execute(chain_head.insert(), rows))
    made = desk.order("footage heads", node=NODE, limit=2)
    assert [(one["links"], one["head"]) for one in made["heads"]] == [(5, "05" * 32), (4, "04" * 32)]
    announcement = decode_file(desk.grant()["file"].encode()).announcement
    sealed = base64.b64decode(made["sealed"])
    told = msgspec.json.decode(_message(desk, announcement, sealed, topics.heads(NODE)), type=HeadsTold)
    assert [one.links for one in told.heads] == [1, 2, 3, 4, 5]
    early = desk.order("footage heads", node=NODE, at="1970-01-01T00:03:00Z")
    assert [one["links"] for one in early["heads"]] == [3, 2, 1]
    with pytest.raises(Refused, match="no node"):
        desk.order("footage heads", node="btm-099")
