"""Whether a stream's own time goes as fast as time does: arrival against media time. Pure."""

from dataclasses import dataclass

# Earlier than it can be: the stream's time leapt forward. A fragment of a second and the network's jitter.
AHEAD_MOST_S = 3.0
# Later than it was: a network that stood still catches up; one that does not within this time has leapt back.
BEHIND_MOST_S = 3.0
BEHIND_FOR_S = 10.0
# While ffmpeg waits for a clock that leapt back, it gives every picture one tick: media time stands still.
STANDS_FOR_S = 3.0
STANDS_SHARE = 0.8
# The crystals of camera and node may differ by this much for ever without being a leap.
DRIFT_MOST = 0.001


@dataclass(slots=True)
class Pace:
    """Follows one run of a stream. Times of the monotonic clock, in seconds."""

    elapsed_s: float = 0.0
    least_s: float | None = None  # the offset of arrival against media time that was delayed least
    last_s: float = 0.0
    behind_since_s: float | None = None
    behind_first_s: float = 0.0  # how far behind it was then

    def leapt_s(self, arrived_s: float, lasts_s: float) -> float:
        """How far the stream's time has leapt, once it is sure; 0 while it goes as time does."""
        self.elapsed_s += lasts_s
        offset = arrived_s - self.elapsed_s
        if self.least_s is None:
            self.least_s, self.last_s = offset, arrived_s
            return 0.0
        self.least_s += (arrived_s - self.last_s) * DRIFT_MOST
        self.last_s = arrived_s
        stray = offset - self.least_s
        self.least_s = min(self.least_s, offset)
        if stray < -AHEAD_MOST_S:
            return -stray
        if stray <= BEHIND_MOST_S:
            self.behind_since_s = None
        elif self.behind_since_s is None:
            self.behind_since_s, self.behind_first_s = arrived_s, stray
        elif self._stands(arrived_s - self.behind_since_s, stray):
            return -stray
        return 0.0

    def _stands(self, for_s: float, stray: float) -> bool:
        stood_s = stray - self.behind_first_s
        return for_s > BEHIND_FOR_S or (for_s > STANDS_FOR_S and stood_s > STANDS_SHARE * for_s)
