"""When did it really happen? Raw clocks and anchors in, an interval that holds the true time out. Pure.

A boot's clock runs at its crystal's own rate, so at `boot_ns` b the true time lies, by an anchor (a, utc, e),
in utc + (b - a) give or take e + DRIFT_PPM * |b - a|; all anchors of a boot together narrow that down. What
is not anchored lies after what was anchored before, before what came later, and before the hub had it.

Whom to believe: `hub` (over TLS to the pinned authority) and `ntp` are trusted. One that most others of its
boot contradict is left out; where it cannot be told who is wrong, the interval covers both. `modem` is a
hint: used only in a boot without a trusted anchor, and so that one wrong reading of it does no harm. `camera`
never says what time it is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

# Ordinary crystals are sold as good for 20 to 50 ppm over their range of temperature; twice the worse.
DRIFT_PPM = 100
# 2026-01-01T00:00:00Z: there was no Siaga before it.
FLOOR_NS = 1_767_225_600 * 10**9
# How far the hub's own clock may be off when it says when it received something.
RECEIPT_ERROR_NS = 2 * 10**9
# Clocks are read one after the other, in whole nanoseconds.
_READING_NS = 1_000
_ENDLESS_NS = 1 << 62  # 2116: what nobody limits
AnchorSource = Literal["hub", "ntp", "modem", "camera"]  # as wire/anchor has it
_TRUSTED: frozenset[AnchorSource] = frozenset({"hub", "ntp"})

Source = Literal["hub", "ntp", "modem", "boots"]


@dataclass(frozen=True, slots=True)
class Anchor:
    """At `boot_ns` of boot `boot_seq` the true time was `utc_ns`, give or take `error_ns`."""

    boot_seq: int
    boot_ns: int
    utc_ns: int
    source: AnchorSource
    error_ns: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was made at `boot_ns` of boot `boot_seq` was at the hub by `utc_ns` of the hub's clock."""

    boot_seq: int
    boot_ns: int
    utc_ns: int


@dataclass(frozen=True, slots=True)
class Interval:
    """The true time lies in low_ns..high_ns, both included; `source` is the best anchor it rests on.

    `boots`: on no anchor of its own boot, only on what came before and after.
    """

    low_ns: int
    high_ns: int
    source: Source

    @property
    def width_ns(self) -> int:
        """How uncertain it is."""
        return self.high_ns - self.low_ns


_Span = tuple[int, int]


class Timeline:
    """Everything known of boots that one counter has numbered, in time's own order.

    Anchors of a node whose card was replaced, and its count begun anew, belong in a Timeline of their own.
    """

    def __init__(
        self, anchors: Iterable[Anchor], receipts: Iterable[Receipt] = (), *, drift_ppm: int = DRIFT_PPM
    ) -> None:
        self._drift_ppm = drift_ppm
        self._boots: dict[int, _Boot] = {}
        by_boot: dict[int, list[Anchor]] = {}
        for anchor in anchors:
            by_boot.setdefault(anchor.boot_seq, []).append(anchor)
        for seq, own in by_boot.items():
            self._boots[seq] = _Boot(own, drift_ppm)
        self._receipts: dict[int, list[Receipt]] = {}
        for receipt in receipts:
            self._receipts.setdefault(receipt.boot_seq, []).append(receipt)
        self._after = {seq: boot.last_low_ns() for seq, boot in self._boots.items()}
        self._before = {seq: boot.first_high_ns() for seq, boot in self._boots.items()}

    def at(self, boot_seq: int, boot_ns: int) -> Interval:
        """Where the true time of a moment lies; within a boot neither end ever runs backwards."""
        outer = self._outer(boot_seq, boot_ns)
        boot = self._boots.get(boot_seq)
        if boot is None:
            return Interval(*outer, "boots")
        if (own := boot.trusted_at(boot_ns)) is not None:
            # Somebody trusted is wrong when they do not meet; nobody knows who.
            span = _common([own, outer]) or _cover([own, outer])
            return Interval(*span, boot.source)
        hint = boot.hint_at(boot_ns)
        met = _common([hint, outer]) if hint else None
        return Interval(*met, "modem") if met else Interval(*outer, "boots")

    def _outer(self, boot_seq: int, boot_ns: int) -> _Span:
        """What other boots and the hub's receipts leave."""
        earlier = [low for seq, low in self._after.items() if seq < boot_seq]
        later = [high for seq, high in self._before.items() if seq > boot_seq]
        low_ns = max([FLOOR_NS, *earlier]) + boot_ns - self._drift_ns(boot_ns)
        had = [self._received_by(receipt, boot_ns) for receipt in self._receipts.get(boot_seq, ())]
        high_ns = min([_ENDLESS_NS, *later, *had])
        return (low_ns, high_ns) if low_ns <= high_ns else (FLOOR_NS, low_ns)

    def _received_by(self, receipt: Receipt, boot_ns: int) -> int:
        apart_ns = boot_ns - receipt.boot_ns
        return receipt.utc_ns + RECEIPT_ERROR_NS + apart_ns + self._drift_ns(apart_ns)

    def _drift_ns(self, apart_ns: int) -> int:
        return drift_ns(apart_ns, self._drift_ppm)


