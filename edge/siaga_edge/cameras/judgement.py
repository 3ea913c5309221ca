"""Is a camera up, down, black or frozen? Looks and the time in, a verdict out; no pixels, no clock.

A single measure never says frozen. A scene at night can repeat itself for seconds, so the repeats must be
unbroken for `frozen_after_s`, in mean and in the worst pixel (a clock in the corner is life), over at least
five looks, and for twice as long as any repeat of this camera that ended by itself.
"""

from dataclasses import dataclass, replace
from typing import Literal

Status = Literal["up", "down", "black", "frozen", "unknown"]

# Measured on pictures reduced to 320x180: a stuck sensor coded again and again differs by less than 0.02 in
# the mean; one digit of a clock in a corner changes single pixels by far more than 24 of 255.
REPEAT_MEAN_BELOW = 0.02
REPEAT_WORST_BELOW = 24

# A lens cap gives a mean of 0 to 4; an unlit street with one lamp has a spread above 6. To get out of black a
# picture must clear the higher pair, so that noise around the limit does not flap.
BLACK_LUMA, BLACK_SPREAD = 10.0, 4.0
LIT_LUMA, LIT_SPREAD = 14.0, 6.0

FEWEST_REPEATS = 5
FEWEST_BLACK = 2
LOOKS_TO_RECOVER = 2  # one stray picture does not make a camera well again
FROZEN_LIMIT_GROWS_TO = 10  # times frozen_after_s; beyond, a repeat is frozen whatever was seen before

FLAP_WINDOW_S = 600.0
FLAP_DROPS = 3  # a camera that fell down three times in ten minutes ...
FLAP_STEADY_S = 60.0  # ... must deliver for a minute before it counts as up


@dataclass(frozen=True, slots=True)
class Limits:
    """`[picture]` of the node's config, in seconds."""

    down_after_s: float
    frozen_after_s: float
    black_after_s: float


@dataclass(frozen=True, slots=True)
class Look:
    """One new picture, measured on luma 0 to 255; differences are to the first picture of the repeat."""

    at_mono_s: float
    luma: float
    spread: float
    difference_mean: float | None  # None: there is nothing to compare with
    difference_worst: float | None

    @property
    def is_repeat(self) -> bool:
        """Whether this is the same picture again."""
        if self.difference_mean is None or self.difference_worst is None:
            return False
        return self.difference_mean < REPEAT_MEAN_BELOW and self.difference_worst < REPEAT_WORST_BELOW

    @property
    def is_black(self) -> bool:
        """Whether nothing can be seen."""
        return self.luma <= BLACK_LUMA and self.spread <= BLACK_SPREAD

    @property
    def is_lit(self) -> bool:
        """Whether something can surely be seen."""
        return self.luma > LIT_LUMA or self.spread > LIT_SPREAD


