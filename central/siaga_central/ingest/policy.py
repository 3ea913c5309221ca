"""What the city has decided about incoming reports."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """Policy values of the hub's config."""

    siren_nodes: tuple[str, ...] = ()
    siren_s: int = 20
    # A siren that sounds long after its cause would only confuse.
    siren_ttl_s: float = 60.0
