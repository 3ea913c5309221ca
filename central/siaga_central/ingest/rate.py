"""How much one node may say. Pure."""

from dataclasses import dataclass, field

# A node sends about one record a second for each of its eight cameras; its backlog after three days without
# network is 300,000 records. Whoever says more than that in an hour is broken, or is not what it says it is.
BURST_RECORDS = 400_000.0
RECORDS_S = 50.0


@dataclass(slots=True)
class Rate:
    """A token bucket per node, in records."""

    burst: float = BURST_RECORDS
    records_s: float = RECORDS_S
    _tokens: dict[str, tuple[float, float]] = field(default_factory=dict)

    def exceeded(self, node: str, records: int, now_s: float) -> bool:
        """Count `records` of a node at `now_s` (monotonic); whether it has said too much."""
        tokens, at_s = self._tokens.get(node, (self.burst, now_s))
        tokens = min(self.burst, tokens + max(0.0, now_s - at_s) * self.records_s)
        if tokens < records:
            self._tokens[node] = (tokens, now_s)
            return True
        self._tokens[node] = (tokens - records, now_s)
        return False
