"""Says to everybody at the hub when it does not reach its own broker: nothing comes in from nodes then."""

from collections.abc import Callable

from siaga_central.store import events, notices
from siaga_central.store.writer import Store
from siaga_core.service.clock import Clock
from siaga_core.service.workers import Heartbeat, Stop

EVERY_S = 1.0
# A broker that is started again is back sooner.
DOWN_AFTER_S = 10.0


class BusWatch:
    """The worker; `look` is one round. What it has said outlives a restart, as the newest of its events."""

    def __init__(self, store: Store, clock: Clock, connection: Callable[[], int]) -> None:
        """`connection` is 0 while the broker is away (bus/client)."""
        self._store, self._clock, self._connection = store, clock, connection
        self._up_mono_s = clock.mono_s()
        with store.read() as reader:
            self._said = notices.hub_notices(reader, clock.wall_ns() // 1000).bus_down_since_us is not None

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """Look every second until asked to stop."""
        while not stop.wait(EVERY_S):
            self.look()
            heartbeat.beat()

    def look(self) -> None:
        """Note when the broker has been away for long, and when it is back."""
        now_s, up = self._clock.mono_s(), self._connection() != 0
        if up:
            self._up_mono_s = now_s
        if up and self._said:
            self._tell("bus.up")
        elif not self._said and now_s - self._up_mono_s >= DOWN_AFTER_S:
            self._tell("bus.down")

    def _tell(self, kind: str) -> None:
        now_us = self._clock.wall_ns() // 1000
        self._store.write(lambda connection: events.append(connection, now_us, kind, "hub", "hub"))
        self._said = kind == "bus.down"
