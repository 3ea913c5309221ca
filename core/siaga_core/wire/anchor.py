"""`clock.anchor`: one moment of a boot whose true time somebody else told the node."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

KIND = "clock.anchor"

AnchorSource = Literal["hub", "ntp", "modem", "camera"]


class ClockAnchor(Struct, frozen=True, kw_only=True):
    """At `boot_ns` of this boot the true time was `utc_ns`, give or take `error_ms`; bulk lane.

    `boot_ns` is on the scale of Stamp.boot_ns, `utc_ns` Unix nanoseconds. The hub weighs it by `source`
    (central domain/timeline); it changes no clock.
    """

    boot_id: Annotated[str, Meta(min_length=1, max_length=64)]
    boot_ns: Annotated[int, Meta(ge=0)]
    utc_ns: Annotated[int, Meta(ge=0)]
    source: AnchorSource
    error_ms: Annotated[int, Meta(ge=0)]
