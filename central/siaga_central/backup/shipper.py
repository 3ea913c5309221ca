"""The worker that ships: a base at each start and every day, then what was committed, every two seconds."""

import hashlib
import io
import logging
import tarfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from sqlalchemy import func, select

from siaga_central.backup import pieces
from siaga_central.backup.pieces import Label
from siaga_central.backup.tail import Piece, Tail
from siaga_central.backup.vault import Vault, VaultAway
from siaga_central.store import events
from siaga_central.store.schema import event
from siaga_central.store.writer import Store
from siaga_core.service.clock import Clock, new_id
from siaga_core.service.files import write_atomic
from siaga_core.service.workers import Heartbeat, Stop

log = logging.getLogger(__name__)

EVERY_S = 2.0
# The root's key belongs into a safe, not into a backup that a hub's administrator opens.
ROOT_KEY = "root.key"
BASE_EVERY_S = 86400.0
CHECKPOINT_ABOVE_BYTES = 4 * 1024**2
# With the second place away the log must not fill the disk: a new base is made when it is back.
LOG_MOST_BYTES = 256 * 1024**2
LATE_AFTER_S = 60.0
RETRY_S = 5.0


class State(Struct, frozen=True, kw_only=True):
    """`backup.json` in the hub's folder: how the backup is, for the command line and the console."""

    shipped_us: int  # until when everything is in the second place
    folder: str
    life: str
    pieces: int
    bytes: int
    problem: str = ""


class Shipper:
    """Made and used in one thread; asks the store's writer thread for what was committed."""

    def __init__(
        self, store: Store, vault: Vault, data_dir: Path, media_dir: Path, own: Sequence[Path], clock: Clock
    ) -> None:
        """`own`: folders and files of keys, passwords and config that a restored hub must have."""
        self.checkpoint_above_bytes = CHECKPOINT_ABOVE_BYTES
        self._store, self._vault, self._clock = store, vault, clock
        self._data_dir, self._media_dir, self._own = data_dir, media_dir, own
        self._database = data_dir / "hub.db"
        self._tail = Tail(self._database)
        self._life, self._number, self._bytes = "", 0, 0
        self._pending: list[Piece] = []
        self._base_mono_s = float("-inf")
        self._shipped_us, self._shipped_mono_s = 0, clock.mono_s()
        self._identity, self._media = "", set[str]()
        self._late = False

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """Ship until asked to stop. A second place that is away is tried again, for ever."""
        while not stop.is_set():
            wait_s = EVERY_S
            try:
                self.ship(heartbeat)
                self._tell("")
            except VaultAway as error:
                self._bound()
                self._tell(str(error))
                wait_s = RETRY_S
            heartbeat.beat()
            stop.wait(wait_s)

    def ship(self, heartbeat: Heartbeat | None = None) -> None:
        """Bring the second place up to now. Raises VaultAway; nothing is lost by that."""
        now_s = self._clock.mono_s()
        if not self._life or now_s - self._base_mono_s >= BASE_EVERY_S:
            self._begin_base()
            self._base_mono_s = now_s
        before_us = self._clock.wall_ns() // 1000
        self._ship_tail()
        self._shipped_us, self._shipped_mono_s = before_us, now_s
        self._ship_identity()
        self._ship_media(heartbeat)

    def _begin_base(self) -> None:
        life, self._life = new_id(self._clock), ""  # should this fail, what was read is in no base yet
        taken_us = self._clock.wall_ns() // 1000
        octets = self._store.pause(self._tail.begin)
        self._pending = []
        # Only this thread lets the log into the database file, so the file stands still while it is copied.
        self._bytes = self._vault.put_file(pieces.base(life, pieces.DATABASE), self._database)
        label = Label(at_us=taken_us, event=self._newest_event(), page_bytes=0)
        self._bytes += self._vault.put(pieces.base(life, pieces.LOG), pieces.sealed(label, octets))
        self._life, self._number = life, 0
        for name in pieces.needless(self._vault.names()):
            self._vault.remove(name)
        log.info("backup base made life=%s bytes=%d", life, self._bytes)

    def _ship_tail(self) -> None:
        newest = self._newest_event()
        read = (
            self._tail.checkpoint
            if self._tail.size_bytes() > self.checkpoint_above_bytes
            else self._tail.read
        )
        piece = self._store.pause(read)
        if piece is not None:
            self._pending.append(piece)
        while self._pending:
            piece = self._pending[0]
            label = Label(at_us=self._clock.wall_ns() // 1000, event=newest, page_bytes=piece.page_bytes)
            name = pieces.tail(self._life, self._number + 1)
            self._bytes += self._vault.put(name, pieces.sealed(label, piece.frames))
            self._number += 1
            del self._pending[0]

    def _bound(self) -> None:
        """While the second place is away: give up this base rather than the disk."""
        waiting = sum(len(piece.frames) for piece in self._pending)
        if self._life and max(waiting, self._tail.size_bytes()) > LOG_MOST_BYTES:
            self._store.pause(self._tail.checkpoint)
            self._life, self._pending = "", []

    def _ship_identity(self) -> None:
        octets = _tar(self._own, self._data_dir)
        digest = hashlib.sha256(octets).hexdigest()
        if digest != self._identity:
            self._vault.put(f"{pieces.IDENTITY}{new_id(self._clock)}", octets)
            self._identity = digest

    def _ship_media(self, heartbeat: Heartbeat | None) -> None:
        clips = self._media_dir / "clips"
        if not self._media and clips.exists():
            self._media = {name for name in self._vault.names() if name.startswith(pieces.MEDIA)}
        for path in sorted(clips.glob("*.mp4")):
            name = f"{pieces.MEDIA}{path.relative_to(self._media_dir)}"
            if name not in self._media:
                self._vault.put_file(name, path)
                self._media.add(name)
                if heartbeat is not None:
                    heartbeat.beat()

    def _newest_event(self) -> int:
        with self._store.read() as connection:
            return int(connection.execute(select(func.max(event.c.seq))).scalar() or 0)

    def _tell(self, problem: str) -> None:
        state = State(
            shipped_us=self._shipped_us,
            folder=str(self._vault.folder),
            life=self._life,
            pieces=self._number,
            bytes=self._bytes,
            problem=problem,
        )
        write_atomic(self._data_dir / "backup.json", msgspec.json.encode(state))
        late = self._clock.mono_s() - self._shipped_mono_s > LATE_AFTER_S
        if late == self._late:
            return
        self._late = late
        log.log(logging.ERROR if late else logging.INFO, "backup late=%s %s", late, problem)
        now_us = self._clock.wall_ns() // 1000
        kind = "backup.late" if late else "backup.well"
        self._store.write(lambda c: events.append(c, now_us, kind, "hub", "hub", {"problem": problem}))


def _tar(own: Sequence[Path], data_dir: Path) -> bytes:
    """Files under the names they have in the hub's folder; the same octets for the same files."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for top in own:
            for path in sorted([top, *top.rglob("*")]) if top.is_dir() else [top]:
                if path.is_file() and path.name != ROOT_KEY:
                    inside = path.is_relative_to(data_dir)
                    entry = tarfile.TarInfo(str(path.relative_to(data_dir)) if inside else path.name)
                    entry.size, entry.mode = path.stat().st_size, path.stat().st_mode & 0o777
                    tar.addfile(entry, io.BytesIO(path.read_bytes()))
    return made.getvalue()
