"""Pushes committed events to open pages: one reader of the store, each row rendered once per language."""

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool

from siaga_central.console import rows
from siaga_central.console.context import Console
from siaga_central.console.wording import LANGUAGES
from siaga_central.store import views

log = logging.getLogger(__name__)

HEARTBEAT_S = 3.0
# A page further behind than this loads itself anew instead.
REPLAY_LIMIT = 2000
_QUEUE_LIMIT = 256
_POLL_S = 0.5


@dataclass(eq=False)
class _Listener:
    language: str
    lanes: frozenset[str]
    loop: asyncio.AbstractEventLoop
    queue: asyncio.Queue[str | None] = field(default_factory=lambda: asyncio.Queue(_QUEUE_LIMIT))

    def put(self, message: str | None) -> None:
        """Called in the loop. A listener that does not keep up is dropped and comes back by replay."""
        if self.queue.full():
            while not self.queue.empty():
                self.queue.get_nowait()
            message = None
        self.queue.put_nowait(message)


class Stream:
    """Fans events out. Events are never dropped: a slow page is, and resumes from its last number."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._listeners: set[_Listener] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def listening(self) -> int:
        """How many streams are open now; tabs of one session share one."""
        with self._lock:
            return len(self._listeners)

    def start(self) -> None:
        """Begin to follow the store."""
        self._thread = threading.Thread(target=self._follow, name="console-stream", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End every open stream and stop following."""
        self._stopping.set()
        self._send_all(lambda _listener: None)
        if self._thread is not None:
            self._thread.join(5)

    async def listen(self, language: str, lanes: frozenset[str], after: int) -> AsyncIterator[str]:
        """Server-sent events after event `after`, then live ones; ends when the page must come again."""
        listener = _Listener(language, lanes, asyncio.get_running_loop())
        with self._lock:
            self._listeners.add(listener)
        try:
            yield "retry: 1000\n\n"
            async for message in self._replay(language, lanes, after):
                yield message
            while not self._stopping.is_set():
                try:
                    live = await _next(listener.queue)
                except TimeoutError:
                    yield self._beat()
                    continue
                if live is None:
                    return
                yield live
        finally:
            with self._lock:
                self._listeners.discard(listener)

    async def _replay(self, language: str, lanes: frozenset[str], after: int) -> AsyncIterator[str]:
        missed, packets = await run_in_threadpool(self._missed, language, lanes, after)
        if missed > REPLAY_LIMIT:
            yield "event: reset\ndata: {}\n\n"
        for packet in packets:
            yield packet
        yield self._beat()

    def _missed(self, language: str, lanes: frozenset[str], after: int) -> tuple[int, list[str]]:
        with self._console.store.read() as connection:
            events = views.events_after(connection, after, REPLAY_LIMIT + 1)
        if not events or len(events) > REPLAY_LIMIT:
            return len(events), []
        packet = rows.packet(self._console, events[-1].seq, [event.subject for event in events], (language,))
        return len(events), [_message(packet[language].only(lanes))]

    def _follow(self) -> None:
        subscription = self._console.store.subscribe()
        with self._console.store.read() as connection:
            done = views.last_seq(connection)
        try:
            while not self._stopping.is_set():
                if subscription.get(_POLL_S):
                    done = self._tell(done)
        finally:
            subscription.close()

    def _tell(self, done: int) -> int:
        try:
            with self._console.store.read() as connection:
                events = views.events_after(connection, done, REPLAY_LIMIT)
            if not events:
                return done
            with self._lock:
                wanted = sorted({listener.language for listener in self._listeners} & set(LANGUAGES))
            packets = rows.packet(self._console, events[-1].seq, [event.subject for event in events], wanted)
            self._send_all(lambda listener: _packet_for(packets, listener))
        except Exception:
            # Pages must not stay silent: they are sent away and come back by replay.
            log.exception("live rows could not be made after event %d", done)
            self._send_all(lambda _listener: None)
            return done
        return int(events[-1].seq)

    def _send_all(self, make: "rows.Maker[_Listener]") -> None:
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            message = make(listener)
            # A loop that has just closed has no pages left to tell.
            if not listener.loop.is_closed():
                listener.loop.call_soon_threadsafe(listener.put, message)

    def _beat(self) -> str:
        return f'event: beat\ndata: {{"now_ms": {self._console.now_us() // 1000}}}\n\n'


async def _next(queue: "asyncio.Queue[str | None]") -> str | None:
    async with asyncio.timeout(HEARTBEAT_S):
        return await queue.get()


def _packet_for(packets: dict[str, "rows.Packet"], listener: _Listener) -> str | None:
    packet = packets.get(listener.language)
    # A page that joined between the two looks at the listeners misses this packet: it replays.
    return None if packet is None else _message(packet.only(listener.lanes))


def _message(packet: "rows.Packet") -> str:
    return f"id: {packet.seq}\nevent: rows\ndata: {json.dumps(packet.body(), separators=(',', ':'))}\n\n"
