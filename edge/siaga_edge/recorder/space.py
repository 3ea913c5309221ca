"""Space on the footage disk: what gives way, what is said when nothing may, who pauses then."""

import errno
import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from siaga_core.wire.health import Level
from siaga_edge.node import Camera, Recorder
from siaga_edge.recorder.holding import Holding
from siaga_edge.recorder.index import Index
from siaga_edge.recorder.retention import Choice, Limits, Room, Stored, budget_level, choose, paused
from siaga_edge.recorder.salvage import discard
from siaga_edge.recorder.writing import segment_path

log = logging.getLogger(__name__)

_PAGE = 256
# At most so many segments are deleted in one round, so that the recorder's thread goes on.
_ROUND = 512
_BUDGET_EVERY = 30  # rounds
PAUSED_REASON = "paused: only held footage is left on the disk"

Say = Callable[[Level, str, str], None]


def footage_room(folder: Path, reserve_bytes: int) -> Room:
    """The footage disk's space. Raises OSError."""
    usage = shutil.disk_usage(folder)
    return Room(usage.free, usage.total, reserve_bytes)


class Space:
    """Keeps the reserve free; used in the recorder's thread, but for `paused`."""

    def __init__(
        self,
        cameras: Sequence[Camera],
        settings: Recorder,
        index: Index,
        holding: Holding,
        say: Say,
        is_there: Callable[[], bool],
        measure: Callable[[Path, int], Room] = footage_room,
    ) -> None:
        self._settings, self._index, self._holding = settings, index, holding
        self._say, self._is_there, self._measure = say, is_there, measure
        least_first = sorted(range(len(cameras)), key=lambda number: (cameras[number].priority, -number))
        self._cameras = [cameras[number].id for number in least_first]
        self._limits = {one.id: Limits(one.keep_least_h * 3600, one.keep_most_h * 3600) for one in cameras}
        self._paused: frozenset[str] = frozenset()
        self._said: dict[str, str] = {}
        self._held_before = 0  # segments up to this number were all held when last looked at
        self._holds_seen = holding.holds
        self._rounds = 0

    def paused(self, camera: str) -> str:
        """Why a camera may not record now; empty: it may. Called by pumps."""
        return PAUSED_REASON if camera in self._paused else ""

    def tend(self, now_wall_ns: int | None) -> None:
        """Unlink what must go, a file before its row. `now_wall_ns`: None while it is not certain."""
        if not self._is_there():
            return  # an empty folder's room says nothing, and its files only seem to be gone
        try:
            room = self._measure(self._settings.footage_dir, self._settings.free_reserve_bytes)
        except OSError:
            return
        choice = self._choose(room, now_wall_ns)
        self._delete(choice.delete)
        self._pause(room, may_delete=bool(choice.delete))
        self._say_short(choice)
        if self._rounds % _BUDGET_EVERY == 0:
            self._say_budget(room)
        self._rounds += 1

    def _choose(self, room: Room, now_wall_ns: int | None) -> Choice:
        aged = now_wall_ns is not None and any(limit.most_s for limit in self._limits.values())
        if room.free_bytes >= room.reserve_bytes and not (aged and self._rounds % _BUDGET_EVERY == 0):
            return Choice((), frozenset(), room.free_bytes)
        newest = self._index.newest()
        # The newest link stays: from it the chain goes on when the index is lost.
        last = 0 if newest is None else newest.number
        candidates: list[Stored] = []
        for one in self._unheld():
            if one.number == last:
                break
            candidates.append(one)
            if len(candidates) >= _ROUND:
                break
        return choose(candidates, room, self._limits, self._holding.is_held, now_wall_ns)

    def _unheld(self) -> Iterator[Stored]:
        """Segments in order of arrival that no hold touches; a run of held ones is passed over once."""
        if self._holding.holds != self._holds_seen or self._rounds % _BUDGET_EVERY == 0:
            self._held_before, self._holds_seen = 0, self._holding.holds
        at, leading = self._held_before, True
        while page := self._index.oldest_first(_PAGE, after=at):
            for one in page:
                held = self._holding.is_held(one)
                leading = leading and held
                if leading:
                    self._held_before = one.number
                if not held:
                    yield one
            at = page[-1].number

    def _delete(self, chosen: Sequence[Stored]) -> None:
        gone = []
        for stored in chosen:
            try:
                discard(segment_path(self._settings.footage_dir, stored.name))
            except OSError as error:
                log.error("segment not deleted segment=%s cause=%s", stored.name, error)
                if error.errno in (errno.EROFS, errno.EIO):
                    break
                continue
            gone.append(stored.name)
        self._index.remove(gone)

    def _pause(self, room: Room, *, may_delete: bool) -> None:
        before, self._paused = self._paused, paused(self._cameras, room, may_delete=may_delete)
        for camera in sorted(self._paused - before):
            self._say("crit", f"paused.{camera}", f"{camera}: not recorded, only held footage is left")
        for camera in sorted(before - self._paused):
            self._say("ok", f"paused.{camera}", f"{camera}: recorded again")
        level = "crit" if room.free_bytes < room.reserve_bytes and not may_delete else "ok"
        free_mb = room.free_bytes // 1024**2
        self._say_once(
            level, "disk", f"{free_mb} MB left and nothing that may be deleted", f"{free_mb} MB free"
        )

    def _say_short(self, choice: Choice) -> None:
        names = ", ".join(sorted(choice.short))
        level = "warn" if choice.short else "ok"
        self._say_once(level, "footage.short", f"kept shorter than keep_least_h: {names}", "kept long enough")

    def _say_budget(self, room: Room) -> None:
        held_bytes = self._holding.held_bytes() if self._holding.holds else 0
        most = self._settings.held_most_percent
        percent = held_bytes * 100 / max(1, room.total_bytes)
        text = f"held footage takes {percent:.0f} % of the disk, its budget is {most:.0f} %"
        self._say_once(budget_level(held_bytes, room.total_bytes, most), "footage.held", text, text)

    def _say_once(self, level: str, code: str, bad: str, good: str) -> None:
        """On change only; that all is well is no news at the start."""
        if self._said.get(code, "ok") != level:
            told: Level = "crit" if level == "crit" else "warn" if level == "warn" else "ok"
            self._say(told, code, good if level == "ok" else bad)
        self._said[code] = level
