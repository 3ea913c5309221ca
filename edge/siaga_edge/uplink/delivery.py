"""What goes up next, and what an acknowledgement moves. Pure: `now_s` is the caller's monotonic time."""

from collections import deque
from dataclasses import dataclass, field

# The hub acknowledges within its own commit; after this silence the window is sent again from mark+1.
RESEND_AFTER_S = 3.0
# A hub that stays silent must not cost a metered link its whole backlog again and again.
BULK_RESEND_MOST_S = 30.0
# A broker that refused a topic is asked again this much later, then twice as late: somebody may have repaired
# its ACL. mosquitto 2.0.11 also drops a TLS connection after a denied publish, so asking costs a reconnect.
REFUSED_PAUSE_S = 30.0
REFUSED_PAUSE_MOST_S = 600.0


@dataclass(frozen=True, slots=True)
class Window:
    """How much of one stream may be under way without the hub's acknowledgement."""

    records: int
    size_bytes: int


# Bulk stays small, because on a slow link an urgent record waits behind what is already on the wire.
WINDOWS = {"urgent": Window(128, 256 * 1024), "bulk": Window(64, 32 * 1024)}


@dataclass(frozen=True, slots=True)
class Mark:
    """The hub has everything of (stream, epoch) up to and including `upto`."""

    stream: str
    epoch: str
    upto: int


@dataclass(frozen=True, slots=True)
class Fetch:
    """Records to read and send: at most `limit` of `stream` above `after`."""

    stream: str
    epoch: str
    after: int
    limit: int


@dataclass(slots=True)
class _Flow:
    epoch: str
    mark: int
    sent: int
    last_seq: int = 0
    under_way: deque[tuple[int, int]] = field(default_factory=deque)  # (seq, bytes)
    under_way_bytes: int = 0
    quiet_since_s: float = 0.0
    resends: int = 0
    refusals: int = 0
    paused_until_s: float = float("-inf")
    turn: int = 0

    def rewind(self) -> None:
        self.sent = self.mark
        self.under_way.clear()
        self.under_way_bytes = 0


class Delivery:
    """Which records are under way. Holds no record and no file; only marks outlive it."""

    def __init__(self, marks: list[Mark]) -> None:
        self._marks = {(mark.stream, mark.epoch): mark.upto for mark in marks}
        self._highest: dict[tuple[str, str], int] = {}
        self._flows: dict[str, _Flow] = {}
        self._turn = 0

    def seen(self, stream: str, epoch: str, last_seq: int) -> None:
        """A journal holds (stream, epoch) up to `last_seq`; a new epoch starts after its mark, or at 1."""
        flow = self._flows.get(stream)
        if flow is None or flow.epoch != epoch:
            mark = self._marks.get((stream, epoch), 0)
            flow = self._flows[stream] = _Flow(epoch, mark, mark)
        flow.last_seq = max(flow.last_seq, last_seq)
        self._highest[stream, epoch] = flow.last_seq

    def connected(self) -> None:
        """A new connection: what was under way on the last one counts as never sent; refusals still hold."""
        for flow in self._flows.values():
            flow.rewind()
            flow.resends = 0

    def next(self, now_s: float) -> Fetch | None:
        """What to read and send now; urgent before bulk, streams of a lane in turn. None: nothing may go."""
        ready = [
            (stream, flow)
            for stream, flow in self._flows.items()
            if flow.sent < flow.last_seq and now_s >= flow.paused_until_s and self._room(stream, flow) > 0
        ]
        if not ready:
            return None
        stream, flow = min(ready, key=lambda item: (not _urgent(item[0]), item[1].turn))
        return Fetch(stream, flow.epoch, flow.sent, self._room(stream, flow))

    def fits(self, stream: str, size_bytes: int) -> bool:
        """Whether a record of `size_bytes` may go now; one alone always may, however large."""
        flow = self._flows[stream]
        return not flow.under_way or flow.under_way_bytes + size_bytes <= WINDOWS[_lane(stream)].size_bytes

    def sent(self, stream: str, seq: int, size_bytes: int, now_s: float) -> None:
        """Record `seq` has been handed to the link."""
        flow = self._flows[stream]
        if not flow.under_way:
            flow.quiet_since_s = now_s
        flow.sent = seq
        flow.under_way.append((seq, size_bytes))
        flow.under_way_bytes += size_bytes
        self._turn += 1
        flow.turn = self._turn

    def acknowledged(self, stream: str, epoch: str, upto: int, now_s: float) -> Mark | None:
        """The hub says it has all up to `upto`; the mark to commit, or None if that moves nothing.

        A mark only moves forward, only for an epoch whose journal was seen here, never past its last record.
        """
        highest = self._highest.get((stream, epoch))
        if highest is None or not self._marks.get((stream, epoch), 0) < upto <= highest:
            return None
        self._marks[stream, epoch] = upto
        flow = self._flows[stream]
        if flow.epoch == epoch:
            self._advance(flow, upto, now_s)
        return Mark(stream, epoch, upto)

    def refused(self, stream: str, now_s: float) -> None:
        """The broker refused a record of `stream` (MQTT 5 PUBACK reason): not sent, tried again later."""
        if (flow := self._flows.get(stream)) is not None:
            flow.rewind()
            flow.paused_until_s = now_s + min(REFUSED_PAUSE_MOST_S, REFUSED_PAUSE_S * float(2**flow.refusals))
            flow.refusals = min(flow.refusals + 1, 8)

    def resend_overdue(self, now_s: float) -> list[str]:
        """Rewind every stream whose window the hub has not answered; their names."""
        overdue = []
        for stream, flow in self._flows.items():
            if flow.under_way and now_s - flow.quiet_since_s >= _patience_s(stream, flow.resends):
                flow.rewind()
                flow.resends += 1
                overdue.append(stream)
        return overdue

    def backlog(self) -> dict[str, int]:
        """Records per stream that the hub has not acknowledged."""
        return {stream: flow.last_seq - flow.mark for stream, flow in self._flows.items()}

    @staticmethod
    def _advance(flow: _Flow, upto: int, now_s: float) -> None:
        flow.mark = upto
        flow.sent = max(flow.sent, upto)
        flow.quiet_since_s = now_s
        flow.resends = flow.refusals = 0
        while flow.under_way and flow.under_way[0][0] <= upto:
            flow.under_way_bytes -= flow.under_way.popleft()[1]

    @staticmethod
    def _room(stream: str, flow: _Flow) -> int:
        window = WINDOWS[_lane(stream)]
        if flow.under_way_bytes >= window.size_bytes:
            return 0
        return window.records - len(flow.under_way)


def _lane(stream: str) -> str:
    return stream.partition(".")[2]


def _urgent(stream: str) -> bool:
    return _lane(stream) == "urgent"


def _patience_s(stream: str, resends: int) -> float:
    if _urgent(stream):
        return RESEND_AFTER_S
    return min(BULK_RESEND_MOST_S, RESEND_AFTER_S * float(2 ** min(resends, 8)))
