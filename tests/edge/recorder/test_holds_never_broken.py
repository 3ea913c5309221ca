"""Holds, retention and clocks in random sequences: true time is known here, the code sees a node's."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from siaga_edge.recorder import holds, retention
from siaga_edge.recorder.dating import Dating, Observation
from siaga_edge.recorder.holds import Hold
from siaga_edge.recorder.retention import Choice, Limits, Room, Stored

S = 10**9
RESERVE = 40
SEQUENCES = 10_000
CAMERAS = ("gate", "pier", "road")
Chooses = Callable[..., Choice]
Touches = Callable[[Stored, Hold], bool]


@dataclass
class Model:
    """A node with a footage disk; `true` times are nanoseconds that only this test knows."""

    rng: random.Random
    choose: Chooses
    touches: Touches
    true_ns: int = 1_795_000_000 * S
    boot: int = 1
    booted_ns: int = 1_795_000_000 * S
    wrong_ns: int = 0
    synced: bool = True
    free: int = 60
    number: int = 0
    seen: list[Observation] = field(default_factory=list)
    segments: list[tuple[Stored, int, int, int, int]] = field(default_factory=list)
    holds: dict[str, Hold] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    def play(self) -> list[str]:
        self.observe()
        for _ in range(self.rng.randrange(10, 40)):
            self.rng.choice(
                (self.record, self.record, self.reboot, self.sync, self.hold, self.release, self.retain)
            )()
        self.retain()
        return self.complaints

    def observe(self) -> None:
        error_ms = abs(self.wrong_ns) // 1_000_000 + 1 if self.synced else None
        state = "synced" if self.synced else "unknown"
        now = Observation(
            self.boot,
            self.true_ns - self.booted_ns,
            self.true_ns + self.wrong_ns,
            state,  # type: ignore[arg-type]
            error_ms,
        )
        self.seen.append(now)

    def record(self) -> None:
        for camera in CAMERAS[: self.rng.randrange(1, 4)]:
            self.number += 1
            start, end = self.true_ns - self.booted_ns, self.true_ns - self.booted_ns + 60 * S
            size = self.rng.randrange(1, 9)
            made = Stored(self.number, f"{camera}/{self.number}", camera, 0, 0, size)
            self.segments.append((made, self.boot, start, end, self.true_ns))
            self.free -= size
        self.true_ns += self.rng.choice((60, 60, 60, 600)) * S

    def reboot(self) -> None:
        """The clock is behind or ahead by minutes until it is synchronised; and it may never be."""
        self.true_ns += self.rng.randrange(1, 3600) * S
        self.boot += 1
        self.booted_ns = self.true_ns
        self.synced = False
        self.wrong_ns = self.rng.randrange(-590, 590) * S
        self.observe()

    def sync(self) -> None:
        self.synced, self.wrong_ns = True, self.rng.randrange(-2000, 2000) * 1_000_000
        self.observe()

    def hold(self) -> None:
        start = self.true_ns - self.rng.randrange(-300, 3000) * S
        span = Hold(f"h{self.rng.randrange(5)}", self.rng.choice(CAMERAS), start, start + 120 * S)
        self.holds[span.id] = span

    def release(self) -> None:
        if self.holds:
            self.holds.pop(self.rng.choice(sorted(self.holds)))

    def retain(self) -> None:
        self.free = self.free if self.rng.random() < 0.7 else self.rng.randrange(RESERVE)
        dating = Dating(self.seen)
        dated = [(self._dated(dating, one), one) for one in self.segments]
        room = Room(self.free, 400, RESERVE)
        limits = {"pier": Limits(least_s=1800), "road": Limits(most_s=7200)}
        spans = list(self.holds.values())
        now = dating.wall(self.boot, self.true_ns - self.booted_ns)
        choice = self.choose(
            [stored for stored, _ in dated],
            room,
            limits,
            lambda one: any(self.touches(one, span) for span in spans),
            now.wall_ns if now.error_ms is not None else None,
        )
        self._judge(choice, spans)
        gone = {one.number for one in choice.delete}
        self.segments = [one for one in self.segments if one[0].number not in gone]
        self.free += sum(one.size_bytes for one in choice.delete)

    def _dated(self, dating: Dating, one: tuple[Stored, int, int, int, int]) -> Stored:
        made, boot, start, end, _ = one
        first, last = dating.wall(boot, start), dating.wall(boot, end)
        error_ms = None if first.error_ms is None else max(first.error_ms, last.error_ms or 0)
        return Stored(
            made.number, made.name, made.camera, first.wall_ns, last.wall_ns, made.size_bytes, error_ms
        )

    def _judge(self, choice: Choice, spans: list[Hold]) -> None:
        gone = {one.number for one in choice.delete}
        left = [one for one in self.segments if one[0].number not in gone]
        for made, *_, true_ns in self.segments:
            if made.number in gone and any(_truly(made, true_ns, span) for span in spans):
                self.complaints.append(f"{made.name} was held")
            aged = made.camera == "road" and self.true_ns - true_ns - 60 * S > 7200 * S
            if made.number in gone and self.free >= RESERVE and not aged:
                self.complaints.append(f"{made.name} went for nothing")
        for camera in CAMERAS:
            mine = [one for one in choice.delete if one.camera == camera]
            newest = max((one.number for one in mine), default=0)
            for made, *_, true_ns in left:
                near = any(_truly(made, true_ns, span, 1300 * S) for span in spans)
                if made.camera == camera and made.number < newest and not near and camera == "gate":
                    self.complaints.append(f"{made.name} stayed and a newer one went")
        if choice.left_bytes < RESERVE:
            for made, *_, true_ns in left:
                if not any(_truly(made, true_ns, span, 1300 * S) for span in spans):
                    self.complaints.append(f"{made.name} could have gone")


def _truly(made: Stored, true_ns: int, span: Hold, slack_ns: int = 0) -> bool:
    return (
        made.camera == span.camera
        and true_ns - slack_ns < span.end_wall_ns
        and true_ns + 60 * S + slack_ns > span.start_wall_ns
    )


def first_complaint(sequences: int, choose: Chooses, touches: Touches) -> str:
    for seed in range(sequences):
        if found := Model(random.Random(seed), choose, touches).play():
            return f"seed {seed}: {found[0]}"
    return ""


def test_no_hold_is_ever_broken_in_ten_thousand_random_sequences() -> None:
    assert first_complaint(SEQUENCES, retention.choose, holds.touches) == ""


def _ignores_holds(segments: list[Stored], room: Room, limits: object, held: object, now: int) -> Choice:
    return retention.choose(segments, room, {}, lambda _one: False, now)


def _by_wall_time(segments: list[Stored], *rest: object) -> Choice:
    return retention.choose(sorted(segments, key=lambda one: one.start_wall_ns), *rest)  # type: ignore[arg-type]


def _breaks_holds_when_full(
    segments: list[Stored], room: Room, limits: dict[str, Limits], held: Callable[[Stored], bool], now: int
) -> Choice:
    choice = retention.choose(segments, room, limits, held, now)
    if choice.left_bytes >= room.reserve_bytes:
        return choice
    return retention.choose(segments, room, limits, lambda _one: False, now)


def _ages_held(
    segments: list[Stored], room: Room, limits: dict[str, Limits], held: Callable[[Stored], bool], now: int
) -> Choice:
    def held_if_young(one: Stored) -> bool:
        return held(one) and not (one.camera == "road" and now and now - one.end_wall_ns > 7200 * S)

    return retention.choose(segments, room, limits, held_if_young, now)


def _stops_early(segments: list[Stored], *rest: object) -> Choice:
    choice = retention.choose(segments, *rest)  # type: ignore[arg-type]
    return Choice(choice.delete[:-1], choice.short, 0 if choice.delete else choice.left_bytes)


def _exact(segment: Stored, hold: Hold) -> bool:
    return (
        segment.camera == hold.camera
        and segment.start_wall_ns < hold.end_wall_ns
        and segment.end_wall_ns > hold.start_wall_ns
    )


MUTANTS: dict[str, tuple[Chooses, Touches]] = {
    "ignores holds": (_ignores_holds, holds.touches),
    "deletes by wall time": (_by_wall_time, holds.touches),
    "breaks holds when the disk is full": (_breaks_holds_when_full, holds.touches),
    "lets age break a hold": (_ages_held, holds.touches),
    "stops before the reserve is free": (_stops_early, holds.touches),
    "trusts the times of footage": (retention.choose, _exact),
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_each_way_to_break_a_hold_is_found_out(mutant: str) -> None:
    assert first_complaint(SEQUENCES, *MUTANTS[mutant]), mutant
