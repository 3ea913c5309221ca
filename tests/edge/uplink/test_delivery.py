"""What goes up next and what an acknowledgement moves: examples, and random plays against a simple model."""

import random
from collections.abc import Iterable

import pytest

from siaga_edge.uplink.delivery import (
    BULK_RESEND_MOST_S,
    REFUSED_PAUSE_MOST_S,
    REFUSED_PAUSE_S,
    RESEND_AFTER_S,
    WINDOWS,
    Delivery,
    Fetch,
    Mark,
)

URGENT, BULK = "modem.urgent", "modem.bulk"


def loaded(*streams: str, last: int = 1000, marks: Iterable[Mark] = ()) -> Delivery:
    """A delivery whose journals hold `last` records of each stream."""
    delivery = Delivery(marks)
    for stream in streams:
        delivery.seen(stream, "e1", last)
    return delivery


def send_all(delivery: Delivery, now_s: float = 0, size_bytes: int = 100) -> list[Fetch]:
    """One record per batch until nothing may go; what was asked for."""
    asked = []
    while fetch := delivery.next(now_s):
        delivery.sent(fetch.stream, fetch.after + 1, size_bytes)
        asked.append(fetch)
    return asked


def confirm_all(delivery: Delivery, stream: str, now_s: float) -> None:
    for _ in range(WINDOWS["urgent"].batches):
        delivery.confirmed(stream, now_s)


@pytest.mark.parametrize("stream", [URGENT, BULK])
def test_a_window_is_bounded_in_batches_and_an_acknowledgement_makes_room(stream: str) -> None:
    delivery, most = loaded(stream), WINDOWS[stream.partition(".")[2]].batches
    assert len(send_all(delivery)) == most
    assert delivery.acknowledged(stream, "e1", 2, 0) == Mark(stream, "e1", 2)
    assert [fetch.after for fetch in send_all(delivery)] == [most, most + 1]


@pytest.mark.parametrize("stream", [URGENT, BULK])
def test_a_window_is_bounded_in_bytes_but_one_batch_alone_always_goes(stream: str) -> None:
    delivery, most = loaded(stream), WINDOWS[stream.partition(".")[2]].size_bytes
    assert len(send_all(delivery, size_bytes=10 * most)) == 1
    delivery.acknowledged(stream, "e1", 1, 0)
    assert len(send_all(delivery, size_bytes=most - 1)) == 2


def test_urgent_goes_first_and_streams_of_a_lane_take_turns() -> None:
    delivery = loaded("cameras.bulk", BULK, URGENT, "health.urgent")
    streams = [fetch.stream for fetch in send_all(delivery)]
    urgent = 2 * WINDOWS["urgent"].batches
    assert streams[:urgent] == [URGENT, "health.urgent"] * WINDOWS["urgent"].batches
    assert streams[urgent:] == ["cameras.bulk", BULK] * WINDOWS["bulk"].batches
    assert loaded(BULK).next(0, bulk=False) is None
    assert loaded(BULK, URGENT).next(0, bulk=False) == Fetch(URGENT, "e1", 0, 1000)


def test_a_silent_hub_gets_the_window_again_from_its_mark() -> None:
    delivery = loaded(URGENT, marks=[Mark(URGENT, "e1", 40)])
    send_all(delivery)
    assert delivery.resend_overdue(1000) == [], "on its way to the broker is no silence"
    confirm_all(delivery, URGENT, 1000)
    assert delivery.resend_overdue(1000 + RESEND_AFTER_S - 0.01) == []
    assert delivery.resend_overdue(1000 + RESEND_AFTER_S) == [URGENT]
    assert delivery.next(1004) == Fetch(URGENT, "e1", 40, 1000)


def test_a_hub_that_stays_silent_gets_bulk_ever_more_rarely_and_urgent_as_often() -> None:
    delivery, now_s = loaded(URGENT, BULK), 0.0
    resent: dict[str, list[float]] = {URGENT: [], BULK: []}
    while now_s < 200:
        send_all(delivery, now_s)
        for stream in resent:
            confirm_all(delivery, stream, now_s if not resent[stream] else resent[stream][-1])
        now_s += 0.5
        for stream in delivery.resend_overdue(now_s):
            resent[stream].append(now_s)
    pauses = [after - before for before, after in zip(resent[BULK], resent[BULK][1:], strict=False)]
    assert pauses[:3] == [2 * RESEND_AFTER_S, 4 * RESEND_AFTER_S, 8 * RESEND_AFTER_S]
    assert max(pauses) == BULK_RESEND_MOST_S
    assert len(resent[URGENT]) > 3 * len(resent[BULK])


