"""The one writer of the hub's database: works from any thread, committed in groups, announced afterwards."""

import contextlib
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, func, make_url, select

from siaga_central.store import dialect
from siaga_central.store.migrate import migrate
from siaga_central.store.schema import event
from siaga_core.errors import SiagaError, Transient
from siaga_core.service.clock import Clock
from siaga_core.service.database import WriterLock

log = logging.getLogger(__name__)
T = TypeVar("T")

# Works that share one fsync; a larger group only makes the first of them wait longer.
GROUP_MOST = 256
SUBSCRIPTION_MOST = 10_000


class StoreClosed(SiagaError, Transient):
    """The hub is stopping."""


class Subscription:
    """Numbers of committed events, in order. Bounded: who falls behind gets the newest number alone."""

    def __init__(self, forget: Callable[["Subscription"], None]) -> None:
        self._ready = threading.Condition()
        self._numbers: list[int] = []
        self._forget = forget

    def get(self, timeout_s: float) -> list[int]:
        """Numbers committed since the last call; empty after `timeout_s` without any."""
        with self._ready:
            if not self._numbers:
                self._ready.wait(timeout_s)
            numbers, self._numbers = self._numbers, []
            return numbers

    def put(self, numbers: list[int]) -> None:
        """Called by the writer after a commit."""
        with self._ready:
            self._numbers += numbers
            if len(self._numbers) > SUBSCRIPTION_MOST:
                del self._numbers[:-1]
            self._ready.notify_all()

    def close(self) -> None:
        """Hear no more."""
        self._forget(self)


@dataclass(frozen=True, slots=True)
class _Work:
    """Something for the writer thread; `alone` if between commits, with the driver's own connection."""

    deed: Callable[[Any], Any]
    future: "Future[Any]"
    alone: bool = False


class Store:
    """The hub's database. `write` returns after the commit: what it did outlives a power cut."""

    def __init__(self, url: str, clock: Clock) -> None:
        """Open, lock and migrate. Raises AlreadyOpen when another hub writes this file."""
        self.clock = clock
        self._lock = self._take_lock(url)
        self._engine = dialect.writer_engine(url)
        migrate(self._engine)
        self._readers = dialect.reader_engine(url)
        self._works: queue.Queue[_Work | None] = queue.Queue()
        self._subscriptions: list[Subscription] = []
        self._subscribing = threading.Lock()
        with self._engine.begin() as connection:
            self._last_seq = int(connection.execute(select(func.max(event.c.seq))).scalar() or 0)
        self._thread = threading.Thread(target=self._serve, name="store-writer", daemon=True)
        self._thread.start()

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on the writer thread in a savepoint of its own; return its result after the COMMIT.

        What `work` raises is raised here and undoes only that work.
        """
        return self.submit(work).result()

    def submit(self, work: Callable[[Connection], T]) -> "Future[T]":
        """Like `write`, without waiting."""
        if threading.current_thread() is self._thread:
            raise SiagaError("a work may not ask for another write; call the function with its connection")
        if not self._thread.is_alive():
            raise StoreClosed("the hub is stopping; nothing was written")
        future: Future[T] = Future()
        self._works.put(_Work(work, future))
        return future

    def pause(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on the writer thread between two commits, outside any transaction; its result.

        For the backup: nothing is being written meanwhile. Raises StoreClosed, and SiagaError for a database
        other than SQLite.
        """
        future: Future[T] = Future()
        if not self._thread.is_alive():
            raise StoreClosed("the hub is stopping; nothing was read")
        self._works.put(_Work(work, future, alone=True))
        return future.result()

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A read-only connection that sees one moment."""
        with self._readers.begin() as connection:
            yield connection

    def subscribe(self) -> Subscription:
        """Hear of every event committed from now on."""
        subscription = Subscription(self._unsubscribe)
        with self._subscribing:
            self._subscriptions.append(subscription)
        return subscription

    def close(self) -> None:
        """Finish what was asked, then close."""
        self._works.put(None)
        self._thread.join()
        self._readers.dispose()
        self._engine.dispose()
        if self._lock is not None:
            self._lock.release()

    def _unsubscribe(self, subscription: Subscription) -> None:
        with self._subscribing, contextlib.suppress(ValueError):
            self._subscriptions.remove(subscription)

    @staticmethod
    def _take_lock(url: str) -> WriterLock | None:
        if not dialect.is_sqlite(url):
            return None
        path = Path(make_url(url).database or "")
        path.parent.mkdir(parents=True, exist_ok=True)
        return WriterLock(path)

    def _serve(self) -> None:
        following: _Work | None = None
        while True:
            first = following or self._works.get()
            following = None
            if first is None:
                return
            if first.alone:
                self._alone(first)
                continue
            group, ends = [first], False
            # Whatever came while the last group was synced goes into this one.
            while len(group) < GROUP_MOST and not self._works.empty():
                entry = self._works.get_nowait()
                if entry is None or entry.alone:
                    following, ends = entry, entry is None
                    break
                group.append(entry)
            self._commit([(entry.deed, entry.future) for entry in group])
            if ends:
                return

    def _alone(self, work: "_Work") -> None:
        try:
            pooled = self._engine.raw_connection()
            work.future.set_result(work.deed(dialect.driver_connection(pooled)))
        except Exception as error:  # noqa: BLE001 - handed to whoever asked
            work.future.set_exception(error)

    def _commit(self, works: list[tuple[Callable[[Connection], Any], Future[Any]]]) -> None:
        answers: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            with self._engine.begin() as connection:
                for work, future in works:
                    answers.append((future, *_attempt(connection, work)))
                numbers = self._new_numbers(connection)
        except Exception as error:
            log.exception("commit failed works=%d", len(works))
            for _, future in works:
                future.set_exception(error)
            return
        if numbers:
            self._last_seq = numbers[-1]
            with self._subscribing:
                subscriptions = list(self._subscriptions)
            for subscription in subscriptions:
                subscription.put(numbers)
        for future, result, failure in answers:
            if failure is None:
                future.set_result(result)
            else:
                future.set_exception(failure)

    def _new_numbers(self, connection: Connection) -> list[int]:
        found = select(event.c.seq).where(event.c.seq > self._last_seq).order_by(event.c.seq)
        return [int(row[0]) for row in connection.execute(found)]


def _attempt(connection: Connection, work: Callable[[Connection], Any]) -> tuple[Any, BaseException | None]:
    try:
        with connection.begin_nested():
            return work(connection), None
    except Exception as error:  # noqa: BLE001 - handed to whoever asked for this work
        return None, error
