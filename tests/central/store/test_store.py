"""What `write` has returned is safe; what failed undoes only itself; the log can only grow."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DatabaseError

from siaga_central.store import events
from siaga_central.store.schema import metadata
from siaga_central.store.writer import Store
from siaga_core.errors import SiagaError
from siaga_core.service.database import AlreadyOpen
from support.clock import FakeClock

CHILD = """
import sys
from siaga_central.store import events
from siaga_central.store.writer import Store
from siaga_core.service.clock import SystemClock
store = Store(sys.argv[1], SystemClock())
while True:
    number = store.write(lambda c: events.append(c, 1, "a", "b", "c"))
    print(number, flush=True)
"""


def test_what_write_returned_outlives_kill_nine(tmp_path: Path, clock: FakeClock) -> None:
    url = f"sqlite:///{tmp_path}/hub.db"
    said = 0
    for _ in range(4):
        with subprocess.Popen([sys.executable, "-c", CHILD, url], stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for _ in range(40):
                said = int(child.stdout.readline())
            child.send_signal(signal.SIGKILL)
            rest = child.stdout.read().split()
            said = int(rest[-1]) if rest else said
    store = Store(url, clock)
    with store.read() as connection:
        assert [row.seq for row in events.after(connection, 0, 10**6)][:said] == list(range(1, said + 1))
    store.close()


def test_a_second_hub_is_refused(store: Store, tmp_path: Path, clock: FakeClock) -> None:
    with pytest.raises(AlreadyOpen):
        Store(f"sqlite:///{tmp_path}/hub.db", clock)


def test_a_work_that_fails_undoes_only_itself(store: Store) -> None:
    def bad(connection: Connection) -> None:
        events.append(connection, 1, "bad", "x", "y")
        raise ZeroDivisionError

    before = store.submit(_good)
    failing = store.submit(bad)
    after = store.submit(_good)
    with pytest.raises(ZeroDivisionError):
        failing.result()
    assert after.result() == before.result() + 1
    with store.read() as connection:
        assert "bad" not in {row.kind for row in events.after(connection, 0, 100)}


@pytest.mark.sop("R04")
@pytest.mark.parametrize("deed", ["UPDATE event SET actor = 'nobody'", "DELETE FROM event"])
def test_the_event_log_can_only_grow(store: Store, deed: str) -> None:
    with pytest.raises(DatabaseError, match="append-only"):
        store.write(lambda connection: connection.execute(text(deed)))


def test_readers_cannot_write(store: Store) -> None:
    with pytest.raises(DatabaseError, match="readonly"), store.read() as connection:
        connection.execute(text("DELETE FROM site"))


def test_a_work_cannot_wait_for_another_one(store: Store) -> None:
    with pytest.raises(SiagaError, match="may not ask"):
        store.write(lambda _c: store.write(lambda _c: None))


def test_the_migrated_schema_is_the_schema(store: Store, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/hub.db")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_a_subscriber_hears_every_event_after_its_commit(store: Store) -> None:
    subscription = store.subscribe()
    numbers = [store.write(lambda c: events.append(c, 1, "a", "b", "c")) for _ in range(5)]
    heard: list[int] = []
    while len(heard) < 5:
        found = subscription.get(5)
        assert found, "nothing heard in 5 s"
        heard += found
    assert heard == numbers
    subscription.close()


def _good(connection: Connection) -> int:
    return events.append(connection, 1, "good", "x", "y")
