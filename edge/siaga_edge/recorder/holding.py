"""Holds of this node: taken from the inbox or a technician, kept in the index, told to the hub on change."""

import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from siaga_core.service.files import write_atomic
from siaga_core.wire import recording, want
from siaga_core.wire.recording import Holds, HoldState
from siaga_core.wire.want import Want, WantState
from siaga_edge.inbox import Inbox
from siaga_edge.journal import Journal
from siaga_edge.recorder.finder import Finder
from siaga_edge.recorder.holds import UNDATED_SLACK_NS, Hold, standing, touches
from siaga_edge.recorder.index import Index
from siaga_edge.recorder.retention import Stored

log = logging.getLogger(__name__)

WISH = "holds"
LOCAL = "local-"
_SHARED = 0o2770


class LocalRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a technician asks at the node: a hold of a span, or (`release`) the end of one made so."""

    id: str
    camera: str = ""
    start_wall_ns: int = 0
    end_wall_ns: int = 0
    release: bool = False
    note: str = ""  # who asks and why


def requests_dir(data_dir: Path) -> Path:
    """Where technicians' requests wait for the recorder, one file each."""
    return data_dir / "footage-requests"


def open_folder(folder: Path) -> None:
    """Make a folder in which technicians leave requests: what is put there belongs to the service's group.

    In its unit's sandbox (RestrictSUIDSGID=, UMask=0007) the service may not ask for the group's bit, and
    need not: the data folder has it, and a folder made there inherits it (mkdir(2)).
    """
    if folder.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:  # before the service has ever run
        owner = folder.parent.stat()
        os.chown(folder, owner.st_uid, owner.st_gid)
    if stat.S_IMODE(folder.stat().st_mode) != _SHARED:
        folder.chmod(_SHARED)


def ask(data_dir: Path, request: LocalRequest) -> None:
    """Leave a request for the recorder; durable when this returns."""
    folder = requests_dir(data_dir)
    open_folder(folder)
    write_atomic(folder / f"{request.id}.json", msgspec.json.encode(request), 0o660)


def segments_of(finder: Finder, hold: Hold) -> list[Stored]:
    """Closed segments that touch a hold."""
    around = finder.between(
        hold.camera, hold.start_wall_ns - UNDATED_SLACK_NS, hold.end_wall_ns + UNDATED_SLACK_NS
    )
    return [one for one in around if touches(one, hold)]


class Holding:
    """The holds in force. Survives the loss of the inbox or of the index, though not of both at once."""

    def __init__(self, index: Index, inbox: Inbox, journal: Journal, data_dir: Path, settle_s: float) -> None:
        """`settle_s`: after the end of a span its last segment is closed within this."""
        self._index, self._inbox, self._journal = index, inbox, journal
        self._requests = requests_dir(data_dir)
        open_folder(self._requests)
        self._settle_ns = int(settle_s * 1e9)
        self._generation = -1
        self.holds: tuple[Hold, ...] = index.holds()

    def is_held(self, segment: Stored) -> bool:
        """Whether a hold touches `segment`: asked anew before every deletion."""
        return any(touches(segment, hold) for hold in self.holds)

    def held_bytes(self) -> int:
        """Octets of closed segments that are held."""
        sizes = {one.name: one.size_bytes for hold in self.holds for one in segments_of(self._index, hold)}
        return sum(sizes.values())

    def take(self) -> None:
        """Take what the hub wishes and technicians ask; committed here before anybody is told."""
        wish = self._inbox.wants().get(WISH)
        version, told = self._index.wish(WISH)
        if wish is not None and wish.version > version:
            self._apply(wish)
        elif told < version:  # the power failed between the commit and the telling
            self._tell_wish(version, "applied")
        if self._requests.is_dir():
            for path in sorted(self._requests.glob("*.json")):
                self._take_local(path)

    def tell(self, now_wall_ns: int) -> None:
        """Journal what became of each hold, on change only."""
        settled = self._generation == self._index.generation
        for hold in self.holds:
            before = self._index.told(hold.id)
            if settled and before is not None and before.state in ("held", "lost"):
                continue
            now = standing(hold, segments_of(self._index, hold), now_wall_ns, self._settle_ns)
            now = _signed(now, hold)
            if now != before:
                self._journal.append(recording.HOLD_KIND, now)
                self._index.set_told(now)
        self._generation = self._index.generation

    def _apply(self, wish: Want) -> None:
        try:
            asked = msgspec.json.decode(wish.body, type=Holds).holds
        except msgspec.DecodeError as error:
            self._index.set_wish(WISH, wish.version)
            self._tell_wish(wish.version, "refused", f"the holds cannot be read: {error}")
            return
        holds = [Hold(one.id, one.camera, one.start_wall_ns, one.end_wall_ns) for one in asked]
        self._replace("hub", holds, lambda: self._index.keep_holds("hub", holds, (WISH, wish.version)))
        self._tell_wish(wish.version, "applied")
        log.info("holds applied version=%d holds=%d", wish.version, len(holds))

    def _take_local(self, path: Path) -> None:
        try:
            asked = msgspec.json.decode(path.read_bytes(), type=LocalRequest)
        except msgspec.DecodeError as error:
            log.warning("request not understood file=%s cause=%s", path.name, error)
            path.unlink()
            return
        if not asked.id.startswith(LOCAL) or (asked.end_wall_ns <= asked.start_wall_ns and not asked.release):
            log.warning("request refused file=%s id=%s", path.name, asked.id)
            path.unlink()
            return
        others = [hold for hold in self.holds if hold.origin == "local" and hold.id != asked.id]
        mine = Hold(asked.id, asked.camera, asked.start_wall_ns, asked.end_wall_ns, "local", asked.note)
        holds = others if asked.release else [*others, mine]
        self._replace("local", holds, lambda: self._index.keep_holds("local", holds))
        path.unlink()
        log.info(
            "hold by hand id=%s camera=%s release=%s note=%s",
            asked.id,
            asked.camera,
            asked.release,
            asked.note,
        )

    def _replace(self, origin: str, holds: list[Hold], commit: Callable[[], None]) -> None:
        kept = {hold.id for hold in holds}
        released = [hold for hold in self.holds if hold.origin == origin and hold.id not in kept]
        for hold in released:
            ended = _signed(HoldState(id=hold.id, state="released"), hold)
            self._journal.append(recording.HOLD_KIND, ended)
        commit()
        self.holds = self._index.holds()

    def _tell_wish(self, version: int, state: str, detail: str = "") -> None:
        body = WantState(
            name=WISH, version=version, state="applied" if state == "applied" else "refused", detail=detail
        )
        self._journal.append(want.KIND, body)
        self._index.set_wish_told(WISH, version)


def _signed(state: HoldState, hold: Hold) -> HoldState:
    """Of a hold made at this node the hub learns the camera, and who asked for it and why."""
    if hold.origin != "local":
        return state
    return msgspec.structs.replace(state, camera=hold.camera, note=hold.note)