def test_a_refused_stream_pauses_twice_as_long_each_time_and_others_go_on() -> None:
    delivery, now_s = loaded(URGENT, BULK), 0.0
    pauses = []
    for _ in range(7):
        delivery.refused(URGENT, now_s)
        delivery.connected()
        begun_s = now_s
        fetch = delivery.next(now_s)
        assert fetch is not None
        assert fetch.stream == BULK
        while (fetch := delivery.next(now_s)) is None or fetch.stream != URGENT:
            now_s += 10
        pauses.append(now_s - begun_s)
    assert pauses[:3] == [REFUSED_PAUSE_S, 2 * REFUSED_PAUSE_S, 4 * REFUSED_PAUSE_S]
    assert pauses[-1] == REFUSED_PAUSE_MOST_S
    delivery.acknowledged(URGENT, "e1", 1, now_s)
    delivery.refused(URGENT, now_s)
    assert delivery.next(now_s + REFUSED_PAUSE_S) == Fetch(URGENT, "e1", 1, 1000)


def test_a_new_connection_sends_again_what_the_last_one_had_under_way() -> None:
    delivery = loaded(URGENT)
    send_all(delivery)
    delivery.acknowledged(URGENT, "e1", 3, 0)
    delivery.connected()
    assert delivery.next(0) == Fetch(URGENT, "e1", 3, 1000)


@pytest.mark.parametrize("upto", [-1, 0, 5, 4, 11, 2**63])
def test_a_mark_moves_only_forward_and_never_past_the_last_record(upto: int) -> None:
    delivery = loaded(URGENT, last=10, marks=[Mark(URGENT, "e1", 5)])
    assert delivery.acknowledged(URGENT, "e1", upto, 0) is None
    assert delivery.backlog() == {URGENT: 5}
    assert delivery.acknowledged(URGENT, "e1", 10, 0) == Mark(URGENT, "e1", 10)
    assert delivery.next(0) is None


def test_a_new_epoch_begins_at_one_and_the_old_ones_mark_does_not_touch_it() -> None:
    delivery = loaded(URGENT, last=10)
    send_all(delivery)
    delivery.seen(URGENT, "e2", 3)
    assert delivery.next(0) == Fetch(URGENT, "e2", 0, 3)
    assert delivery.acknowledged(URGENT, "e1", 10, 0) == Mark(URGENT, "e1", 10)
    assert delivery.next(0) == Fetch(URGENT, "e2", 0, 3)
    assert delivery.acknowledged(URGENT, "e2", 10, 0) is None
    assert delivery.acknowledged(URGENT, "e3", 1, 0) is None, "nobody here has written that epoch"
    assert delivery.acknowledged("health.urgent", "e1", 1, 0) is None


def test_a_restored_hub_gets_again_what_it_lacks_and_cannot_claim_what_was_never_there() -> None:
    delivery = loaded(URGENT, BULK, last=10, marks=[Mark(URGENT, "e1", 9), Mark(BULK, "e1", 9)])
    kept = delivery.restored([Mark(URGENT, "e1", 4), Mark(BULK, "e1", 99), Mark(BULK, "unknown", 7)])
    assert sorted(kept, key=lambda mark: mark.stream) == [Mark(BULK, "e1", 10), Mark(URGENT, "e1", 4)]
    assert delivery.next(0) == Fetch(URGENT, "e1", 4, 10)
    assert delivery.restored([]) == [Mark(URGENT, "e1", 0), Mark(BULK, "e1", 0)]
    assert delivery.backlog() == {URGENT: 10, BULK: 10}