@dataclass(frozen=True, slots=True)
class Run:
    """How long something has been so, unbroken: from the first look to the last, and how many."""

    since_mono_s: float
    count: int = 1

    def lasted_s(self, now_mono_s: float) -> float:
        """Seconds since the first look of the run."""
        return now_mono_s - self.since_mono_s


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is known of one camera. `see` and `wait` return the next; nothing is changed in place."""

    limits: Limits
    begun_mono_s: float
    status: Status = "unknown"
    reason: str = "no picture yet"
    last_mono_s: float | None = None  # of the newest picture that could be decoded
    steady: Run | None = None  # pictures without a gap of down_after_s
    repeats: Run | None = None  # since_mono_s is when the repeated picture came first
    moving: int = 0  # looks in a row that are no repeat
    dark: Run | None = None
    lit: int = 0  # looks in a row that are surely lit
    innocent_s: float = 0.0  # longest repeat of this camera that ended by itself
    drops: tuple[float, ...] = ()

    def see(self, look: Look) -> "Judgement":
        """Judge with one more picture."""
        gap = self.last_mono_s is not None and look.at_mono_s - self.last_mono_s >= self.limits.down_after_s
        seen = self._forget_runs() if gap else self
        seen = seen._count(look)
        status, reason = seen._status(look.at_mono_s)
        return replace(seen, status=status, reason=reason)

    def wait(self, now_mono_s: float, why: str = "") -> "Judgement":
        """Judge without a new picture; `why` says what is known about its absence."""
        since_mono_s = self.begun_mono_s if self.last_mono_s is None else self.last_mono_s
        missing_s = now_mono_s - since_mono_s
        if missing_s < self.limits.down_after_s:
            return self
        if self.status == "down" and self.steady is None:
            return self
        # A recovery that broke off is one more drop: else a flapping camera would be up every ten minutes.
        lost = replace(self._forget_runs(), drops=(*self.drops, now_mono_s))
        if self.status == "down":
            return lost
        reason = f"no picture for {missing_s:.0f} s" + (f": {why}" if why else "")
        return replace(lost, status="down", reason=reason)

    @property
    def frozen_limit_s(self) -> float:
        """How long this camera's picture must repeat itself to be called frozen."""
        asked = self.limits.frozen_after_s
        return min(max(asked, 2 * self.innocent_s), FROZEN_LIMIT_GROWS_TO * asked)

    def _forget_runs(self) -> "Judgement":
        return replace(self, steady=None, repeats=None, moving=0, dark=None, lit=0)

    def _count(self, look: Look) -> "Judgement":
        now = look.at_mono_s
        counted = replace(
            self,
            last_mono_s=now,
            steady=_longer(self.steady, now),
            dark=_longer(self.dark, now) if look.is_black else None if look.is_lit else self.dark,
            lit=self.lit + 1 if look.is_lit else 0,
            drops=tuple(at for at in self.drops if now - at < FLAP_WINDOW_S),
        )
        if look.is_repeat:
            return replace(counted, repeats=_longer(self.repeats, now), moving=0)
        return replace(
            counted, repeats=Run(now), moving=self.moving + 1, innocent_s=self._innocent_s(now, look)
        )

    def _innocent_s(self, now_mono_s: float, look: Look) -> float:
        """What a repeat that has just ended teaches; a black or an already judged one teaches nothing."""
        if self.repeats is None or self.repeats.count < 2 or self.status != "up" or look.is_black:
            return self.innocent_s
        return max(self.innocent_s, self.repeats.lasted_s(now_mono_s))

    def _status(self, now: float) -> tuple[Status, str]:
        if self.status == "down" and not self._has_recovered(now):
            return self.status, self.reason
        if self._is_black(now):
            return "black", f"nothing to be seen for {self._lasted_s(self.dark, now):.0f} s; lens or light?"
        if self._is_frozen(now):
            return "frozen", f"the same picture for {self._lasted_s(self.repeats, now):.0f} s"
        return "up", ""

    def _has_recovered(self, now: float) -> bool:
        if self.steady is None or self.steady.count < LOOKS_TO_RECOVER:
            return False
        return len(self.drops) < FLAP_DROPS or self.steady.lasted_s(now) >= FLAP_STEADY_S

    def _is_black(self, now: float) -> bool:
        if self.status == "black":
            return self.lit < LOOKS_TO_RECOVER
        if self.dark is None or self.dark.count < FEWEST_BLACK:
            return False
        return self.dark.lasted_s(now) >= self.limits.black_after_s

    def _is_frozen(self, now: float) -> bool:
        if self.status == "frozen":
            return self.moving < LOOKS_TO_RECOVER
        if self.repeats is None or self.repeats.count < FEWEST_REPEATS:
            return False
        return self.repeats.lasted_s(now) >= self.frozen_limit_s

    @staticmethod
    def _lasted_s(run: Run | None, now: float) -> float:
        return 0.0 if run is None else run.lasted_s(now)


def _longer(run: Run | None, now_mono_s: float) -> Run:
    return Run(now_mono_s) if run is None else replace(run, count=run.count + 1)
