"""`siaga-node footage list` and `find`: what there is, how certain, what is missing and why."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from siaga_core.errors import SiagaError
from siaga_core.wib import shown
from siaga_edge.cli.progress import Progress
from siaga_edge.node import NodeConfig, Recorder
from siaga_edge.recorder import disk
from siaga_edge.recorder.finder import Finder, ReadOnly, open_finder
from siaga_edge.recorder.holding import segments_of
from siaga_edge.recorder.holds import touches
from siaga_edge.recorder.inventory import (
    CameraFootage,
    Hole,
    NotedGap,
    Outlook,
    Piece,
    missing,
    of_camera,
    outlook,
    ranges,
)
from siaga_edge.recorder.retention import Stored

# The rate of the last hour says how fast the disk fills now.
_RECENT = 60
HOLES_SHOWN = 20


class NoRecorder(SiagaError):
    """This node's config names no recorder."""


class NoSuchCamera(SiagaError):
    """No footage is known of a camera of this name."""


def settings_of(config: NodeConfig) -> Recorder:
    """The recorder's section. Raises NoRecorder."""
    if config.recorder is None:
        raise NoRecorder(f"{config.node.id} records nothing: its config has no [recorder]")
    return config.recorder


@contextmanager
def footage_of(config: NodeConfig) -> Iterator[ReadOnly]:
    """The index of this node's own disk, read-only. Raises what keeps it from being read."""
    disk.look(settings_of(config).footage_dir, config.node.id)
    with open_finder(config.node.data_dir / "footage.db") as finder:
        try:
            finder.cameras()
        except sqlite3.DatabaseError as error:
            raise IndexUnreadable(
                f"the footage index cannot be read ({error}); stop siaga-recorder,"
                " then run `siaga-node footage rebuild`"
            ) from error
        yield finder


class IndexUnreadable(SiagaError):
    """The index is damaged."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """The whole disk."""

    cameras: tuple[CameraFootage, ...]
    held_bytes: int
    free_bytes: int
    total_bytes: int
    reserve_bytes: int
    outlook: Outlook


def take_inventory(config: NodeConfig) -> Inventory:
    """Every camera that the config or the index names."""
    settings = settings_of(config)
    with footage_of(config) as finder:
        names = sorted({*finder.cameras(), *(camera.id for camera in config.cameras)})
        usage = shutil.disk_usage(settings.footage_dir)
        with closing(Progress("footage", usage.used)) as progress:
            found = [_camera(finder, name, progress) for name in names]
        newest = [one for name in names for one in finder.newest_of(name, _RECENT)]
    cameras = tuple(one for one in found if one is not None)
    held = sum(one.held_bytes for one in cameras)
    unheld = sum(one.size_bytes for one in cameras) - held
    reserve = settings.free_reserve_bytes
    ahead = outlook(newest, unheld, usage.free, reserve)
    return Inventory(cameras, held, usage.free, usage.total, reserve, ahead)


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of a span of one camera. `held`: (segment, hold) for each that a hold keeps."""

    camera: str
    start_wall_ns: int
    end_wall_ns: int
    segments: tuple[Stored, ...]
    missing: tuple[Hole, ...]
    held: tuple[tuple[str, str], ...]
    error_ms: int | None

    @property
    def status(self) -> int:
        """0: all of it; 3: a part; 4: nothing."""
        return 4 if not self.segments else 3 if self.missing else 0


def find(config: NodeConfig, camera: str, start_wall_ns: int, end_wall_ns: int) -> Found:
    """Look a span up. Raises NoSuchCamera and what `footage_of` raises."""
    with footage_of(config) as finder:
        known_camera(config, finder, camera)
        stored = tuple(finder.between(camera, start_wall_ns, end_wall_ns))
        beside = (*_older(finder, camera), *_being_recorded(finder, camera, end_wall_ns))
        noted = [*finder.gaps(camera), *beside]
        holds = [hold for hold in finder.holds() if hold.camera == camera]
    held = tuple((one.name, hold.id) for one in stored for hold in holds if touches(one, hold))
    errors = [one.error_ms for one in stored]
    error_ms = None if None in errors else max((error or 0 for error in errors), default=0)
    holes = missing(stored, start_wall_ns, end_wall_ns, noted)
    return Found(camera, start_wall_ns, end_wall_ns, stored, holes, held, error_ms)


def known_camera(config: NodeConfig, finder: Finder, camera: str) -> None:
    """Raise NoSuchCamera, naming those that there are."""
    names = sorted({*finder.cameras(), *(one.id for one in config.cameras)})
    if camera not in names:
        raise NoSuchCamera(f"there is no camera {camera} on this node, only {', '.join(names) or 'none'}")