class Play:
    """A node, a link that loses, and a hub that may lie; beside them the least that must be true."""

    STREAMS = (URGENT, BULK, "health.urgent", "cameras.bulk")

    def __init__(self, kind: type[Delivery], seed: int) -> None:
        self.random, self.kind, self.now_s = random.Random(seed), kind, 0.0
        self.marks: dict[tuple[str, str], int] = {}
        self.hub: dict[tuple[str, str], int] = {}  # what it has, without a gap
        self.lasts: dict[tuple[str, str], int] = {}
        self.epochs = dict.fromkeys(self.STREAMS, 1)
        self.position = dict.fromkeys(self.STREAMS, 0)
        self.flight: dict[str, list[tuple[int, int]]] = {stream: [] for stream in self.STREAMS}
        self.paused_s = dict.fromkeys(self.STREAMS, 0.0)
        self.start()

    def start(self) -> None:
        """The uplink begins, or begins again: only committed marks are left."""
        marks = [Mark(stream, epoch, upto) for (stream, epoch), upto in self.marks.items()]
        self.delivery = self.kind(marks)
        self.paused_s = dict.fromkeys(self.STREAMS, 0.0)
        for stream in self.STREAMS:
            self.rewind(stream)
            self.append(stream)

    def key(self, stream: str) -> tuple[str, str]:
        return stream, f"e{self.epochs[stream]}"

    def rewind(self, stream: str) -> None:
        self.flight[stream] = []
        self.position[stream] = self.marks.get(self.key(stream), 0)

    def append(self, stream: str) -> None:
        key = self.key(stream)
        self.lasts[key] = self.lasts.get(key, 0) + self.random.randint(0, 30)
        self.delivery.seen(*key, self.lasts[key])

    def may_go(self, stream: str) -> bool:
        window = WINDOWS[stream.partition(".")[2]]
        under_way = self.flight[stream]
        room = len(under_way) < window.batches and sum(size for _, size in under_way) < window.size_bytes
        left = self.position[stream] < self.lasts[self.key(stream)]
        return room and left and self.now_s >= self.paused_s[stream]

    def send(self, *, arrives: bool) -> bool:
        fetch = self.delivery.next(self.now_s)
        ready = [stream for stream in self.STREAMS if self.may_go(stream)]
        assert (fetch is None) == (not ready), (fetch, ready)
        if fetch is None:
            return False
        key = self.key(fetch.stream)
        assert fetch.stream in ready
        assert (fetch.epoch, fetch.after, fetch.last) == (
            key[1],
            self.position[fetch.stream],
            self.lasts[key],
        )
        assert fetch.stream.endswith("urgent") or not any(one.endswith("urgent") for one in ready)
        last = self.random.randint(fetch.after + 1, min(fetch.after + 20, fetch.last))
        size_bytes = self.random.choice([50, 3000, 40_000])
        self.delivery.sent(fetch.stream, last, size_bytes)
        self.position[fetch.stream] = last
        self.flight[fetch.stream].append((last, size_bytes))
        if arrives and fetch.after <= self.hub.get(key, 0):
            self.hub[key] = max(self.hub.get(key, 0), last)
        return True

    def acknowledge(self, key: tuple[str, str], upto: int) -> None:
        mark, before = self.delivery.acknowledged(*key, upto, self.now_s), self.marks.get(key, 0)
        if mark is None:
            assert not before < upto <= self.lasts.get(key, 0), f"{upto} of {key} moves the mark {before}"
            return
        assert mark == Mark(*key, upto)
        assert before < upto <= self.lasts.get(key, 0), f"{upto} after {before}, of {self.lasts.get(key)}"
        self.marks[key] = upto
        stream = key[0]
        if key == self.key(stream):
            self.position[stream] = max(self.position[stream], upto)
            self.flight[stream] = [batch for batch in self.flight[stream] if batch[0] > upto]

    def step(self) -> None:
        stream = self.random.choice(self.STREAMS)
        self.now_s += self.random.choice([0, 0, 0.1, 1, 5])
        match self.random.randint(0, 99):
            case n if n < 25:
                self.append(stream)
            case n if n < 60:
                self.send(arrives=self.random.random() < 0.8)
            case n if n < 70:
                self.delivery.confirmed(stream, self.now_s)
            case n if n < 82:
                self.acknowledge(self.key(stream), self.hub.get(self.key(stream), 0))
            case n if n < 88:  # a lie, an old word, another epoch
                epoch = f"e{self.epochs[stream] + self.random.randint(-1, 1)}"
                past = self.lasts.get((stream, epoch), 0) + self.random.randint(1, 5)
                old = self.marks.get((stream, epoch), 0) - self.random.randint(0, 5)
                self.acknowledge((stream, epoch), self.random.choice([past, old]))
            case n if n < 92:
                for silent in self.delivery.resend_overdue(self.now_s):
                    assert self.flight[silent], f"{silent} waits for nothing"
                    self.rewind(silent)
            case n if n < 94:
                self.delivery.connected()
                for one in self.STREAMS:
                    self.rewind(one)
            case n if n < 96:
                self.delivery.refused(stream, self.now_s)
                self.rewind(stream)
                self.paused_s[stream] = self.now_s + REFUSED_PAUSE_S
                self.now_s += REFUSED_PAUSE_MOST_S
            case n if n < 98:
                self.epochs[stream] += 1
                self.rewind(stream)
                self.append(stream)
            case _:
                self.start()

    def finish(self) -> None:
        """From now on nothing is lost: then everything arrives, and the marks say so."""
        self.now_s += REFUSED_PAUSE_MOST_S
        for _ in range(400):
            while self.send(arrives=True):
                continue
            for stream in self.STREAMS:
                confirm_all(self.delivery, stream, self.now_s)
                self.acknowledge(self.key(stream), self.hub.get(self.key(stream), 0))
            self.now_s += BULK_RESEND_MOST_S
            for silent in self.delivery.resend_overdue(self.now_s):
                self.rewind(silent)
        for stream in self.STREAMS:
            key = self.key(stream)
            assert self.marks.get(key, 0) == self.hub.get(key, 0) == self.lasts[key], f"{stream} is stuck"
        assert set(self.delivery.backlog().values()) == {0}


