"""What a site's uplink may carry: a token bucket over everything that goes up. Pure."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Budget:
    """Bytes that may go now. Urgent records are taken from it too, but never wait for it.

    `rate_bytes_s` 0 means no limit. The bucket holds `burst_s` seconds' worth.
    """

    rate_bytes_s: float
    burst_s: float = 2.0
    _tokens: float = field(init=False)
    _at_s: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._tokens = self.rate_bytes_s * self.burst_s

    def may_send(self, now_s: float) -> bool:
        """Whether anything that can wait may go now."""
        self._fill(now_s)
        return not self.rate_bytes_s or self._tokens > 0

    def spend(self, size_bytes: int, now_s: float) -> None:
        """`size_bytes` go up; what is too much is paid back by waiting."""
        self._fill(now_s)
        self._tokens -= size_bytes

    def pause_s(self, now_s: float) -> float:
        """How long until something may go again; 0 if it may now."""
        if self.may_send(now_s):
            return 0.0
        return -self._tokens / self.rate_bytes_s + 0.001

    def _fill(self, now_s: float) -> None:
        if self._at_s is not None:
            grown = self._tokens + max(0.0, now_s - self._at_s) * self.rate_bytes_s
            self._tokens = min(self.rate_bytes_s * self.burst_s, grown)
        self._at_s = now_s
