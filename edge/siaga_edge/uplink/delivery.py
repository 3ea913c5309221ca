"""What goes up next, and what an acknowledgement moves. Pure: `now_s` is the caller's monotonic time."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

# Once the broker has all that was sent, the hub acknowledges within its own commit; after this silence the
# window is sent again from mark + 1. What is still on its way to the broker is no silence, but a slow link.
RESEND_AFTER_S = 3.0
# A hub that stays silent must not cost a metered link its whole backlog again and again.
BULK_RESEND_MOST_S = 30.0
# A broker that refused a topic is asked again this much later, then twice as late: somebody may have repaired
# its ACL. mosquitto 2.0.11 also drops a TLS connection after a denied publish, so asking costs a reconnect.
REFUSED_PAUSE_S = 30.0
REFUSED_PAUSE_MOST_S = 600.0


@dataclass(frozen=True, slots=True)
class Window:
    """How much of one stream may be under way without the hub's acknowledgement, as it travels."""

    batches: int
    size_bytes: int


# Bulk stays small, because on a slow link an urgent record waits behind what is already on the wire.
WINDOWS = {"urgent": Window(16, 256 * 1024), "bulk": Window(8, 32 * 1024)}


@dataclass(frozen=True, slots=True)
class Mark:
    """The hub has everything of (stream, epoch) up to and including `upto`, or knows that it is gone."""

    stream: str
    epoch: str
    upto: int


@dataclass(frozen=True, slots=True)
class Fetch:
    """What to read and send: a batch of (stream, epoch) above `after`; `last` is the newest there is."""

    stream: str
    epoch: str
    after: int
    last: int


@dataclass(slots=True)
class _Batch:
    last: int
    size_bytes: int


@dataclass(slots=True)
class _Flow:
    epoch: str
    mark: int
    sent: int
    last_seq: int = 0
    under_way: deque[_Batch] = field(default_factory=deque)
    under_way_bytes: int = 0
    unconfirmed: int = 0
    quiet_since_s: float = 0.0
    resends: int = 0
    refusals: int = 0
    paused_until_s: float = float("-inf")
    turn: int = 0

    def rewind(self) -> None:
        self.sent = self.mark
        self.under_way.clear()
        self.under_way_bytes = self.unconfirmed = 0


class Delivery:
    """Which batches are under way. Holds no record and no file; only marks outlive it."""

    def __init__(self, marks: Iterable[Mark]) -> None:
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

    def restored(self, marks: Iterable[Mark]) -> list[Mark]:
        """The hub was restored and has only `marks`: go back to them; the marks to keep.

        A mark of an epoch that this node does not know, or above what it ever had, is not taken.
        """
        given = {(mark.stream, mark.epoch): mark.upto for mark in marks}
        self._marks = {
            key: min(given.get(key, 0), max(highest, self._marks.get(key, 0)))
            for key, highest in ({key: 0 for key in self._marks} | self._highest).items()
        }
        for stream, flow in self._flows.items():
            flow.mark = self._marks.get((stream, flow.epoch), 0)
            flow.rewind()
        return [Mark(stream, epoch, upto) for (stream, epoch), upto in self._marks.items()]

    def next(self, now_s: float, *, bulk: bool = True) -> Fetch | None:
        """What to read and send now; urgent before bulk, streams of a lane in turn. None: nothing may go."""
        ready = [
            (stream, flow)
            for stream, flow in self._flows.items()
            if flow.sent < flow.last_seq
            and now_s >= flow.paused_until_s
            and _has_room(stream, flow)
            and (bulk or _urgent(stream))
        ]
        if not ready:
            return None
        stream, flow = min(ready, key=lambda item: (not _urgent(item[0]), item[1].turn))
        return Fetch(stream, flow.epoch, flow.sent, flow.last_seq)

    def sent(self, stream: str, last: int, size_bytes: int) -> None:
        """A batch up to `last` has been handed to the link."""
        flow = self._flows[stream]
        flow.sent = last
        flow.under_way.append(_Batch(last, size_bytes))
        flow.under_way_bytes += size_bytes
        flow.unconfirmed += 1
        self._turn += 1
        flow.turn = self._turn

    def confirmed(self, stream: str, now_s: float) -> None:
        """The broker has a batch of `stream`. That is no delivery; the hub's silence counts from here."""
        if (flow := self._flows.get(stream)) is not None and flow.unconfirmed:
            flow.unconfirmed -= 1
            flow.quiet_since_s = now_s

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
        """The broker refused a batch of `stream` (MQTT 5 PUBACK reason): not sent, tried again later."""
        if (flow := self._flows.get(stream)) is not None:
            flow.rewind()
            flow.paused_until_s = now_s + min(REFUSED_PAUSE_MOST_S, REFUSED_PAUSE_S * float(2**flow.refusals))
            flow.refusals = min(flow.refusals + 1, 8)

    def resend_overdue(self, now_s: float) -> list[str]:
        """Rewind every stream whose window the broker has and the hub has not answered; their names."""
        overdue = []
        for stream, flow in self._flows.items():
            waiting = flow.under_way and not flow.unconfirmed
            if waiting and now_s - flow.quiet_since_s >= _patience_s(stream, flow.resends):
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
        while flow.under_way and flow.under_way[0].last <= upto:
            flow.under_way_bytes -= flow.under_way.popleft().size_bytes
        flow.unconfirmed = min(flow.unconfirmed, len(flow.under_way))


def _has_room(stream: str, flow: _Flow) -> bool:
    """One batch alone may always go, however large."""
    window = WINDOWS[_lane(stream)]
    return len(flow.under_way) < window.batches and flow.under_way_bytes < window.size_bytes


def _lane(stream: str) -> str:
    return stream.partition(".")[2]


def _urgent(stream: str) -> bool:
    return _lane(stream) == "urgent"


def _patience_s(stream: str, resends: int) -> float:
    if _urgent(stream):
        return RESEND_AFTER_S
    return min(BULK_RESEND_MOST_S, RESEND_AFTER_S * float(2 ** min(resends, 8)))