def play(kind: type[Delivery], seed: int, steps: int = 400) -> None:
    game = Play(kind, seed)
    for _ in range(steps):
        game.step()
    game.finish()


@pytest.mark.parametrize("seed", range(40))
def test_random_plays_lose_nothing_and_every_mark_is_true(seed: int) -> None:
    play(Delivery, seed)


class BelievesAnyMark(Delivery):
    """Takes an acknowledgement past the last record: what is written later would never be sent."""

    def acknowledged(self, stream: str, epoch: str, upto: int, now_s: float) -> Mark | None:
        self._highest[stream, epoch] = max(upto, self._highest.get((stream, epoch), 0))
        return super().acknowledged(stream, epoch, upto, now_s)


class MovesBack(Delivery):
    """Lets an old acknowledgement undo a newer one."""

    def acknowledged(self, stream: str, epoch: str, upto: int, now_s: float) -> Mark | None:
        if (stream, epoch) in self._highest:
            self._marks[stream, epoch] = min(self._marks.get((stream, epoch), 0), upto - 1)
        return super().acknowledged(stream, epoch, upto, now_s)


class TakesPubackForDelivery(Delivery):
    """Counts what the broker has as what the hub has."""

    def confirmed(self, stream: str, now_s: float) -> None:
        flow = self._flows[stream]
        if flow.under_way:
            self.acknowledged(stream, flow.epoch, flow.under_way[0].last, now_s)


class ForgetsWhatWasUnderWay(Delivery):
    """After a lost connection goes on behind what was under way."""

    def connected(self) -> None:
        for flow in self._flows.values():
            flow.under_way.clear()
            flow.under_way_bytes = flow.unconfirmed = 0


class NeverSendsAgain(Delivery):
    """Trusts that a silent hub has everything."""

    def resend_overdue(self, now_s: float) -> list[str]:
        return []


class BulkFirst(Delivery):
    """Sends whatever stands first in the list."""

    def next(self, now_s: float, *, bulk: bool = True) -> Fetch | None:
        for stream in sorted(self._flows):
            kept, self._flows = self._flows, {stream: self._flows[stream]}
            fetch = super().next(now_s, bulk=bulk)
            self._flows = kept
            if fetch is not None:
                return fetch
        return None


class NoWindow(Delivery):
    """Sends its whole backlog at once."""

    def sent(self, stream: str, last: int, size_bytes: int) -> None:
        super().sent(stream, last, 0)
        self._flows[stream].under_way_bytes = 0


class OneCountForAllEpochs(Delivery):
    """Begins a new journal where the old one ended."""

    def seen(self, stream: str, epoch: str, last_seq: int) -> None:
        before = self._flows.get(stream)
        super().seen(stream, epoch, last_seq)
        if before is not None and before.epoch != epoch:
            self._flows[stream].sent = min(before.sent, last_seq)


@pytest.mark.parametrize(
    "mutant",
    [
        BelievesAnyMark,
        MovesBack,
        TakesPubackForDelivery,
        ForgetsWhatWasUnderWay,
        NeverSendsAgain,
        BulkFirst,
        NoWindow,
        OneCountForAllEpochs,
    ],
)
def test_the_plays_catch_a_broken_variant(mutant: type[Delivery]) -> None:
    assert any(is_caught(mutant, seed) for seed in range(40))


def is_caught(kind: type[Delivery], seed: int) -> bool:
    try:
        play(kind, seed)
    except AssertionError:
        return True
    return False
