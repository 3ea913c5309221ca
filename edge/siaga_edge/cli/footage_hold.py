"""`siaga-node footage hold`: asks the recorder to keep a span, and shows what it really keeps."""

import getpass
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from siaga_core.errors import SiagaError
from siaga_core.wib import shown
from siaga_core.wire.recording import HoldState
from siaga_edge.cli.footage_report import footage_of, known_camera
from siaga_edge.node import NodeConfig
from siaga_edge.recorder.finder import Finder
from siaga_edge.recorder.holding import LOCAL, LocalRequest, ask, requests_dir, segments_of
from siaga_edge.recorder.holds import Hold

# The recorder looks for requests every second and says what it holds every five.
TAKEN_WITHIN_S = 15.0
TOLD_WITHIN_S = 15.0
_POLL_S = 0.1


class HoldRefused(SiagaError):
    """A hold that cannot be asked for."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One hold and what is kept by it. `state` is `asked` while the recorder has not answered."""

    hold: Hold
    state: str
    segments: int
    size_bytes: int
    missing: tuple[tuple[int, int], ...] = ()
    reason: str = ""

    @property
    def status(self) -> int:
        """0: kept as far as it is over; 3: a part is missing; 4: nothing is there; 5: not answered yet."""
        if self.state == "asked":
            return 5
        return 4 if self.state == "lost" else 3 if self.missing else 0


def standings(config: NodeConfig) -> list[Standing]:
    """Every hold in force."""
    with footage_of(config) as finder:
        return [_standing(finder, hold) for hold in finder.holds()]


def place(
    config: NodeConfig,
    camera: str,
    span: tuple[int, int],
    why: str,
    *,
    wait: Callable[[float], None] = time.sleep,
) -> Standing:
    """Ask for a hold and wait for the recorder's word. Raises HoldRefused, NoSuchCamera."""
    if not why.strip():
        raise HoldRefused("say why, e.g. --reason 'laporan polisi 123'; the hub is told too")
    with footage_of(config) as finder:
        known_camera(config, finder, camera)
    note = f"{getpass.getuser()}: {why.strip()}"[:400]
    mine = Hold(f"{LOCAL}{secrets.token_hex(4)}", camera, *span, "local", note)
    ask(
        config.node.data_dir,
        LocalRequest(id=mine.id, camera=camera, start_wall_ns=span[0], end_wall_ns=span[1], note=note),
    )
    if not _taken(config, mine.id, wait):
        return Standing(mine, "asked", 0, 0)
    return _told(config, mine, wait)


def release(config: NodeConfig, hold: str, *, wait: Callable[[float], None] = time.sleep) -> bool:
    """Let go of a hold made here; whether the recorder has confirmed it. Raises HoldRefused."""
    with footage_of(config) as finder:
        known = {one.id: one for one in finder.holds()}
    if hold not in known:
        raise HoldRefused(f"there is no hold {hold}; `siaga-node footage hold` lists them")
    if known[hold].origin != "local":
        raise HoldRefused(f"{hold} was placed by the hub; a supervisor lets go of it there, with a reason")
    ask(config.node.data_dir, LocalRequest(id=hold, release=True, note=getpass.getuser()))
    return _taken(config, hold, wait)


def page(found: list[Standing]) -> str:
    """What a technician reads, Indonesian first."""
    words = {
        "waiting": "menunggu akhir rentang/waiting for its end",
        "held": "ditahan/held",
        "lost": "HILANG/LOST",
        "asked": "diminta, siaga-recorder belum menjawab/asked, not answered yet",
    }
    lines: list[str] = []
    for one in found:
        span = f"{shown(one.hold.start_wall_ns)} - {shown(one.hold.end_wall_ns, day=False)}"
        lines.append(f"{one.hold.id}  {one.hold.camera}  {span}  {words[one.state]}")
        kept = f"  {one.segments} segmen/segments, {one.size_bytes / 1e6:.1f} MB"
        lines.append(f"{kept}  {one.hold.note}".rstrip())
        for start_ns, end_ns in one.missing:
            lines.append(f"  ! tidak ada/missing {shown(start_ns)} - {shown(end_ns, day=False)}")
        if one.reason:
            lines.append(f"  ! {one.reason}")
    return "\n".join(lines) or "tidak ada yang ditahan / nothing is held"


def row(one: Standing) -> dict[str, Any]:
    """For JSON."""
    return asdict(one)


def _taken(config: NodeConfig, hold: str, wait: Callable[[float], None]) -> bool:
    left = requests_dir(config.node.data_dir) / f"{hold}.json"
    for _ in range(round(TAKEN_WITHIN_S / _POLL_S)):
        if not left.exists():
            return True
        wait(_POLL_S)
    return False


def _told(config: NodeConfig, mine: Hold, wait: Callable[[float], None]) -> Standing:
    with footage_of(config) as finder:
        for _ in range(round(TOLD_WITHIN_S / _POLL_S)):
            if finder.told(mine.id) is not None:
                break
            wait(_POLL_S)
        return _standing(finder, mine)


def _standing(finder: Finder, hold: Hold) -> Standing:
    if hold.id not in {one.id for one in finder.holds()}:
        return Standing(hold, "asked", 0, 0, reason="the recorder has refused it; see its log")
    kept = segments_of(finder, hold)
    said = finder.told(hold.id) or HoldState(id=hold.id, state="waiting")
    size_bytes = sum(one.size_bytes for one in kept)
    return Standing(hold, said.state, len(kept), size_bytes, said.missing, said.reason)
