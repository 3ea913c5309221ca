"""A clock that moves only when told."""


class FakeClock:
    """Implements siaga_core.service.clock.Clock."""

    def __init__(self, wall_s: float = 1_795_000_000.0) -> None:
        self.now_s = 0.0
        self._wall_ns = int(wall_s * 1e9)

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass on every clock."""
        self.now_s += seconds
        self._wall_ns += int(seconds * 1e9)

    def jump_wall(self, seconds: float) -> None:
        """Step only the wall clock, as a late NTP answer does."""
        self._wall_ns += int(seconds * 1e9)

    def mono_s(self) -> float:
        return self.now_s

    def boot_ns(self) -> int:
        return int(self.now_s * 1e9) + 1

    def wall_ns(self) -> int:
        return self._wall_ns
