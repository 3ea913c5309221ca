"""A flood of bad messages stays in a bound; what fitted nothing is applied once it does."""

from dataclasses import dataclass

import msgspec
import pytest
from sqlalchemy import func, select

from siaga_central.ingest import projection
from siaga_central.ingest.policy import Policy
from siaga_central.ingest.projection import Moment
from siaga_central.store import nodes, records
from siaga_central.store.schema import camera, quarantine, service_state, unapplied
from siaga_central.store.writer import Store
from siaga_core.wire.envelope import Record, Stamp
from siaga_core.wire.health import CAMERA_KIND, CameraState

MOMENT = Moment(5, lambda: "01M0000000000000000000000", Policy())


@dataclass(frozen=True)
class Kept:
    """A record as ingest keeps it, applied or not."""

    record: Record

    def commit(self, store: Store) -> None:
        def work(connection: object) -> None:
            key = (self.record.node, self.record.stream, self.record.epoch)
            records.keep(connection, key, [self.record], 1)  # type: ignore[arg-type]
            projection.commit(connection, self.record, "topic", MOMENT)  # type: ignore[arg-type]

        store.write(work)


def record(seq: int, kind: str, body: bytes, node: str = "node-1") -> Kept:
    at = Stamp(boot_seq=1, boot_id="b", boot_ns=1, wall_ns=1, clock="unknown")
    return Kept(
        Record(
            node=node,
            stream="cameras.urgent",
            epoch="e" * 16,
            seq=seq,
            kind=kind,
            at=at,
            body=msgspec.Raw(body),
        )
    )


def count(store: Store, table: object) -> int:
    with store.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())  # type: ignore[arg-type]


def test_ten_thousand_bad_messages_are_counted_and_a_thousand_kept(store: Store) -> None:
    def flood(connection: object) -> None:
        for number in range(10_000):
            records.refuse(connection, "t", b"%d" % number, "json", "no JSON", number)  # type: ignore[arg-type]
        records.refuse(connection, "t", b"rare", "fork", "a copy", 1)  # type: ignore[arg-type]

    store.write(flood)
    with store.read() as connection:
        assert records.refused(connection) == {"json": 10_000, "fork": 1}
        kept = records.last_refused(connection, 3)
    assert [row.payload for row in kept] == [b"rare", b"9999", b"9998"]
    assert count(store, quarantine) <= records.QUARANTINED_MOST + 51


@pytest.fixture
def store(store: Store) -> Store:
    """A hub that knows one node."""

    def work(connection: object) -> None:
        nodes.add_site(connection, "UJI", "Uji", "", "admin", 1)  # type: ignore[arg-type]
        nodes.add(connection, "node-1", "UJI", "Uji", "admin", 1)  # type: ignore[arg-type]

    store.write(work)
    return store


def test_a_camera_that_was_registered_later_gets_the_state_that_came_before(store: Store) -> None:
    body = msgspec.json.encode(CameraState(camera="cam-new", status="black"))
    record(1, CAMERA_KIND, body).commit(store)
    record(2, "weather", b'{"rain": true}').commit(store)
    assert count(store, unapplied) == 2
    assert store.write(lambda c: projection.replay(c, None, MOMENT)) == (0, 2)
    store.write(lambda c: nodes.add_camera(c, "cam-new", "node-1", "Gerbang", None, None, "admin", 2))
    assert store.write(lambda c: projection.replay(c, "another", MOMENT)) == (0, 0)
    assert store.write(lambda c: projection.replay(c, "node-1", MOMENT)) == (1, 1)
    assert store.write(lambda c: projection.replay(c, None, MOMENT)) == (0, 1)
    with store.read() as connection:
        status = connection.execute(select(camera.c.status).where(camera.c.id == "cam-new")).scalar_one()
    assert status == "black"


def test_an_alarm_is_settled_by_a_person_and_shows_again_when_it_happens_again(store: Store) -> None:
    store.write(lambda c: nodes.alarm(c, "node-1", "fork", "twice", 1))
    assert store.write(lambda c: nodes.settle(c, "node-1", "fork", "budi", 2))
    assert not store.write(lambda c: nodes.settle(c, "node-1", "fork", "budi", 3))
    with store.read() as connection:
        assert connection.execute(select(service_state.c.level)).scalar_one() == "ok"
    store.write(lambda c: nodes.alarm(c, "node-1", "fork", "twice", 4))
    with store.read() as connection:
        assert connection.execute(select(service_state.c.level)).scalar_one() == "crit"