def inventory_page(found: Inventory) -> str:
    """What a technician reads, Indonesian first."""
    lines: list[str] = []
    for one in found.cameras:
        share = f", ditahan/held {_size(one.held_bytes)}" if one.held_bytes else ""
        lines.append(f"{one.camera:20s} {_size(one.size_bytes)} in {one.segments} segmen/segments{share}")
        lines.append(f"  {shown(one.start_wall_ns, one.error_ms)} - {shown(one.end_wall_ns, one.error_ms)}")
        lines += _hole_lines(one.holes)
    room, ahead = found.free_bytes - found.reserve_bytes, found.outlook
    lines.append(
        f"disk: sisa/free {_size(found.free_bytes)} dari/of {_size(found.total_bytes)},"
        f" cadangan/reserve {_size(found.reserve_bytes)}, ditahan/held {_size(found.held_bytes)}"
    )
    if ahead.kept_days is not None and ahead.first_lost_in_days is not None:
        when = f"{ahead.first_lost_in_days:.1f} hari/days" if room > 0 else "sekarang/now"
        lines.append(
            f"rekaman bertahan/footage stays {ahead.kept_days:.1f} hari/days;"
            f" yang tertua ditimpa/the oldest is overwritten: {when}"
        )
    return "\n".join(lines if found.cameras else ["belum ada rekaman / no footage yet", *lines])


def found_page(found: Found) -> str:
    """What a technician reads, Indonesian first."""
    held = {name for name, _ in found.held}
    span = f"{shown(found.start_wall_ns)} - {shown(found.end_wall_ns)}"
    lines = [f"{found.camera}  {span}"]
    for one in found.segments:
        mark = "  ditahan/held" if one.name in held else ""
        begin, end = shown(one.start_wall_ns, one.error_ms), shown(one.end_wall_ns, one.error_ms, day=False)
        lines.append(f"  {begin} - {end}  {_size(one.size_bytes):>9s}  {one.name}{mark}")
    lines += _hole_lines(found.missing)
    said = {0: "lengkap / complete", 3: "sebagian / in part", 4: "tidak ada rekaman / no footage"}
    return "\n".join([*lines, said[found.status]])


def inventory_row(found: Inventory) -> dict[str, Any]:
    """For JSON."""
    return asdict(found)


def found_row(found: Found) -> dict[str, Any]:
    """For JSON; `complete` says whether nothing is missing."""
    return {**asdict(found), "complete": found.status == 0}


def _camera(finder: Finder, name: str, progress: Progress) -> CameraFootage | None:
    def counted() -> Iterator[Piece]:
        for piece in finder.pieces(name):
            progress.advance(piece.size_bytes)
            yield piece

    holds = [hold for hold in finder.holds() if hold.camera == name]
    held = {one.name: one.size_bytes for hold in holds for one in segments_of(finder, hold)}
    is_given_up = ranges(finder.given_up())
    made = of_camera(name, counted(), finder.dating.wall, finder.gaps(name), is_given_up)
    if made is None:
        return None
    return CameraFootage(
        made.camera,
        made.segments,
        made.size_bytes,
        made.start_wall_ns,
        made.end_wall_ns,
        made.error_ms,
        made.holes,
        sum(held.values()),
    )


def _older(finder: Finder, camera: str) -> list[NotedGap]:
    """What lies before the oldest segment that is kept."""
    oldest = finder.of_camera(camera, 1)
    if not oldest:
        return []
    why = "older than what is kept of this camera: overwritten, or never recorded"
    return [NotedGap(0, max(0, oldest[0].start_wall_ns - 10 * 10**9), why)]


def _being_recorded(finder: Finder, camera: str, end_wall_ns: int) -> list[NotedGap]:
    """What comes after the newest closed segment may be in the one that is being written."""
    newest = finder.newest_of(camera, 1)
    if not newest or newest[0].end_wall_ns >= end_wall_ns:
        return []
    why = "perhaps in the segment that is being written now; ask again in two minutes"
    return [NotedGap(newest[0].end_wall_ns, newest[0].end_wall_ns + 120 * 10**9, why)]


def _hole_lines(holes: tuple[Hole, ...]) -> list[str]:
    lines = []
    for one in holes[-HOLES_SHOWN:]:
        seconds = (one.end_wall_ns - one.start_wall_ns) / 1e9
        span = f"{shown(one.start_wall_ns, one.error_ms)} - {shown(one.end_wall_ns, one.error_ms, day=False)}"
        lines.append(f"  ! tidak ada/missing {span} ({seconds:.0f} s): {one.why}")
    if len(holes) > HOLES_SHOWN:
        lines.append(f"  ! dan/and {len(holes) - HOLES_SHOWN} lagi yang lebih lama/older ones (--json)")
    return lines


def _size(octets: int) -> str:
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6)):
        if octets >= size:
            return f"{octets / size:.1f} {unit}"
    return f"{octets / 1000:.0f} kB"