class _Boot:
    """The anchors of one boot, sorted out once."""

    def __init__(self, anchors: Sequence[Anchor], drift_ppm: int) -> None:
        self._drift_ppm = drift_ppm
        trusted = [anchor for anchor in anchors if anchor.source in _TRUSTED]
        self._hints = [anchor for anchor in anchors if anchor.source == "modem"]
        self._agreed, self._disputed = _sort_out(trusted, drift_ppm)
        best = min(self._agreed + self._disputed, key=lambda anchor: anchor.error_ns, default=None)
        self.source: Source = "hub" if best is not None and best.source == "hub" else "ntp"

    def trusted_at(self, boot_ns: int) -> _Span | None:
        """By hub and NTP; None without them."""
        spans = [self._span(anchor, boot_ns) for anchor in self._agreed]
        if self._disputed:
            spans.append(_cover([self._span(anchor, boot_ns) for anchor in self._disputed]))
        return (_common(spans) or _cover(spans)) if spans else None

    def hint_at(self, boot_ns: int) -> _Span | None:
        """By the modem: where all of its readings but one agree, whichever that is; None if they do not."""
        if len(self._hints) < 2:
            return None
        spans = [self._span(anchor, boot_ns) for anchor in self._hints]
        lows, highs = sorted(low for low, _ in spans), sorted(high for _, high in spans)
        # The second highest beginning and the second lowest end.
        low_ns, high_ns = lows[-2], highs[1]
        return (low_ns, high_ns) if low_ns <= high_ns else None

    def last_low_ns(self) -> int:
        """This boot had not ended before that."""
        known = self._agreed + self._disputed
        last_ns = max((anchor.boot_ns for anchor in known), default=0)
        span = self.trusted_at(last_ns)
        return span[0] if span else FLOOR_NS

    def first_high_ns(self) -> int:
        """This boot had begun by that."""
        span = self.trusted_at(0)
        return span[1] if span else _ENDLESS_NS

    def _span(self, anchor: Anchor, boot_ns: int) -> _Span:
        middle_ns = anchor.utc_ns + boot_ns - anchor.boot_ns
        reach_ns = anchor.error_ns + drift_ns(boot_ns - anchor.boot_ns, self._drift_ppm)
        return middle_ns - reach_ns, middle_ns + reach_ns


def drift_ns(apart_ns: int, drift_ppm: int = DRIFT_PPM) -> int:
    """How far a boot's clock may have run away over a distance, rounded up."""
    return -(-abs(apart_ns) * drift_ppm // 1_000_000) + _READING_NS


def _sort_out(anchors: Sequence[Anchor], drift_ppm: int) -> tuple[list[Anchor], list[Anchor]]:
    """(agreed, disputed); who is outvoted is in neither."""
    left = list(anchors)
    while True:
        quarrels = [[other for other in left if _contradict(one, other, drift_ppm)] for one in left]
        most = max(map(len, quarrels), default=0)
        if not most:
            return left, []
        worst = [place for place, against in enumerate(quarrels) if len(against) == most]
        if len(worst) > 1 or not _outvoted(left[worst[0]], left, quarrels[worst[0]]):
            agreed = [anchor for anchor, against in zip(left, quarrels, strict=True) if not against]
            return agreed, [anchor for anchor, against in zip(left, quarrels, strict=True) if against]
        del left[worst[0]]


def _outvoted(anchor: Anchor, everybody: Sequence[Anchor], against: Sequence[Anchor]) -> bool:
    """Whether most of those who may judge it say that it is wrong. NTP can be forged: it judges no hub."""
    if anchor.source == "hub":
        everybody = [other for other in everybody if other.source == "hub"]
        against = [other for other in against if other.source == "hub"]
    return 2 * len(against) > len(everybody) - 1


def _contradict(one: Anchor, other: Anchor, drift_ppm: int) -> bool:
    """Whether no clock within the drift bound can have been at both."""
    apart_ns = one.boot_ns - other.boot_ns
    off_ns = abs(one.utc_ns - other.utc_ns - apart_ns)
    return off_ns > one.error_ns + other.error_ns + drift_ns(apart_ns, drift_ppm)


def _common(spans: Sequence[_Span]) -> _Span | None:
    low_ns, high_ns = max(low for low, _ in spans), min(high for _, high in spans)
    return (low_ns, high_ns) if low_ns <= high_ns else None


def _cover(spans: Sequence[_Span]) -> _Span:
    return min(low for low, _ in spans), max(high for _, high in spans)
