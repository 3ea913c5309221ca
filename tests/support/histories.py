"""Lives of a node as they may go, the truth beside them: boots, drift, steps of the clock, false anchors."""

import random
from dataclasses import dataclass, field

from siaga_central.domain.timeline import Anchor, AnchorSource, Receipt
from siaga_core.wire.envelope import Stamp

_S, _H = 10**9, 3600 * 10**9
_DRIFT_MOST_PPM = 100
_TEN_YEARS_NS = 10 * 365 * 24 * _H
_BEGIN_NS = 1_770_000_000 * _S


@dataclass(frozen=True, slots=True)
class Made:
    """A record as the hub has it, and when it was really made."""

    stamp: Stamp
    true_ns: int
    received_ns: int


@dataclass(slots=True)
class History:
    """What the hub knows of a node, and the truth."""

    anchors: list[Anchor] = field(default_factory=list)
    made: list[Made] = field(default_factory=list)

    @property
    def receipts(self) -> list[Receipt]:
        """By what the hub had each record."""
        return [Receipt(one.stamp.boot_seq, one.stamp.boot_ns, one.received_ns) for one in self.made]


class Crystal:
    """A boot's clock: true time of each of its moments, its rate changing within the drift bound."""

    def __init__(self, rng: random.Random, begin_ns: int, lasts_ns: int) -> None:
        self.lasts_ns = lasts_ns
        count = rng.randint(1, 4)
        cuts = sorted(rng.randrange(lasts_ns) for _ in range(count - 1))
        self._pieces: list[tuple[int, int, int]] = []
        true_ns, at_ns = begin_ns, 0
        for end_ns in [*cuts, lasts_ns]:
            ppm = rng.choice(
                [-_DRIFT_MOST_PPM, _DRIFT_MOST_PPM, rng.randint(-_DRIFT_MOST_PPM, _DRIFT_MOST_PPM)]
            )
            self._pieces.append((at_ns, true_ns, ppm))
            true_ns += _run(end_ns - at_ns, ppm)
            at_ns = end_ns
        self.end_ns = true_ns

    def true_ns(self, boot_ns: int) -> int:
        """When it really was."""
        begin_ns, true_ns, ppm = next(piece for piece in reversed(self._pieces) if piece[0] <= boot_ns)
        return true_ns + _run(boot_ns - begin_ns, ppm)


def _run(lasts_ns: int, ppm: int) -> int:
    return lasts_ns + lasts_ns * ppm // 1_000_000


def history(rng: random.Random) -> History:
    """One life of one to four boots; in each of them at most one reading of the modem is false."""
    told = History()
    now_ns = _BEGIN_NS + rng.randrange(5 * 365 * 24 * _H)
    for boot_seq in range(1, rng.randint(1, 4) + 1):
        crystal = Crystal(rng, now_ns, rng.choice([_H // 4, 6 * _H, 30 * _H, 300 * _H]) + rng.randrange(_H))
        _live(rng, told, boot_seq, crystal)
        now_ns = crystal.end_ns + rng.choice([5 * _S, _H, 700 * _H]) + rng.randrange(_H)
    return told


def _live(rng: random.Random, told: History, boot_seq: int, crystal: Crystal) -> None:
    synced = _windows(rng, crystal.lasts_ns)
    for begin_ns, end_ns in synced:
        for _ in range(rng.randint(0, 3)):
            _tell(rng, told, boot_seq, crystal, rng.randint(begin_ns, end_ns), "ntp", 1, 300)
            _tell(rng, told, boot_seq, crystal, rng.randint(begin_ns, end_ns), "hub", 20, 1500)
    readings = [rng.randrange(crystal.lasts_ns) for _ in range(rng.randint(0, 4))]
    for boot_ns in readings:
        _tell(rng, told, boot_seq, crystal, boot_ns, "modem", 2000, 3000)
    if rng.random() < 0.5:
        _lie(rng, told, boot_seq)
    if rng.random() < 0.5:
        boot_ns = rng.randrange(crystal.lasts_ns)
        false_ns = max(0, crystal.true_ns(boot_ns) + _lie_ns(rng))
        told.anchors.append(Anchor(boot_seq, boot_ns, false_ns, "camera", _S // 2))
    _work(rng, told, boot_seq, crystal, synced)


def _windows(rng: random.Random, lasts_ns: int) -> list[tuple[int, int]]:
    """Where the boot's wall clock is disciplined; often nowhere."""
    found = []
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        begin_ns = rng.randrange(lasts_ns)
        found.append((begin_ns, rng.randint(begin_ns, lasts_ns)))
    return found


def _tell(
    rng: random.Random,
    told: History,
    boot_seq: int,
    crystal: Crystal,
    boot_ns: int,
    source: AnchorSource,
    least_ms: int,
    most_ms: int,
) -> None:
    """An anchor that keeps what it promises; some are lost on the way."""
    if rng.random() < 0.3:
        return
    error_ns = rng.randint(least_ms, most_ms) * 10**6
    off_ns = rng.choice([-error_ns, error_ns, rng.randint(-error_ns, error_ns)])
    told.anchors.append(Anchor(boot_seq, boot_ns, crystal.true_ns(boot_ns) + off_ns, source, error_ns))


def _lie(rng: random.Random, told: History, boot_seq: int) -> None:
    """One reading of the modem of this boot, if there is any, is false."""
    own = [one for one in told.anchors if one.boot_seq == boot_seq and one.source == "modem"]
    if own:
        true = rng.choice(own)
        told.anchors.remove(true)
        false_ns = max(0, true.utc_ns + _lie_ns(rng))
        told.anchors.append(Anchor(boot_seq, true.boot_ns, false_ns, "modem", true.error_ns))


def _lie_ns(rng: random.Random) -> int:
    amount_ns = rng.choice([4 * _S, 20 * _S, _H // 4, 7 * _H, rng.randrange(_TEN_YEARS_NS), _TEN_YEARS_NS])
    return rng.choice([-1, 1]) * amount_ns


def _work(
    rng: random.Random, told: History, boot_seq: int, crystal: Crystal, synced: list[tuple[int, int]]
) -> None:
    """Records with the wall clock as it stood: right where disciplined, else anywhere within ten years."""
    step_ns = rng.choice([0, rng.randint(-_TEN_YEARS_NS, _TEN_YEARS_NS)])
    for boot_ns in sorted(rng.randrange(crystal.lasts_ns) for _ in range(rng.randint(2, 8))):
        if rng.random() < 0.2:
            step_ns = rng.randint(-_TEN_YEARS_NS, _TEN_YEARS_NS)
        true_ns = crystal.true_ns(boot_ns)
        disciplined = any(begin_ns <= boot_ns <= end_ns for begin_ns, end_ns in synced)
        error_ms = rng.randint(1, 2000)
        off_ns = rng.randint(-error_ms, error_ms) * 10**6 if disciplined else step_ns
        stamp = Stamp(
            boot_seq=boot_seq,
            boot_id=f"boot-{boot_seq}",
            boot_ns=boot_ns,
            wall_ns=true_ns + off_ns,
            clock="synced" if disciplined else "unknown",
            error_ms=error_ms if disciplined else None,
        )
        late_ns = rng.choice([_S // 10, 60 * _S, 200 * _H]) + rng.randint(-2 * _S, 2 * _S)
        told.made.append(Made(stamp, true_ns, true_ns + late_ns))
